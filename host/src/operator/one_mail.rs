//! One mail: its life, each step of its latest attempt, and what it says, with •••• for what is secret.

use super::{
    ASK_WITHDRAW, Deed, OperatorSurface, ask_withdraw, button, may_retry, may_withdraw, not_found, page as whole,
    place, state_badge,
};
use crate::CallError;
use crate::accounts::AccountId;
use crate::caller::Caller;
use crate::host::Host;
use crate::mail::Mailbox;
use crate::mail::transport::{Step, StepKind};
use crate::outbox::OneMail;
use crate::storage::outbox::{MailId, Recipient, Told};
use crate::view::Page;
use crate::view::html::nodes::Painter;
use crate::view::html::table::Grid;
use crate::view::html::{Html, Markup};
use crate::view::nodes::{self, Code, ColumnKind, Fact, Form, Intent, Node, Target, TextLink, Value};
use crate::view::shell::{Link, parts};
use crate::view::words::Words;

pub(super) fn page(
    host: &Host,
    caller: &Caller,
    id: &MailId,
    surface: &OperatorSurface<'_>,
) -> Result<Page, CallError> {
    let one = host.mail(caller, id).map_err(CallError::of_storage)?.ok_or_else(not_found)?;
    let post = host.0.post();
    let from = post.transport.is_some().then_some(&post.from);
    let stopped = host.stopped_banner(caller, surface.start);
    let page = host.framed_own(caller, place("mail"), &surface.surface, |frame| {
        draw(&one, from, surface.outbox, &mut Painter::new(frame, 2))
    });
    Ok(Page { html: Html::new().markup(&stopped).markup(&page.html).done(), ..page })
}

fn draw(one: &OneMail, from: Option<&Mailbox>, outbox: &str, painter: &mut Painter<'_>) -> Page {
    let words = painter.words;
    let actions = actions(one, outbox, painter);
    let withdraw = withdraw(one, painter);
    let question = question(one, painter).filter(|_| withdraw.is_none());
    let delivery = delivery(one, painter);
    let attempt = attempt(one.mail.last.as_ref(), painter);
    painter.html.class("div", "kt-sections");
    for question in [withdraw, question].into_iter().flatten() {
        painter.html.markup(&question);
    }
    for (id, key, body) in [("mail-delivery", "mail-delivery", &delivery), ("mail-attempt", "mail-attempt", &attempt)] {
        painter.html.markup(&parts::card(id, words.get(key), body));
    }
    painter.html.close("div");
    painter.sections(&texts(one, from, painter));
    let title = one.drawn.as_ref().map_or(one.mail.template.as_str(), |drawn| drawn.subject.as_str());
    let page = whole(painter, title, Some(&state_badge(one.delivery.state, words)), &actions);
    // Badge, buttons and texts all hang on how it stands.
    let (id, said) = (one.mail.id.as_str(), painter.stands(&one.delivery));
    let mut live = Html::new();
    live.open("div", &Painter::live(id, &said, &one.delivery)).markup(&page.html).close("div");
    Page { html: live.done(), ..page }
}

fn actions(one: &OneMail, outbox: &str, painter: &mut Painter<'_>) -> Markup {
    let (words, mail, delivery) = (painter.words, &one.mail, &one.delivery);
    painter.again(delivery);
    // To another address only after the question, which stands below.
    if may_retry(delivery) && !delivery.moved {
        painter.action(&button(words.get("mail-retry"), &Deed::Retry(mail.id.clone(), None), Intent::Primary));
    }
    if may_withdraw(delivery) && !asks_withdraw(painter) {
        ask_withdraw(&mail.id, painter);
    }
    painter.html.markup(&parts::button_link(Link { label: words.get("outbox"), url: outbox }, Intent::Quiet));
    painter.html.done()
}

/// Whether this is the mail's page with the question whether to withdraw it.
fn asks_withdraw(painter: &Painter<'_>) -> bool {
    let query = painter.frame.submit_url.split_once('?').map_or("", |(_, query)| query);
    query.split('&').any(|pair| pair == ASK_WITHDRAW)
}

/// Asks before a mail is withdrawn, where its page was asked to.
fn withdraw(one: &OneMail, painter: &mut Painter<'_>) -> Option<Markup> {
    let words = painter.words;
    if !may_withdraw(&one.delivery) || !asks_withdraw(painter) {
        return None;
    }
    painter.form(&Form {
        submit: Deed::Withdraw(one.mail.id.clone()).submission(),
        intro: vec![vec![Value::Text(words.get("mail-withdraw-text").to_owned())]],
        points: Vec::new(),
        fields: Vec::new(),
        submit_label: words.get("mail-withdraw-it").to_owned(),
        submit_intent: Intent::Danger,
        cancel: Some(Target::Mail(one.mail.id.to_string())),
    });
    let body = painter.html.done();
    Some(parts::card("mail-withdraw", words.get("mail-withdraw-question"), &body))
}

