//! Confirm reset: who, which address, what ends, which mode. It locks somebody out for a while, so it has a page of its own.

use super::{customer_actions, go, plain, submission};
use crate::bindings::nodes::{
    AccountField, Action, Choice, ChoiceOption, Field, FieldKind, Form, Intent, Node, Notice, Sentence, ShownAccount,
    Target, Tone, Value, View,
};
use crate::bindings::password::Mode;
use crate::bindings::types::Failure;
use crate::ports::Ports;
use crate::words::{Word, Words};
use crate::{letter, reset_and_mail, settings, status};

/// The manifest's page.
pub(super) const PAGE: &str = "reset";

pub(super) fn draw(ports: &dyn Ports, account: &str) -> Result<View, Failure> {
    let words = Words::of(ports);
    let name = Value::Account(ShownAccount { account: account.to_owned(), show: AccountField::Name });
    let modes = settings::reset_modes(ports);
    let node = match letter::ready(ports, account) {
        Err(error) => {
            let (reason, mend) = customer_actions::unavailable(words, account, &error)?;
            cannot(words, account, reason, mend)
        }
        Ok(()) if modes.is_empty() => cannot(words, account, words.sentence(Word::ModeNotOfferedRefusal, &[]), None),
        Ok(()) => Node::Form(form(ports, words, account, &modes)?),
    };
    let title = words.sentence(Word::ResetTitle, &[("name", name)]);
    Ok(View { title, lead: None, outcome: None, nodes: vec![node] })
}

fn cannot(words: Words, account: &str, why: Sentence, mend: Option<Action>) -> Node {
    let back = go(words, Word::BackToOverview, Intent::Neutral, Target::Overview(account.to_owned()));
    Node::Notice(Notice {
        tone: Tone::Warning,
        title: words.text(Word::ResetCannotTitle, &[]),
        body: why,
        actions: mend.into_iter().chain([back]).collect(),
    })
}

fn form(ports: &dyn Ports, words: Words, account: &str, modes: &[Mode]) -> Result<Form, Failure> {
    let mut fields = vec![hidden("address-seen", reset_and_mail::address_mark(ports, account)?)];
    let mut points = points(ports, words, account)?;
    match modes {
        // There is nothing to choose: its meaning becomes one more point.
        [only] => {
            points.push(plain(hint(ports, words, account, *only)?));
            fields.push(hidden("mode", settings::mode_name(*only).to_owned()));
        }
        _ => fields.push(choice(ports, words, account, modes)?),
    }
    // If a link can be chosen, the button must fit that too: a link ends nothing.
    let (label, intent) = match modes.contains(&Mode::Link) {
        true => (Word::ResetSend, Intent::Primary),
        false => (Word::ResetAndMail, Intent::Danger),
    };
    Ok(Form {
        submit: submission("reset-and-mail", Some(account)),
        intro: Vec::new(),
        points,
        fields,
        submit_label: words.text(label, &[]),
        submit_intent: intent,
        cancel: Some(Target::Overview(account.to_owned())),
    })
}

/// What holds for each mode.
fn points(ports: &dyn Ports, words: Words, account: &str) -> Result<Vec<Sentence>, Failure> {
    let address = Value::Account(ShownAccount { account: account.to_owned(), show: AccountField::Email });
    let mut points = vec![words.sentence(Word::ResetPointAddress, &[("address", address)])];
    if status::is_suspended(ports, account)? {
        points.push(words.sentence(Word::ResetPointSuspended, &[]));
    }
    Ok(points)
}

fn choice(ports: &dyn Ports, words: Words, account: &str, modes: &[Mode]) -> Result<Field, Failure> {
    let option = |mode: &Mode| {
        let label = match mode {
            Mode::Temporary => Word::ModeTemporary,
            Mode::Link => Word::ModeLink,
            Mode::Permanent => Word::ModePermanent,
        };
        Ok(ChoiceOption {
            value: settings::mode_name(*mode).to_owned(),
            label: words.text(label, &[]),
            hint: Some(hint(ports, words, account, *mode)?),
        })
    };
    Ok(Field {
        name: "mode".to_owned(),
        label: words.text(Word::ModeLabel, &[]),
        hint: None,
        kind: FieldKind::Choice(Choice {
            options: modes.iter().map(option).collect::<Result<_, Failure>>()?,
            value: settings::reset_preset(ports).map(|mode| settings::mode_name(mode).to_owned()),
        }),
        required: true,
        own: false,
    })
}

/// The result of a mode, and what ends with it.
fn hint(ports: &dyn Ports, words: Words, account: &str, mode: Mode) -> Result<String, Failure> {
    let number = |n: u32| [("n", Value::Number(n.into()))];
    let what = match mode {
        Mode::Temporary => words.text(Word::ModeTemporaryHint, &number(settings::TEMPORARY_HOURS.of(ports))),
        Mode::Permanent => words.text(Word::ModePermanentHint, &[]),
        Mode::Link => return Ok(words.text(Word::ModeLinkHint, &number(settings::LINK_MINUTES.of(ports)))),
    };
    let ends = match ports.sessions(account)? {
        Some(0) => words.text(Word::ResetEndsNone, &[]),
        Some(n) => words.text(Word::ResetEnds, &number(n)),
        None => words.text(Word::ResetEndsUnknown, &[]),
    };
    Ok(format!("{what} {ends}"))
}

fn hidden(name: &str, value: String) -> Field {
    Field {
        name: name.to_owned(),
        label: String::new(),
        hint: None,
        kind: FieldKind::Hidden(value),
        required: false,
        own: false,
    }
}
