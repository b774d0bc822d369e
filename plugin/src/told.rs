//! Who is told of a new password: its owner by mail, other plugins by an event.

use crate::bindings::mail::Error;
use crate::bindings::types::{Event, EventField, MailId};
use crate::failure;
use crate::letter::{self, Letter};
use crate::ports::Ports;

/// The event of the manifest.
pub(crate) const EVENT: &str = "password.changed";

/// The way to a new password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Chosen by the holder of a link.
    Link,
    /// Changed by its owner, who knew the one before.
    Owner,
    /// Set by whoever manages the account.
    Support,
    /// Generated and mailed.
    Mail,
}

impl Way {
    /// Stable: stands in the event.
    fn code(self) -> &'static str {
        match self {
            Way::Link => "link",
            Way::Owner => "owner",
            Way::Support => "manager",
            Way::Mail => "mailed",
        }
    }
}

/// Mails the owner that his password is another one: the news that a thief would rather not have told. Answers none where no
/// mail can go; the change itself never fails for it.
pub(crate) fn owner(ports: &dyn Ports, account: &str, way: Way) -> Option<MailId> {
    match letter::send(ports, account, &Letter::PasswordChanged { way, at: ports.now() }) {
        Ok(mail) => Some(mail),
        Err(Error::NoAddress | Error::UnusableAddress(_) | Error::NotConfigured) => None,
        Err(error) => {
            failure::log(format_args!("{account} is not told of the new password: {error:?}"));
            None
        }
    }
}

/// Emits the event; the change itself never fails for it.
pub(crate) fn others(ports: &dyn Ports, account: &str, way: Way) {
    let event = Event {
        name: EVENT.to_owned(),
        subject: Some(account.to_owned()),
        fields: vec![("way".to_owned(), EventField::Text(way.code().to_owned()))],
    };
    if let Err(error) = ports.emit(&event) {
        failure::log(format_args!("no event tells of the new password of {account}: {error:?}"));
    }
}
