//! One delivery of a webhook: its state, its attempts with their answers, and its body.

use super::one_mail::{code, table, took_ms};
use super::page::{Asked, Page, Stands, link, no_form, nobody_works, not_found, target, text, who_reaches_everybody};
use super::sheet::{Part, Sheet};
use super::webhooks::{Act, PAGE as WEBHOOKS, badge};
use keyturn_runtime::CallError;
use keyturn_store::deliveries::{ATTEMPTS, Delivery, DeliveryState};
use keyturn_ui::nodes::{Action, ColumnKind, Intent, Node, Target, Value};
use keyturn_work::tended::{Held, OneDelivery};

pub(super) static PAGE: Page = Page {
    name: "delivery",
    stands: Stands::Under("webhooks"),
    remote: true,
    who: who_reaches_everybody,
    draw,
    act: no_form,
};

fn draw(asked: &Asked<'_>) -> Result<keyturn_ui::Page, CallError> {
    let id = asked.argument("delivery").and_then(|id| id.parse().ok()).ok_or_else(not_found)?;
    let one = asked.host.one_delivery(&id).map_err(CallError::of_storage)?.ok_or_else(not_found)?;
    let delivery = &one.delivery;
    let waits = delivery.due.is_some() && one.held.is_none();
    let intent = if delivery.state == DeliveryState::GaveUp { Intent::Primary } else { Intent::Neutral };
    let again = asked.press("webhooks-again", &WEBHOOKS, &Act::SendAgain(id));
    let again = (delivery.state != DeliveryState::Sending).then_some(Action { intent, ..again });
    let webhooks = Action { intent: Intent::Quiet, ..asked.leads("webhooks", target(WEBHOOKS.name, &[])) };
    let sheet = Sheet {
        title: delivery.event.clone(),
        badge: Some(badge(delivery.state, one.held, asked)),
        notices: nobody_works("webhooks-stopped", asked).filter(|_| waits).into_iter().collect(),
        actions: again.into_iter().chain([webhooks]).collect(),
        parts: vec![Part::Nodes(attempts(delivery, asked).into_iter().chain(facts(&one, asked)).collect())],
        ..Sheet::default()
    };
    Ok(asked.draw(&PAGE, &sheet))
}

/// Each attempt, the latest first.
fn attempts(delivery: &Delivery, asked: &Asked<'_>) -> [Node; 2] {
    let rows = delivery.tried.iter().rev().map(|one| {
        vec![vec![Value::Time(one.at)], vec![Value::Code(one.said.clone())], took_ms(one.took_ms, asked.words)]
    });
    let columns =
        [("outbox-column-when", ColumnKind::Time), ("mail-said", ColumnKind::Text), ("mail-took", ColumnKind::Number)];
    let attempts = match delivery.tried.is_empty() {
        true => Node::Text(asked.say("mail-attempt-none")),
        false => Node::Table(table("webhooks-attempts", &columns, rows, asked.words)),
    };
    [asked.heading("webhooks-attempts"), attempts]
}

fn facts(one: &OneDelivery, asked: &Asked<'_>) -> Vec<Node> {
    let Delivery { id, destination, plugin, event, account, asked_at, attempts, due, state, .. } = &one.delivery;
    let fact = |key: &str, value| asked.fact(key, value);
    let about = account
        .as_ref()
        .map(|account| fact("webhooks-account", vec![link(account.as_str(), Target::Overview(account.to_string()))]));
    let stands = match (one.held, state, due) {
        (Some(Held::Removed), ..) => Some(fact("webhooks-held", asked.say("webhooks-held-removed"))),
        (Some(Held::Off), ..) => Some(fact("webhooks-held", asked.say("webhooks-held-off"))),
        (Some(Held::Disabled(_)), ..) => Some(fact("webhooks-held", asked.say("webhooks-held-gone"))),
        (None, DeliveryState::Delayed, Some(due)) => Some(fact("webhooks-next", vec![Value::Time(*due)])),
        _ => None,
    };
    let facts =
        [fact("webhooks-destination", text(destination)), fact("webhooks-event", vec![Value::Code(event.clone())])];
    let facts = facts.into_iter().chain(about).chain([
        fact("mail-plugin", vec![Value::Code(plugin.clone())]),
        fact("outbox-column-when", vec![Value::Time(*asked_at)]),
        fact("webhooks-id", vec![Value::Code(id.to_string())]),
        fact("webhooks-attempts", text(&format!("{attempts} / {ATTEMPTS}"))),
    ]);
    let facts = Node::Facts(facts.chain(stands).collect());
    let mut nodes = vec![asked.heading("webhooks-delivery"), facts];
    match &one.body {
        Some(body) => {
            let pretty = serde_json::from_str::<serde_json::Value>(body).ok();
            let pretty = pretty.and_then(|body| serde_json::to_string_pretty(&body).ok());
            let written = pretty.as_deref().unwrap_or(body);
            nodes.extend(code("webhooks-body", "webhooks-body-hint", written, asked));
        }
        None => nodes.push(Node::Text(asked.say("webhooks-forged"))),
    }
    nodes
}
