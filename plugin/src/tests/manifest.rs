use crate::bindings::call::Actor;
use crate::bindings::types::Failure;
use crate::settings::{self, GENERATOR_ALPHABET, Generator, NUMBERS};
use crate::testing::Panel;
use crate::{recovery, told, views};
use toml::{Table, Value};

fn manifest() -> Table {
    include_str!("../../manifest.toml").parse().unwrap()
}

fn names(table: &Value) -> Vec<&str> {
    table.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect()
}

#[test]
fn settings_have_the_bounds_that_the_code_applies() {
    let manifest = manifest();
    for number in NUMBERS {
        let declared = &manifest["settings"][number.name];
        let of = |key: &str| declared[key].as_integer().unwrap();
        assert_eq!(
            (of("default"), of("min"), of("max")),
            (number.default.into(), number.min.into(), number.max.into()),
            "{}",
            number.name
        );
    }
    let others = [
        "asked-at-sign-in",
        "output",
        "context-words",
        "brand",
        "reset-modes",
        "reset-preset",
        "generator",
        "generator-alphabet",
    ];
    assert_eq!(manifest["settings"].as_table().unwrap().len(), NUMBERS.len() + others.len());
}

#[test]
fn every_exported_function_is_an_operation() {
    let wit = include_str!("../../../wit/password/password.wit");
    let manifest = manifest();
    let functions: Vec<&str> =
        wit.lines().filter_map(|line| line.trim().split_once(": func(")).map(|(name, _)| name).collect();
    assert!(functions.len() >= 10);
    for function in functions {
        assert!(names(&manifest["operations"]).contains(&function), "{function}");
    }
}

#[test]
fn every_parameter_that_is_a_password_a_token_a_device_or_a_hash_is_named_as_a_secret() {
    let wit = include_str!("../../../wit/password/password.wit");
    let manifest = manifest();
    let mut found = 0;
    for (function, rest) in wit.lines().filter_map(|line| line.trim().split_once(": func(")) {
        let (parameters, _) = rest.split_once(") ->").unwrap();
        let names = parameters.split(", ").filter_map(|one| one.split_once(": ").map(|(name, _)| name));
        let secret: Vec<Value> = names
            .filter(|name| ["password", "current", "new", "token", "hash", "device"].contains(name))
            .map(Value::from)
            .collect();
        let operation =
            manifest["operations"].as_array().unwrap().iter().find(|row| row["name"].as_str() == Some(function));
        let named = operation.unwrap().get("secrets").map_or(Vec::new(), |named| named.as_array().unwrap().clone());
        assert_eq!(named, secret, "{function}");
        found += secret.len();
    }
    assert_eq!(found, 11);
}

#[test]
fn whatever_hashes_runs_in_the_compute_lane() {
    for operation in manifest()["operations"].as_array().unwrap() {
        let name = operation["name"].as_str().unwrap();
        let hashes =
            ["verify", "complete-reset", "change-own", "set-password", "reset-and-mail", "sample-hash", "compare-hash"]
                .contains(&name);
        assert_eq!(operation.get("lane").is_some(), hashes, "{name}");
    }
}

#[test]
fn settings_that_are_words_have_the_defaults_that_the_code_applies() {
    let manifest = manifest();
    let default = |name: &str| manifest["settings"][name]["default"].clone();
    let panel = Panel::new();
    let modes: Vec<Value> =
        settings::reset_modes(&panel).into_iter().map(|mode| settings::mode_name(mode).into()).collect();
    assert_eq!(default("reset-modes"), Value::Array(modes));
    let preset = settings::reset_preset(&panel).map(|mode| settings::mode_name(mode).into());
    assert_eq!(Some(default("reset-preset")), preset);
    assert_eq!(settings::generator(&panel), Generator::Syllables);
    assert_eq!(default("generator"), "syllables".into());
    assert_eq!(default("generator-alphabet"), GENERATOR_ALPHABET.into());
    for setting in ["reset-modes", "reset-preset"] {
        for choice in manifest["settings"][setting]["choices"].as_array().unwrap() {
            assert!(settings::mode(choice.as_str().unwrap()).is_some(), "{choice}");
        }
    }
}

