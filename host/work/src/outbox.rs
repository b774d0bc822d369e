//! The outbox for pages and the command line, and what an operator can do with it. The embedding panel decides who may.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::rc::Rc;

use crate::work::Work;
use crate::workers::Workers;
use keyturn_core::accounts::{Account, AccountId, Field, Scope};
use keyturn_core::caller::{Actor, Caller, OWN};
use keyturn_mail::draw::{self, Drawn};
use keyturn_mail::template::TemplateError;
use keyturn_mail::transport::folder;
use keyturn_runtime::admit::Plugin;
use keyturn_store::outbox::{Filling, Mail, MailFilter, MailId, MailState, Mend, Recipient};
use keyturn_store::{AuditEntry, Role, StorageError};
use keyturn_ui::Delivery;

/// Mails, or jobs and events, that one press of a button takes at most.
pub const AT_ONCE: u32 = 1_000;

impl Work {
    /// The whole address at which people sign in.
    pub fn sign_in(&self) -> String {
        match self.brand().sign_in.strip_prefix('/') {
            Some(path) => format!("{}/{path}", self.outgoing().origin),
            None => self.brand().sign_in.clone(),
        }
    }

    /// A mail in the account's language, or the panel's where there is none; `masked`: with •••• for what is secret.
    pub fn drawn(
        &self,
        filling: &Filling,
        account: Option<&Account>,
        asked_at: i64,
        masked: bool,
    ) -> Result<Drawn, TemplateError> {
        let field = |field| account.and_then(|account| account.value(field)).unwrap_or_default();
        let origin = filling.origin.as_deref().map(rough).unwrap_or_default();
        let locale = Some(field(Field::Locale)).filter(|locale| !locale.is_empty()).unwrap_or("en");
        let context = draw::Context {
            account: account.map(|_| draw::Account {
                name: field(Field::Name),
                login: field(Field::Login),
                email: field(Field::Email),
            }),
            brand: &self.brand().name,
            contact: &self.brand().contact,
            sign_in: &self.sign_in(),
            time: asked_at,
            origin: &origin,
            locale,
            zone: &self.brand().zone,
        };
        draw::draw(&filling.template, &filling.variables, &context, masked)
    }
}

/// An address, cut so that people recognise their own: the network, not the machine in it.
fn rough(address: &str) -> String {
    match address.parse() {
        Ok(IpAddr::V4(address)) => {
            let [a, b, c, _] = address.octets();
            format!("{a}.{b}.{c}.x")
        }
        Ok(IpAddr::V6(address)) => {
            let [a, b, c, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:…")
        }
        Err(_) => String::new(),
    }
}

/// What came of a wish to try a mail again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retried {
    /// It is tried again at once.
    Queued {
        /// To another address than the latest attempt went to.
        moved: bool,
    },
    /// Another address is on file than the latest attempt went to, so ask first. Nothing was done.
    Moved,
    /// Nothing was done: it is being sent, or there is nothing left to send, or no such mail.
    Not,
}

/// All that is known of one mail.
pub struct OneMail {
    /// The mail.
    pub mail: Mail,
    /// What became of it, as its reader may know it.
    pub delivery: Delivery,
    /// Without brackets; none if the row cannot be read any more.
    pub message_id: Option<String>,
    /// Subject and texts, with •••• for what is secret; none if they cannot be drawn any more.
    pub drawn: Option<Drawn>,
}

/// Some of the mails that a caller may see.
pub struct Seen {
    /// Newest first.
    pub mails: Vec<(Mail, Delivery)>,
    /// The number before which to go on.
    pub older: Option<i64>,
}

