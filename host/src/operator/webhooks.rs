//! Webhooks: the destinations and how each stands, which events wait, failed or were accepted, and what to do about those that
//! failed.

#[cfg(test)]
mod tests;

use form_urlencoded::Serializer;

use super::{Deed, OperatorSurface, Shown, button, not_found, page as whole, place, state_badge};
use crate::CallError;
use crate::caller::Caller;
use crate::host::Host;
use crate::origin::with_query;
use crate::storage::deliveries::{ATTEMPTS, Delivery, DeliveryFilter, DeliveryState};
use crate::view::Page;
use crate::view::html::nodes::Painter;
use crate::view::html::table::Grid;
use crate::view::html::{Html, Markup, values};
use crate::view::nodes::{Badge, ColumnKind, Intent, Tone, Value};
use crate::view::shell::{Link, parts};
use crate::view::words::Words;
use crate::webhooks::tended::{Held, Tended};

/// Deliveries on a page.
const PAGE: u32 = 25;

/// What the page's address asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListedDeliveries {
    /// The filter.
    pub shown: Shown,
    /// Only those to this destination.
    pub destination: Option<String>,
    /// Only deliveries older than this number.
    pub before: Option<i64>,
}

impl ListedDeliveries {
    /// From the query of the page's address. What it does not know is left alone.
    pub fn asked<'a>(query: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut listed = Self::default();
        for (name, value) in query {
            match name {
                "show" => listed.shown = Shown::named(value),
                "to" if !value.is_empty() && value.len() <= 64 => listed.destination = Some(value.to_owned()),
                "before" => listed.before = value.parse().ok(),
                _ => {}
            }
        }
        listed
    }

    fn url(&self, webhooks: &str) -> String {
        let mut query = Serializer::new(String::new());
        if self.shown != Shown::All {
            query.append_pair("show", self.shown.name());
        }
        if let Some(destination) = &self.destination {
            query.append_pair("to", destination);
        }
        if let Some(before) = self.before {
            query.append_pair("before", &before.to_string());
        }
        let query = query.finish();
        with_query(webhooks, &query)
    }
}

/// What the page says, read before it is drawn.
struct Sheet<'a> {
    listed: &'a ListedDeliveries,
    url: &'a str,
    tended: Vec<Tended>,
    deliveries: Vec<Delivery>,
    /// The number before which to go on.
    older: Option<i64>,
    stopped: Markup,
}

pub(super) fn page(
    host: &Host,
    caller: &Caller,
    listed: &ListedDeliveries,
    surface: &OperatorSurface<'_>,
) -> Result<Page, CallError> {
    if !host.may_tend_webhooks(caller) {
        return Err(not_found());
    }
    let filter = DeliveryFilter {
        states: listed.shown.delivery_states().to_vec(),
        destination: listed.destination.clone(),
        before: listed.before,
        limit: PAGE + 1,
    };
    // Before the deliveries: what has made it gone meanwhile is no longer under way when it is said to be.
    let tended = host.tended().map_err(CallError::of_storage)?;
    let mut deliveries = host.deliveries(&filter).map_err(CallError::of_storage)?;
    let more = deliveries.len() > PAGE as usize;
    deliveries.truncate(PAGE as usize);
    let waits = tended.iter().any(|one| one.waiting > 0 && one.held().is_none());
    let sheet = Sheet {
        listed,
        url: surface.webhooks,
        tended,
        older: deliveries.last().filter(|_| more).map(|delivery| delivery.number),
        deliveries,
        stopped: if waits { host.stopped_webhooks(caller, surface.start) } else { Markup::default() },
    };
    Ok(host.framed_own(caller, place("webhooks"), &surface.surface, |frame| sheet.draw(&mut Painter::new(frame, 2))))
}

