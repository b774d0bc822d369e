//! On the customer's account details: set a new password by hand.

use super::{new_password, submission};
use crate::bindings::mail::Error;
use crate::bindings::nodes::{Field, FieldKind, Form, Intent, Node, Sentence, Value};
use crate::bindings::types::Failure;
use crate::letter;
use crate::ports::Ports;
use crate::settings;
use crate::words::{Word, Words};

pub(super) fn draw(ports: &dyn Ports, account: &str) -> Result<Vec<Node>, Failure> {
    let words = Words::of(ports);
    // Ticked: a password that somebody else knows should not stay.
    let must_change = Field {
        name: "must-change".to_owned(),
        label: words.text(Word::MustChangeLabel, &[]),
        hint: None,
        kind: FieldKind::Tick(true),
        required: false,
        own: false,
    };
    let asked = settings::asked_at_sign_in(ports);
    let points = [Word::DetailsPointSessions].into_iter().chain(asked.then_some(Word::DetailsPointMustChange));
    let form = Form {
        submit: submission("set-password", Some(account)),
        intro: Vec::new(),
        points: points.map(|point| words.sentence(point, &[])).chain([what_is_told(ports, words, account)]).collect(),
        fields: [new_password(ports, words, false, Some("generate-password"))]
            .into_iter()
            .chain(asked.then_some(must_change))
            .collect(),
        submit_label: words.text(Word::Save, &[]),
        submit_intent: Intent::Primary,
        cancel: None,
    };
    Ok(vec![Node::Heading(words.text(Word::DetailsSection, &[])), Node::Form(form)])
}

/// The password itself is never emailed from here: whoever types it passes it on.
fn what_is_told(ports: &dyn Ports, words: Words, account: &str) -> Sentence {
    let point = match letter::ready(ports, account) {
        Ok(()) => Word::DetailsPointTold,
        Err(Error::NoAddress) => Word::DetailsPointNoAddress,
        Err(Error::UnusableAddress(why)) => {
            return words.sentence(Word::DetailsPointAddressUnusable, &[("why", Value::Text(why))]);
        }
        Err(_) => Word::DetailsPointNotTold,
    };
    words.sentence(point, &[])
}
