//! The outbox: the emails that wait, failed or were accepted, and what to do about failed ones.

use serde::{Deserialize, Serialize};

use super::jobs;
use super::list::{Listed, ROWS, Row, Shown, list};
use super::page::{Asked, Page, Pressed, Stands, anybody, link, nobody_works, said, target, text};
use super::sheet::{Line, List, Part, Search, Sentence, Sheet};
use keyturn_pages::{SubmitError, Submitted};
use keyturn_runtime::CallError;
use keyturn_store::outbox::{Mail, MailFilter, MailId, MailState, Recipient};
use keyturn_ui::Delivery;
use keyturn_ui::nodes::{Action, Badge, Empty, Notice, Outcome, Target, Tone, Value};
use keyturn_work::outbox::{AT_ONCE, Reading, Retried};

pub(super) static PAGE: Page =
    Page { name: "outbox", stands: Stands::In("nav-mail"), remote: true, who: anybody, draw, act };

/// An action of a form of this page, or of one email's.
#[derive(Serialize, Deserialize)]
pub(super) enum Act {
    /// Retries an email; to another address than the latest attempt only if it is this one.
    Retry(MailId, Option<String>),
    Withdraw(MailId),
    RetryAll,
    /// Runs a job or an event again.
    RunAgain(String),
    RunAllAgain,
}

fn draw(asked: &Asked<'_>) -> Result<keyturn_ui::Page, CallError> {
    let listed = Listed::of(asked, &PAGE, "q");
    let (host, words) = (asked.host, asked.words);
    let reading = Reading::of(host, asked.caller);
    let filter = MailFilter {
        states: listed.shown.states().to_vec(),
        search: listed.only().map(str::to_owned),
        before: listed.before,
        limit: ROWS,
        ..MailFilter::default()
    };
    let seen = reading.mails(&filter).map_err(CallError::of_storage)?;
    let counts = host.mail_counts(asked.caller).map_err(CallError::of_storage)?;
    // Counts are of all emails, so they are not shown above a search result.
    let counts = counts.filter(|_| listed.only().is_none());
    let tabs = listed.tabs("outbox-filters", asked, |shown| {
        let counted = |state| shown.states().is_empty() || shown.states().contains(state);
        Some(counts.as_ref()?.iter().filter(|(state, _)| counted(state)).map(|(_, count)| count).sum())
    });
    let shown = words.count("outbox-shown", seen.mails.len() as u64);
    let empty = empty(&listed, seen.older.is_some(), &reading, asked)?;
    let all = listed.only().is_none() && listed.shown == Shown::Failed;
    let all = all && seen.mails.iter().any(|(_, delivery)| may_retry(delivery));
    // One press takes all of them, so the button is not shown beside a part of them.
    let all = all.then(|| asked.press("outbox-retry-all", &PAGE, &Act::RetryAll));
    let entries = seen.mails.iter().map(|(mail, delivery)| entry(mail, delivery, &reading, asked)).collect();
    let mails = List {
        tabs: Some(tabs),
        foot: listed.foot(shown, seen.older, asked),
        ..list("outbox", "outbox-column-mail", entries, empty, asked)
    };
    let everything = matches!(listed.shown, Shown::Failed | Shown::All) && listed.only().is_none();
    let jobs = if everything && listed.before.is_none() { jobs::failed(asked)? } else { None };
    let sheet = Sheet {
        title: asked.word("outbox"),
        notices: off(asked).into_iter().chain(stopped(asked)).collect(),
        search: Some(Search {
            label: asked.word("outbox-search"),
            typed: listed.only().unwrap_or_default().to_owned(),
            page: listed.without(),
        }),
        actions: all.into_iter().collect(),
        parts: [Some(mails), jobs].into_iter().flatten().map(|list| Part::List(Box::new(list))).collect(),
        ..Sheet::default()
    };
    Ok(asked.draw(&PAGE, &sheet))
}

/// A notice that no email is sent at all, and what to do about it.
fn off(asked: &Asked<'_>) -> Option<Notice> {
    let host = asked.host;
    if host.mail.outgoing().transport.is_some() {
        return None;
    }
    let (body, actions) = match host.reaches_everybody(asked.caller) {
        true => (Vec::new(), vec![asked.leads("outbox-off-settings", Target::EmailSettings)]),
        false => (text(&asked.words.fill("outbox-off-ask", &[("contact", &host.brand().contact)])), Vec::new()),
    };
    Some(Notice { tone: Tone::Warning, title: asked.word("outbox-off"), body, actions })
}

