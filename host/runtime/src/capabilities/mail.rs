//! `keyturn:panel/mail`: email by template, to an account or to the operators, never to an address. A queued email is an
//! effect: from the commit on it waits in the outbox, and a worker looks up the address.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use crate::call::ledger::{View, told, within};
use keyturn_contract::keyturn::panel::mail::{Error, Host, MailState as State_, Recipient as To, Variable};
use keyturn_core::accounts::{AccountId, Field};
use keyturn_core::caller::Actor;
use keyturn_mail::address;
use keyturn_mail::template::{Kind, Template, Value};
use keyturn_package::manifest::Mail as Rights;
use keyturn_store::outbox::{Mail, MailId, MailState, NewMail, Recipient};
use keyturn_store::{Effect, Read};

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

fn one_line(text: &str) -> bool {
    text.chars().count() <= MAX_TEXT && !text.chars().any(char::is_control)
}

impl View<'_, Part> {
    fn mail_rights(&self) -> Result<&Rights, Error> {
        self.ledger.plugin.authority.mail.as_ref().ok_or_else(|| Error::Denied("mail".to_owned()))
    }

    /// A recipient that this plugin and this caller may email, with a usable address. The address itself is returned if it is
    /// no longer on file.
    fn recipient(&mut self, to: &To) -> wasmtime::Result<(Recipient, Option<String>)> {
        match to {
            To::Operators if !self.mail_rights()?.operators => Err(Error::Denied("operators".to_owned()).into()),
            To::Operators if self.ledger.around.mail.operators().is_none() => Err(Error::NoAddress.into()),
            To::Operators => Ok((Recipient::Operators, None)),
            To::Account(name) => {
                let (id, on_file) = self.on_file(name)?;
                let locale = &self.ledger.caller.locale;
                address::check(&on_file.ok_or(Error::NoAddress)?)
                    .map_err(|cause| Error::UnusableAddress(cause.problem.in_locale(locale)))?;
                Ok((Recipient::Account(id), None))
            }
            To::PreviousAddressOf(name) => {
                let (id, on_file) = self.on_file(name)?;
                let previous = self.previous_address(&id, on_file.as_deref())?;
                Ok((Recipient::Previous(id), Some(previous)))
            }
        }
    }

    /// An account that this plugin and this caller may email, and the address on file, usable or not.
    fn on_file(&mut self, name: &str) -> wasmtime::Result<(AccountId, Option<String>)> {
        let id: AccountId = name.parse().map_err(|_| Error::NotFound)?;
        if !self.mail_rights()?.recipients.contains(id.realm()) {
            return Err(Error::Denied(format!("recipients {}", id.realm())).into());
        }
        self.ledger.reading()?;
        let known = self.ledger.account(&id)?.cloned();
        let known = known.filter(|known| self.ledger.caller.reaches(&known.account)).ok_or(Error::NotFound)?;
        let address = known.account.value(Field::Email).filter(|address| !address::is_blank(address));
        Ok((id, address.map(str::to_owned)))
    }

    /// The address before the one on file, as the host saw it.
    fn previous_address(&mut self, id: &AccountId, on_file: Option<&str>) -> wasmtime::Result<String> {
        let seen = self.ledger.ask(|call| call.around.storage.seen_address(id))?.ok_or(Error::NotFound)?;
        // The commit sees the address on file, and knows this one as the one before it.
        let on_file = on_file.filter(|address| address::check(address).is_ok()).unwrap_or_default();
        let nobody = if *seen.seen != *on_file { Error::NotFound } else { Error::NoAddress };
        Ok(seen.before_if(on_file).map(str::to_owned).ok_or(nobody)?)
    }

    /// An email of this plugin, to an account that the caller reaches.
    fn own_mail(&mut self, name: &str) -> wasmtime::Result<Mail> {
        let id: MailId = name.parse().map_err(|_| Error::NotFound)?;
        self.ledger.reading()?;
        let found = self.ledger.ask(|call| call.around.storage.mail(&id))?;
        let mail = found.filter(|mail| mail.plugin == self.ledger.plugin.name).ok_or(Error::NotFound)?;
        if let Some(account) = mail.to.account() {
            let known = self.ledger.account(account)?.cloned();
            let caller = &self.ledger.caller;
            if !known.map_or_else(|| caller.reaches_gone(account), |known| caller.reaches(&known.account)) {
                return Err(Error::NotFound.into());
            }
        }
        Ok(mail)
    }

    /// The state of an email that this call itself has queued or withdrawn.
    fn of_this_call(&self, name: &str) -> Option<MailState> {
        self.part.mails.get(&name.parse::<MailId>().ok()?).copied()
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
}

