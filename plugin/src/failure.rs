//! How errors of the imports become failures of the export. What only the operator can mend goes to standard error, which the
//! host logs with the plugin's name and the request's id; it never holds a secret.

use crate::bindings::nodes::Value;
use crate::bindings::types::{Failure, FieldError, Refusal};
use crate::bindings::{accounts, database, jobs, mail};
use crate::words::{Word, Words};

/// Seconds after which a limit of the machine is worth another try.
const RETRY: u32 = 30;

/// Tells the operator.
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
                    "the accounts provider denied {what}: see the plugin's grant and the provider's schemes"
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
                log(format_args!("the host knows no job {name}: the component's manifest is not this plugin's"));
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

/// Without the mail nothing is done.
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
            log(format_args!("the host refused a mail for its template: {what}"));
            Failure::Unsupported
        }
        mail::Error::Denied(what) => {
            log(format_args!("the host denied {what} while queueing a mail: see the plugin's grant"));
            Failure::Unsupported
        }
        mail::Error::Limit(which) => {
            log(format_args!("the host's limit {which} was reached while queueing a mail"));
            Failure::Unavailable(RETRY)
        }
        mail::Error::Unavailable(seconds) => Failure::Unavailable(seconds),
    }
}

/// A rule of the plugin's own said no.
pub(crate) fn refused(words: Words, code: &str, why: Word) -> Failure {
    Failure::Refused(Refusal { code: code.to_owned(), message: words.text(why, &[]) })
}

/// One wrong field.
pub(crate) fn field(name: &str, code: &str, message: String) -> FieldError {
    FieldError { field: name.to_owned(), code: code.to_owned(), message }
}
