//! Effects: none where there must be none, none too many, none left behind.

use keyturn_host::CallError;
use keyturn_host::plugin::limits::Limits;
use serde_json::json;

use super::{Ring, anonymous, surface};

#[test]
fn an_effect_in_a_page_stops_the_plugin() {
    let ring = Ring::new();
    for page in ["put", "count", "replace"] {
        let end = ring.bench.host.page("hostile", page, None, &[], &surface(&anonymous()));
        assert!(matches!(end, Err(CallError::EffectsRefused { .. })), "{page}: {end:?}");
    }
    assert_eq!(ring.call("fetch", json!({"key": "from a page"})).expect("reads"), json!(null));
    ring.bench.host.page("hostile", "honest", None, &[], &surface(&anonymous())).expect("the next page is drawn");
}

#[test]
fn a_hundred_thousand_effects_are_too_many() {
    let ring = Ring::new();
    let end = ring.attack("effects", json!({"count": 100_000})).expect("answers");
    assert_eq!(end, json!("256: Error::Limit(\"effects\")"));
}

#[test]
fn the_bytes_of_effects_are_limited() {
    let ring = Ring::new();
    let end = ring.attack("big-effects", json!({"count": 100, "bytes": 60_000})).expect("answers");
    assert_eq!(end, json!("17: Error::Limit(\"effects-bytes\")"));
}

#[test]
fn the_bytes_that_a_plugin_stores_are_limited_and_nothing_is_half_there() {
    let ring = Ring::with(Limits { stored_bytes: 100_000, ..Limits::default() });
    ring.hits("stored-bytes", "big-effects", json!({"count": 3, "bytes": 60_000}));
    assert_eq!(ring.call("fetch", json!({"key": "big/0"})).expect("reads"), json!(null));
    assert_eq!(ring.attack("big-effects", json!({"count": 1, "bytes": 60_000})).expect("fits"), json!("all"));
}

#[test]
fn keys_and_values_beyond_their_limits_are_refused_by_name() {
    let ring = Ring::new();
    for (key, value, end) in [
        (201, 1, "Err(Error::Limit(\"key\"))"),
        (0, 1, "Err(Error::Limit(\"key\"))"),
        (1, 65_537, "Err(Error::Limit(\"value\"))"),
        (200, 65_536, "Ok(())"),
    ] {
        let answer = ring.attack("store", json!({"key_bytes": key, "value_bytes": value})).expect("answers");
        assert_eq!(answer, json!(end));
    }
}

#[test]
fn reads_are_limited() {
    let ring = Ring::new();
    assert_eq!(ring.attack("reads", json!({"count": 5_000})).expect("answers"), json!("2048: Error::Limit(\"reads\")"));
}

#[test]
fn a_failure_or_a_trap_leaves_nothing_behind() {
    let ring = Ring::new();
    assert!(matches!(ring.attack("fail-after-put", json!({"key": "left"})), Err(CallError::Failed(_))));
    assert!(matches!(ring.attack("trap-after-put", json!({"key": "left"})), Err(CallError::Trap { .. })));
    assert_eq!(ring.call("fetch", json!({"key": "left"})).expect("reads"), json!(null));
}

#[test]
fn failures_and_traps_are_audited_by_the_host() {
    let ring = Ring::new();
    let _ = ring.call("fail-after-put", json!({"key": "left"}));
    let _ = ring.call("trap-after-put", json!({"key": "left"}));
    let filter = keyturn_host::storage::AuditFilter { limit: 10, ..Default::default() };
    let entries = ring.bench.host.audit(&filter).expect("lists");
    let seen: Vec<(&str, &str)> =
        entries.iter().map(|(_, entry)| (entry.operation.as_str(), entry.outcome.as_str())).collect();
    assert_eq!(seen, [("trap-after-put", "trap"), ("fail-after-put", "forbidden")]);
}

#[test]
fn another_plugins_data_is_not_there() {
    let ring = Ring::new();
    ring.call("store", json!({"key_bytes": 3, "value_bytes": 2})).expect("stores");
    let component = keyturn_tests::HOSTILE.packed();
    let grants = keyturn_host::plugin::grants::Grants::of(&component, keyturn_tests::all_grants());
    // The same component under another name is another plugin.
    ring.bench.host.arrange(Vec::new());
    ring.bench.host.admit("a-stranger", &component, &grants).expect("admitted");
    assert_eq!(ring.call("fetch", json!({"key": "kkk"})).expect("reads"), json!(null));
}

#[test]
fn an_idempotency_key_does_a_thing_once_and_answers_the_same() {
    let ring = Ring::new();
    let call =
        |key: &str, n: u32| ring.bench.host.call(&anonymous(), "attacks/effects", &json!({"count": n}), Some(key));
    assert_eq!(call("k", 2).expect("done"), json!("all"));
    assert_eq!(call("k", 2).expect("done before"), json!("all"));
    assert!(matches!(call("k", 3), Err(CallError::KeyReused)));
    let filter = keyturn_host::storage::AuditFilter { limit: 10, ..Default::default() };
    assert_eq!(ring.bench.host.audit(&filter).expect("lists").len(), 1);
}
