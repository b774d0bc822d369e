//! Accounts: none outside the grant, none outside the caller's reach, and no word on whether they exist.

use keyturn_host::accounts::{Field, Reach, Scope};
use keyturn_host::caller::{Actor, Caller};
use keyturn_host::plugin::grants::Grants;
use keyturn_host::plugin::manifest::{Accounts, Wants};
use keyturn_tests::{Bench, HOSTILE, all_grants};
use serde_json::{Value, json};

use super::{PEOPLE, Ring, anonymous};

/// Only customers, only their names, no hashes.
fn narrow() -> Ring {
    let bench = Bench::new(PEOPLE);
    let component = HOSTILE.packed();
    let accounts = Accounts { realms: ["customer".to_owned()].into(), read: [Field::Name].into(), credential: false };
    let grants = Wants { accounts: Some(accounts), ..all_grants() };
    let plugin = bench.host.admit("hostile", &component, &Grants::of(&component, grants)).expect("admitted");
    Ring { bench, plugin }
}

fn ask(ring: &Ring, function: &str, arguments: Value) -> String {
    ring.attack(function, arguments).expect("answers").as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_realm_outside_the_grant_is_like_one_that_does_not_exist() {
    let ring = narrow();
    assert_eq!(ask(&ring, "account", json!({"name": "ana"})), "Ok([])");
    for account in ["staff:9", "customer:77", "nowhere:1", "", "customer:", "customer:1 OR 1=1", "x"] {
        assert_eq!(
            ask(&ring, "field", json!({"account": account, "name": "name"})),
            "Err(Error::NotFound)",
            "{account}"
        );
    }
}

#[test]
fn a_field_outside_the_grant_is_denied_by_name() {
    let ring = narrow();
    assert_eq!(ask(&ring, "field", json!({"account": "customer:1", "name": "name"})), "Ok([Some(\"Marta Vidal\")])");
    for field in ["email", "password_hash", "hash", "login"] {
        let expected = format!("Err(Error::Denied(\"read {field}\"))");
        assert_eq!(ask(&ring, "field", json!({"account": "customer:1", "name": field})), expected);
    }
}

#[test]
fn without_the_credential_grant_a_hash_is_neither_read_nor_written() {
    let ring = narrow();
    assert_eq!(ask(&ring, "credential", json!({"account": "customer:1"})), "Err(Error::Denied(\"credential\"))");
    let answer = ask(&ring, "replace", json!({"account": "customer:1", "hash": "$2y$04$x"}));
    assert_eq!(answer, "Err(Error::Denied(\"credential\"))");
}

#[test]
fn what_the_panel_could_not_verify_is_not_written() {
    let ring = Ring::new();
    for hash in ["plain text", "", "$1$salt$hash", "$2y$04$short\r\n", &"x".repeat(600)] {
        let answer = ask(&ring, "replace", json!({"account": "customer:1", "hash": hash}));
        assert!(answer.starts_with("Err(Error::Denied("), "{hash}: {answer}");
    }
}

#[test]
fn a_caller_reaches_himself_and_those_whom_the_panel_lets_him_manage() {
    let ring = Ring::new();
    let as_account = |id: &str, reach: Reach| Caller::new(Actor::Account(id.parse().expect("an account")), reach);
    let name = |caller: &Caller, account: &str| {
        let answer = ring.call_as(caller, "field", json!({"account": account, "name": "login"})).expect("answers");
        answer.as_str().unwrap_or_default().contains("Some")
    };
    let marta = as_account("customer:1", Reach::none());
    assert!(name(&marta, "customer:1") && !name(&marta, "customer:2") && !name(&marta, "staff:9"));
    let reseller = as_account("staff:7", Reach::none().with("customer", Scope::Own));
    assert!(name(&reseller, "customer:1") && !name(&reseller, "customer:2"));
    let administrator = as_account("staff:9", Reach::none().with("customer", Scope::All));
    assert!(name(&administrator, "customer:2") && name(&administrator, "staff:9"));
    let machine = Caller::new(Actor::ServiceKey("billing".to_owned()), Reach::none().with("customer", Scope::All));
    assert!(matches!(
        ring.call_as(&machine, "well", json!({"text": "x"})),
        Err(keyturn_host::CallError::Denied { .. })
    ));
    assert!(name(&anonymous(), "customer:1"));
}
