//! The form that creates a key, and the reading of it.

use std::collections::BTreeSet;

use super::{Act, Offered, PAGE};
use crate::network::Network;
use crate::operator::page::{Asked, press, target};
use crate::operator::sheet::{Fields, FieldsGroup, Part, Sheet};
use crate::service_key::{CLIENT_ADDRESS, CONDITIONS, NewKey, VIEWS, WITHOUT_STEP_UP};
use crate::view::form::{FieldError, Input, Submission};
use crate::view::nodes::{Field, FieldKind, Line, LineKind};
use crate::view::words::Words;

pub(super) const NAME: &str = "name";
pub(super) const MANAGER: &str = "managed-by";
pub(super) const DAYS: &str = "days";
const FROM: &str = "from";
const MAY: &str = "may:";
const REALM: &str = "realm:";
const DAY: i64 = 86_400_000;
/// A hundred years.
const MOST_DAYS: i64 = 36_500;

/// The field of a scope.
pub(super) fn may(scope: &str) -> String {
    format!("{MAY}{scope}")
}

pub(super) fn sheet(offered: &Offered, asked: &Asked<'_>) -> Sheet {
    let words = asked.words;
    let realms = asked.host.0.storage.realms();
    let groups = [
        ("keys-key", vec![line(NAME, "keys-name", true, words)]),
        ("keys-scopes", offered.0.iter().map(|(scope, said)| of_scope(scope, said, words)).collect()),
        ("keys-accounts", accounts(&realms, words)),
        ("keys-limits", vec![line(FROM, "keys-addresses", false, words), line(DAYS, "keys-days", false, words)]),
    ];
    let group = |(key, fields)| FieldsGroup { heading: asked.word(key), lead: Vec::new(), fields, also: None };
    let fields = Fields {
        submit: press(&PAGE, &Act::Make),
        hidden: Vec::new(),
        groups: groups.map(group).into(),
        label: Some(asked.word("keys-make")),
        cancel: Some(target(PAGE.name, &[])),
        checked: |_| true,
    };
    let parts = vec![Part::Fields(fields)];
    Sheet { title: asked.word("keys-make"), parts, ..Sheet::default() }
}

fn line(name: &str, label: &str, required: bool, words: Words) -> Field {
    Field {
        name: name.to_owned(),
        label: words.get(label).to_owned(),
        hint: Some(words.get(&format!("{label}-hint")).to_owned()),
        kind: FieldKind::Line(Line { kind: LineKind::Plain, value: String::new() }),
        required,
        own: false,
    }
}

fn tick(name: String, label: &str, hint: Option<String>, ticked: bool) -> Field {
    Field { name, label: label.to_owned(), hint, kind: FieldKind::Tick(ticked), required: false, own: false }
}

/// A hook's name is shown with its description: the docs and the audit log have the name.
fn of_scope(scope: &str, said: &str, words: Words) -> Field {
    let hint = match scope {
        VIEWS | CLIENT_ADDRESS | WITHOUT_STEP_UP => Some(words.get(&format!("keys-scope-{scope}-hint")).to_owned()),
        _ => (scope.contains('/') && scope != said).then(|| scope.to_owned()),
    };
    tick(may(scope), said, hint, false)
}

fn accounts(realms: &[String], words: Words) -> Vec<Field> {
    let all = realms.iter().map(|realm| tick(format!("{REALM}{realm}"), realm, None, realms.len() == 1));
    all.chain([line(MANAGER, "keys-manager", false, words)]).collect()
}

/// The wanted key, or the problems by field.
pub(super) fn wanted(submission: &Submission, words: Words, now: i64) -> Result<NewKey, Vec<FieldError>> {
    let mut problems = submission.problems.clone();
    let mut wrong = |field: &str, message: String| problems.push(FieldError { field: field.to_owned(), message });
    let [scopes, realms] = [MAY, REALM].map(|prefix| ticked(submission, prefix));
    for (chosen, prefix, key) in [(&scopes, MAY, "keys-wrong-may"), (&realms, REALM, "keys-wrong-realms")] {
        // A key with only conditions may do nothing.
        if chosen.iter().all(|scope| prefix == MAY && CONDITIONS.contains(&scope.as_str()))
            && let Some((first, _)) = submission.inputs.iter().find(|(name, _)| name.starts_with(prefix))
        {
            wrong(first, words.get(key).to_owned());
        }
    }
    let mut addresses = Vec::new();
    let typed = submission.text(FROM).unwrap_or_default();
    for address in typed.split([',', ' ']).map(str::trim).filter(|address| !address.is_empty()) {
        match address.parse::<Network>() {
            Ok(network) => addresses.push(network),
            Err(_) => wrong(FROM, words.fill("keys-wrong-address", &[("address", address)])),
        }
    }
    let days = submission.text(DAYS).map(|days| days.parse().ok().filter(|days| (1..=MOST_DAYS).contains(days)));
    if days == Some(None) {
        wrong(DAYS, words.get("keys-wrong-days").to_owned());
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(NewKey {
        name: submission.text(NAME).unwrap_or_default().to_owned(),
        scopes,
        realms,
        managed_by: submission.text(MANAGER).map(str::to_owned),
        addresses,
        expires: days.flatten().map(|days| now.saturating_add(days * DAY)),
    })
}

/// The ticked fields whose names begin this way.
fn ticked(submission: &Submission, prefix: &str) -> BTreeSet<String> {
    let ticked = submission.inputs.iter().filter(|(_, input)| matches!(input, Input::Tick(true)));
    ticked.filter_map(|(name, _)| name.strip_prefix(prefix)).map(str::to_owned).collect()
}
