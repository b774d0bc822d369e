//! How often somebody may try. Counts what was typed, known or not, so that a refusal says nothing about who exists.

use std::net::{IpAddr, Ipv6Addr};

use crate::bindings::call::Actor;
use crate::bindings::types::Failure;
use crate::ports::Ports;
use crate::settings::{self, Number};
use crate::store;

/// What is counted, with the settings of it.
pub(crate) struct Kind {
    /// Begins the counters' keys.
    name: &'static str,
    per_name: &'static Number,
    /// How many addresses may each use up what there is for a name before it is closed to all of them.
    addresses: u64,
    per_address: &'static Number,
    window_minutes: &'static Number,
}

/// Passwords tried. One stranger must not lock somebody out, and many together must not guess for ever.
pub(crate) const ATTEMPTS: Kind = Kind {
    name: "attempts",
    per_name: &settings::ATTEMPTS_PER_NAME,
    addresses: 10,
    per_address: &settings::ATTEMPTS_PER_ADDRESS,
    window_minutes: &settings::ATTEMPTS_WINDOW_MINUTES,
};

/// Links asked for. Who gets them must not be flooded, from wherever.
pub(crate) const REQUESTS: Kind = Kind {
    name: "requests",
    per_name: &settings::REQUESTS_PER_NAME,
    addresses: 1,
    per_address: &settings::REQUESTS_PER_ADDRESS,
    window_minutes: &settings::REQUESTS_WINDOW_MINUTES,
};

/// One counter with its limit.
pub(crate) struct Counter {
    key: String,
    limit: u64,
    window: u32,
}

impl Kind {
    fn counter(&self, ports: &dyn Ports, by: &str, whom: &str, limit: u64) -> Counter {
        let digest = ports.mac(self.name, whom.as_bytes());
        let window = self.window_minutes.of(ports) * 60;
        Counter { key: store::counter_key(self.name, by, &digest), limit, window }
    }

    fn per_name(&self, ports: &dyn Ports) -> u64 {
        self.per_name.of(ports).into()
    }

    /// By the name as typed, folded. At a sign-in the counter of the account behind it would tell that two names are one account.
    pub(crate) fn by_name(&self, ports: &dyn Ports, typed: &str) -> Counter {
        self.counter(ports, "name", &ports.fold(typed), self.per_name(ports) * self.addresses)
    }

    /// By the name as typed, folded, from the client's address. Of a machine or the console: by the name alone.
    pub(crate) fn by_name_from_here(&self, ports: &dyn Ports, typed: &str) -> Counter {
        let from = network(ports).unwrap_or_default();
        self.counter(ports, "name-from", &format!("{from} {}", ports.fold(typed)), self.per_name(ports))
    }

    /// By the client's address. None for a machine or the console: what comes through them comes from many people.
    pub(crate) fn by_address(&self, ports: &dyn Ports) -> Option<Counter> {
        let limit = self.per_address.of(ports).into();
        network(ports).map(|from| self.counter(ports, "address", &from, limit))
    }

    /// By the account, where it is known whose it is.
    pub(crate) fn by_account(&self, ports: &dyn Ports, account: &str) -> Counter {
        self.counter(ports, "account", account, self.per_name(ports))
    }
}

impl Counter {
    /// Begins anew, when the caller's effects are applied.
    pub(crate) fn forget(&self, ports: &dyn Ports) -> Result<(), Failure> {
        Ok(ports.forget(&self.key)?)
    }
}

/// Counts one on each, in their order, until one is over its limit, and answers whether any is: what is refused by its address
/// makes no counter for each name that it tries, and adds nothing to the name's.
pub(crate) fn exceeded<'a>(
    ports: &dyn Ports,
    counters: impl IntoIterator<Item = &'a Counter>,
) -> Result<bool, Failure> {
    for counter in counters {
        if ports.count(&counter.key, counter.window)? > counter.limit {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Counts one attempt on each, as [`exceeded`].
///
/// The wait is the whole window: refused attempts count too, so only a window without any is surely enough.
pub(crate) fn attempt<'a>(ports: &dyn Ports, counters: impl IntoIterator<Item = &'a Counter>) -> Result<(), Failure> {
    match exceeded(ports, counters)? {
        true => Err(Failure::Throttled(settings::ATTEMPTS_WINDOW_MINUTES.of(ports) * 60)),
        false => Ok(()),
    }
}

/// Of people without an address: one place for all of them.
const NOWHERE: &str = "nowhere";

/// Where a person calls from: his address, or the network of 64 bits that an IPv6 address is one of as many as its owner
/// likes (RFC 4291, section 2.5.4). None for a machine or the console: what comes through them comes from many people.
fn network(ports: &dyn Ports) -> Option<String> {
    match ports.caller() {
        Actor::Anonymous | Actor::Account(_) => Some(ports.address().map_or_else(
            || NOWHERE.to_owned(),
            |address| match address.parse() {
                Ok(IpAddr::V6(address)) if address.to_ipv4_mapped().is_none() => {
                    let network = u128::from(address) & (u128::MAX << 64);
                    format!("{}/64", Ipv6Addr::from(network))
                }
                _ => address,
            },
        )),
        Actor::ServiceKey(_) | Actor::Console | Actor::System => None,
    }
}
