//! What happened to somebody's password lately, from the host's audit, in words.

use std::collections::BTreeMap;

use keyturn_host::accounts::AccountId;
use keyturn_host::storage::{AuditEntry, AuditFilter, Role};
use keyturn_host::view::html::Markup;
use keyturn_host::view::nodes::{Column, ColumnKind, Empty, Node, Row, Table, Value};

use crate::answer::Failed;
use crate::pages::forms::said;
use crate::request::Request;
use crate::words::Words;

/// Entries on the page.
const ENTRIES: u32 = 10;

/// The section.
pub fn of(request: &Request, account: &AccountId) -> Result<Markup, Failed> {
    let words = request.words();
    let viewer = request.person()?;
    let filter = AuditFilter { subject: Some(account.clone()), limit: ENTRIES, ..AuditFilter::default() };
    let entries = request.site.host.audit(&filter)?;
    let mut names = BTreeMap::new();
    let mut rows = Vec::new();
    for (_, entry) in &entries {
        // Who has signed in is known, although nobody in particular asked.
        let by = if signed_in(entry) { account.as_str() } else { &entry.actor };
        if !names.contains_key(by) {
            names.insert(by.to_owned(), actor(request, words, by)?);
        }
        let who = names.get(by).map_or("", String::as_str);
        // Where the staff sit is not their customers' affair.
        let own = by == account.as_str() || entry.actor == "anonymous";
        let shown = entry.address.as_ref().filter(|_| own || viewer.id.to_string() != account.key());
        let from = shown.map_or_else(|| said("—"), |address| vec![Value::Code(address.clone())]);
        rows.push(Row {
            cells: vec![vec![Value::Time(entry.at)], said(&what(words, entry, account)), said(who), from],
            actions: Vec::new(),
        });
    }
    let column = |label: &str, kind| Column { label: label.to_owned(), kind, low: false };
    let table = Table {
        caption: words.get("activity-title").to_owned(),
        columns: vec![
            column(words.get("activity-when"), ColumnKind::Time),
            column(words.get("activity-what"), ColumnKind::Text),
            column(words.get("activity-who"), ColumnKind::Text),
            column(words.get("activity-from"), ColumnKind::Text),
        ],
        rows,
        empty: Empty {
            title: words.get("activity-none").to_owned(),
            text: said(words.get("activity-none-hint")),
            action: None,
        },
    };
    let nodes = [Node::Heading(words.get("activity-title").to_owned()), Node::Table(table)];
    Ok(request.region("activity", Some(account), &nodes, &request.surface("", None))?.html)
}

fn actor(request: &Request, words: Words, name: &str) -> Result<String, Failed> {
    Ok(match name {
        "anonymous" => words.get("actor-anonymous").to_owned(),
        "console" => words.get("actor-console").to_owned(),
        "system" => words.get("actor-system").to_owned(),
        name => match name.strip_prefix("service-key:") {
            Some(key) => words.fill("actor-key", &[("name", key)]),
            None => {
                let id = name.parse::<AccountId>().ok().and_then(|account| account.key().parse().ok());
                let person = id.map(|id| request.site.people.person(id)).transpose()?.flatten();
                person.map_or_else(|| name.to_owned(), |person| person.name)
            }
        },
    })
}

fn signed_in(entry: &AuditEntry) -> bool {
    entry.operation == "verify" && matches!(entry.outcome.as_str(), "accepted" | "must_change")
}

/// The operation as a deed; what was not done says why, in words where they are known, else in the audit's own.
fn what(words: Words, entry: &AuditEntry, account: &AccountId) -> String {
    if entry.subjects.contains(&(account.clone(), Role::Upgrade)) {
        return words.get("did-upgrade").to_owned();
    }
    let deed = match entry.operation.as_str() {
        "set-password" => words.get("did-set-password"),
        "change-own" => words.get("did-change-own"),
        "complete-reset" => words.get("did-complete-reset"),
        "make-link" => words.get("did-make-link"),
        "reset-and-mail" => words.get("did-reset-and-mail"),
        "find-and-mail" => words.get("did-find-and-mail"),
        "resend-link" => words.get("did-resend-link"),
        "outbox-retry" => words.get("did-outbox-retry"),
        "outbox-withdraw" => words.get("did-outbox-withdraw"),
        "verify" => return verdict(words, &entry.outcome),
        other => other,
    };
    match entry.outcome.as_str() {
        "done" | "reveal" => deed.to_owned(),
        outcome => words.fill("did-not", &[("deed", deed), ("outcome", outcome)]),
    }
}

fn verdict(words: Words, outcome: &str) -> String {
    let known = match outcome {
        "accepted" => "did-verify",
        "must_change" => "did-verify-must-change",
        "rejected" => "did-verify-rejected",
        "suspended" => "did-verify-suspended",
        "temporary_ended" => "did-verify-ended",
        other => return words.fill("did-not", &[("deed", words.get("did-verify")), ("outcome", other)]),
    };
    words.get(known).to_owned()
}