/// A notice that no worker sends email, if email is on.
pub(super) fn stopped(asked: &Asked<'_>) -> Option<Notice> {
    asked.host.mail.outgoing().transport.as_ref().and_then(|_| nobody_works("outbox-stopped", asked))
}

fn empty(listed: &Listed, older: bool, reading: &Reading<'_>, asked: &Asked<'_>) -> Result<Empty, CallError> {
    let newest = |shown: Shown| {
        let filter = MailFilter { states: shown.states().to_vec(), limit: 1, ..MailFilter::default() };
        let seen = reading.mails(&filter).map_err(CallError::of_storage)?;
        Ok::<_, CallError>(seen.mails.first().map(|(mail, _)| mail.changed_at))
    };
    let title = match listed.shown {
        _ if let Some(typed) = listed.only() => asked.words.fill("outbox-none-found", &[("typed", typed)]),
        _ if older || listed.before.is_some() => asked.word("outbox-none-here"),
        // Not "all accepted" while some emails wait.
        Shown::Failed
            if newest(Shown::Waiting)?.is_none()
                && let Some(last) = newest(Shown::Accepted)? =>
        {
            asked.words.fill("outbox-done-last", &[("time", &asked.time(last))])
        }
        Shown::Failed => asked.word("outbox-none-failed"),
        Shown::Waiting => asked.word("outbox-no-waiting"),
        Shown::Accepted => asked.word("outbox-none-accepted"),
        Shown::All => asked.word("outbox-none"),
    };
    let all = listed.only().map(|_| asked.leads("outbox-show-all", listed.without()));
    Ok(Empty { title, text: Vec::new(), action: all })
}

fn entry(mail: &Mail, delivery: &Delivery, reading: &Reading<'_>, asked: &Asked<'_>) -> Row {
    let subject = reading.masked_subject(mail).unwrap_or_else(|| mail.template.clone());
    let page = Target::Mail(mail.id.to_string());
    let mut actions = Vec::new();
    if may_retry(delivery) {
        // To another address only after the question on the email's own page.
        actions.push(match delivery.moved {
            true => asked.leads("mail-retry", page.clone()),
            false => asked.press("mail-retry", &PAGE, &Act::Retry(mail.id.clone(), None)),
        });
    }
    actions.extend(may_withdraw(delivery).then(|| ask_withdraw(&mail.id, asked)));
    Row {
        entry: mail.into(),
        what: link(&subject, page),
        about: to(mail, delivery, asked),
        said: delivery.obstacle.map(|obstacle| asked.say(&format!("obstacle-{}", obstacle.name()))),
        badge: state_badge(delivery.state, asked),
        goes_on: delivery.state == MailState::Delayed,
        actions,
    }
}

/// The address as the reader may see it.
fn to(mail: &Mail, delivery: &Delivery, asked: &Asked<'_>) -> Line {
    match &delivery.to {
        Some(address) => Line::Address(address.clone()),
        None => Line::Small(nameless(&mail.to, asked)),
    }
}

/// The account of an email without an address to show.
pub(super) fn nameless(to: &Recipient, asked: &Asked<'_>) -> Sentence {
    match to {
        Recipient::Operators => asked.say("outbox-operators"),
        Recipient::Account(id) | Recipient::Previous(id) => vec![Value::Code(id.to_string())],
    }
}

/// Whether a retry makes sense: an email that waits for its first attempt is sent anyway.
pub(super) fn may_retry(delivery: &Delivery) -> bool {
    let state = matches!(delivery.state, MailState::Delayed | MailState::Refused | MailState::GaveUp);
    state && delivery.may_mend && delivery.whole
}

pub(super) fn may_withdraw(delivery: &Delivery) -> bool {
    (may_retry(delivery) || delivery.state == MailState::Queued) && delivery.may_mend && delivery.whole
}

/// A link to the question on the email's own page. Nobody can undo a withdrawal, and nobody has another copy of an email with a
/// password.
pub(super) fn ask_withdraw(id: &MailId, asked: &Asked<'_>) -> Action {
    asked.leads("outbox-withdraw", target("mail", &[("mail", id.as_str()), ("ask", "withdraw")]))
}

