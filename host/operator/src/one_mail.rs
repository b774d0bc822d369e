//! One email: its history, each step of its latest attempt, and its text, with •••• for secrets.

use super::outbox::{Act, PAGE as OUTBOX, ask_withdraw, may_retry, may_withdraw, nameless, state_badge, stopped};
use super::page::{self, Asked, Page, Stands, anybody, link, no_form, not_found, press, target, text};
use super::sheet::{Part, Sentence, Sheet};
use keyturn_core::words::Words;
use keyturn_mail::transport::{Step, StepKind};
use keyturn_runtime::CallError;
use keyturn_ui::nodes::{self, Action, Code, Column, ColumnKind, Empty, Intent, Node, Row, Table, Target, Value};
use keyturn_work::outbox::OneMail;

pub(super) static PAGE: Page =
    Page { name: "mail", stands: Stands::Under("outbox"), remote: true, who: anybody, draw, act: no_form };

fn draw(asked: &Asked<'_>) -> Result<keyturn_ui::Page, CallError> {
    let id = asked.argument("mail").and_then(|id| id.parse().ok()).ok_or_else(not_found)?;
    let one = asked.host.mail(asked.caller, &id).map_err(CallError::of_storage)?.ok_or_else(not_found)?;
    let asks = may_withdraw(&one.delivery) && asked.argument("ask") == Some("withdraw");
    let nodes = match asks {
        true => withdraw(&one, asked),
        false => question(&one, asked),
    };
    let nodes = nodes.into_iter().chain(delivery(&one, asked)).chain(attempt(&one, asked)).chain(mail(&one, asked));
    let sheet = Sheet {
        title: one.drawn.as_ref().map_or(&one.mail.template, |drawn| &drawn.subject).clone(),
        badge: Some(state_badge(one.delivery.state, asked)),
        notices: stopped(asked).into_iter().collect(),
        actions: actions(&one, asks, asked),
        parts: vec![Part::Nodes(nodes.collect())],
        live: Some((id.to_string(), one.delivery)),
        ..Sheet::default()
    };
    Ok(asked.draw(&PAGE, &sheet))
}

fn actions(one: &OneMail, asks: bool, asked: &Asked<'_>) -> Vec<Action> {
    let (id, delivery) = (&one.mail.id, &one.delivery);
    // To another address only after the question below.
    let retry = (may_retry(delivery) && !delivery.moved).then(|| {
        let retry = asked.press("mail-retry", &OUTBOX, &Act::Retry(id.clone(), None));
        Action { intent: Intent::Primary, ..retry }
    });
    let withdraw = (may_withdraw(delivery) && !asks).then(|| ask_withdraw(id, asked));
    let outbox = asked.leads("outbox", target(OUTBOX.name, &[]));
    retry.into_iter().chain(withdraw).chain([Action { intent: Intent::Quiet, ..outbox }]).collect()
}

/// Asks before an email is withdrawn.
fn withdraw(one: &OneMail, asked: &Asked<'_>) -> Vec<Node> {
    let (act, back) = (Act::Withdraw(one.mail.id.clone()), Target::Mail(one.mail.id.to_string()));
    let answer = (asked.word("mail-withdraw-it"), Intent::Danger);
    let form =
        page::question(press(&OUTBOX, &act), vec![asked.say("mail-withdraw-text")], Vec::new(), answer, Some(back));
    vec![asked.heading("mail-withdraw-question"), form]
}

/// Asks before a retry to another address than the latest attempt's. The form has the address that it names: if that changes
/// too, the question is asked again.
fn question(one: &OneMail, asked: &Asked<'_>) -> Vec<Node> {
    let delivery = &one.delivery;
    if !may_retry(delivery) || !delivery.moved {
        return Vec::new();
    }
    let node = match &delivery.to {
        Some(to) => {
            let act = Act::Retry(one.mail.id.clone(), Some(to.clone()));
            let intro = text(&asked.words.fill("mail-moved-text", &[("address", to)]));
            let answer = (asked.word("mail-retry-there"), Intent::Primary);
            page::question(press(&OUTBOX, &act), vec![intro], Vec::new(), answer, None)
        }
        None => Node::Text(asked.say("mail-moved-none")),
    };
    vec![asked.heading("mail-moved-question"), node]
}

fn delivery(one: &OneMail, asked: &Asked<'_>) -> Vec<Node> {
    let steps = nodes::Delivery { mail: one.mail.id.to_string(), before: Vec::new(), after: Vec::new() };
    let gone = !one.delivery.whole && one.delivery.failed();
    let gone = gone.then(|| Node::Text(asked.say("mail-nothing-left")));
    [asked.heading("mail-delivery"), Node::Delivery(steps)].into_iter().chain(gone).collect()
}

