//! Forgotten password: one field, and an answer page that is the same for every input. It looks different from the form, so
//! that nobody presses again and replaces their own link.

use super::{back_to_sign_in, go, link_duration, plain, submission};
use crate::bindings::nodes::{
    Action, Arguments, Field, FieldKind, Form, Intent, Line, LineKind, Node, PageTarget, Target, Value, View,
};
use crate::ports::Ports;
use crate::words::{Word, Words};

/// The manifest's page.
pub(super) const PAGE: &str = "forgot";

/// The argument of the answer page, and its value for a link that replaces an old one. The address doesn't contain what was
/// typed: addresses are kept in histories and logs.
const STEP: &str = "step";
const ASKED: &str = "asked";
const RESENT: &str = "resent";

pub(super) fn draw(ports: &dyn Ports, arguments: &Arguments) -> View {
    let words = Words::of(ports);
    if ports.ready(None).is_err() {
        return view(
            words,
            Word::ForgotTitle,
            vec![
                Node::Text(words.sentence(Word::NoSelfService, &[("contact", Value::Contact)])),
                Node::Actions(vec![back_to_sign_in(words, Intent::Primary)]),
            ],
        );
    }
    match arguments.iter().find(|(name, _)| name == STEP).map(|(_, value)| value.as_str()) {
        Some(ASKED) => asked(ports, words, Word::Asked),
        Some(RESENT) => asked(ports, words, Word::AskedResent),
        _ => view(words, Word::ForgotTitle, vec![Node::Form(form(words))]),
    }
}

fn form(words: Words) -> Form {
    let name = Field {
        name: "login-or-email".to_owned(),
        label: words.text(Word::ForgotLabel, &[]),
        hint: None,
        kind: FieldKind::Line(Line { kind: LineKind::Username, value: String::new() }),
        required: true,
        own: true,
    };
    Form {
        submit: submission("request-reset", None),
        intro: vec![words.sentence(Word::ForgotIntro, &[])],
        points: Vec::new(),
        fields: vec![name],
        submit_label: words.text(Word::ForgotSend, &[]),
        submit_intent: Intent::Primary,
        cancel: Some(Target::SignIn),
    }
}

/// Complete without the notice above it, which says what was typed and is gone after a reload.
fn asked(ports: &dyn Ports, words: Words, answer: Word) -> View {
    let mut nodes = vec![
        Node::Text(words.sentence(answer, &[("duration", link_duration(ports))])),
        Node::Heading(words.text(Word::AskedNothing, &[])),
    ];
    nodes.extend(
        [Word::AskedSpam, Word::AskedAddress, Word::AskedContact]
            .map(|point| Node::Text(words.sentence(point, &[("contact", Value::Contact)]))),
    );
    nodes.push(Node::Actions(vec![
        back_to_sign_in(words, Intent::Neutral),
        link(words, Word::AskedAgain, Intent::Quiet),
    ]));
    view(words, Word::AskedTitle, nodes)
}

/// Where every request leads, whatever its result.
pub(super) fn answer() -> Target {
    target(vec![(STEP.to_owned(), ASKED.to_owned())])
}

/// The same for a link that replaces an old one.
pub(super) fn answer_resent() -> Target {
    target(vec![(STEP.to_owned(), RESENT.to_owned())])
}

/// A link to the form.
pub(super) fn link(words: Words, label: Word, intent: Intent) -> Action {
    go(words, label, intent, target(Vec::new()))
}

pub(super) fn target(arguments: Arguments) -> Target {
    Target::Page(PageTarget { page: PAGE.to_owned(), subject: None, arguments })
}

fn view(words: Words, title: Word, nodes: Vec<Node>) -> View {
    View { title: plain(words.text(title, &[])), lead: None, outcome: None, nodes }
}
