//! `keyturn:panel/mail`: email by template, to an account or to the operators, never to an address. A queued email is an
//! effect: from the commit on it waits in the outbox, and a worker looks up the address.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use crate::call::ledger::{Ledger, Stop, View};
use keyturn_contract::keyturn::panel::mail::{Error, Host, MailState as State_, Recipient as To, Variable};
use keyturn_core::accounts::{AccountId, Field};
use keyturn_core::caller::Actor;
use keyturn_mail::address;
use keyturn_mail::template::{Kind, Template, Value};
use keyturn_package::manifest::Mail as Rights;
use keyturn_store::outbox::{Mail, MailId, MailState, NewMail, Recipient};
use keyturn_store::{Effect, Read, StorageError};

/// What this capability keeps of a call.
#[derive(Default)]
pub(super) struct Part {
    /// Emails that the call itself has queued or withdrawn.
    mails: BTreeMap<MailId, MailState>,
}

/// The most characters of a text or a secret.
const MAX_TEXT: usize = 400;
/// How long an email stays valid if it doesn't say so, in milliseconds: seven days.
const USEFUL: i64 = 7 * 24 * 3600 * 1000;

fn unavailable(ledger: &Ledger, cause: &StorageError) -> Error {
    Error::Unavailable(ledger.come_back(cause))
}

fn one_line(text: &str) -> bool {
    text.chars().count() <= MAX_TEXT && !text.chars().any(char::is_control)
}

