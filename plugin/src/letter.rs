//! The mails of this plugin: which template, filled with what. Their words stand in `mail/*.toml`; the host greets, signs, and
//! writes in the account's language to the address on file.

use crate::bindings::mail::{Error, Recipient, Variable};
use crate::bindings::types::{Failure, Link, MailId};
use crate::failure;
use crate::password::PlainPassword;
use crate::ports::Ports;
use crate::store::SecretMail;
use crate::told::Way;
use crate::words::Words;

/// One mail to the owner of an account. No free text: nothing that a stranger has typed.
pub(crate) enum Letter<'a> {
    /// He has asked for it himself.
    AskedLink { link: Link, until: i64 },
    /// Whoever manages his account sends it.
    SentLink { link: Link, until: i64 },
    /// To sign in with once.
    TemporaryPassword { password: &'a PlainPassword, until: i64 },
    /// To stay.
    PermanentPassword { password: &'a PlainPassword },
    /// Tells that the password is another one, never which.
    PasswordChanged { way: Way, at: i64 },
    /// He has asked for a link that would not help him.
    AccountSuspended,
    /// To the address before: the account has another one.
    AddressLeft { at: i64 },
    /// To the address on file: the account has it now.
    AddressTaken { at: i64 },
}

impl Letter<'_> {
    pub(crate) fn template(&self) -> &'static str {
        match self {
            Letter::AskedLink { .. } => "reset-link",
            Letter::SentLink { .. } => "reset-link-from-support",
            Letter::TemporaryPassword { .. } => "temporary-password",
            Letter::PermanentPassword { .. } => "permanent-password",
            Letter::PasswordChanged { way: Way::Link, .. } => "password-changed-by-link",
            Letter::PasswordChanged { way: Way::Owner, .. } => "password-changed-by-owner",
            Letter::PasswordChanged { way: Way::Support | Way::Mail, .. } => "password-changed-by-support",
            Letter::AccountSuspended => "account-suspended",
            Letter::AddressLeft { .. } => "address-changed-old",
            Letter::AddressTaken { .. } => "address-changed-new",
        }
    }

    pub(crate) fn variables(&self) -> Vec<(String, Variable)> {
        let secret = |password: &PlainPassword| Variable::Secret(password.text().to_owned());
        let variables = match self {
            Letter::AskedLink { link, until } | Letter::SentLink { link, until } => {
                vec![("link", Variable::Link(link.clone())), ("until", Variable::Time(*until))]
            }
            Letter::TemporaryPassword { password, until } => {
                vec![("password", secret(password)), ("until", Variable::Time(*until))]
            }
            Letter::PermanentPassword { password } => vec![("password", secret(password))],
            Letter::PasswordChanged { at, .. } | Letter::AddressLeft { at } | Letter::AddressTaken { at } => {
                vec![("at", Variable::Time(*at))]
            }
            Letter::AccountSuspended => Vec::new(),
        };
        variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// From then on it is of no use. None: it has no end of its own.
    fn expires(&self) -> Option<i64> {
        match self {
            Letter::AskedLink { until, .. }
            | Letter::SentLink { until, .. }
            | Letter::TemporaryPassword { until, .. } => Some(*until),
            Letter::PermanentPassword { .. }
            | Letter::PasswordChanged { .. }
            | Letter::AccountSuspended
            | Letter::AddressLeft { .. }
            | Letter::AddressTaken { .. } => None,
        }
    }

    /// Whose address it goes to.
    fn recipient(&self, account: &str) -> Recipient {
        match self {
            Letter::AddressLeft { .. } => Recipient::PreviousAddressOf(account.to_owned()),
            _ => Recipient::Account(account.to_owned()),
        }
    }
}

/// Effect.
pub(crate) fn send(ports: &dyn Ports, account: &str, letter: &Letter) -> Result<MailId, Error> {
    ports.send(&letter.recipient(account), letter.template(), letter.variables(), letter.expires())
}

/// Whether a mail can be queued for the account.
pub(crate) fn ready(ports: &dyn Ports, account: &str) -> Result<(), Error> {
    ports.ready(Some(&Recipient::Account(account.to_owned())))
}

/// Effect. What has gone, or is no longer in the outbox, cannot be called back, and is no reason against what replaces it.
pub(crate) fn withdraw<'a>(ports: &dyn Ports, mails: impl Iterator<Item = &'a SecretMail>) -> Result<(), Failure> {
    for mail in mails {
        match ports.withdraw(&mail.mail) {
            Ok(()) | Err(Error::NotFound | Error::NotConfigured) => {}
            Err(error) => return Err(failure::of_mail(Words::of(ports), error)),
        }
    }
    Ok(())
}
