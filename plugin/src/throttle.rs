//! Limits how often somebody may try. It counts what was typed, known or not, so a refusal says nothing about who exists.
//! Refused attempts are not counted, so they prolong nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::bindings::call::Actor;
use crate::bindings::database::{Counted, Counter};
use crate::bindings::types::Failure;
use crate::device::Device;
use crate::ports::Ports;
use crate::settings::{self, Number};
use crate::store;

/// One kind of counters, with its settings.
pub(crate) struct Kind {
    /// The first part of the counters' keys.
    name: &'static str,
    per_name: &'static Number,
    /// How many times as many pass for a name from all addresses together, and for an account from all its devices.
    everywhere: u64,
    per_address: &'static Number,
    window_minutes: &'static Number,
}

/// Attempts to sign in. One stranger must not lock somebody out, and many together must not guess forever.
pub(crate) const ATTEMPTS: Kind = Kind {
    name: "attempts",
    per_name: &settings::ATTEMPTS_PER_NAME,
    everywhere: 10,
    per_address: &settings::ATTEMPTS_PER_ADDRESS,
    window_minutes: &settings::ATTEMPTS_WINDOW_MINUTES,
};

/// Requested links. Their recipients must not be flooded, from wherever.
pub(crate) const REQUESTS: Kind = Kind {
    name: "requests",
    per_name: &settings::REQUESTS_PER_NAME,
    everywhere: 1,
    per_address: &settings::REQUESTS_PER_ADDRESS,
    window_minutes: &settings::REQUESTS_WINDOW_MINUTES,
};

/// The width of a network, and how many times as many pass from it as from one address.
struct Width {
    bits: u8,
    /// For one name. Even the widest passes less than [`Kind::everywhere`], so no network can close a name to all others.
    for_name: u64,
    /// For all names. Much more, because many people share a wide network, such as a carrier's.
    across: u64,
}

/// For IPv4. One machine has one address; somebody who rents more mostly has them in one /24.
const V4: [Width; 2] = [Width { bits: 32, for_name: 1, across: 1 }, Width { bits: 24, for_name: 4, across: 16 }];

/// For IPv6. A machine chooses its addresses within a /64 (RFC 4291, section 2.5.4); a customer has a /56 or a /48 (RFC 6177).
const V6: [Width; 3] = [
    Width { bits: 64, for_name: 1, across: 1 },
    Width { bits: 56, for_name: 2, across: 4 },
    Width { bits: 48, for_name: 4, across: 16 },
];

/// People without a known address all share what one address has.
const NO_ADDRESS: [Width; 1] = [Width { bits: 0, for_name: 1, across: 1 }];

impl Kind {
    fn counter(&self, ports: &dyn Ports, by: &str, whom: &str, limit: u64) -> Counter {
        let digest = ports.mac(self.name, whom.as_bytes());
        let window = self.window_minutes.of(ports) * 60;
        Counter { key: store::counter_key(self.name, by, &digest), limit, window }
    }

    fn per_name(&self, ports: &dyn Ports) -> u64 {
        self.per_name.of(ports).into()
    }

    /// By the name as typed, folded, from everywhere. At a sign-in, a counter of the account would reveal that two names are
    /// one account.
    pub(crate) fn by_name(&self, ports: &dyn Ports, typed: &str) -> Counter {
        self.counter(ports, "name", &ports.fold(typed), self.per_name(ports) * self.everywhere)
    }

    /// By the name as typed, folded, for each network that the person's address is in. None for the console, and for a machine
    /// that passes on no address.
    pub(crate) fn by_name_from_here(&self, ports: &dyn Ports, typed: &str) -> Vec<Counter> {
        let (typed, limit) = (ports.fold(typed), self.per_name(ports));
        let counter = |(from, width): (String, &Width)| {
            self.counter(ports, "name-from", &format!("{from} {typed}"), limit * width.for_name)
        };
        networks(ports).into_iter().map(counter).collect()
    }

    /// By each network that the person's address is in. None for the console, and for a machine that passes on no address: they
    /// speak for many people.
    pub(crate) fn by_address(&self, ports: &dyn Ports) -> Vec<Counter> {
        let limit = u64::from(self.per_address.of(ports));
        let counter = |(from, width): (String, &Width)| self.counter(ports, "address", &from, limit * width.across);
        networks(ports).into_iter().map(counter).collect()
    }

    /// By the account, if it is known.
    pub(crate) fn by_account(&self, ports: &dyn Ports, account: &str) -> Counter {
        self.counter(ports, "account", account, self.per_name(ports))
    }

    /// By a device that has signed in to the account before.
    pub(crate) fn by_device(&self, ports: &dyn Ports, device: &Device) -> Counter {
        self.counter(ports, "device", &store::hex(&device.id), self.per_name(ports))
    }

    /// By all devices that have signed in to the account before: somebody who has signed in often, with an older password, has
    /// many.
    pub(crate) fn by_devices(&self, ports: &dyn Ports, account: &str) -> Counter {
        self.counter(ports, "devices", account, self.per_name(ports) * self.everywhere)
    }
}

/// Resets the counter, when the caller's effects are applied.
pub(crate) fn forget(ports: &dyn Ports, counter: &Counter) -> Result<(), Failure> {
    Ok(ports.forget(&counter.key)?)
}

/// Counts one on each if all have room, otherwise none. Answers the seconds until they have.
fn full(ports: &dyn Ports, counters: &[Counter]) -> Result<Option<u32>, Failure> {
    Ok(match ports.count(counters)? {
        Counted::Within => None,
        Counted::Full(seconds) => Some(seconds),
    })
}

/// Counts one on each if all have room, otherwise none. Answers whether any is full.
pub(crate) fn exceeded(ports: &dyn Ports, counters: &[Counter]) -> Result<bool, Failure> {
    Ok(full(ports, counters)?.is_some())
}

/// Counts one attempt on each counter of the first way whose counters all have room.
///
/// # Errors
/// `throttled` if no way has room, until one has.
pub(crate) fn attempt<'a>(ports: &dyn Ports, ways: impl IntoIterator<Item = &'a [Counter]>) -> Result<(), Failure> {
    let mut wait = u32::MAX;
    for way in ways {
        match full(ports, way)? {
            None => return Ok(()),
            Some(seconds) => wait = wait.min(seconds),
        }
    }
    Err(Failure::Throttled(wait))
}

/// The networks that the person's address is in, the narrowest first. None for the console, the system, and a machine that
/// passes on no address.
fn networks(ports: &dyn Ports) -> Vec<(String, &'static Width)> {
    let address =
        ports.address().and_then(|address| address.parse().ok()).map(|address: IpAddr| address.to_canonical());
    match (ports.caller(), address) {
        (Actor::Console | Actor::System, _) | (Actor::ServiceKey(_), None) => Vec::new(),
        (_, None) => NO_ADDRESS.iter().map(|width| ("no address".to_owned(), width)).collect(),
        (_, Some(IpAddr::V4(address))) => V4.iter().map(|width| (within_v4(address, width.bits), width)).collect(),
        (_, Some(IpAddr::V6(address))) => V6.iter().map(|width| (within_v6(address, width.bits), width)).collect(),
    }
}

fn within_v4(address: Ipv4Addr, bits: u8) -> String {
    let network = u32::from(address) & (u32::MAX << (32 - bits));
    format!("{}/{bits}", Ipv4Addr::from(network))
}

fn within_v6(address: Ipv6Addr, bits: u8) -> String {
    let network = u128::from(address) & (u128::MAX << (128 - bits));
    format!("{}/{bits}", Ipv6Addr::from(network))
}
