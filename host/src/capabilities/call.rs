//! `keyturn:panel/call`: who is calling, from where, in which language, and the call's one instant.

use crate::bindings::keyturn::panel::call::{Actor, Host};
use crate::call::state::State;
use crate::caller;

impl Host for State {
    fn caller(&mut self) -> wasmtime::Result<Actor> {
        Ok(match &self.call.caller.actor {
            caller::Actor::Anonymous => Actor::Anonymous,
            caller::Actor::Account(id) => Actor::Account(id.to_string()),
            caller::Actor::ServiceKey(name) => Actor::ServiceKey(name.clone()),
            caller::Actor::Console => Actor::Console,
            caller::Actor::System => Actor::System,
        })
    }

    fn address(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(self.call.caller.person_address().map(|address| address.to_canonical().to_string()))
    }

    fn locale(&mut self) -> wasmtime::Result<String> {
        Ok(self.call.caller.locale.clone())
    }

    fn now(&mut self) -> wasmtime::Result<i64> {
        Ok(self.call.now)
    }
}
