//! What happened to somebody's password lately, from the host's audit log, in words.

use std::collections::BTreeMap;

use keyturn_host::accounts::AccountId;
use keyturn_host::operator;
use keyturn_host::storage::{AuditEntry, AuditFilter, Role};
use keyturn_host::view::html::Markup;
use keyturn_host::view::nodes::{Column, ColumnKind, Empty, Node, Row, Table, Value};

use crate::answer::Failed;
use crate::pages::forms::said;
use crate::request::Request;
use crate::words::Words;

const ENTRIES: u32 = 10;

pub fn of(request: &Request, account: &AccountId) -> Result<Markup, Failed> {
    let words = request.words();
    let viewer = request.person()?;
    let filter = AuditFilter { subject: Some(account.clone()), limit: ENTRIES, ..AuditFilter::default() };
    let entries = request.site.host.audit(&filter)?;
    let mut names = BTreeMap::new();
    let mut rows = Vec::new();
    for (_, entry) in &entries {
        // The person who signed in is known, although the caller was anonymous.
        let by = if signed_in(entry) { account.as_str() } else { &entry.actor };
        if !names.contains_key(by) {
            names.insert(by.to_owned(), actor(request, words, by)?);
        }
        let who = names.get(by).map_or("", String::as_str);
        // Customers don't learn the staff's addresses.
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
    Ok(request.region("activity", Some(account), &nodes, &request.surface(&request.visitor.caller(), "", None))?.html)
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

/// The operation in words; if it was not done, with the reason.
fn what(words: Words, entry: &AuditEntry, account: &AccountId) -> String {
    if entry.subjects.contains(&(account.clone(), Role::Upgrade)) {
        return words.get("did-upgrade").to_owned();
    }
    let of_host = operator::operation(&entry.operation, words.host.tag());
    let deed = match entry.operation.as_str() {
        "set-password" => words.get("did-set-password"),
        "change-own" => words.get("did-change-own"),
        "complete-reset" => words.get("did-complete-reset"),
        "make-link" => words.get("did-make-link"),
        "change-address" => words.get("did-change-address"),
        "address-changed" => words.get("did-address-changed"),
        "end-session" => words.get("did-end-session"),
        "end-sessions" => words.get("did-end-sessions"),
        "reset-and-mail" if is_done(entry) && !replaced(entry, account) => words.get("did-mail-link"),
        "reset-and-mail" => words.get("did-reset-and-mail"),
        "find-and-mail" => words.get("did-find-and-mail"),
        "resend-link" => words.get("did-resend-link"),
        "verify" => return verdict(words, &entry.outcome),
        other => of_host.as_deref().unwrap_or(other),
    };
    match is_done(entry) {
        true => deed.to_owned(),
        false => not_done(words, deed, &entry.outcome),
    }
}

fn is_done(entry: &AuditEntry) -> bool {
    matches!(entry.outcome.as_str(), "done" | "reveal")
}

/// Whether it set another password. Reset & mail may email a link, and the current password still works.
fn replaced(entry: &AuditEntry, account: &AccountId) -> bool {
    entry.subjects.contains(&(account.clone(), Role::Password))
}

fn not_done(words: Words, deed: &str, outcome: &str) -> String {
    words.fill("did-not", &[("deed", deed), ("why", &why(words, outcome))])
}

/// The audit log has `invalid: too-short known`: a case, and codes of the plugin. If all codes are unknown here, the case is
/// shown; if the case is unknown, that something went wrong.
fn why(words: Words, outcome: &str) -> String {
    let known = |code: &str| words.find(&format!("why-{code}"));
    let (case, codes) = outcome.split_once(": ").unwrap_or((outcome, ""));
    let reasons: Vec<&str> = codes.split(' ').filter_map(known).collect();
    if reasons.is_empty() {
        return known(case).unwrap_or(words.get("why-broken")).to_owned();
    }
    reasons.join("; ")
}

fn verdict(words: Words, outcome: &str) -> String {
    let known = match outcome {
        "accepted" => "did-verify",
        "must_change" => "did-verify-must-change",
        "rejected" => "did-verify-rejected",
        "suspended" => "did-verify-suspended",
        "temporary_ended" => "did-verify-ended",
        other => return not_done(words, words.get("did-verify"), other),
    };
    words.get(known).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_done_says_why_in_words() {
        let said = |locale: &str, outcome: &str| why(Words::of(locale), outcome);
        assert_eq!(said("en", "invalid: too-short"), "the password was too short");
        assert_eq!(
            said("es", "invalid: known wrong-current"),
            "la contraseña está en listas de contraseñas robadas; la contraseña actual no era correcta"
        );
        assert_eq!(said("en", "refused: no-address"), "the account had no email address");
        assert_eq!(said("en", "refused: of-another-plugin"), "a rule forbids it");
        assert_eq!(said("en", "not-found"), "it was not found");
        for broken in ["limit: guest-ms", "trap", "view", "storage"] {
            assert_eq!(said("en", broken), "something went wrong; the server's log says what");
        }
    }

    /// Every refusal of the password plugin, as in its sources.
    #[test]
    fn every_code_of_the_password_plugin_has_its_words() {
        let policy = include_str!("../../../../plugin/src/policy/mod.rs");
        let findings =
            policy.split("fn code(").nth(1).and_then(|rest| rest.split("fn message(").next()).expect("codes");
        let mut codes: Vec<&str> = findings.split("=> \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        for source in [
            include_str!("../../../../plugin/src/change.rs"),
            include_str!("../../../../plugin/src/failure.rs"),
            include_str!("../../../../plugin/src/generate.rs"),
            include_str!("../../../../plugin/src/hash/mod.rs"),
            include_str!("../../../../plugin/src/links.rs"),
            include_str!("../../../../plugin/src/recovery.rs"),
            include_str!("../../../../plugin/src/reset_and_mail.rs"),
            include_str!("../../../../plugin/src/store/mod.rs"),
            include_str!("../../../../plugin/src/views/submit.rs"),
        ] {
            for call in source.split("refused(").skip(1).chain(source.split("field(").skip(1)) {
                let before = call.split_once("Word::").map(|(before, _)| before).filter(|before| before.len() < 90);
                codes.extend(before.and_then(|before| before.rsplit('"').nth(1)).filter(|code| code.contains('-')));
            }
        }
        assert!(codes.len() > 25, "{codes:?}");
        for code in codes {
            assert!(Words::of("en").find(&format!("why-{code}")).is_some(), "{code}");
        }
    }
}
