//! One delivery of a webhook: how it stands, its attempts with their answers, and what it carries.

use super::webhooks::badge;
use super::{Deed, OperatorSurface, button, not_found, page as whole, place};
use crate::CallError;
use crate::caller::Caller;
use crate::host::Host;
use crate::storage::deliveries::{ATTEMPTS, Delivery, DeliveryId, DeliveryState, Tried};
use crate::view::Page;
use crate::view::html::nodes::Painter;
use crate::view::html::table::Grid;
use crate::view::html::{Html, Markup};
use crate::view::nodes::{Code, ColumnKind, Fact, Intent, Node, Target, TextLink, Value};
use crate::view::shell::{Link, parts};
use crate::webhooks::tended::{Held, OneDelivery};

pub(super) fn page(
    host: &Host,
    caller: &Caller,
    id: &DeliveryId,
    surface: &OperatorSurface<'_>,
) -> Result<Page, CallError> {
    let one = host.one_delivery(id).map_err(CallError::of_storage)?;
    let one = one.filter(|_| host.may_tend_webhooks(caller)).ok_or_else(not_found)?;
    let waits = one.delivery.due.is_some() && one.held.is_none();
    let stopped = if waits { host.stopped_webhooks(caller, surface.start) } else { Markup::default() };
    let page = host.framed_own(caller, place("delivery"), &surface.surface, |frame| {
        draw(&one, surface.webhooks, &mut Painter::new(frame, 2))
    });
    Ok(Page { html: Html::new().markup(&stopped).markup(&page.html).done(), ..page })
}

fn draw(one: &OneDelivery, webhooks: &str, painter: &mut Painter<'_>) -> Page {
    let (words, delivery) = (painter.words, &one.delivery);
    if delivery.state != DeliveryState::Sending {
        let intent = if delivery.state == DeliveryState::GaveUp { Intent::Primary } else { Intent::Neutral };
        painter.action(&button(words.get("webhooks-again"), &Deed::SendAgain(delivery.id.clone()), intent));
    }
    painter.html.markup(&parts::button_link(Link { label: words.get("webhooks"), url: webhooks }, Intent::Quiet));
    let actions = painter.html.done();
    let tried = tried(&delivery.tried, painter);
    painter.html.class("div", "kt-sections");
    painter.html.markup(&parts::card("delivery-attempts", words.get("webhooks-attempts"), &tried)).close("div");
    painter.sections(&facts(one, painter));
    whole(painter, &delivery.event, Some(&badge(delivery.state, one.held, words)), &actions)
}

/// Each attempt, the latest first.
fn tried(tried: &[Tried], painter: &mut Painter<'_>) -> Markup {
    let words = painter.words;
    let columns = [
        (words.get("outbox-column-when"), ColumnKind::Time, false),
        (words.get("mail-said"), ColumnKind::Text, false),
        (words.get("mail-took"), ColumnKind::Number, false),
    ];
    let rows: Vec<_> = tried
        .iter()
        .rev()
        .map(|one| {
            painter.cell(&[Value::Time(one.at)]);
            let when = painter.html.done();
            let said = Html::new().element("code", &[("dir", Some("ltr"))], &one.said).done();
            let took = format!("{} ms", words.number(i64::try_from(one.took_ms).unwrap_or(i64::MAX)));
            (vec![when, said, Markup::text(&took)], Markup::default())
        })
        .collect();
    let empty = Html::new().element("p", &[("class", Some("kt-text"))], words.get("mail-attempt-none")).done();
    Grid { caption: words.get("webhooks-attempts"), columns: &columns, rows: &rows, empty: &empty }.draw(words)
}

fn facts(one: &OneDelivery, painter: &Painter<'_>) -> Vec<Node> {
    let (words, delivery) = (painter.words, &one.delivery);
    let Delivery { id, destination, plugin, event, account, asked_at, attempts, due, state, .. } = delivery;
    let text = |text: &str| vec![Value::Text(text.to_owned())];
    let fact = |key: &str, value| Fact { label: words.get(key).to_owned(), value };
    let mut facts =
        vec![fact("webhooks-destination", text(destination)), fact("webhooks-event", vec![Value::Code(event.clone())])];
    if let Some(account) = account {
        let target = Target::Overview(account.to_string());
        facts.push(fact("webhooks-account", vec![Value::Link(TextLink { text: account.to_string(), target })]));
    }
    facts.push(fact("mail-plugin", vec![Value::Code(plugin.clone())]));
    facts.push(fact("outbox-column-when", vec![Value::Time(*asked_at)]));
    facts.push(fact("webhooks-id", vec![Value::Code(id.to_string())]));
    facts.push(fact("webhooks-attempts", text(&format!("{attempts} / {ATTEMPTS}"))));
    match (one.held, state, due) {
        (Some(Held::Removed), ..) => facts.push(fact("webhooks-held", text(words.get("webhooks-held-removed")))),
        (Some(Held::Off), ..) => facts.push(fact("webhooks-held", text(words.get("webhooks-held-off")))),
        (Some(Held::Disabled(_)), ..) => facts.push(fact("webhooks-held", text(words.get("webhooks-held-gone")))),
        (None, DeliveryState::Delayed, Some(due)) => facts.push(fact("webhooks-next", vec![Value::Time(*due)])),
        _ => {}
    }
    let mut nodes = vec![Node::Heading(words.get("webhooks-delivery").to_owned()), Node::Facts(facts)];
    match &one.body {
        Some(body) => {
            let pretty = serde_json::from_str::<serde_json::Value>(body).ok();
            let pretty = pretty.and_then(|body| serde_json::to_string_pretty(&body).ok());
            let lines = pretty.as_deref().unwrap_or(body).lines().map(str::to_owned).collect();
            nodes.push(Node::Heading(words.get("webhooks-body").to_owned()));
            nodes.push(Node::Code(Code { label: words.get("webhooks-body-hint").to_owned(), lines, secret: false }));
        }
        None => nodes.push(Node::Text(text(words.get("webhooks-forged")))),
    }
    nodes
}