#[test]
fn jobs_and_events_are_those_of_the_code() {
    let manifest = manifest();
    assert_eq!(manifest["jobs"], Value::Array(vec![recovery::JOB.into(), recovery::REST.into()]));
    assert_eq!(manifest["events"]["emits"], Value::Array(vec![told::EVENT.into()]));
    for want in ["mail", "jobs", "events"] {
        assert!(manifest["wants"].get(want).is_some(), "{want}");
    }
}

/// What needs no step-up, and why nobody gets another's password, or a link to choose one, by it. A new operation has to be judged
/// here before it is added.
const WITHOUT_STEP_UP: &[(&str, &str)] = &[
    ("compare-hash", "changes nothing: compares a hash that the console gives with a password that nobody has"),
    ("request-reset", "mails a link to the address on file and nowhere else; says nothing to whoever asks"),
    ("resend-link", "mails a link to the address that the one before went to; says nothing to whoever asks"),
    ("verify", "sets nothing; the link of must-change goes to whoever knows the password that there is"),
    ("inspect-link", "changes nothing, and asks for the token"),
    ("complete-reset", "asks for the token of a link, which is proof of itself"),
    ("change-own", "asks for the password that there is, of the caller's own account"),
    ("address-changed", "mails fixed words without a link; the password and the address stay as they are"),
    ("check-password", "changes nothing"),
    ("generate-password", "makes one up for the field of the form; `set-password` is what would set it"),
    ("account-status", "changes nothing, and shows no secret"),
    ("recognise-hash", "changes nothing"),
    ("sample-hash", "changes nothing, and is a hash of nobody's password"),
];

#[test]
fn whatever_leads_to_a_password_asks_who_it_is_first_or_has_a_reason() {
    let manifest = manifest();
    let mut found: Vec<&str> = manifest["operations"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| !row.get("step-up").and_then(Value::as_bool).unwrap_or_default())
        .map(|row| row["name"].as_str().unwrap())
        .collect();
    let mut judged: Vec<&str> = WITHOUT_STEP_UP.iter().map(|(name, _)| *name).collect();
    judged.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, judged);
    for (name, why) in WITHOUT_STEP_UP {
        // Whoever "changes nothing" is held to it by the host.
        let row = manifest["operations"].as_array().unwrap().iter().find(|row| row["name"].as_str() == Some(name));
        let none = row.unwrap().get("effects").and_then(Value::as_str) == Some("none");
        assert_eq!(why.starts_with("changes nothing") || *name == "generate-password", none, "{name}");
    }
}

#[test]
fn every_page_and_slot_that_is_declared_is_drawn() {
    let (manifest, panel) = (manifest(), Panel::new());
    *panel.caller.borrow_mut() = Actor::Account("customer:1".to_owned());
    panel.add_customer("customer:1", "marta.vidal", "marta@estudiovidal.example", "Marta Vidal");
    for page in names(&manifest["pages"]) {
        let view = views::page(&panel, page, Some("customer:1"), Some("7RkTq7RkTq7RkTq7RkTq"), &Vec::new());
        assert!(view.is_ok(), "{page}");
    }
    for slot in names(&manifest["slots"]) {
        let regions = views::slot(&panel, slot, &[Some("customer:1".to_owned())]).unwrap();
        assert!(!regions[0].is_empty(), "{slot}");
    }
}

#[test]
fn every_form_action_is_known_by_its_name() {
    let panel = Panel::new();
    panel.add_customer("customer:1", "marta.vidal", "marta@estudiovidal.example", "Marta Vidal");
    for operation in manifest()["operations"].as_array().unwrap() {
        let name = operation["name"].as_str().unwrap();
        // For a link that was never made, a new one is not found either.
        if operation.get("form").is_none() || name == "resend-link" {
            continue;
        }
        let answer = views::submit(&panel, name, Some("customer:1"), Some("7RkTq7RkTq7RkTq7RkTq"), Vec::new());
        assert_ne!(answer, Err(Failure::NotFound), "{name}");
    }
}