/// Asks before a retry to another address than the latest attempt's. The form bears the address that it names: if that
/// changes meanwhile too, the question is asked again.
fn question(one: &OneMail, painter: &mut Painter<'_>) -> Option<Markup> {
    let (words, delivery) = (painter.words, &one.delivery);
    if !may_retry(delivery) || !delivery.moved {
        return None;
    }
    match &delivery.to {
        Some(to) => {
            let text = words.fill("mail-moved-text", &[("address", to)]);
            painter.form(&Form {
                submit: Deed::Retry(one.mail.id.clone(), Some(to.clone())).submission(),
                intro: vec![vec![Value::Text(text)]],
                points: Vec::new(),
                fields: Vec::new(),
                submit_label: words.get("mail-retry-there").to_owned(),
                submit_intent: Intent::Primary,
                cancel: None,
            });
        }
        None => {
            painter.html.element("p", &[("class", Some("kt-text"))], words.get("mail-moved-none"));
        }
    }
    let body = painter.html.done();
    Some(parts::card("mail-question", words.get("mail-moved-question"), &body))
}

fn delivery(one: &OneMail, painter: &mut Painter<'_>) -> Markup {
    painter.delivery(&nodes::Delivery { mail: one.mail.id.to_string(), before: Vec::new(), after: Vec::new() });
    if !one.delivery.whole && one.delivery.failed() {
        painter.html.element("p", &[("class", Some("kt-text"))], painter.words.get("mail-nothing-left"));
    }
    painter.html.done()
}

/// Each step of the latest attempt, with the server's own words.
fn attempt(told: Option<&Told>, painter: &mut Painter<'_>) -> Markup {
    let words = painter.words;
    let Some(told) = told else {
        return Html::new().element("p", &[("class", Some("kt-text"))], words.get("mail-attempt-none")).done();
    };
    painter.html.class("p", "kt-text").element("bdi", &[("dir", Some("ltr"))], &told.server).text(", ");
    painter.cell(&[Value::Time(told.at)]);
    painter.html.close("p");
    let head = painter.html.done();
    let grid = steps(words.get("mail-attempt"), &told.attempt.steps, words);
    Html::new().markup(&head).markup(&grid).done()
}

/// Steps of an attempt, with how long each took and what was said.
pub(super) fn steps(caption: &str, steps: &[Step], words: Words) -> Markup {
    let columns = [
        (words.get("mail-step"), ColumnKind::Text, false),
        (words.get("mail-took"), ColumnKind::Number, false),
        (words.get("mail-said"), ColumnKind::Text, false),
    ];
    let rows: Vec<_> = steps
        .iter()
        .map(|step| {
            let took = format!("{} ms", words.number(i64::try_from(step.took.as_millis()).unwrap_or(i64::MAX)));
            let said = Html::new().element("code", &[("dir", Some("ltr"))], &step.said).done();
            (vec![Markup::text(words.get(step_key(step.kind))), Markup::text(&took), said], Markup::default())
        })
        .collect();
    Grid { caption, columns: &columns, rows: &rows, empty: &Markup::default() }.draw(words)
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

/// Headers, and both texts as they are written: the HTML is not run here.
fn texts(one: &OneMail, from: Option<&Mailbox>, painter: &Painter<'_>) -> Vec<Node> {
    let (words, mail) = (painter.words, &one.mail);
    let text = |text: &str| vec![Value::Text(text.to_owned())];
    let fact = |key: &str, value| Fact { label: words.get(key).to_owned(), value };
    let whose = |id: &AccountId, text: &str| {
        vec![Value::Link(TextLink { text: text.to_owned(), target: Target::Overview(id.to_string()) })]
    };
    let to = match (&one.delivery.to, &one.delivery.account, &mail.to) {
        (Some(address), Some(id), _) => whose(id, address),
        (None, Some(id), _) => whose(id, id.as_str()),
        (Some(address), None, _) => text(address),
        (None, None, Recipient::Operators) => text(words.get("outbox-operators")),
        (None, None, Recipient::Account(id) | Recipient::Previous(id)) => vec![Value::Code(id.to_string())],
    };
    let mut facts = vec![fact("outbox-column-to", to)];
    if let Some(drawn) = &one.drawn {
        facts.push(fact("mail-header-subject", text(&drawn.subject)));
    }
    if let Some(from) = from {
        facts.push(fact("inbox-from", text(&from.address)));
    }
    if let Some(id) = &one.message_id {
        facts.push(fact("mail-message-id", vec![Value::Code(format!("<{id}>"))]));
    }
    facts.push(fact("mail-asked-at", vec![Value::Time(mail.asked_at)]));
    facts.push(fact("mail-expires", vec![Value::Time(mail.expires)]));
    facts.push(fact("mail-plugin", vec![Value::Code(mail.plugin.clone())]));
    facts.push(fact("mail-template", vec![Value::Code(mail.template.clone())]));
    let mut nodes = vec![Node::Heading(words.get("mail-headers").to_owned()), Node::Facts(facts)];
    let Some(drawn) = &one.drawn else {
        nodes.push(Node::Text(text(words.get("mail-undrawn"))));
        return nodes;
    };
    let masked = if one.delivery.whole { "mail-masked" } else { "mail-masked-gone" };
    for (key, written) in [("mail-text", &drawn.text), ("mail-html", &drawn.html)] {
        let lines = written.lines().map(str::to_owned).collect();
        nodes.push(Node::Heading(words.get(key).to_owned()));
        nodes.push(Node::Code(Code { label: words.get(masked).to_owned(), lines, secret: false }));
    }
    nodes
}
