//! Who is notified of a new password: the owner by email, other plugins by an event.

use crate::bindings::mail::Error;
use crate::bindings::types::{Event, EventField, MailId};
use crate::failure;
use crate::letter::{self, Letter};
use crate::ports::Ports;

/// The manifest's event.
pub(crate) const EVENT: &str = "password.changed";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Chosen with a link.
    Link,
    /// Changed by the owner, who knew the old one.
    Owner,
    /// Set by a manager.
    Support,
    /// Generated and emailed.
    Mail,
}

impl Way {
    /// Stable: part of the event.
    fn code(self) -> &'static str {
        match self {
            Way::Link => "link",
            Way::Owner => "owner",
            Way::Support => "manager",
            Way::Mail => "mailed",
        }
    }
}

/// Emails the owner that the password was changed: the news that a thief would hide. None if no email can be sent; the change
/// never fails because of it.
pub(crate) fn owner(ports: &dyn Ports, account: &str, way: Way) -> Option<MailId> {
    match letter::send(ports, account, &Letter::PasswordChanged { way, at: ports.now() }) {
        Ok(mail) => Some(mail),
        Err(Error::NoAddress | Error::UnusableAddress(_) | Error::NotConfigured) => None,
        Err(error) => {
            failure::log(format_args!("can't notify {account} of the new password: {error:?}"));
            None
        }
    }
}

/// Emits the event. The change never fails because of it.
pub(crate) fn others(ports: &dyn Ports, account: &str, way: Way) {
    let event = Event {
        name: EVENT.to_owned(),
        subject: Some(account.to_owned()),
        fields: vec![("way".to_owned(), EventField::Text(way.code().to_owned()))],
    };
    if let Err(error) = ports.emit(&event) {
        failure::log(format_args!("can't emit the event about the new password of {account}: {error:?}"));
    }
}
