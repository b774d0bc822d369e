//! A component that nobody designed with this host in mind: another contract, another manifest, a page and a hook. It
//! loads without a line changed in the host.

use keyturn_host::accounts::Reach;
use keyturn_host::caller::{Actor, Caller};
use keyturn_host::plugin::manifest::Wants;
use keyturn_host::{CallError, Host};
use keyturn_tests::{Bench, FOREIGN};
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