impl Sheet<'_> {
    fn draw(&self, painter: &mut Painter<'_>) -> Page {
        let words = painter.words;
        let destinations = self.destinations(painter);
        let deliveries = self.deliveries(painter);
        let all = self.listed.shown == Shown::Failed && !self.deliveries.is_empty();
        if all {
            let deed = Deed::SendAllAgain(self.listed.destination.clone());
            painter.action(&button(words.get("webhooks-again-all"), &deed, Intent::Neutral));
        }
        let actions = painter.html.done();
        painter.html.class("div", "kt-sections");
        painter.html.markup(&parts::card("webhooks-destinations", words.get("webhooks-destinations"), &destinations));
        painter.html.markup(&parts::card("webhooks-deliveries", words.get("webhooks-deliveries"), &deliveries));
        painter.html.close("div");
        let page = whole(painter, words.get("webhooks"), None, &actions);
        Page { html: Html::new().markup(&self.stopped).markup(&page.html).done(), ..page }
    }

    fn destinations(&self, painter: &mut Painter<'_>) -> Markup {
        let words = painter.words;
        let columns = [
            (words.get("webhooks-destination"), ColumnKind::Text, false),
            (words.get("outbox-column-state"), ColumnKind::State, false),
        ];
        let mut rows = Vec::new();
        for one in &self.tended {
            let only = ListedDeliveries { destination: Some(one.name.clone()), ..ListedDeliveries::default() };
            let mut name = Html::new();
            name.open("a", &[("href", Some(&only.url(self.url)))]).element("bdi", &[], &one.name).close("a");
            if let Some((url, events)) = &one.leads {
                for line in [url, &events.join(" ")] {
                    name.class("p", "kt-hint").element("code", &[("dir", Some("ltr"))], line).close("p");
                }
            }
            let state = destination_state(one, painter);
            if let Some(Held::Disabled(_)) = one.held() {
                let deed = Deed::Enable(one.name.clone());
                painter.action(&button(words.get("webhooks-enable"), &deed, Intent::Neutral));
            }
            if one.leads.is_some() {
                let deed = Deed::Test(one.name.clone());
                painter.action(&button(words.get("webhooks-test"), &deed, Intent::Neutral));
            }
            rows.push((vec![name.done(), state], painter.html.done()));
        }
        let mut empty = Html::new();
        empty.class("div", "kt-empty").element("p", &[("class", Some("kt-notice-title"))], words.get("webhooks-none"));
        empty.element("p", &[("class", Some("kt-text"))], words.get("webhooks-none-hint")).close("div");
        let caption = words.get("webhooks-destinations");
        Grid { caption, columns: &columns, rows: &rows, empty: &empty.done() }.draw(words)
    }

    fn deliveries(&self, painter: &mut Painter<'_>) -> Markup {
        let words = painter.words;
        let urls = Shown::ALL.map(|shown| {
            let listed = ListedDeliveries { shown, before: None, ..self.listed.clone() };
            (shown, listed.url(self.url), words.get(&format!("outbox-{}", shown.name())).to_owned())
        });
        let items: Vec<_> = urls
            .iter()
            .map(|(shown, url, label)| (Link { label, url }, *shown == self.listed.shown, Some(self.count(*shown))))
            .collect();
        let tabs = parts::tabs(words.get("webhooks-filters"), &items, words);
        let mut html = Html::new();
        html.markup(&tabs);
        if let Some(destination) = &self.listed.destination {
            let all = ListedDeliveries { destination: None, before: None, ..self.listed.clone() }.url(self.url);
            html.class("p", "kt-text").text(&words.fill("webhooks-only", &[("name", destination)])).text(" ");
            html.element("a", &[("href", Some(&all))], words.get("outbox-show-all")).close("p");
        }
        html.markup(&self.table(painter)).markup(&self.paging(words)).done()
    }

    fn count(&self, shown: Shown) -> i64 {
        let mine = |one: &&Tended| self.listed.destination.as_ref().is_none_or(|name| *name == one.name);
        let counted = self.tended.iter().filter(mine).map(|one| match shown {
            Shown::Waiting => one.waiting,
            Shown::Failed => one.failed,
            Shown::Accepted => one.accepted,
            Shown::All => one.waiting + one.failed + one.accepted,
        });
        i64::try_from(counted.sum::<u64>()).unwrap_or(i64::MAX)
    }

    fn table(&self, painter: &mut Painter<'_>) -> Markup {
        let words = painter.words;
        let columns = [
            (words.get("outbox-column-when"), ColumnKind::Time, false),
            (words.get("webhooks-event"), ColumnKind::Text, false),
            (words.get("outbox-column-state"), ColumnKind::State, false),
        ];
        let mut rows = Vec::new();
        for delivery in &self.deliveries {
            painter.cell(&[Value::Time(delivery.asked_at)]);
            let when = painter.html.done();
            let held = self.held(delivery);
            let cells = vec![when, self.what(delivery), state(delivery, held, painter)];
            if delivery.state == DeliveryState::GaveUp {
                let deed = Deed::SendAgain(delivery.id.clone());
                painter.action(&button(words.get("webhooks-again"), &deed, Intent::Neutral));
            }
            rows.push((cells, painter.html.done()));
        }
        let key = match self.listed.shown {
            Shown::Waiting => "webhooks-none-waiting",
            Shown::Failed => "webhooks-none-failed",
            Shown::Accepted => "webhooks-none-accepted",
            Shown::All => "webhooks-none-sent",
        };
        let mut empty = Html::new();
        empty.class("div", "kt-empty").element("p", &[("class", Some("kt-notice-title"))], words.get(key)).close("div");
        let caption = words.get("webhooks-deliveries");
        Grid { caption, columns: &columns, rows: &rows, empty: &empty.done() }.draw(words)
    }

    fn held(&self, delivery: &Delivery) -> Option<Held> {
        self.tended.iter().find(|one| delivery.waits() && one.name == delivery.destination).and_then(Tended::held)
    }

    /// The event; below it where it goes, whom it is about, and what was answered last.
    fn what(&self, delivery: &Delivery) -> Markup {
        let url = format!("{}/{}", self.url, delivery.id);
        let mut html = Html::new();
        html.open("a", &[("href", Some(&url))]).element("bdi", &[("dir", Some("ltr"))], &delivery.event).close("a");
        html.class("p", "kt-hint").element("bdi", &[], &delivery.destination);
        if let Some(account) = &delivery.account {
            html.text(" · ").element("code", &[("dir", Some("ltr"))], account.as_str());
        }
        html.close("p");
        if let Some(tried) = delivery.tried.last() {
            html.class("p", "kt-hint").element("code", &[("dir", Some("ltr"))], &tried.said).close("p");
        }
        html.done()
    }

    fn paging(&self, words: Words) -> Markup {
        let at = |before| ListedDeliveries { before, ..self.listed.clone() }.url(self.url);
        let links = [
            (self.listed.before.is_some().then(|| at(None)), "outbox-newest", None),
            (self.older.map(|older| at(Some(older))), "outbox-older", Some("next")),
        ];
        if links.iter().all(|(url, ..)| url.is_none()) {
            return Markup::default();
        }
        let mut html = Html::new();
        html.open("nav", &[("class", Some("kt-paging")), ("aria-label", Some(words.get("pages")))]);
        html.element("p", &[], &words.count("webhooks-shown", self.deliveries.len() as u64)).class("div", "kt-actions");
        for (url, key, rel) in links {
            if let Some(url) = url {
                let attributes = [("class", Some("kt-button")), ("href", Some(url.as_str())), ("rel", rel)];
                html.element("a", &attributes, words.get(key));
            }
        }
        html.close("div").close("nav").done()
    }
}