/// The word for a state, the same everywhere.
pub(super) fn state_badge(state: MailState, asked: &Asked<'_>) -> Badge {
    let tone = match state {
        MailState::Queued | MailState::Ended | MailState::Withdrawn => Tone::Off,
        MailState::Sending => Tone::Info,
        MailState::Accepted => Tone::Success,
        MailState::Delayed => Tone::Warning,
        MailState::Refused | MailState::GaveUp => Tone::Danger,
    };
    asked.badge(tone, &format!("state-{}", state.name()))
}

fn act(pressed: &Pressed<'_>) -> Result<Submitted, SubmitError> {
    let (asked, words) = (&pressed.asked, pressed.asked.words);
    match pressed.act()? {
        Act::Retry(id, to) => match retry_to(asked, &id, to.as_deref())? {
            Retried::Queued { .. } => {
                let outcome = said(Tone::Success, "outbox-retried", words);
                pressed.done(None, Outcome { mail: Some(id.to_string()), ..outcome })
            }
            Retried::Moved => {
                pressed.done(Some(&Target::Mail(id.to_string())), said(Tone::Warning, "outbox-retried-moved", words))
            }
            Retried::Not => pressed.done(None, said(Tone::Warning, "outbox-nothing", words)),
        },
        Act::Withdraw(id) => {
            let done = asked.host.withdraw(asked.caller, std::slice::from_ref(&id)).map_err(CallError::of_storage)?;
            let outcome = match done.is_empty() {
                false => said(Tone::Success, "outbox-withdrawn", words),
                true => said(Tone::Warning, "outbox-nothing", words),
            };
            pressed.done(Some(&Target::Mail(id.to_string())), outcome)
        }
        Act::RetryAll => pressed.done(None, retry_all(asked)?),
        Act::RunAgain(id) => pressed.done(None, jobs::run_again(asked, Some(&id))?),
        Act::RunAllAgain => pressed.done(None, jobs::run_again(asked, None)?),
    }
}

/// To another address than the latest attempt only if the reader was asked about this one.
fn retry_to(asked: &Asked<'_>, id: &MailId, to: Option<&str>) -> Result<Retried, CallError> {
    let (host, caller) = (asked.host, asked.caller);
    let mail = host.storage.mail(id).map_err(CallError::of_storage)?;
    let on_file = mail.and_then(|mail| host.delivery_of(&mail, caller)).and_then(|delivery| delivery.to);
    let although_moved = to.is_some() && to == on_file.as_deref();
    let retried = host.retry(caller, std::slice::from_ref(id), although_moved).map_err(CallError::of_storage)?;
    Ok(retried.first().map_or(Retried::Not, |(_, retried)| *retried))
}

fn retry_all(asked: &Asked<'_>) -> Result<Outcome, CallError> {
    let (host, caller, words) = (asked.host, asked.caller, asked.words);
    let states = vec![MailState::Refused, MailState::GaveUp];
    let filter = MailFilter { states, limit: AT_ONCE, ..MailFilter::default() };
    let failed = Reading::of(host, caller).mails(&filter).map_err(CallError::of_storage)?.mails;
    let ids: Vec<MailId> = failed.into_iter().filter(|(_, d)| may_retry(d)).map(|(mail, _)| mail.id).collect();
    let retried = host.retry(caller, &ids, false).map_err(CallError::of_storage)?;
    let count = |wanted: fn(&Retried) -> bool| retried.iter().filter(|(_, retried)| wanted(retried)).count() as u64;
    let queued = count(|retried| matches!(retried, Retried::Queued { .. }));
    let moved = count(|retried| *retried == Retried::Moved);
    let body = if moved > 0 { text(&words.count("outbox-several-moved", moved)) } else { Vec::new() };
    let nothing = said(Tone::Warning, "outbox-nothing", words);
    Ok(match (queued, moved) {
        (0, 0) => nothing,
        (0, _) => Outcome { body, ..nothing },
        _ => Outcome {
            tone: if moved == 0 { Tone::Success } else { Tone::Warning },
            title: words.count("outbox-several-title", queued),
            body,
            mail: None,
        },
    })
}
