//! Shares of limited things: connections, requests, memory for bodies. One unknown address gets one share. Unknown addresses
//! together leave a quarter for clients that the operator knows, and each of those has a larger share.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use keyturn_core::network::Network;
pub use keyturn_package::limits::Budget;

/// Whose share it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Whose {
    network: Option<Network>,
    known: bool,
}

impl Whose {
    pub(super) fn new(address: Option<IpAddr>, known: bool) -> Self {
        Self { network: address.map(Network::around), known }
    }
}

/// Nothing is left, for all or for this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

/// The time between two log lines about one limit.
const SAID_EVERY: Duration = Duration::from_secs(60);

/// The shares of one thing.
pub(super) struct Ledger {
    budget: Budget,
    /// The setting of all; those of each and of known ones begin like it.
    setting: &'static str,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    all: usize,
    strangers: usize,
    of: HashMap<Whose, usize>,
    said: [Said; 3],
}

#[derive(Default, Clone, Copy)]
struct Said {
    at: Option<Instant>,
    since: u64,
}

impl Ledger {
    pub(super) fn new(budget: Budget, setting: &'static str) -> Arc<Self> {
        Arc::new(Self { budget, setting, held: Mutex::default() })
    }

    /// An empty share.
    pub(super) fn share(self: &Arc<Self>, whose: Whose) -> Share {
        Share { ledger: Arc::clone(self), whose, held: AtomicUsize::new(0) }
    }

    pub(super) fn take(self: &Arc<Self>, whose: Whose, amount: usize) -> Result<Share, Full> {
        let share = self.share(whose);
        share.more(amount).map(|()| share)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, whose: Whose, amount: usize) -> Result<(), Full> {
        let Budget { all, each, known } = self.budget;
        let mut held = self.held();
        let own = held.of.get(&whose).copied().unwrap_or_default();
        let with = |before: usize| before.saturating_add(amount);
        let strangers_all = all - all / 4;
        let met = match whose.known {
            true if with(own) > known => Some((2, known)),
            false if with(own) > each => Some((1, each)),
            false if with(held.strangers) > strangers_all => Some((0, strangers_all)),
            _ if with(held.all) > all => Some((0, all)),
            _ => None,
        };
        if let Some((setting, limit)) = met {
            if let Some(times) = held.said[setting].again() {
                drop(held);
                let from = whose.network.map_or_else(|| "no known address".to_owned(), |network| network.to_string());
                let setting = format!("{}{}", self.setting, ["", "-per-address", "-per-known-address"][setting]);
                tracing::warn!(setting, limit, from, times, "a limit is reached: requests above it get 503");
            }
            return Err(Full);
        }
        held.all += amount;
        held.strangers += if whose.known { 0 } else { amount };
        *held.of.entry(whose).or_default() += amount;
        Ok(())
    }

    fn give_back(&self, whose: Whose, amount: usize) {
        let mut held = self.held();
        held.all -= amount;
        held.strangers -= if whose.known { 0 } else { amount };
        if let Some(own) = held.of.get_mut(&whose) {
            *own -= amount;
            if *own == 0 {
                held.of.remove(&whose);
            }
        }
    }
}

impl Said {
    /// How often the limit was reached since the last log line, if it is time for the next: a flood must not fill the log.
    fn again(&mut self) -> Option<u64> {
        self.since += 1;
        if self.at.is_some_and(|at| at.elapsed() < SAID_EVERY) {
            return None;
        }
        self.at = Some(Instant::now());
        Some(std::mem::take(&mut self.since))
    }
}

/// What one client holds, until it is dropped.
pub(super) struct Share {
    ledger: Arc<Ledger>,
    whose: Whose,
    held: AtomicUsize,
}

impl Share {
    pub(super) fn more(&self, amount: usize) -> Result<(), Full> {
        if amount > 0 {
            self.ledger.add(self.whose, amount)?;
            self.held.fetch_add(amount, Ordering::Relaxed);
        }
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let held = *self.held.get_mut();
        if held > 0 {
            self.ledger.give_back(self.whose, held);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whose(address: &str, known: bool) -> Whose {
        Whose::new(address.parse().ok(), known)
    }

    #[test]
    fn one_stranger_takes_his_share_and_all_of_them_leave_a_quarter_for_whom_we_know() {
        let ledger = Ledger::new(Budget { all: 16, each: 4, known: 8 }, "limit");
        let take = |address: &str, known: bool, amount| ledger.take(whose(address, known), amount);
        let first = take("2001:db8:0:7::1", false, 3).expect("there is room");
        assert!(take("2001:db8:0:7:ffff::2", false, 2).is_err(), "the same /64");
        assert!(first.more(1).is_ok() && first.more(1).is_err());
        let others: Vec<_> = ["192.0.2.1", "::ffff:192.0.2.2"].map(|from| take(from, false, 4)).into_iter().collect();
        assert!(others.iter().all(Result::is_ok));
        assert!(take("192.0.2.3", false, 1).is_err(), "three quarters are gone");
        let known = take("127.0.0.1", true, 4).expect("the rest is for whom we know");
        assert!(known.more(1).is_err(), "and there is no more");
        drop(others);
        assert!(known.more(4).is_ok() && known.more(1).is_err(), "he has his own share");
        drop((first, known));
        assert!(ledger.held().of.is_empty() && ledger.held().all == 0 && ledger.held().strangers == 0);
    }

    #[test]
    fn those_without_an_address_are_one_stranger() {
        let ledger = Ledger::new(Budget { all: 16, each: 4, known: 8 }, "limit");
        let nobody = ledger.take(whose("", false), 4).expect("there is room");
        assert!(ledger.take(whose("", false), 1).is_err());
        assert!(ledger.take(whose("192.0.2.1", false), 4).is_ok());
        drop(nobody);
        assert!(ledger.take(whose("", false), 4).is_ok());
    }

    #[test]
    fn the_log_is_told_of_a_limit_once_in_a_while_and_how_often_it_was_met() {
        let mut said = Said::default();
        assert_eq!(said.again(), Some(1));
        assert_eq!((said.again(), said.again()), (None, None));
        said.at = Instant::now().checked_sub(SAID_EVERY);
        if said.at.is_some() {
            assert_eq!(said.again(), Some(3));
        }
    }
}
