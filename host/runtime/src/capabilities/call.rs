//! `keyturn:panel/call`: who calls, from where, in which language, and the time of the call.

use crate::call::ledger::View;
use keyturn_contract::keyturn::panel::call::{Actor, Host};
use keyturn_core::caller;

impl Host for View<'_, ()> {
    fn caller(&mut self) -> wasmtime::Result<Actor> {
        Ok(match &self.ledger.caller.actor {
            caller::Actor::Anonymous => Actor::Anonymous,
            caller::Actor::Account(id) => Actor::Account(id.to_string()),
            caller::Actor::ServiceKey(name) => Actor::ServiceKey(name.clone()),
            caller::Actor::Console => Actor::Console,
            caller::Actor::System => Actor::System,
        })
    }

    fn address(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(self.ledger.caller.person_address().map(|address| address.to_canonical().to_string()))
    }

    fn locale(&mut self) -> wasmtime::Result<String> {
        Ok(self.ledger.caller.locale.clone())
    }

    fn now(&mut self) -> wasmtime::Result<i64> {
        Ok(self.ledger.now)
    }
}