/// How a destination stands, and what waits for it.
fn destination_state(one: &Tended, painter: &Painter<'_>) -> Markup {
    let words = painter.words;
    let (tone, key) = match one.held() {
        None => (Tone::Success, "webhooks-sends"),
        Some(Held::Disabled(_)) => (Tone::Danger, "webhooks-gone"),
        Some(Held::Off) => (Tone::Off, "webhooks-off"),
        Some(Held::Removed) => (Tone::Off, "webhooks-removed"),
    };
    let mut html = Html::new();
    values::badge(&mut html, &Badge { tone, text: words.get(key).to_owned() });
    let mut lines = Vec::new();
    if let Some(Held::Disabled(at)) = one.held() {
        let time = words.time(at, painter.frame.now, &painter.frame.zone);
        lines.push(words.fill("webhooks-gone-since", &[("time", &time)]));
    }
    if one.waiting > 0 {
        lines.push(words.count("webhooks-waiting", one.waiting));
    }
    if one.noted.missed > 0 {
        lines.push(words.count("webhooks-missed", one.noted.missed));
    }
    for line in lines {
        html.element("p", &[("class", Some("kt-hint"))], &line);
    }
    html.done()
}

/// A state's word, the same on both pages; what is held is not said to be on its way.
pub(super) fn badge(state: DeliveryState, held: Option<Held>, words: Words) -> Badge {
    match held {
        Some(_) => Badge { tone: Tone::Warning, text: words.get("webhooks-held").to_owned() },
        None => state_badge(state, words),
    }
}

fn state(delivery: &Delivery, held: Option<Held>, painter: &Painter<'_>) -> Markup {
    let words = painter.words;
    let mut html = Html::new();
    values::badge(&mut html, &badge(delivery.state, held, words));
    html.element("p", &[("class", Some("kt-hint"))], &attempts(delivery, words));
    if let (None, DeliveryState::Delayed, Some(due)) = (held, delivery.state, delivery.due) {
        let time = words.time(due, painter.frame.now, &painter.frame.zone);
        html.element("p", &[("class", Some("kt-hint"))], &words.fill("outbox-next", &[("time", &time)]));
    }
    html.done()
}

fn attempts(delivery: &Delivery, words: Words) -> String {
    let (n, most) = (delivery.attempts.to_string(), ATTEMPTS.to_string());
    words.fill("outbox-attempts", &[("n", &n), ("most", &most)])
}
