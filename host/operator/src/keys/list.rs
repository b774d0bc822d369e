//! All keys, also revoked and expired ones, the newest first.

use super::{ASKS_REVOKE, ASKS_ROTATE, NEW, Offered, PAGE};
use crate::page::{Asked, target, text};
use crate::service_key::ServiceKey;
use crate::sheet::{Line, List, ListRow, Part, Sentence, Sheet};
use keyturn_ui::nodes::{Action, Badge, ColumnKind, Empty, Intent, Tone, Value};

/// A key unused for this long is marked, in milliseconds.
const UNUSED: i64 = 90 * 86_400_000;

pub(super) fn sheet(keys: &[ServiceKey], offered: &Offered, asked: &Asked<'_>) -> Sheet {
    let columns =
        [("keys-name", ColumnKind::Text), ("keys-may", ColumnKind::Text), ("outbox-column-state", ColumnKind::State)];
    let rows = keys.iter().rev().map(|key| row(key, offered, asked)).collect();
    let empty = Empty { text: asked.say("keys-none-hint"), ..asked.empty("keys-none") };
    let list = List::of(asked, "keys", &columns, rows, empty);
    let make = asked.leads("keys-make", target(PAGE.name, &[(NEW, "1")]));
    Sheet {
        title: asked.word("keys"),
        actions: vec![Action { intent: Intent::Primary, ..make }],
        parts: vec![Part::List(Box::new(list))],
        ..Sheet::default()
    }
}

fn row(key: &ServiceKey, offered: &Offered, asked: &Asked<'_>) -> ListRow {
    let asks = |label, asks, intent| Action { intent, ..asked.leads(label, target(PAGE.name, &[(asks, &key.name)])) };
    let actions = match key.works(asked.now) {
        true => {
            vec![asks("keys-rotate", ASKS_ROTATE, Intent::Neutral), asks("keys-revoke", ASKS_REVOKE, Intent::Danger)]
        }
        false => Vec::new(),
    };
    let name = vec![Line::Plain(text(&key.name)), asked.small("keys-made", &[("time", &asked.time(key.made))])];
    ListRow { cells: vec![name, may(key, offered, asked), state(key, asked)], actions }
}

/// What it may do; below that, whose accounts, and from which addresses.
fn may(key: &ServiceKey, offered: &Offered, asked: &Asked<'_>) -> Vec<Line> {
    let realms: Vec<&str> = key.realms.iter().map(String::as_str).collect();
    let realms = ("realms", &*realms.join(", "));
    let addresses: Vec<String> = key.addresses.iter().map(ToString::to_string).collect();
    vec![
        Line::Points(offered.points(key)),
        match &key.managed_by {
            None => asked.small("keys-reaches", &[realms]),
            Some(manager) => asked.small("keys-reaches-of", &[realms, ("manager", manager)]),
        },
        match addresses.is_empty() {
            true => asked.small("keys-from-anywhere", &[]),
            false => asked.small("keys-from", &[("addresses", &addresses.join(", "))]),
        },
    ]
}

/// When and from where it was last used.
pub(super) fn used(key: &ServiceKey, asked: &Asked<'_>) -> Sentence {
    let words = asked.words;
    match &key.last_used {
        Some((at, from)) => {
            let used = words.fill("keys-used", &[("time", &asked.time(*at))]);
            let from = from.as_ref().map(|from| words.fill("keys-from", &[("addresses", from)]));
            text(&from.map_or(used.clone(), |from| format!("{used} {from}")))
        }
        None if key.works(asked.now) && asked.now.saturating_sub(key.made) >= UNUSED => {
            vec![Value::Badge(asked.badge(Tone::Warning, "keys-never-used"))]
        }
        None => asked.say("keys-unused"),
    }
}

pub(super) fn badge(key: &ServiceKey, asked: &Asked<'_>) -> Badge {
    let (tone, word) = match key.revoked {
        Some(_) => (Tone::Off, "keys-revoked"),
        None if key.works(asked.now) => (Tone::Success, "keys-works"),
        None => (Tone::Off, "keys-ended"),
    };
    asked.badge(tone, word)
}

fn state(key: &ServiceKey, asked: &Asked<'_>) -> Vec<Line> {
    let since = match (key.revoked, key.expires) {
        (Some(at), _) => Some(("keys-since", at)),
        (None, Some(at)) if key.works(asked.now) => Some(("keys-until", at)),
        (None, at) => at.map(|at| ("keys-since", at)),
    };
    let since = since.map(|(word, at)| asked.small(word, &[("time", &asked.time(at))]));
    let lines = [Line::Plain(vec![Value::Badge(badge(key, asked))]), Line::Small(used(key, asked))];
    lines.into_iter().chain(since).collect()
}
