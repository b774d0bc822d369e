//! On the customer's Overview: Reset & mail password, or why not, and what mends it.

use super::{go, reset};
use crate::bindings::mail::Error;
use crate::bindings::nodes::{Action, Intent, Node, PageTarget, Target};
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
    let mut mends = None;
    if let Err(error) = letter::ready(ports, account) {
        let (reason, mend) = unavailable(words, account, &error)?;
        reset.unavailable = Some(words.sentence(reason, &[]));
        mends = mend;
    }
    Ok(vec![Node::Actions([reset].into_iter().chain(mends).collect())])
}

/// The reason, and the way to mend it.
///
/// # Errors
/// `not-found` for an account that is gone or out of reach.
pub(super) fn unavailable(words: Words, account: &str, error: &Error) -> Result<(Word, Option<Action>), Failure> {
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
