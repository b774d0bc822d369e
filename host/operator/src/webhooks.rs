//! Webhooks: each destination with its state, the events that wait, failed or were accepted, and what to do about failed ones.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::list::{Listed, ROWS, Row, Shown, list};
use super::outbox::state_badge;
use super::page::{
    Asked, Page, Pressed, Stands, counted, link, nobody_works, not_found, said, target, text, who_reaches_everybody,
};
use super::sheet::{Line, List, ListRow, Part, Sheet};
use keyturn_pages::{SubmitError, Submitted};
use keyturn_runtime::CallError;
use keyturn_runtime::capabilities::RETRY_SECONDS;
use keyturn_store::StorageError;
use keyturn_store::deliveries::{Delivery, DeliveryFilter, DeliveryId, DeliveryState};
use keyturn_ui::nodes::{Badge, ColumnKind, Empty, Outcome, Tone, Value};
use keyturn_webhooks::send::Verdict;
use keyturn_work::outbox::AT_ONCE;
use keyturn_work::tended::{Held, Tended};
use keyturn_work::trials::PATIENCE;

pub(super) static PAGE: Page =
    Page { name: "webhooks", stands: Stands::In("nav-mail"), remote: true, who: who_reaches_everybody, draw, act };

/// An action of a form of this page, or of one delivery's.
#[derive(Serialize, Deserialize)]
pub(super) enum Act {
    SendAgain(DeliveryId),
    /// All that were given up; only of this destination, if there is one.
    SendAllAgain(Option<String>),
    /// Sends deliveries to a destination again.
    Enable(String),
    /// Posts an event to a destination now, and shows the answer.
    Test(String),
}

fn draw(asked: &Asked<'_>) -> Result<keyturn_ui::Page, CallError> {
    let host = asked.host;
    let listed = Listed::of(asked, &PAGE, "to");
    let filter = DeliveryFilter {
        states: listed.shown.states().to_vec(),
        destination: listed.only().map(str::to_owned),
        before: listed.before,
        limit: ROWS + 1,
    };
    // Before the deliveries: otherwise one could be shown as under way although its destination is gone.
    let tended = host.tended().map_err(CallError::of_storage)?;
    let mut deliveries = host.storage.deliveries(&filter).map_err(CallError::of_storage)?;
    let more = deliveries.len() > ROWS as usize;
    deliveries.truncate(ROWS as usize);
    let older = deliveries.last().filter(|_| more).map(|delivery| delivery.number);
    let waits = tended.iter().any(|one| one.waiting > 0 && one.held().is_none());
    let all = listed.shown == Shown::Failed && !deliveries.is_empty();
    let again = || Act::SendAllAgain(listed.only().map(str::to_owned));
    let all = all.then(|| asked.press("webhooks-again-all", &PAGE, &again()));
    let parts = [destinations(&tended, asked), sent(&listed, &tended, &deliveries, older, asked)];
    let sheet = Sheet {
        title: asked.word("webhooks"),
        notices: nobody_works("webhooks-stopped", asked).filter(|_| waits).into_iter().collect(),
        actions: all.into_iter().collect(),
        parts: parts.into_iter().map(|list| Part::List(Box::new(list))).collect(),
        ..Sheet::default()
    };
    Ok(asked.draw(&PAGE, &sheet))
}

fn destinations(tended: &[Tended], asked: &Asked<'_>) -> List {
    let row = |one: &Tended| {
        let only = target(PAGE.name, &[("to", &one.name)]);
        let mut name = vec![Line::Plain(vec![link(&one.name, only)])];
        if let Some((url, events)) = &one.leads {
            name.extend([url, &events.join(" ")].map(|line| Line::Small(vec![Value::Code(line.clone())])));
        }
        let gone = matches!(one.held(), Some(Held::Disabled(_)));
        let enable = gone.then(|| asked.press("webhooks-enable", &PAGE, &Act::Enable(one.name.clone())));
        let test = one.leads.as_ref().map(|_| asked.press("webhooks-test", &PAGE, &Act::Test(one.name.clone())));
        let actions = enable.into_iter().chain(test).collect();
        ListRow { cells: vec![name, destination_state(one, asked)], actions }
    };
    let none = Empty { text: asked.say("webhooks-none-hint"), ..asked.empty("webhooks-none") };
    let columns = [("webhooks-destination", ColumnKind::Text), ("outbox-column-state", ColumnKind::State)];
    let rows = tended.iter().map(row).collect();
    let list = List::of(asked, "webhooks-destinations", &columns, rows, none);
    List { heading: Some(asked.word("webhooks-destinations")), ..list }
}

/// A destination's state, and what waits for it.
fn destination_state(one: &Tended, asked: &Asked<'_>) -> Vec<Line> {
    let (tone, key) = match one.held() {
        None => (Tone::Success, "webhooks-sends"),
        Some(Held::Disabled(_)) => (Tone::Danger, "webhooks-gone"),
        Some(Held::Off) => (Tone::Off, "webhooks-off"),
        Some(Held::Removed) => (Tone::Off, "webhooks-removed"),
    };
    let mut lines = vec![Line::Plain(vec![Value::Badge(asked.badge(tone, key))])];
    if let Some(Held::Disabled(at)) = one.held() {
        lines.push(asked.small("webhooks-gone-since", &[("time", &asked.time(at))]));
    }
    for (key, n) in [("webhooks-waiting", one.waiting), ("webhooks-missed", one.noted.missed)] {
        lines.extend((n > 0).then(|| Line::Small(text(&asked.words.count(key, n)))));
    }
    lines
}

