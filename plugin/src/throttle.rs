//! How often somebody may try. Counts what was typed, known or not, so that a refusal says nothing about who exists.

use crate::bindings::call::Actor;
use crate::bindings::types::Failure;
use crate::ports::Ports;
use crate::settings::{self, Number};
use crate::store;

/// One counter with its setting.
pub(crate) struct Counter {
    key: String,
    limit: &'static Number,
}

impl Counter {
    /// Of the name as typed, folded. The counter of the account behind it would tell that two names are one account.
    pub(crate) fn of_name(ports: &dyn Ports, typed: &str) -> Self {
        let digest = ports.mac("attempts", ports.fold(typed).as_bytes());
        Counter { key: store::attempts_key("name", &digest), limit: &settings::ATTEMPTS_PER_NAME }
    }

    /// Of the client's address. None for a machine or the console: what comes through them comes from many people.
    pub(crate) fn of_address(ports: &dyn Ports) -> Option<Self> {
        match ports.caller() {
            Actor::Anonymous | Actor::Account(_) => ports.address().map(|address| Counter {
                key: store::attempts_key("address", &ports.mac("attempts", address.as_bytes())),
                limit: &settings::ATTEMPTS_PER_ADDRESS,
            }),
            Actor::ServiceKey(_) | Actor::Console | Actor::System => None,
        }
    }

    /// Of a person who is signed in and proves himself again.
    pub(crate) fn of_account(ports: &dyn Ports, account: &str) -> Self {
        let digest = ports.mac("attempts", account.as_bytes());
        Counter { key: store::attempts_key("account", &digest), limit: &settings::ATTEMPTS_PER_NAME }
    }

    /// Begins anew, when the caller's effects are applied.
    pub(crate) fn forget(&self, ports: &dyn Ports) -> Result<(), Failure> {
        Ok(ports.forget(&self.key)?)
    }
}

/// Counts one attempt on each; every one is counted, also when the first already refuses.
///
/// The wait is the whole window: refused attempts count too, so only a window without any is surely enough.
pub(crate) fn attempt(ports: &dyn Ports, counters: &[&Counter]) -> Result<(), Failure> {
    let window = settings::ATTEMPTS_WINDOW_MINUTES.of(ports) * 60;
    let mut over = false;
    for counter in counters {
        over |= ports.count(&counter.key, window)? > u64::from(counter.limit.of(ports));
    }
    if over { Err(Failure::Throttled(window)) } else { Ok(()) }
}
