//! On people's own account page: change the password.

use super::{new_password, submission};
use crate::bindings::nodes::{Field, FieldKind, Form, Intent, Node};
use crate::bindings::types::Failure;
use crate::ports::Ports;
use crate::words::{Word, Words};

pub(super) fn draw(ports: &dyn Ports, _account: &str) -> Result<Vec<Node>, Failure> {
    let words = Words::of(ports);
    let current = Field {
        name: "current".to_owned(),
        label: words.text(Word::CurrentLabel, &[]),
        hint: None,
        kind: FieldKind::CurrentPassword,
        required: true,
        own: true,
    };
    let form = Form {
        submit: submission("change-own", None),
        intro: Vec::new(),
        points: vec![words.sentence(Word::OwnPointSessions, &[])],
        fields: vec![current, new_password(ports, words, true, None)],
        submit_label: words.text(Word::ChooseSave, &[]),
        submit_intent: Intent::Primary,
        cancel: None,
    };
    Ok(vec![Node::Heading(words.text(Word::OwnSection, &[])), Node::Form(form)])
}