impl View<'_, Part> {
    fn mail_rights(&self) -> Result<&Rights, Error> {
        self.ledger.plugin.authority.mail.as_ref().ok_or_else(|| Error::Denied("mail".to_owned()))
    }

    /// A recipient that this plugin and this caller may email, with a usable address. The address itself is returned if it is
    /// no longer on file.
    fn recipient(&mut self, to: &To) -> Result<(Recipient, Option<String>), Error> {
        match to {
            To::Operators if !self.mail_rights()?.operators => Err(Error::Denied("operators".to_owned())),
            To::Operators if !self.ledger.around.mail.reaches_operators() => Err(Error::NoAddress),
            To::Operators => Ok((Recipient::Operators, None)),
            To::Account(name) => {
                let (id, on_file) = self.on_file(name)?;
                let problem = address::check(&on_file.ok_or(Error::NoAddress)?).err().map(|cause| cause.problem);
                problem.map_or(Ok((Recipient::Account(id), None)), |problem| {
                    Err(Error::UnusableAddress(problem.in_locale(&self.ledger.caller.locale)))
                })
            }
            To::PreviousAddressOf(name) => {
                let (id, on_file) = self.on_file(name)?;
                let previous = self.previous_address(&id, on_file.as_deref())?;
                Ok((Recipient::Previous(id), Some(previous)))
            }
        }
    }

    /// An account that this plugin and this caller may email, and the address on file, usable or not.
    fn on_file(&mut self, name: &str) -> Result<(AccountId, Option<String>), Error> {
        let id: AccountId = name.parse().map_err(|_| Error::NotFound)?;
        if !self.mail_rights()?.recipients.contains(id.realm()) {
            return Err(Error::Denied(format!("recipients {}", id.realm())));
        }
        self.ledger.reading()?;
        self.ledger.note(&id).map_err(|cause| unavailable(self.ledger, &cause))?;
        let known = self.ledger.accounts.get(&id).and_then(Option::as_ref);
        let known = known.filter(|known| self.ledger.caller.reaches(&known.account)).ok_or(Error::NotFound)?;
        let address = known.account.value(Field::Email).filter(|address| !address::is_blank(address));
        let address = address.map(str::to_owned);
        Ok((id, address))
    }

    /// The address before the one on file, as the host saw it.
    fn previous_address(&mut self, id: &AccountId, on_file: Option<&str>) -> Result<String, Error> {
        let seen = self
            .ledger
            .in_host(|call| call.around.storage.seen_address(id))
            .map_err(|cause| unavailable(self.ledger, &cause))?;
        let seen = seen.ok_or(Error::NotFound)?;
        // The commit sees the address on file, and knows this one as the one before it.
        let on_file = on_file.filter(|address| address::check(address).is_ok()).unwrap_or_default();
        let changed = *seen.seen != *on_file;
        let nobody = if changed { Error::NotFound } else { Error::NoAddress };
        seen.before_if(on_file).map(str::to_owned).ok_or(nobody)
    }

    fn ready(&mut self, to: Option<&To>) -> Result<(), Error> {
        if !self.ledger.around.mail.goes() {
            return Err(Error::NotConfigured);
        }
        to.map_or(Ok(()), |to| self.recipient(to).map(drop))
    }

    /// An email of this plugin, to an account that the caller reaches.
    fn own_mail(&mut self, name: &str) -> Result<Mail, Error> {
        let id: MailId = name.parse().map_err(|_| Error::NotFound)?;
        self.ledger.reading()?;
        let found = self
            .ledger
            .in_host(|call| call.around.storage.mail(&id))
            .map_err(|cause| unavailable(self.ledger, &cause))?;
        let mail = found.filter(|mail| mail.plugin == self.ledger.plugin.name).ok_or(Error::NotFound)?;
        if let Some(account) = mail.to.account() {
            self.ledger.note(account).map_err(|cause| unavailable(self.ledger, &cause))?;
            let reached = match self.ledger.accounts.get(account) {
                Some(Some(known)) => self.ledger.caller.reaches(&known.account),
                _ => self.ledger.caller.reaches_gone(account),
            };
            if !reached {
                return Err(Error::NotFound);
            }
        }
        Ok(mail)
    }

    /// The state of an email that this call itself has queued or withdrawn.
    fn of_this_call(&self, name: &str) -> Option<MailState> {
        self.part.mails.get(&name.parse::<MailId>().ok()?).copied()
    }

    fn current(&mut self, name: &str) -> Result<bool, Error> {
        if self.of_this_call(name) == Some(MailState::Queued) {
            return Ok(true);
        }
        let mail = self.own_mail(name)?;
        self.ledger.reads.push(Read::Mail { id: mail.id.clone(), address: mail.address.clone() });
        let Some(attempted) = mail.address else { return Ok(true) };
        let Recipient::Account(id) = &mail.to else { return Ok(true) };
        let known = self.ledger.accounts.get(id).and_then(Option::as_ref);
        let address = known.and_then(|known| known.account.value(Field::Email));
        Ok(address
            .is_some_and(|address| mail.to.address_mac(&self.ledger.around.keys, address).as_slice() == attempted))
    }

    fn send(
        &mut self,
        to: &To,
        template: &str,
        variables: Vec<(String, Variable)>,
        expires: Option<i64>,
    ) -> Result<Result<MailId, Error>, Stop> {
        self.ledger.effects_allowed()?;
        let mail = match self.new_mail(to, template, variables, expires) {
            Ok(mail) => mail,
            Err(error) => return Ok(Err(error)),
        };
        let id = mail.id.clone();
        let bytes = mail.variables.iter().map(|(name, value)| name.len() + size(value)).sum();
        Ok(self.ledger.effect(Effect::Send(Box::new(mail)), bytes)?.map_err(Error::from).map(|()| {
            self.part.mails.insert(id.clone(), MailState::Queued);
            id
        }))
    }

    fn new_mail(
        &mut self,
        to: &To,
        template: &str,
        variables: Vec<(String, Variable)>,
        expires: Option<i64>,
    ) -> Result<NewMail, Error> {
        self.ready(None)?;
        let (to, address) = self.recipient(to)?;
        let kept = self.ledger.plugin.mails.get(template).cloned();
        let declared = self.ledger.plugin.manifest.mails.get(template);
        let (Some(kept), Some(declared)) = (kept, declared) else {
            return Err(Error::BadTemplate(format!("there is no template {template}")));
        };
        let variables = self.filled(declared, variables)?;
        // People who once had the account's address must not get into the account with it.
        if address.is_some() && declared.variables.values().any(|kind| matches!(kind, Kind::Link | Kind::Secret)) {
            return Err(Error::Denied("links and secrets to a previous address".to_owned()));
        }
        let per_minute = self.mail_rights()?.per_minute;
        self.ledger.reading()?;
        let asked = self
            .ledger
            .in_host(|call| call.around.storage.mails_lately(&call.plugin.name, call.now))
            .map_err(|cause| unavailable(self.ledger, &cause))?;
        let own = self.ledger.effects.iter().filter(|effect| matches!(effect, Effect::Send(_))).count() as u64;
        if asked + own >= u64::from(per_minute) {
            return Err("per-minute".into());
        }
        let id = MailId::random();
        Ok(NewMail {
            message_id: format!("{id}@{}", self.ledger.around.mail.message_domain()),
            id,
            template: kept,
            variables,
            expires: expires.unwrap_or(self.ledger.now + USEFUL),
            per_minute,
            origin: self.origin(&to),
            to,
            address,
        })
    }

    /// The place of the request, as the recipient may know it: if an anonymous caller, the recipient, or the panel for either
    /// of them made it. The location of a manager or a machine is never shown.
    fn origin(&self, to: &Recipient) -> Option<String> {
        let theirs = match &self.ledger.caller.actor {
            Actor::Anonymous | Actor::System => true,
            Actor::Account(own) => to.account() == Some(own),
            Actor::ServiceKey(_) | Actor::Console => false,
        };
        self.ledger.caller.address.filter(|_| theirs).map(|address| address.to_canonical().to_string())
    }

    /// The variables as values, if they match the template.
    fn filled(&self, template: &Template, given: Vec<(String, Variable)>) -> Result<Vec<(String, Value)>, Error> {
        let bad = |name: &str, problem: &str| Err(Error::BadTemplate(format!("{name}: {problem}")));
        let mut filled = BTreeMap::new();
        for (name, variable) in given {
            let Some(kind) = template.variables.get(&name) else {
                return bad(&name, "the template has no such variable");
            };
            let value = self.value(&name, variable)?;
            if value.kind() != *kind {
                return bad(&name, "has another kind in the template");
            }
            if value.kind() == Kind::Text && !self.mail_rights()?.text {
                return Err(Error::Denied("text".to_owned()));
            }
            if filled.insert(name.clone(), value).is_some() {
                return bad(&name, "is given twice");
            }
        }
        match template.variables.keys().find(|name| !filled.contains_key(*name)) {
            Some(missing) => bad(missing, "is missing"),
            None => Ok(filled.into_iter().collect()),
        }
    }

    fn value(&self, name: &str, variable: Variable) -> Result<Value, Error> {
        let bad = |problem: &str| Error::BadTemplate(format!("{name}: {problem}"));
        let line = |text: String| {
            if one_line(&text) { Ok(text) } else { Err(bad("must be one line of at most 400 characters")) }
        };
        Ok(match variable {
            Variable::Text(text) => Value::Text(line(text)?),
            Variable::Time(at) => Value::Time(at),
            Variable::Duration(seconds) => Value::Duration(seconds),
            Variable::Number(number) => Value::Number(number),
            Variable::Secret(secret) => Value::Secret(Zeroizing::new(line(secret)?)),
            Variable::Link(link) => {
                let token = (16..=128).contains(&link.token.len())
                    && link.token.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
                if !token {
                    return Err(bad("the token must be 16 to 128 of A-Z a-z 0-9 - _"));
                }
                if !self.ledger.plugin.manifest.pages.iter().any(|page| page.link && page.name == link.page) {
                    return Err(bad("leads to a page that is not a link page of this plugin"));
                }
                Value::Link(Zeroizing::new(self.ledger.around.link(&self.ledger.plugin.name, &link.page, &link.token)))
            }
        })
    }

    fn withdraw(&mut self, name: &str) -> Result<Result<(), Error>, Stop> {
        self.ledger.effects_allowed()?;
        let found = match self.of_this_call(name) {
            Some(_) => name.parse().map(|id| (id, true)).map_err(|_| Error::NotFound),
            None => self.own_mail(name).map(|mail| (mail.id, mail.whole)),
        };
        let (id, whole): (MailId, bool) = match found {
            Ok(found) => found,
            Err(error) => return Ok(Err(error)),
        };
        if !whole {
            // It was sent, or has ended: nothing happens to it.
            return Ok(Ok(()));
        }
        Ok(self.ledger.effect(Effect::Withdraw { id: id.clone() }, name.len())?.map_err(Error::from).map(|()| {
            self.part.mails.insert(id, MailState::Withdrawn);
        }))
    }
}

