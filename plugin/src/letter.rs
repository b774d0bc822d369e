//! The plugin's emails: which template, with which variables. The texts are in `mail/*.toml`. The host adds greeting and
//! signature, and sends it in the account's language to the address on file.

use crate::bindings::mail::{Error, Recipient, Variable};
use crate::bindings::types::{Failure, Link, MailId};
use crate::failure;
use crate::password::PlainPassword;
use crate::ports::Ports;
use crate::store::SecretMail;
use crate::told::Way;
use crate::words::Words;

/// One email to an account's owner. It has no free text: nothing that a stranger typed.
pub(crate) enum Letter<'a> {
    /// The owner requested it.
    AskedLink { link: Link, until: i64 },
    /// A manager sends it.
    SentLink { link: Link, until: i64 },
    /// A password that expires, and must be changed at the first sign-in.
    TemporaryPassword { password: &'a PlainPassword, until: i64 },
    /// A password that stays.
    PermanentPassword { password: &'a PlainPassword },
    /// Says that the password was changed, never to what.
    PasswordChanged { way: Way, at: i64 },
    /// The owner requested a link, but the account is suspended.
    AccountSuspended,
    /// To the old address: the account has another one now.
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

    /// When its contents are no longer useful. None: they don't expire.
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

/// Whether an email can be queued for the account.
pub(crate) fn ready(ports: &dyn Ports, account: &str) -> Result<(), Error> {
    ports.ready(Some(&Recipient::Account(account.to_owned())))
}

/// Effect. Emails that were already sent, or are no longer in the outbox, can't be withdrawn; that is not an error.
pub(crate) fn withdraw<'a>(ports: &dyn Ports, mails: impl Iterator<Item = &'a SecretMail>) -> Result<(), Failure> {
    for mail in mails {
        match ports.withdraw(&mail.mail) {
            Ok(()) | Err(Error::NotFound | Error::NotConfigured) => {}
            Err(error) => return Err(failure::of_mail(Words::of(ports), error)),
        }
    }
    Ok(())
}
