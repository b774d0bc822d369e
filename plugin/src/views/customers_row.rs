//! In the list of customers: one sentence about the password. The panel adds Manage itself.

use super::badge;
use crate::bindings::nodes::{Node, Tone, Value};
use crate::bindings::types::Failure;
use crate::ports::Ports;
use crate::status::{self, Changed};
use crate::store::State;
use crate::words::{Word, Words};

pub(super) fn draw(ports: &dyn Ports, account: &str) -> Result<Vec<Node>, Failure> {
    let words = Words::of(ports);
    let standing = status::standing(ports, account)?;
    let sentence = match (standing.state, standing.changed) {
        (None, _) => vec![badge(words, Tone::Off, Word::StateNone)],
        (Some(State::MustChange), _) => vec![badge(words, Tone::Warning, Word::StateMustChange)],
        (Some(State::Temporary { until }), _) if until <= ports.now() => {
            vec![badge(words, Tone::Danger, Word::StateTemporaryEnded)]
        }
        (Some(State::Temporary { until }), _) => {
            let mut sentence = vec![badge(words, Tone::Warning, Word::StateTemporary), Value::Text(" ".to_owned())];
            sentence.extend(words.sentence(Word::TemporaryUntil, &[("until", Value::Time(until))]));
            sentence
        }
        (Some(State::Set), Changed::Here(at)) => words.sentence(Word::ChangedAt, &[("at", Value::Time(at))]),
        (Some(State::Set), Changed::Elsewhere) => words.sentence(Word::ChangedElsewhere, &[]),
        (Some(State::Set), Changed::Never) => words.sentence(Word::ChangedNever, &[]),
    };
    Ok(vec![Node::Text(sentence)])
}