/// Each step of the latest attempt, with the server's own words.
fn attempt(one: &OneMail, asked: &Asked<'_>) -> Vec<Node> {
    let mut nodes = vec![asked.heading("mail-attempt")];
    match &one.mail.last {
        Some(told) => {
            let at = vec![Value::Text(format!("{}, ", told.server)), Value::Time(told.at)];
            nodes.extend([Node::Text(at), Node::Table(steps("mail-attempt", &told.attempt.steps, asked.words))]);
        }
        None => nodes.push(Node::Text(asked.say("mail-attempt-none"))),
    }
    nodes
}

/// Steps of an attempt, each with its duration and the answer.
pub(super) fn steps(caption: &str, steps: &[Step], words: Words) -> Table {
    let rows = steps.iter().map(|step| {
        let took = u64::try_from(step.took.as_millis()).unwrap_or(u64::MAX);
        vec![text(words.get(step_key(step.kind))), took_ms(took, words), vec![Value::Code(step.said.clone())]]
    });
    let columns = [("mail-step", ColumnKind::Text), ("mail-took", ColumnKind::Number), ("mail-said", ColumnKind::Text)];
    table(caption, &columns, rows, words)
}

pub(super) fn took_ms(ms: u64, words: Words) -> Sentence {
    text(&format!("{} ms", words.number(i64::try_from(ms).unwrap_or(i64::MAX))))
}

/// A table of values; nothing without rows.
pub(super) fn table(
    caption: &str,
    columns: &[(&str, ColumnKind)],
    rows: impl Iterator<Item = Vec<Sentence>>,
    words: Words,
) -> Table {
    let column = |(key, kind): &(&str, _)| Column { label: words.get(key).to_owned(), kind: *kind, low: false };
    Table {
        caption: words.get(caption).to_owned(),
        columns: columns.iter().map(column).collect(),
        rows: rows.map(|cells| Row { cells, actions: Vec::new() }).collect(),
        empty: Empty { title: words.get("mail-attempt-none").to_owned(), text: Vec::new(), action: None },
    }
}

pub(super) fn step_key(kind: StepKind) -> &'static str {
    match kind {
        StepKind::LookUp => "mail-step-look-up",
        StepKind::Connect => "mail-step-connect",
        StepKind::Tls => "mail-step-tls",
        StepKind::Login => "mail-step-login",
        StepKind::Handover => "mail-step-handover",
    }
}

/// Headers, and both texts as source: the HTML is not run here.
fn mail(one: &OneMail, asked: &Asked<'_>) -> Vec<Node> {
    let mail = &one.mail;
    let fact = |key: &str, value| asked.fact(key, value);
    let to = match (&one.delivery.to, &one.delivery.account) {
        (address, Some(id)) => {
            vec![link(address.as_deref().unwrap_or(id.as_str()), Target::Overview(id.to_string()))]
        }
        (Some(address), None) => text(address),
        (None, None) => nameless(&mail.to, asked),
    };
    let post = asked.host.mail.outgoing();
    let subject = one.drawn.as_ref().map(|drawn| fact("mail-header-subject", text(&drawn.subject)));
    let from = post.transport.as_ref().map(|_| fact("inbox-from", text(&post.from.address)));
    let id = one.message_id.as_ref().map(|id| fact("mail-message-id", vec![Value::Code(format!("<{id}>"))]));
    let facts = [fact("outbox-column-to", to)].into_iter().chain(subject).chain(from).chain(id);
    let facts = facts.chain([
        fact("mail-asked-at", vec![Value::Time(mail.asked_at)]),
        fact("mail-expires", vec![Value::Time(mail.expires)]),
        fact("mail-plugin", vec![Value::Code(mail.plugin.clone())]),
        fact("mail-template", vec![Value::Code(mail.template.clone())]),
    ]);
    let mut nodes = vec![asked.heading("mail-headers"), Node::Facts(facts.collect())];
    let Some(drawn) = &one.drawn else {
        nodes.push(Node::Text(asked.say("mail-undrawn")));
        return nodes;
    };
    let masked = if one.delivery.whole { "mail-masked" } else { "mail-masked-gone" };
    for (key, written) in [("mail-text", &drawn.text), ("mail-html", &drawn.html)] {
        nodes.extend(code(key, masked, written, asked));
    }
    nodes
}

/// A section of source text.
pub(super) fn code(heading: &str, label: &str, written: &str, asked: &Asked<'_>) -> [Node; 2] {
    let lines = written.lines().map(str::to_owned).collect();
    [asked.heading(heading), Node::Code(Code { label: asked.word(label), lines, secret: false })]
}
