//! How often somebody may try. Counts what was typed, known or not, so that a refusal says nothing about who exists.

use std::net::{IpAddr, Ipv6Addr};

use crate::bindings::call::Actor;
use crate::bindings::types::Failure;
use crate::ports::Ports;
use crate::settings;
use crate::store;

/// How many addresses may each use up their attempts on a name before it is closed to all of them: one stranger must not
/// lock somebody out, and many together must not guess for ever.
const ADDRESSES_PER_NAME: u64 = 10;

/// One counter with its limit.
pub(crate) struct Counter {
    key: String,
    limit: u64,
}

impl Counter {
    /// Of the name as typed, folded. The counter of the account behind it would tell that two names are one account.
    pub(crate) fn of_name(ports: &dyn Ports, typed: &str) -> Self {
        let limit = u64::from(settings::ATTEMPTS_PER_NAME.of(ports)) * ADDRESSES_PER_NAME;
        Counter { key: key(ports, "name", &ports.fold(typed)), limit }
    }

    /// Of the name as typed, folded, from the client's address. Of a machine or the console: of the name alone.
    pub(crate) fn of_name_from_here(ports: &dyn Ports, typed: &str) -> Self {
        let from = network(ports).unwrap_or_default();
        let limit = u64::from(settings::ATTEMPTS_PER_NAME.of(ports));
        Counter { key: key(ports, "name-from", &format!("{from} {}", ports.fold(typed))), limit }
    }

    /// Of the client's address. None for a machine or the console: what comes through them comes from many people.
    pub(crate) fn of_address(ports: &dyn Ports) -> Option<Self> {
        let limit = u64::from(settings::ATTEMPTS_PER_ADDRESS.of(ports));
        network(ports).map(|from| Counter { key: key(ports, "address", &from), limit })
    }

    /// Of a person who is signed in and proves himself again.
    pub(crate) fn of_account(ports: &dyn Ports, account: &str) -> Self {
        let limit = u64::from(settings::ATTEMPTS_PER_NAME.of(ports));
        Counter { key: key(ports, "account", account), limit }
    }

    /// Begins anew, when the caller's effects are applied.
    pub(crate) fn forget(&self, ports: &dyn Ports) -> Result<(), Failure> {
        Ok(ports.forget(&self.key)?)
    }
}

/// Counts one attempt on each, in their order, until one refuses: what is refused by its address makes no counter for each
/// name that it tries, and adds nothing to the name's.
///
/// The wait is the whole window: refused attempts count too, so only a window without any is surely enough.
pub(crate) fn attempt(ports: &dyn Ports, counters: &[&Counter]) -> Result<(), Failure> {
    let window = settings::ATTEMPTS_WINDOW_MINUTES.of(ports) * 60;
    for counter in counters {
        if ports.count(&counter.key, window)? > counter.limit {
            return Err(Failure::Throttled(window));
        }
    }
    Ok(())
}

fn key(ports: &dyn Ports, kind: &str, of: &str) -> String {
    store::attempts_key(kind, &ports.mac("attempts", of.as_bytes()))
}

/// Where a person calls from: his address, or the network of 64 bits that an IPv6 address is one of as many as its owner
/// likes (RFC 4291, section 2.5.4). None for a machine or the console: what comes through them comes from many people.
fn network(ports: &dyn Ports) -> Option<String> {
    match ports.caller() {
        Actor::Anonymous | Actor::Account(_) => ports.address().map(|address| match address.parse() {
            Ok(IpAddr::V6(address)) if address.to_ipv4_mapped().is_none() => {
                let network = u128::from(address) & (u128::MAX << 64);
                format!("{}/64", Ipv6Addr::from(network))
            }
            _ => address,
        }),
        Actor::ServiceKey(_) | Actor::Console | Actor::System => None,
    }
}
