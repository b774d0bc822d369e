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

/// The most emails, or jobs and events, that one press of a button takes.
pub const AT_ONCE: u32 = 1_000;

impl Work {
    /// The absolute address of the sign-in page.
    pub fn sign_in(&self) -> String {
        match self.brand().sign_in.strip_prefix('/') {
            Some(path) => format!("{}/{path}", self.mail.outgoing().origin),
            None => self.brand().sign_in.clone(),
        }
    }

    /// An email in the account's language, or in the panel's if there is none. `masked`: with •••• for secrets.
    pub fn drawn(
        &self,
        filling: &Filling,
        account: Option<&Account>,
        asked_at: i64,
        masked: bool,
    ) -> Result<Drawn, TemplateError> {
        let origin = filling.origin.as_deref().map(rough).unwrap_or_default();
        let locale = account.and_then(|account| account.value(Field::Locale)).filter(|locale| !locale.is_empty());
        let context = draw::Context {
            account,
            brand: &self.brand().name,
            contact: &self.brand().contact,
            sign_in: &self.sign_in(),
            time: asked_at,
            origin: &origin,
            locale: locale.unwrap_or("en"),
            zone: &self.brand().zone,
        };
        draw::draw(&filling.template, &filling.variables, &context, masked)
    }
}

/// An address, shortened so that people recognise their own: the network, without the machine in it.
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

/// The result of a request to retry an email.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retried {
    /// It is retried at once.
    Queued {
        /// To another address than the latest attempt.
        moved: bool,
    },
    /// The address on file isn't the one of the latest attempt, so ask first. Nothing was done.
    Moved,
    /// Nothing was done: it is being sent, has nothing left to send, or doesn't exist.
    Not,
}

/// Everything about one email.
pub struct OneMail {
    /// The mail.
    pub mail: Mail,
    /// Its state, as its reader may know it.
    pub delivery: Delivery,
    /// The Message-ID without brackets; none if the row can't be read any more.
    pub message_id: Option<String>,
    /// Subject and texts, with •••• for secrets; none if they can't be drawn any more.
    pub drawn: Option<Drawn>,
}

/// Some of the emails that a caller may see.
pub struct Seen {
    /// Newest first.
    pub mails: Vec<(Mail, Delivery)>,
    /// The number before which to continue.
    pub older: Option<i64>,
}

impl Work {
    /// How many emails there are in each state, for callers who reach whole realms. None for callers who reach only some
    /// accounts of a realm: the number of other people's emails isn't for them.
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

    /// One email, if this caller reaches its account.
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

    /// Retries emails, each to the address that is now on file. An email whose address has changed since its latest attempt is
    /// left alone, unless `although_moved`. Writes it to the audit log.
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

    /// Withdraws emails that were not sent yet, and deletes their contents. Returns which. Writes it to the audit log.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn withdraw(&self, caller: &Caller, ids: &[MailId]) -> Result<Vec<MailId>, StorageError> {
        let mendable = ids.iter().filter_map(|id| self.mendable(caller, id).map(|some| Some(some?.0)).transpose());
        self.mend(caller, Mend::Withdraw, &mendable.collect::<Result<Vec<_>, _>>()?)
    }

    /// An email that this caller may act on, and whether its address has changed.
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

    /// Runs failed jobs and events again, if their contents are still stored. Returns which. Writes it to the audit log.
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

    /// The state of any email, for callers who reach its account.
    pub fn delivery_of(&self, mail: &Mail, caller: &Caller) -> Option<Delivery> {
        Reading::of(self, caller).delivery(mail)
    }
}

/// Reads what one answer says about emails: each account once, and once whether a worker runs.
pub struct Reading<'a> {
    host: &'a Work,
    caller: &'a Caller,
    accounts: RefCell<BTreeMap<AccountId, Option<Rc<Account>>>>,
    stopped: OnceCell<Option<Option<i64>>>,
}

impl<'a> Reading<'a> {
    /// For one caller, and one answer to them.
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

    /// The newest emails of this filter whose accounts the caller reaches, as many as it allows; and the number before which to
    /// continue, if there may be more. A page that finds few among many ends early and has a next one.
    pub fn mails(&self, filter: &MailFilter) -> Result<Seen, StorageError> {
        /// Rows that one page reads.
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

    /// The subject of an email, with •••• for secrets; none if it can't be drawn any more.
    pub fn masked_subject(&self, mail: &Mail) -> Option<String> {
        let filling = self.host.storage.filling(&mail.id).ok()??;
        let account = mail.to.account().and_then(|id| self.account(id).ok()?);
        self.host.drawn(&filling, account.as_deref(), mail.asked_at, true).ok().map(|drawn| drawn.subject)
    }

    /// The state of an email, as the caller may know it.
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
        let address = match &mail.to {
            // Not for people who came to manage the account later.
            Recipient::Previous(id) if !caller.reaches_gone(id) => None,
            Recipient::Previous(_) => host.storage.filling(&mail.id).ok().flatten().and_then(|filling| filling.address),
            Recipient::Account(_) | Recipient::Operators => {
                known.as_ref().and_then(|known| known.value(Field::Email)).map(str::to_owned)
            }
        };
        let own = mail.to.account().is_some_and(|id| caller.actor == Actor::Account(id.clone()));
        let last = mail.last.as_ref();
        Some(Delivery {
            state: mail.state,
            account: known.as_ref().map(|known| known.id.clone()),
            asked_at: mail.asked_at,
            changed_at: mail.changed_at,
            // During an attempt it is due when the lease ends, which means nothing to people.
            due: mail.due.filter(|_| mail.state != MailState::Sending),
            attempts: mail.attempts,
            server: last.map(|told| told.server.clone()),
            said: last.and_then(|told| told.attempt.steps.last()).map(|step| step.said.clone()),
            obstacle: mail.obstacle,
            whole: mail.whole,
            moved: mail.to.account().is_some() && self.moved(mail, address.as_deref()),
            to: address,
            may_mend: !own,
            folder: last.and_then(|told| folder::named_in(&told.server)).map(str::to_owned),
            stopped: self.stopped(mail),
        })
    }

    /// No worker sends email, though this one waits.
    fn stopped(&self, mail: &Mail) -> Option<Option<i64>> {
        let waits = matches!(mail.state, MailState::Queued | MailState::Delayed);
        let stopped = || match self.host.workers() {
            Ok(Workers::Stopped { since }) => Some(since),
            Ok(Workers::Running) | Err(_) => None,
        };
        if waits { *self.stopped.get_or_init(stopped) } else { None }
    }

    /// Whether the address on file isn't the one of the latest attempt.
    fn moved(&self, mail: &Mail, address: Option<&str>) -> bool {
        let mac = |address| mail.to.address_mac(&self.host.keys, address);
        mail.address
            .as_ref()
            .is_some_and(|attempted| address.is_none_or(|address| mac(address).as_slice() != attempted))
    }
}
