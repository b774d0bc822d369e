//! Under the button of the sign-in page: the way to a new password, or whom to ask if no email can be sent.

use super::forgot;
use crate::bindings::nodes::{Node, TextLink, Value};
use crate::ports::Ports;
use crate::words::{Word, Words};

pub(super) fn draw(ports: &dyn Ports) -> Vec<Node> {
    let words = Words::of(ports);
    let sentence = match ports.ready(None) {
        Ok(()) => {
            let text = words.text(Word::ForgotTitle, &[]);
            vec![Value::Link(TextLink { text, target: forgot::target(Vec::new()) })]
        }
        Err(_) => words.sentence(Word::NoSelfService, &[("contact", Value::Contact)]),
    };
    vec![Node::Text(sentence)]
}
