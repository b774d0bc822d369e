//! On the customer's Overview: Reset & mail password, or why not, and what mends it.

use super::{go, plain, reset};
use crate::bindings::mail::Error;
use crate::bindings::nodes::{Intent, Node, PageTarget, Target};
use crate::bindings::types::Failure;
use crate::letter;
use crate::ports::Ports;
use crate::words::{Word, Words};

pub(super) fn draw(ports: &dyn Ports, account: &str) -> Result<Vec<Node>, Failure> {
    let words = Words::of(ports);
    let page = Target::Page(PageTarget {
        page: reset::PAGE.to_owned(),
        subject: Some(account.to_owned()),
        arguments: Vec::new(),
    });
    let mut reset = go(words, Word::ResetAndMail, Intent::Neutral, page);
    let mut actions = Vec::new();
    if let Err(error) = letter::ready(ports, account) {
        let (reason, mend) = unavailable(words, account, &error)?;
        reset.unavailable = Some(plain(words.text(reason, &[])));
        actions.extend(mend);
    }
    actions.insert(0, reset);
    Ok(vec![Node::Actions(actions)])
}

/// The reason, and the way to mend it.
///
/// # Errors
/// `not-found` for an account that is gone or out of reach.
pub(super) fn unavailable(
    words: Words,
    account: &str,
    error: &Error,
) -> Result<(Word, Option<crate::bindings::nodes::Action>), Failure> {
    match error {
        Error::NotFound => Err(Failure::NotFound),
        Error::NoAddress => {
            let details = Target::AccountDetails(account.to_owned());
            Ok((Word::ResetNoAddress, Some(go(words, Word::AddAddress, Intent::Neutral, details))))
        }
        Error::NotConfigured => {
            Ok((Word::ResetMailOff, Some(go(words, Word::EmailSettings, Intent::Neutral, Target::EmailSettings))))
        }
        Error::BadTemplate(_) | Error::Denied(_) | Error::Limit(_) | Error::Unavailable(_) => {
            Ok((Word::ResetMailBusy, None))
        }
    }
}