impl Work {
    /// How many emails there are in each state, if a caller reaches whole realms. None for callers who reach only some accounts
    /// of a realm: the number of the others' emails is not for them.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn mail_counts(&self, caller: &Caller) -> Result<Option<Vec<(MailState, u64)>>, StorageError> {
        let mut counts = Vec::new();
        for (realm, state, count) in self.storage.mail_counts()? {
            let scope = match caller.actor {
                Actor::Console | Actor::System => Scope::All,
                Actor::Anonymous => Scope::Own,
                Actor::Account(_) | Actor::ServiceKey(_) => caller.reach.scope(&realm),
            };
            match scope {
                Scope::All => {}
                Scope::None => continue,
                Scope::Own => return Ok(None),
            }
            match counts.iter_mut().find(|(known, _)| *known == state) {
                Some((_, sum)) => *sum += count,
                None => counts.push((state, count)),
            }
        }
        Ok(Some(counts))
    }

    /// One mail, if this caller reaches its account.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn mail(&self, caller: &Caller, id: &MailId) -> Result<Option<OneMail>, StorageError> {
        let Some(mail) = self.storage.mail(id)? else { return Ok(None) };
        let reading = Reading::of(self, caller);
        let Some(delivery) = reading.delivery(&mail) else { return Ok(None) };
        let account = mail.to.account().map(|id| reading.account(id)).transpose()?.flatten();
        let filling = match self.storage.filling(id) {
            Ok(filling) => filling,
            Err(StorageError::Failed { .. }) => None,
            Err(error) => return Err(error),
        };
        let drawn = filling.as_ref().and_then(|it| self.drawn(it, account.as_deref(), mail.asked_at, true).ok());
        Ok(Some(OneMail { mail, delivery, message_id: filling.map(|it| it.message_id), drawn }))
    }

    /// Tries mails again, each to the address now on file. One whose address has changed since its latest attempt is left
    /// alone, unless `although_moved`. Writes it down.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn retry(
        &self,
        caller: &Caller,
        ids: &[MailId],
        although_moved: bool,
    ) -> Result<Vec<(MailId, Retried)>, StorageError> {
        let mut answers = Vec::new();
        let mut retried = Vec::new();
        for id in ids {
            let answer = match self.mendable(caller, id)? {
                None => Retried::Not,
                Some((_, true)) if !although_moved => Retried::Moved,
                Some((mail, moved)) => {
                    retried.push(mail);
                    Retried::Queued { moved }
                }
            };
            answers.push((id.clone(), answer));
        }
        let done = self.mend(caller, Mend::Retry, &retried)?;
        for (id, answer) in &mut answers {
            if matches!(answer, Retried::Queued { .. }) && !done.contains(id) {
                *answer = Retried::Not;
            }
        }
        if !done.is_empty() {
            self.bells.mail.ring_all();
        }
        Ok(answers)
    }

    /// Ends mails that have not gone, and wipes what they carry. Answers which. Writes it down.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn withdraw(&self, caller: &Caller, ids: &[MailId]) -> Result<Vec<MailId>, StorageError> {
        let mendable = ids.iter().filter_map(|id| self.mendable(caller, id).map(|some| Some(some?.0)).transpose());
        self.mend(caller, Mend::Withdraw, &mendable.collect::<Result<Vec<_>, _>>()?)
    }

    /// A mail that this caller may do something about, and whether its address has changed.
    fn mendable(&self, caller: &Caller, id: &MailId) -> Result<Option<(Mail, bool)>, StorageError> {
        let Some(mail) = self.storage.mail(id)? else { return Ok(None) };
        let delivery = self.delivery_of(&mail, caller).filter(|delivery| delivery.may_mend && delivery.whole);
        Ok(delivery.map(|delivery| (mail, delivery.moved)))
    }

    fn mend(&self, caller: &Caller, mend: Mend, mails: &[Mail]) -> Result<Vec<MailId>, StorageError> {
        if mails.is_empty() {
            return Ok(Vec::new());
        }
        let operation = match mend {
            Mend::Retry => "outbox-retry",
            Mend::Withdraw => "outbox-withdraw",
        };
        let ids: Vec<MailId> = mails.iter().map(|mail| mail.id.clone()).collect();
        let accounts: Vec<&AccountId> = mails.iter().filter_map(|mail| mail.to.account()).collect();
        let audit = self.audited(caller, operation, &accounts);
        self.storage.mend(mend, &ids, audit)
    }

    /// The audit's entry on something that was done about these accounts.
    pub(crate) fn audited(&self, caller: &Caller, operation: &str, accounts: &[&AccountId]) -> AuditEntry {
        let accounts: BTreeSet<&AccountId> = accounts.iter().copied().collect();
        let subjects = accounts.into_iter().map(|account| (account.clone(), Role::Subject)).collect();
        AuditEntry { subjects, ..AuditEntry::of(caller, self.now(), OWN, operation, "done".to_owned()) }
    }

    /// Has jobs and events that failed for good run again, as far as they still carry something; answers which. Writes it down.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn run_again(&self, caller: &Caller, ids: &[String]) -> Result<Vec<String>, StorageError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let done = self.storage.run_again(ids, self.audited(caller, "jobs-run-again", &[]))?;
        if !done.is_empty() {
            self.bells.task.ring_all();
        }
        Ok(done)
    }

    /// The state of a plugin's email, for callers who reach its account. Anonymous callers get nothing: an email would reveal
    /// that there is an account.
    pub fn delivery(&self, plugin: &Plugin, caller: &Caller, id: &str) -> Option<Delivery> {
        let id: MailId = id.parse().ok()?;
        let mail = self.storage.mail(&id).ok().flatten().filter(|mail| mail.plugin == plugin.name)?;
        self.delivery_of(&mail, caller)
    }

    pub fn delivery_of(&self, mail: &Mail, caller: &Caller) -> Option<Delivery> {
        Reading::of(self, caller).delivery(mail)
    }
}

/// Reads what one answer says of mails: each account once, and once whether somebody works.
pub struct Reading<'a> {
    host: &'a Work,
    caller: &'a Caller,
    accounts: RefCell<BTreeMap<AccountId, Option<Rc<Account>>>>,
    stopped: OnceCell<Option<Option<i64>>>,
}

impl<'a> Reading<'a> {
    pub fn of(host: &'a Work, caller: &'a Caller) -> Self {
        Self { host, caller, accounts: RefCell::default(), stopped: OnceCell::new() }
    }

