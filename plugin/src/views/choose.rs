//! The link page to choose a new password. An invalid link says so before anything is typed, and offers a new one.

use super::{back_to_sign_in, forgot, link_duration, new_password, plain, submission, submit_action};
use crate::bindings::nodes::{
    AccountField, Action, Field, FieldKind, Form, Intent, Line, LineKind, Node, Sentence, ShownAccount, Value, View,
};
use crate::bindings::types::Failure;
use crate::links::{self, Good, Over, Standing, Why};
use crate::ports::Ports;
use crate::store::Origin;
use crate::words::{Word, Words};

pub(super) fn draw(ports: &dyn Ports, token: &str) -> Result<View, Failure> {
    let words = Words::of(ports);
    match links::standing(ports, token)? {
        Standing::Good(good) => form(ports, words, &good),
        Standing::Over(over) => ended(ports, words, &over),
        Standing::Unknown => {
            let mut nodes = vec![Node::Text(words.sentence(Word::LinkUnknown, &[]))];
            nodes.extend(ask_anew(ports, words, Intent::Primary));
            Ok(view(words, Word::LinkUnknownTitle, None, nodes))
        }
    }
}

fn form(ports: &dyn Ports, words: Words, good: &Good) -> Result<View, Failure> {
    let account = &good.record.account;
    let login = ports.fields(account, &["login"])?.pop().flatten().unwrap_or_default();
    let shown = Value::Account(ShownAccount { account: account.clone(), show: AccountField::Login });
    let lead = match good.record.origin {
        Origin::Asked | Origin::Mailed | Origin::HandedOn => {
            words.sentence(Word::ChooseLead, &[("login", shown), ("until", Value::Time(good.record.until))])
        }
        // Right after a sign-in: the reader has seen no link, and needs the reason.
        Origin::SignIn => words.sentence(Word::ChooseLeadMustChange, &[("login", shown)]),
    };
    // For password managers: they store what is typed below under this name.
    let username = Field {
        name: "login".to_owned(),
        label: words.text(Word::LoginLabel, &[]),
        hint: None,
        kind: FieldKind::Fixed(Line { kind: LineKind::Username, value: login }),
        required: true,
        own: true,
    };
    let form = Form {
        submit: submission("complete-reset", None),
        intro: Vec::new(),
        points: vec![words.sentence(Word::ChoosePointSessions, &[]), words.sentence(Word::ChoosePointSignIn, &[])],
        fields: vec![username, new_password(ports, words, true, None)],
        submit_label: words.text(Word::ChooseSave, &[]),
        submit_intent: Intent::Primary,
        cancel: None,
    };
    Ok(view(words, Word::ChooseTitle, Some(lead), vec![Node::Form(form)]))
}

fn ended(ports: &dyn Ports, words: Words, over: &Over) -> Result<View, Failure> {
    let time = |name, at: i64| [(name, Value::Time(at))];
    let (title, body, next) = match over.why {
        Why::Expired if over.record.origin == Origin::SignIn => {
            let body = words.sentence(Word::LinkExpiredSignIn, &time("until", over.record.until));
            (Word::LinkExpiredTitle, body, Intent::Quiet)
        }
        Why::Expired => {
            let body = words.sentence(Word::LinkExpired, &time("until", over.record.until));
            (Word::LinkExpiredTitle, body, Intent::Primary)
        }
        Why::Used(at) => {
            let words_for = [("at", Value::Time(at)), ("contact", Value::Contact)];
            (Word::LinkUsedTitle, words.sentence(Word::LinkUsed, &words_for), Intent::Neutral)
        }
        Why::Replaced { at, mailed } => {
            let word = if mailed { Word::LinkReplacedMailed } else { Word::LinkReplaced };
            (Word::LinkReplacedTitle, words.sentence(word, &time("at", at)), Intent::Neutral)
        }
        Why::Overtaken(Some(at)) => {
            (Word::LinkOvertakenTitle, words.sentence(Word::LinkOvertaken, &time("at", at)), Intent::Neutral)
        }
        Why::Overtaken(None) => {
            (Word::LinkOvertakenTitle, words.sentence(Word::LinkOvertakenElsewhere, &[]), Intent::Neutral)
        }
        Why::Readdressed => (Word::LinkOvertakenTitle, words.sentence(Word::LinkReaddressed, &[]), Intent::Primary),
    };
    let mut nodes = vec![Node::Text(body)];
    nodes.extend(match over.record.origin {
        Origin::SignIn => vec![Node::Actions(vec![sign_in(words, Intent::Primary)])],
        _ if over.can_be_mailed_anew(ports)? => mail_anew(ports, words, next),
        _ => ask_anew(ports, words, next),
    });
    Ok(view(words, title, None, nodes))
}

/// To the same address, which is not shown: somebody with an old link need not own that mailbox.
fn mail_anew(ports: &dyn Ports, words: Words, intent: Intent) -> Vec<Node> {
    if ports.ready(None).is_err() {
        return ask_anew(ports, words, intent);
    }
    let works = [("duration", link_duration(ports))];
    vec![
        Node::Text(words.sentence(Word::LinkRenew, &works)),
        Node::Actions(beside_sign_in(words, submit_action(words, Word::LinkSendNew, intent, "resend-link"))),
    ]
}

/// On the page for forgotten passwords; or ask a person if no email can be sent.
fn ask_anew(ports: &dyn Ports, words: Words, intent: Intent) -> Vec<Node> {
    if ports.ready(None).is_err() {
        return vec![
            Node::Text(words.sentence(Word::LinkAsk, &[("contact", Value::Contact)])),
            Node::Actions(vec![sign_in(words, Intent::Primary)]),
        ];
    }
    vec![Node::Actions(beside_sign_in(words, forgot::link(words, Word::LinkAskNew, intent)))]
}

/// One primary action: signing in, unless the reader needs a new link.
fn beside_sign_in(words: Words, other: Action) -> Vec<Action> {
    match other.intent {
        Intent::Primary => vec![other, back_to_sign_in(words, Intent::Quiet)],
        _ => vec![sign_in(words, Intent::Primary), other],
    }
}

fn sign_in(words: Words, intent: Intent) -> Action {
    Action { label: words.text(Word::SignIn, &[]), ..back_to_sign_in(words, intent) }
}

fn view(words: Words, title: Word, lead: Option<Sentence>, nodes: Vec<Node>) -> View {
    View { title: plain(words.text(title, &[])), lead, outcome: None, nodes }
}
