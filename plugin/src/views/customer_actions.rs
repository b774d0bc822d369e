//! On the customer's Overview: Reset & mail password; or why it isn't offered, and the fix.

use super::{go, reset};
use crate::bindings::mail::Error;
use crate::bindings::nodes::{Action, Intent, Node, PageTarget, Sentence, Target, Value};
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
        reset.unavailable = Some(reason);
        mends = mend;
    }
    Ok(vec![Node::Actions([reset].into_iter().chain(mends).collect())])
}

/// The reason, and the way to fix it.
///
/// # Errors
/// `not-found` for an account that is gone or out of reach.
pub(super) fn unavailable(words: Words, account: &str, error: &Error) -> Result<(Sentence, Option<Action>), Failure> {
    let said = |word| words.sentence(word, &[]);
    let way = |word, target| Some(go(words, word, Intent::Neutral, target));
    match error {
        Error::NotFound => Err(Failure::NotFound),
        Error::NoAddress => {
            let details = Target::AccountDetails(account.to_owned());
            Ok((said(Word::ResetNoAddress), way(Word::AddAddress, details)))
        }
        Error::UnusableAddress(why) => {
            let reason = words.sentence(Word::ResetAddressUnusable, &[("why", Value::Text(why.clone()))]);
            let details = Target::AccountDetails(account.to_owned());
            Ok((reason, way(Word::CorrectAddress, details)))
        }
        Error::NotConfigured => Ok((said(Word::ResetMailOff), way(Word::EmailSettings, Target::EmailSettings))),
        Error::BadTemplate(_) | Error::Denied(_) | Error::Limit(_) | Error::Unavailable(_) => {
            Ok((said(Word::ResetMailBusy), None))
        }
    }
}
