//! Turns errors of the imports into failures of the export. What only the operator can fix goes to standard error, which the
//! host logs with the plugin's name and the request's id. It never has a secret.

use crate::bindings::nodes::Value;
use crate::bindings::types::{Failure, FieldError, Refusal};
use crate::bindings::{accounts, database, jobs, mail};
use crate::words::{Word, Words};

/// Seconds after which to retry when a limit of the machine was reached.
const RETRY: u32 = 30;

pub(crate) fn log(message: std::fmt::Arguments<'_>) {
    eprintln!("keyturn-password: {message}");
}

impl From<accounts::Error> for Failure {
    fn from(error: accounts::Error) -> Self {
        match error {
            accounts::Error::NotFound => Failure::NotFound,
            accounts::Error::Unsupported => Failure::Unsupported,
            accounts::Error::Denied(what) => {
                log(format_args!(
                    "the accounts provider denied {what}: check the plugin's grants and the mapping's accepts"
                ));
                Failure::Unsupported
            }
            accounts::Error::Limit(which) => {
                log(format_args!("the host's limit {which} was reached while reading accounts"));
                Failure::Unavailable(RETRY)
            }
            accounts::Error::Unavailable(seconds) => Failure::Unavailable(seconds),
        }
    }
}

impl From<database::Error> for Failure {
    fn from(error: database::Error) -> Self {
        match error {
            database::Error::Limit(which) => {
                log(format_args!("the host's limit {which} was reached while using the plugin's data"));
                Failure::Unavailable(RETRY)
            }
            database::Error::Unavailable(seconds) => Failure::Unavailable(seconds),
        }
    }
}

impl From<jobs::Error> for Failure {
    fn from(error: jobs::Error) -> Self {
        match error {
            jobs::Error::Undeclared(name) => {
                log(format_args!("the host doesn't know the job {name}: the component has another plugin's manifest"));
                Failure::Unsupported
            }
            jobs::Error::Limit(which) => {
                log(format_args!("the host's limit {which} was reached while queueing a job"));
                Failure::Unavailable(RETRY)
            }
            jobs::Error::Unavailable(seconds) => Failure::Unavailable(seconds),
        }
    }
}

/// The failure when an email can't be queued. Nothing is done without the email.
pub(crate) fn of_mail(words: Words, error: mail::Error) -> Failure {
    match error {
        mail::Error::NotFound => Failure::NotFound,
        mail::Error::NoAddress => refused(words, "no-address", Word::NoAddressRefusal),
        mail::Error::UnusableAddress(why) => Failure::Refused(Refusal {
            code: "address-unusable".to_owned(),
            message: words.text(Word::AddressUnusableRefusal, &[("why", Value::Text(why))]),
        }),
        mail::Error::NotConfigured => refused(words, "mail-not-configured", Word::MailOffRefusal),
        mail::Error::BadTemplate(what) => {
            log(format_args!("the host refused an email because of its template: {what}"));
            Failure::Unsupported
        }
        mail::Error::Denied(what) => {
            log(format_args!("the host denied {what} while queueing an email: check the plugin's grants"));
            Failure::Unsupported
        }
        mail::Error::Limit(which) => {
            log(format_args!("the host's limit {which} was reached while queueing an email"));
            Failure::Unavailable(RETRY)
        }
        mail::Error::Unavailable(seconds) => Failure::Unavailable(seconds),
    }
}

/// A rule of the plugin refused it.
pub(crate) fn refused(words: Words, code: &str, why: Word) -> Failure {
    Failure::Refused(Refusal { code: code.to_owned(), message: words.text(why, &[]) })
}

pub(crate) fn field(name: &str, code: &str, message: String) -> FieldError {
    FieldError { field: name.to_owned(), code: code.to_owned(), message }
}
