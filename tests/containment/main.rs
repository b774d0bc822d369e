//! What a hostile plugin tries, and how it ends: each by the kind of its error, and with the next call served.

mod admission;
mod background;
mod calls;
mod data;
mod drawing;
mod foreign;
mod notes;
mod people;

use std::sync::Arc;

use keyturn_host::accounts::Reach;
use keyturn_host::caller::{Actor, Caller};
use keyturn_host::plugin::admit::Plugin;
use keyturn_host::plugin::grants::Grants;
use keyturn_host::plugin::limits::Limits;
use keyturn_host::view::Links;
use keyturn_host::view::nodes::Target;
use keyturn_host::{CallError, embed::Surface};
use keyturn_tests::{Bench, HOSTILE, all_grants};
use serde_json::{Value, json};

const PEOPLE: &str = "
    INSERT INTO people (id, kind, login, email, name, reseller_id, password_hash) VALUES
        (1, 'customer', 'marta', 'marta@vidal.example', 'Marta Vidal', 7, '$2y$04$abcdefghijklmnopqrstuuAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'),
        (2, 'customer', 'omar', NULL, 'Omar', NULL, NULL),
        (9, 'administrator', 'ana', 'ana@northwind.example', 'Ana Ferrer', NULL, NULL);
";

/// A host with the hostile plugin and every grant.
struct Ring {
    bench: Bench,
    plugin: Arc<Plugin>,
}

impl Ring {
    fn new() -> Self {
        Self::with(Limits::default())
    }

    fn with(limits: Limits) -> Self {
        let bench = Bench::new(PEOPLE);
        let component = HOSTILE.packed();
        let grants = Grants { limits, ..Grants::of(&component, all_grants()) };
        let plugin = bench.host.admit("hostile", &component, &grants).expect("admitted");
        Self { bench, plugin }
    }

    fn call(&self, function: &str, arguments: Value) -> Result<Value, CallError> {
        self.call_as(&anonymous(), function, arguments)
    }

    fn call_as(&self, caller: &Caller, function: &str, arguments: Value) -> Result<Value, CallError> {
        self.bench.host.call(caller, &format!("attacks/{function}"), &arguments, None)
    }

    /// The attack's end; then the next call is served as if nothing had been.
    fn attack(&self, function: &str, arguments: Value) -> Result<Value, CallError> {
        let end = self.call(function, arguments);
        assert_eq!(self.call("well", json!({"text": "next"})).expect("the next call is served"), json!("next"));
        end
    }

    #[track_caller]
    fn hits(&self, limit: &str, function: &str, arguments: Value) {
        match self.attack(function, arguments) {
            Err(CallError::Limit { plugin, limit: hit }) => assert_eq!((plugin.as_str(), hit), ("hostile", limit)),
            other => panic!("{function} ended otherwise: {other:?}"),
        }
    }
}

fn anonymous() -> Caller {
    Caller::new(Actor::Anonymous, Reach::none())
}

/// Targets of a panel that has none.
struct Nowhere;

impl Links for Nowhere {
    fn url(&self, _: &str, _: &Target) -> String {
        "/".to_owned()
    }
}

fn surface(caller: &Caller) -> Surface<'_> {
    Surface { caller, submit_url: "/here", join: None, links: &Nowhere, corrections: None }
}