fn size(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::Link(text) | Value::Secret(text) => text.len(),
        Value::Time(_) | Value::Duration(_) | Value::Number(_) => 8,
    }
}

fn in_contract(state: MailState) -> State_ {
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
    fn convert_error(&mut self, cause: wasmtime::Error) -> wasmtime::Result<Error> {
        told(cause, Error::Limit, Some(Error::Unavailable))
    }

    fn ready(&mut self, recipient: Option<To>) -> wasmtime::Result<()> {
        if self.ledger.around.mail.outgoing().transport.is_none() {
            return Err(Error::NotConfigured.into());
        }
        recipient.map_or(Ok(()), |to| self.recipient(&to).map(drop))
    }

    fn state(&mut self, mail: String) -> wasmtime::Result<State_> {
        Ok(in_contract(match self.of_this_call(&mail) {
            Some(state) => state,
            None => self.own_mail(&mail)?.state,
        }))
    }

    fn current(&mut self, mail: String) -> wasmtime::Result<bool> {
        if self.of_this_call(&mail) == Some(MailState::Queued) {
            return Ok(true);
        }
        let mail = self.own_mail(&mail)?;
        self.ledger.reads.push(Read::Mail { id: mail.id.clone(), address: mail.address.clone() });
        let (Some(attempted), Recipient::Account(id)) = (mail.address, &mail.to) else { return Ok(true) };
        let known = self.ledger.accounts.get(id).and_then(Option::as_ref);
        let address = known.and_then(|known| known.account.value(Field::Email));
        let mac = |address| mail.to.address_mac(&self.ledger.around.keys, address);
        Ok(address.is_some_and(|address| mac(address).as_slice() == attempted))
    }

    fn send(
        &mut self,
        recipient: To,
        template: String,
        variables: Vec<(String, Variable)>,
        expires: Option<i64>,
    ) -> wasmtime::Result<String> {
        self.ledger.effects_allowed()?;
        self.ready(None)?;
        let (to, address) = self.recipient(&recipient)?;
        let kept = self.ledger.plugin.mails.get(&template).cloned();
        let declared = self.ledger.plugin.manifest.mails.get(&template);
        let (Some(kept), Some(declared)) = (kept, declared) else {
            return Err(Error::BadTemplate(format!("there is no template {template}")).into());
        };
        let variables = self.filled(declared, variables)?;
        // People who once had the account's address must not get into the account with it.
        if address.is_some() && declared.variables.values().any(|kind| kind.is_secret()) {
            return Err(Error::Denied("links and secrets to a previous address".to_owned()).into());
        }
        let per_minute = self.mail_rights()?.per_minute;
        self.ledger.reading()?;
        let asked = self.ledger.ask(|call| call.around.storage.mails_lately(&call.plugin.name, call.now))?;
        let own = self.ledger.effects.iter().filter(|effect| matches!(effect, Effect::Send(_))).count() as u64;
        within("per-minute", asked + own < u64::from(per_minute))?;
        let id = MailId::random();
        let bytes = variables.iter().map(|(name, value)| name.len() + size(value)).sum();
        let mail = NewMail {
            id: id.clone(),
            message_id: format!("{id}@{}", self.ledger.around.mail.message_domain()),
            template: kept,
            variables,
            expires: expires.unwrap_or(self.ledger.now + USEFUL),
            per_minute,
            origin: self.origin(&to),
            to,
            address,
        };
        self.ledger.effect(Effect::Send(Box::new(mail)), bytes)?;
        self.part.mails.insert(id.clone(), MailState::Queued);
        Ok(id.into())
    }

    fn withdraw(&mut self, mail: String) -> wasmtime::Result<()> {
        self.ledger.effects_allowed()?;
        // One that has gone, or ended otherwise: nothing happens to it.
        if self.of_this_call(&mail).is_none() && !self.own_mail(&mail)?.whole {
            return Ok(());
        }
        let id: MailId = mail.parse().map_err(|_| Error::NotFound)?;
        self.ledger.effect(Effect::Withdraw { id: id.clone() }, mail.len())?;
        self.part.mails.insert(id, MailState::Withdrawn);
        Ok(())
    }
}
