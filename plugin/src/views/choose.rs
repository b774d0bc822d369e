//! The link page where a new password is chosen. A link that does not work says so before anything is typed.

use super::{new_password, plain, submission};
use crate::bindings::nodes::{
    AccountField, Action, Field, FieldKind, Form, Intent, Line, LineKind, Node, Notice, Run, Sentence, ShownAccount,
    Target, Tone, Value, View,
};
use crate::bindings::types::Failure;
use crate::links::{self, Good, Standing};
use crate::ports::Ports;
use crate::store::Purpose;
use crate::words::{Word, Words};

pub(super) fn draw(ports: &dyn Ports, token: &str) -> Result<View, Failure> {
    let words = Words::of(ports);
    let at = |at: i64| [("at", Value::Time(at)), ("contact", Value::Contact)];
    let until = |until: i64| [("until", Value::Time(until)), ("contact", Value::Contact)];
    Ok(match links::standing(ports, token)? {
        Standing::Good(good) => form(ports, words, &good)?,
        Standing::Expired { until: ended, purpose: Purpose::Reset } => {
            ended_link(words, Tone::Warning, Word::LinkExpiredTitle, words.sentence(Word::LinkExpired, &until(ended)))
        }
        Standing::Expired { until: ended, purpose: Purpose::MustChange } => ended_link(
            words,
            Tone::Warning,
            Word::LinkExpiredTitle,
            words.sentence(Word::LinkExpiredSignIn, &until(ended)),
        ),
        Standing::Used(used) => {
            ended_link(words, Tone::Info, Word::LinkUsedTitle, words.sentence(Word::LinkUsed, &at(used)))
        }
        Standing::Replaced(made) => {
            ended_link(words, Tone::Warning, Word::LinkReplacedTitle, words.sentence(Word::LinkReplaced, &at(made)))
        }
        Standing::Overtaken(changed) => {
            let body = match changed {
                Some(changed) => words.sentence(Word::LinkOvertaken, &at(changed)),
                None => words.sentence(Word::LinkOvertakenElsewhere, &[("contact", Value::Contact)]),
            };
            ended_link(words, Tone::Warning, Word::LinkOvertakenTitle, body)
        }
        Standing::Unknown => {
            let body = words.sentence(Word::LinkUnknown, &[("contact", Value::Contact)]);
            ended_link(words, Tone::Warning, Word::LinkUnknownTitle, body)
        }
    })
}

fn form(ports: &dyn Ports, words: Words, good: &Good) -> Result<View, Failure> {
    let account = &good.record.account;
    let login = ports.fields(account, &["login"])?.pop().flatten().unwrap_or_default();
    let shown = Value::Account(ShownAccount { account: account.clone(), show: AccountField::Login });
    let lead = words.sentence(Word::ChooseLead, &[("login", shown), ("until", Value::Time(good.record.until))]);
    // For password managers: they file what is typed below under this name.
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
        fields: vec![username, new_password(ports, words, true)],
        submit_label: words.text(Word::ChooseSave, &[]),
        submit_intent: Intent::Primary,
        cancel: None,
    };
    Ok(view(words, Some(lead), Node::Form(form)))
}

fn ended_link(words: Words, tone: Tone, title: Word, body: Sentence) -> View {
    let sign_in = Action {
        label: words.text(Word::SignIn, &[]),
        intent: Intent::Primary,
        run: Run::Go(Target::SignIn),
        unavailable: None,
    };
    let notice = Notice { tone, title: words.text(title, &[]), body, actions: vec![sign_in] };
    view(words, None, Node::Notice(notice))
}

fn view(words: Words, lead: Option<Sentence>, node: Node) -> View {
    View { title: plain(words.text(Word::ChooseTitle, &[])), lead, outcome: None, nodes: vec![node] }
}