    fn account(&self, id: &AccountId) -> Result<Option<Rc<Account>>, StorageError> {
        if let Some(known) = self.accounts.borrow().get(id) {
            return Ok(known.clone());
        }
        let known = self.host.storage.account(id)?.map(|known| Rc::new(known.account));
        self.accounts.borrow_mut().insert(id.clone(), known.clone());
        Ok(known)
    }

    /// The newest mails of this filter whose accounts the caller reaches, at most as many as it says; and the number before
    /// which to go on, if there may be more. A page that finds few among many ends early: it has a next one.
    pub fn mails(&self, filter: &MailFilter) -> Result<Seen, StorageError> {
        /// Rows that one page looks at.
        const LOOK: usize = 1_000;
        let most = filter.limit as usize;
        let mut seen = Seen { mails: Vec::new(), older: None };
        let mut filter = MailFilter { limit: filter.limit.saturating_add(1).clamp(100, 1_000), ..filter.clone() };
        let mut looked = 0;
        loop {
            let mails = self.host.storage.mails(&filter)?;
            let last = mails.len() < filter.limit as usize;
            looked += mails.len();
            for mail in mails {
                filter.before = Some(mail.number);
                let Some(delivery) = self.delivery(&mail) else { continue };
                if seen.mails.len() == most {
                    seen.older = seen.mails.last().map(|(mail, _): &(Mail, Delivery)| mail.number);
                    return Ok(seen);
                }
                seen.mails.push((mail, delivery));
            }
            if last {
                return Ok(seen);
            }
            if looked >= LOOK {
                seen.older = filter.before;
                return Ok(seen);
            }
        }
    }

    /// The subject of a mail, with •••• for what is secret; none if it cannot be drawn any more.
    pub fn masked_subject(&self, mail: &Mail) -> Option<String> {
        let filling = self.host.storage.filling(&mail.id).ok()??;
        let account = mail.to.account().and_then(|id| self.account(id).ok()?);
        self.host.drawn(&filling, account.as_deref(), mail.asked_at, true).ok().map(|drawn| drawn.subject)
    }

    /// What became of a mail, as the caller may know it.
    pub fn delivery(&self, mail: &Mail) -> Option<Delivery> {
        let (host, caller) = (self.host, self.caller);
        if caller.actor == Actor::Anonymous {
            return None;
        }
        let known = match mail.to.account() {
            Some(id) => self.account(id).ok()?.filter(|known| caller.reaches(known)),
            None => None,
        };
        // Callers with access to every realm may also see emails to accounts that are gone.
        let everybody = matches!(caller.actor, Actor::Console | Actor::System);
        if known.is_none() && !everybody {
            return None;
        }
        let filling = match &mail.to {
            Recipient::Previous(_) => host.storage.filling(&mail.id).ok().flatten(),
            Recipient::Account(_) | Recipient::Operators => None,
        };
        let address = match &mail.to {
            // Not for people who came to manage the account later.
            Recipient::Previous(id) if !caller.reaches_gone(id) => None,
            Recipient::Previous(_) => filling.as_ref().and_then(|filling| filling.address.as_deref()),
            Recipient::Account(_) | Recipient::Operators => known.as_ref().and_then(|known| known.value(Field::Email)),
        };
        let own = mail.to.account().is_some_and(|id| caller.actor == Actor::Account(id.clone()));
        let last = mail.last.as_ref();
        Some(Delivery {
            state: mail.state,
            account: known.as_ref().map(|known| known.id.clone()),
            to: address.map(str::to_owned),
            asked_at: mail.asked_at,
            changed_at: mail.changed_at,
            // While it is handed over, it is due when the lease ends: nothing to be told.
            due: mail.due.filter(|_| mail.state != MailState::Sending),
            attempts: mail.attempts,
            server: last.map(|told| told.server.clone()),
            said: last.and_then(|told| told.attempt.steps.last()).map(|step| step.said.clone()),
            obstacle: mail.obstacle,
            whole: mail.whole,
            moved: mail.to.account().is_some() && self.moved(mail, address),
            may_mend: !own,
            folder: last.and_then(|told| folder::named_in(&told.server)).map(str::to_owned),
            stopped: self.stopped(mail),
        })
    }

    /// Nobody sends mail, though this one waits to be sent.
    fn stopped(&self, mail: &Mail) -> Option<Option<i64>> {
        let waits = matches!(mail.state, MailState::Queued | MailState::Delayed);
        let stopped = || match self.host.workers() {
            Ok(Workers::Stopped { since }) => Some(since),
            Ok(Workers::Running) | Err(_) => None,
        };
        if waits { *self.stopped.get_or_init(stopped) } else { None }
    }

    /// Whether another address is on file than the latest attempt went to.
    fn moved(&self, mail: &Mail, address: Option<&str>) -> bool {
        match (&mail.address, address) {
            (Some(attempted), Some(address)) => mail.to.address_mac(&self.host.keys, address).as_slice() != attempted,
            (attempted, address) => attempted.is_some() != address.is_some() && attempted.is_some(),
        }
    }
}