fn sent(listed: &Listed, tended: &[Tended], deliveries: &[Delivery], older: Option<i64>, asked: &Asked<'_>) -> List {
    let words = asked.words;
    let mine = |one: &&Tended| listed.only().is_none_or(|name| name == one.name);
    let count = |shown: Shown| {
        let counted = tended.iter().filter(mine).map(|one| match shown {
            Shown::Waiting => one.waiting,
            Shown::Failed => one.failed,
            Shown::Accepted => one.accepted,
            Shown::All => one.waiting + one.failed + one.accepted,
        });
        Some(counted.sum())
    };
    let note = listed.only().map(|name| {
        let only = format!("{} ", words.fill("webhooks-only", &[("name", name)]));
        vec![Value::Text(only), link(words.get("outbox-show-all"), listed.without())]
    });
    let key = match listed.shown {
        Shown::Waiting => "webhooks-none-waiting",
        Shown::Failed => "webhooks-none-failed",
        Shown::Accepted => "webhooks-none-accepted",
        Shown::All => "webhooks-none-sent",
    };
    let held = |delivery: &Delivery| {
        let mine = |one: &&Tended| delivery.waits() && one.name == delivery.destination;
        tended.iter().find(mine).and_then(Tended::held)
    };
    let entries = deliveries.iter().map(|delivery| entry(delivery, held(delivery), asked)).collect();
    let shown = words.count("webhooks-shown", deliveries.len() as u64);
    List {
        heading: Some(asked.word("webhooks-deliveries")),
        tabs: Some(listed.tabs("webhooks-filters", asked, count)),
        note: note.unwrap_or_default(),
        foot: listed.foot(shown, older, asked),
        ..list("webhooks-deliveries", "webhooks-event", entries, asked.empty(key), asked)
    }
}

fn entry(delivery: &Delivery, held: Option<Held>, asked: &Asked<'_>) -> Row {
    let Delivery { id, event, destination, account, state, .. } = delivery;
    let mut about = text(destination);
    if let Some(account) = account {
        about.extend([Value::Text(" · ".to_owned()), Value::Code(account.to_string())]);
    }
    let again = || asked.press("webhooks-again", &PAGE, &Act::SendAgain(id.clone()));
    let page = target("delivery", &[("delivery", id.as_str())]);
    Row {
        entry: delivery.into(),
        what: link(event, page),
        about: Line::Small(about),
        said: None,
        badge: badge(*state, held, asked),
        goes_on: held.is_none() && *state == DeliveryState::Delayed,
        actions: (*state == DeliveryState::GaveUp).then(again).into_iter().collect(),
    }
}

/// The word for a state, the same on both pages. Deliveries on hold are not called "on their way".
pub(super) fn badge(state: DeliveryState, held: Option<Held>, asked: &Asked<'_>) -> Badge {
    match held {
        Some(_) => asked.badge(Tone::Warning, "webhooks-held"),
        None => state_badge(state, asked),
    }
}

fn act(pressed: &Pressed<'_>) -> Result<Submitted, SubmitError> {
    let outcome = done(&pressed.asked, pressed.act()?)?;
    pressed.done(None, outcome)
}

fn done(asked: &Asked<'_>, act: Act) -> Result<Outcome, CallError> {
    let (host, caller, words) = (asked.host, asked.caller, asked.words);
    let again = |ids: Result<Vec<DeliveryId>, StorageError>| {
        let done = ids.and_then(|ids| host.send_again(caller, &ids)).map_err(CallError::of_storage)?;
        Ok(counted(done.len(), "webhooks-sent-again", "webhooks-nothing", words))
    };
    match act {
        Act::SendAgain(id) => again(Ok(vec![id])),
        Act::SendAllAgain(destination) => {
            let states = Shown::Failed.states().to_vec();
            let filter = DeliveryFilter { states, destination, limit: AT_ONCE, ..DeliveryFilter::default() };
            again(
                host.storage.deliveries(&filter).map(|failed| failed.into_iter().map(|delivery| delivery.id).collect()),
            )
        }
        Act::Enable(name) => Ok(match host.enable_destination(caller, &name).map_err(CallError::of_storage)? {
            true => said(Tone::Success, "webhooks-enabled", words),
            false => said(Tone::Warning, "webhooks-nothing", words),
        }),
        Act::Test(name) => test(asked, &name),
    }
}

/// Few at once, because each holds a request for as long as the destination may take.
fn test(asked: &Asked<'_>, name: &str) -> Result<Outcome, CallError> {
    let (host, words) = (asked.host, asked.words);
    let to = host.destination(name).ok_or_else(not_found)?;
    let _place = host.trials.enter().ok_or(CallError::Busy(RETRY_SECONDS))?;
    let (verdict, tried) = host.test_webhook(asked.caller, &to, PATIENCE).map_err(CallError::of_storage)?;
    let (tone, key) = match verdict {
        Verdict::Accepted => (Tone::Success, "webhooks-test-accepted"),
        Verdict::Unknown => (Tone::Warning, "webhooks-test-unknown"),
        Verdict::Failed { .. } | Verdict::Gone => (Tone::Danger, "webhooks-test-failed"),
    };
    let took = format!(" · {} ms", words.number(i64::try_from(tried.took_ms).unwrap_or(i64::MAX)));
    let body = vec![Value::Code(tried.said), Value::Text(took)];
    Ok(Outcome { tone, title: words.fill(key, &[("name", name)]), body, mail: None })
}
