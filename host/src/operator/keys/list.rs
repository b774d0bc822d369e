//! All keys there are and were, the newest first.

use super::{AskedKeys, Badge, Html, Intent, Link, Markup, Offered, Page, Painter, ServiceKey, Tone};
use super::{parts, values, whole};
use crate::view::html::table::Grid;
use crate::view::nodes::ColumnKind;

/// A key that nobody has used for so long is one too many, in milliseconds.
const UNUSED: i64 = 90 * 86_400_000;

pub(super) fn draw(keys: &[ServiceKey], offered: &Offered, url: &str, painter: &mut Painter<'_>) -> Page {
    let words = painter.words;
    let columns = [
        (words.get("keys-name"), ColumnKind::Text, false),
        (words.get("keys-may"), ColumnKind::Text, false),
        (words.get("outbox-column-state"), ColumnKind::State, false),
    ];
    let mut rows = Vec::new();
    for key in keys.iter().rev() {
        let cells = vec![name(key, painter), may(key, offered, painter), state(key, painter)];
        let mut actions = Html::new();
        if key.works(painter.frame.now) {
            let rotate = AskedKeys::Rotate(key.name.clone()).url(url);
            let revoke = AskedKeys::Revoke(key.name.clone()).url(url);
            actions
                .markup(&parts::button_link(Link { label: words.get("keys-rotate"), url: &rotate }, Intent::Neutral));
            actions.markup(&parts::button_link(Link { label: words.get("keys-revoke"), url: &revoke }, Intent::Danger));
        }
        rows.push((cells, actions.done()));
    }
    let mut empty = Html::new();
    empty.class("div", "kt-empty").element("p", &[("class", Some("kt-notice-title"))], words.get("keys-none"));
    empty.element("p", &[("class", Some("kt-text"))], words.get("keys-none-hint")).close("div");
    let grid = Grid { caption: words.get("keys"), columns: &columns, rows: &rows, empty: &empty.done() }.draw(words);
    painter.html.class("div", "kt-sections").markup(&grid).close("div");
    let new = AskedKeys::New.url(url);
    let make = parts::button_link(Link { label: words.get("keys-make"), url: &new }, Intent::Primary);
    whole(painter, words.get("keys"), None, &make)
}

fn hint(html: &mut Html, text: &str) {
    html.element("p", &[("class", Some("kt-hint"))], text);
}

fn name(key: &ServiceKey, painter: &Painter<'_>) -> Markup {
    let words = painter.words;
    let mut html = Html::new();
    html.element("bdi", &[], &key.name);
    let made = words.time(key.made, painter.frame.now, &painter.frame.zone);
    hint(&mut html, &words.fill("keys-made", &[("time", &made)]));
    html.done()
}

/// What it may; below it for whom, and from where.
fn may(key: &ServiceKey, offered: &Offered, painter: &Painter<'_>) -> Markup {
    let words = painter.words;
    let mut html = Html::new();
    html.markup(&offered.points(key));
    let realms: Vec<&str> = key.realms.iter().map(String::as_str).collect();
    let realms = realms.join(", ");
    let whose = match &key.managed_by {
        None => words.fill("keys-reaches", &[("realms", &realms)]),
        Some(manager) => words.fill("keys-reaches-of", &[("realms", &realms), ("manager", manager)]),
    };
    hint(&mut html, &whose);
    let addresses: Vec<String> = key.addresses.iter().map(ToString::to_string).collect();
    match addresses.is_empty() {
        true => hint(&mut html, words.get("keys-from-anywhere")),
        false => hint(&mut html, &words.fill("keys-from", &[("addresses", &addresses.join(", "))])),
    }
    html.done()
}

/// When and from where it was used last.
pub(super) fn used(key: &ServiceKey, painter: &Painter<'_>) -> Markup {
    let (words, frame) = (painter.words, painter.frame);
    let mut html = Html::new();
    match &key.last_used {
        Some((at, from)) => {
            let time = words.time(*at, frame.now, &frame.zone);
            html.text(&words.fill("keys-used", &[("time", &time)]));
            if let Some(from) = from {
                html.text(" ").text(&words.fill("keys-from", &[("addresses", from)]));
            }
        }
        None if key.works(frame.now) && frame.now.saturating_sub(key.made) >= UNUSED => {
            values::badge(&mut html, &Badge { tone: Tone::Warning, text: words.get("keys-never-used").to_owned() });
        }
        None => drop(html.text(words.get("keys-unused"))),
    }
    html.done()
}

pub(super) fn badge(key: &ServiceKey, painter: &Painter<'_>) -> Badge {
    let (tone, word) = match key.revoked {
        Some(_) => (Tone::Off, "keys-revoked"),
        None if key.works(painter.frame.now) => (Tone::Success, "keys-works"),
        None => (Tone::Off, "keys-ended"),
    };
    Badge { tone, text: painter.words.get(word).to_owned() }
}

fn state(key: &ServiceKey, painter: &Painter<'_>) -> Markup {
    let (words, frame) = (painter.words, painter.frame);
    let mut html = Html::new();
    values::badge(&mut html, &badge(key, painter));
    html.class("p", "kt-hint").markup(&used(key, painter)).close("p");
    let since = match (key.revoked, key.expires) {
        (Some(at), _) => Some(("keys-since", at)),
        (None, Some(at)) if key.works(frame.now) => Some(("keys-until", at)),
        (None, at) => at.map(|at| ("keys-since", at)),
    };
    if let Some((word, at)) = since {
        hint(&mut html, &words.fill(word, &[("time", &words.time(at, frame.now, &frame.zone))]));
    }
    html.done()
}
