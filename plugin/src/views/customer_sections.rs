//! On the customer's Overview: how his password stands.

use super::badge;
use crate::bindings::nodes::{Fact, Node, Sentence, Tone, Value};
use crate::bindings::types::Failure;
use crate::ports::Ports;
use crate::status::{self, Changed};
use crate::store::State;
use crate::words::{Word, Words};

pub(super) fn draw(ports: &dyn Ports, account: &str) -> Result<Vec<Node>, Failure> {
    let words = Words::of(ports);
    let standing = status::standing(ports, account)?;
    let sessions = ports.sessions(account)?;
    let fact = |label: Word, value: Sentence| Fact { label: words.text(label, &[]), value };

    let mut password = vec![match standing.state {
        None => badge(words, Tone::Off, Word::StateNone),
        Some(State::Set) => badge(words, Tone::Success, Word::StateSet),
        Some(State::MustChange) => badge(words, Tone::Warning, Word::StateMustChange),
        Some(State::Temporary { until }) if until <= ports.now() => {
            badge(words, Tone::Danger, Word::StateTemporaryEnded)
        }
        Some(State::Temporary { .. }) => badge(words, Tone::Warning, Word::StateTemporary),
    }];
    if let Some(State::Temporary { until }) = standing.state {
        password.push(Value::Text(" ".to_owned()));
        password.extend(words.sentence(Word::TemporaryUntil, &[("until", Value::Time(until))]));
    }
    let changed = match standing.changed {
        Changed::Here(at) => vec![Value::Time(at)],
        Changed::Elsewhere => words.sentence(Word::ChangedElsewhere, &[]),
        Changed::Never => words.sentence(Word::ChangedNever, &[]),
    };
    let sessions = match sessions {
        Some(n) => vec![Value::Number(n.into())],
        None => words.sentence(Word::SessionsUnknown, &[]),
    };
    Ok(vec![
        Node::Heading(words.text(Word::PasswordSection, &[])),
        Node::Facts(vec![
            fact(Word::PasswordFact, password),
            fact(Word::ChangedFact, changed),
            fact(Word::SessionsFact, sessions),
        ]),
    ])
}
