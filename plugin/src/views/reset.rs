//! Confirm reset: who, which address, what ends, which kind. It stops somebody's access, so it is asked on a page of its own.

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

/// The page of the manifest.
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
    let mut points = points(ports, words, account, modes)?;
    match modes {
        // Nothing to choose: what it means is one point more.
        [only] => {
            points.push(plain(hint(ports, words, *only)));
            fields.push(hidden("mode", settings::mode_name(*only).to_owned()));
        }
        _ => fields.push(choice(ports, words, modes)),
    }
    Ok(Form {
        submit: submission("reset-and-mail", Some(account)),
        intro: Vec::new(),
        points,
        fields,
        submit_label: words.text(Word::ResetAndMail, &[]),
        submit_intent: Intent::Danger,
        cancel: Some(Target::Overview(account.to_owned())),
    })
}

fn points(ports: &dyn Ports, words: Words, account: &str, modes: &[Mode]) -> Result<Vec<Sentence>, Failure> {
    let address = Value::Account(ShownAccount { account: account.to_owned(), show: AccountField::Email });
    let mut points = vec![words.sentence(Word::ResetPointAddress, &[("address", address)])];
    if modes.iter().any(|mode| *mode != Mode::Link) {
        points.push(match ports.sessions(account)? {
            Some(0) => words.sentence(Word::ResetPointEndsNone, &[]),
            Some(n) => words.sentence(Word::ResetPointEnds, &[("n", Value::Number(n.into()))]),
            None => words.sentence(Word::ResetPointEndsUnknown, &[]),
        });
    }
    if status::is_suspended(ports, account)? {
        points.push(words.sentence(Word::ResetPointSuspended, &[]));
    }
    Ok(points)
}

fn choice(ports: &dyn Ports, words: Words, modes: &[Mode]) -> Field {
    let option = |mode: &Mode| ChoiceOption {
        value: settings::mode_name(*mode).to_owned(),
        label: words.text(
            match mode {
                Mode::Temporary => Word::ModeTemporary,
                Mode::Link => Word::ModeLink,
                Mode::Permanent => Word::ModePermanent,
            },
            &[],
        ),
        hint: Some(hint(ports, words, *mode)),
    };
    Field {
        name: "mode".to_owned(),
        label: words.text(Word::ModeLabel, &[]),
        hint: None,
        kind: FieldKind::Choice(Choice {
            options: modes.iter().map(option).collect(),
            value: settings::reset_preset(ports).map(|mode| settings::mode_name(mode).to_owned()),
        }),
        required: true,
        own: false,
    }
}

/// What a kind of reset leads to.
fn hint(ports: &dyn Ports, words: Words, mode: Mode) -> String {
    let (word, n) = match mode {
        Mode::Temporary => (Word::ModeTemporaryHint, settings::TEMPORARY_HOURS.of(ports)),
        Mode::Link => (Word::ModeLinkHint, settings::LINK_MINUTES.of(ports)),
        Mode::Permanent => return words.text(Word::ModePermanentHint, &[]),
    };
    words.text(word, &[("n", Value::Number(n.into()))])
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
