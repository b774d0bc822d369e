//! A component that nobody designed with this host in mind: another contract, another manifest, a page and a hook. It
//! loads without a line changed in the host.

use base64::Engine as _;
use keyturn_host::accounts::Reach;
use keyturn_host::caller::{Actor, Caller};
use keyturn_host::plugin::manifest::Wants;
use keyturn_host::{CallError, Host};
use keyturn_tests::{Bench, FOREIGN};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

fn bench() -> Bench {
    let bench = Bench::new("");
    bench.admit("acme-report", FOREIGN, Wants { database: true, ..Wants::default() });
    bench
}

fn console() -> Caller {
    Caller::new(Actor::Console, Reach::none())
}

fn call(host: &Host, hook: &str, arguments: Value) -> Result<Value, CallError> {
    host.call(&console(), hook, &arguments, None)
}

#[test]
fn its_hooks_are_called_by_name_with_json() {
    let bench = bench();
    assert_eq!(call(&bench.host, "report/greet", json!({"name": "Ana"})).expect("answers"), json!("Hello, Ana."));
    assert_eq!(call(&bench.host, "report/visit", json!({"page_name": "home"})).expect("counts"), json!(1));
    assert_eq!(call(&bench.host, "report/visit", json!({"page_name": "home"})).expect("counts"), json!(2));
}

#[test]
fn every_shape_of_value_goes_in_and_comes_out() {
    let bench = bench();
    let arguments = json!({
        "window": {"kind": "last", "value": [7.0, "days"]},
        "marks": ["flagged"],
        "digest": "AAEC/w==",
        "weights": [1, 2.5],
    });
    let answer = call(&bench.host, "report/summarise", arguments).expect("answers");
    let expected = json!({
        "total": 0, "mean": 1.75, "marks": ["flagged"], "digest": "AAEC/w==", "note": null,
        "window": {"kind": "last", "value": [7, "days"]},
    });
    assert_eq!(answer, expected);
}

#[test]
fn an_error_of_its_own_type_is_answered_in_its_own_words() {
    let bench = bench();
    let arguments = json!({
        "window": {"kind": "between", "value": {"low": 5, "high": -5}}, "marks": [], "digest": "", "weights": [],
    });
    match call(&bench.host, "report/summarise", arguments) {
        Err(CallError::Error(error)) => assert_eq!(error, json!({"kind": "too_wide", "value": {"low": 5, "high": -5}})),
        other => panic!("{other:?}"),
    }
}

#[test]
fn arguments_that_do_not_fit_are_refused_by_their_path() {
    let bench = bench();
    for (arguments, path) in [
        (json!({}), "arguments.name"),
        (json!({"name": 5}), "arguments.name"),
        (json!({"name": "Ana", "extra": 1}), "arguments.extra"),
        (json!([]), "arguments"),
    ] {
        match call(&bench.host, "report/greet", arguments) {
            Err(CallError::Arguments(misfit)) => assert_eq!(misfit.path, path),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_ungranted_import_is_refused_by_name_and_setting() {
    let bench = Bench::new("");
    let component = FOREIGN.packed();
    let grants = keyturn_host::plugin::grants::Grants::of(&component, Wants::default());
    let refused = bench.host.admit("acme-report", &component, &grants).err().expect("refused").to_string();
    assert!(refused.contains("keyturn:panel/database@0.1.0") && refused.contains("`grants.database`"), "{refused}");
}

/// Values that the hook gives back as it got them.
fn echoed() -> impl Strategy<Value = (Value, Value, Value)> {
    let window = prop_oneof![
        Just(json!({"kind": "all"})),
        (any::<u32>(), prop_oneof![Just("hours"), Just("days")])
            .prop_map(|(count, unit)| json!({"kind": "last", "value": [count, unit]})),
        (any::<i32>(), any::<i32>()).prop_map(|(one, other)| {
            json!({"kind": "between", "value": {"low": one.min(other), "high": one.max(other)}})
        }),
    ];
    let marks = proptest::sample::subsequence(vec!["seen", "flagged"], 0..=2).prop_map(|marks| json!(marks));
    let digest = proptest::collection::vec(any::<u8>(), 0..200)
        .prop_map(|bytes| json!(base64::engine::general_purpose::STANDARD.encode(bytes)));
    (window, marks, digest)
}

/// Any JSON at all.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("(window|marks|digest|weights|kind|value|[a-z]{1,5})", inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

#[test]
fn whatever_fits_its_type_comes_back_the_same() {
    let bench = bench();
    let mut runner = TestRunner::new(Config { cases: 300, failure_persistence: None, ..Config::default() });
    let property = runner.run(&echoed(), |(window, marks, digest)| {
        let arguments = json!({"window": window, "marks": marks, "digest": digest, "weights": []});
        let answer = call(&bench.host, "report/summarise", arguments).expect("answers");
        prop_assert_eq!((&answer["window"], &answer["marks"], &answer["digest"]), (&window, &marks, &digest));
        Ok(())
    });
    property.expect("holds");
}

#[test]
fn whatever_does_not_fit_is_refused_by_a_path_and_breaks_nothing() {
    let bench = bench();
    let mut runner = TestRunner::new(Config { cases: 500, failure_persistence: None, ..Config::default() });
    let property = runner.run(&anything(), |arguments| {
        match call(&bench.host, "report/summarise", arguments) {
            Err(CallError::Arguments(misfit)) => prop_assert!(misfit.path.starts_with("arguments")),
            Ok(_) | Err(CallError::Error(_)) => {}
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
        }
        Ok(())
    });
    property.expect("holds");
}