fn size(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::Link(text) | Value::Secret(text) => text.len(),
        Value::Time(_) | Value::Duration(_) | Value::Number(_) => 8,
    }
}

fn told(state: MailState) -> State_ {
    match state {
        MailState::Queued => State_::Queued,
        MailState::Sending => State_::Sending,
        MailState::Accepted => State_::Accepted,
        MailState::Delayed => State_::Delayed,
        MailState::Refused => State_::Refused,
        MailState::GaveUp => State_::GaveUp,
        MailState::Ended => State_::Ended,
        MailState::Withdrawn => State_::Withdrawn,
    }
}

impl Host for View<'_, Part> {
    fn ready(&mut self, recipient: Option<To>) -> wasmtime::Result<Result<(), Error>> {
        Ok(View::ready(self, recipient.as_ref()))
    }

    fn state(&mut self, mail: String) -> wasmtime::Result<Result<State_, Error>> {
        let own = self.of_this_call(&mail);
        Ok(own.map_or_else(|| self.own_mail(&mail).map(|mail| mail.state), Ok).map(told))
    }

    fn current(&mut self, mail: String) -> wasmtime::Result<Result<bool, Error>> {
        Ok(View::current(self, &mail))
    }

    fn send(
        &mut self,
        recipient: To,
        template: String,
        variables: Vec<(String, Variable)>,
        expires: Option<i64>,
    ) -> wasmtime::Result<Result<String, Error>> {
        Ok(View::send(self, &recipient, &template, variables, expires)?.map(String::from))
    }

    fn withdraw(&mut self, mail: String) -> wasmtime::Result<Result<(), Error>> {
        Ok(View::withdraw(self, &mail)?)
    }
}
