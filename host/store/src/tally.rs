//! Calls that came to nothing, counted by what they have in common instead of written one by one: kept in memory, since whoever
//! is refused must cost neither a commit nor a row. The storage writes what was added behind, about each second; what a crash
//! loses is at most that.
//!
//! Nothing that a stranger chooses makes a row of its own without end: in each minute an operation has [`APART`] rows, and
//! what is beyond them goes together.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::entry::AuditEntry;

/// Rows of an operation in a minute that tell callers and networks apart.
pub(super) const APART: usize = 32;
/// Outcomes that are told apart beyond them.
pub(super) const OUTCOMES: usize = 8;
/// Who stands for all those who are not told apart; and what for their outcomes beyond [`OUTCOMES`].
const SEVERAL: &str = "several";

/// What was counted, and how often since it was last written.
pub(super) type Tallied = (AuditEntry, u64);

#[derive(Default)]
pub(super) struct Tally(Mutex<State>);

#[derive(Default)]
struct State {
    /// The latest minute, and its rows.
    minute: i64,
    rows: HashSet<AuditEntry>,
    /// Not yet written.
    fresh: HashMap<AuditEntry, u64>,
}

impl Tally {
    pub fn add(&self, entry: AuditEntry) {
        let mut state = self.lock();
        if entry.at > state.minute {
            state.minute = entry.at;
            state.rows.clear();
        }
        let row = state.row(entry);
        *state.fresh.entry(row).or_default() += 1;
    }

    /// What was added since this was last asked, the oldest first; it is the caller's to write, or to give back.
    pub fn take_unwritten(&self) -> Vec<Tallied> {
        let mut fresh: Vec<Tallied> = std::mem::take(&mut self.lock().fresh).into_iter().collect();
        fresh.sort_by_key(|(entry, _)| entry.at);
        fresh
    }

    /// What could not be written will be taken again.
    pub fn give_back(&self, tallied: Vec<Tallied>) {
        let mut state = self.lock();
        for (entry, times) in tallied {
            *state.fresh.entry(entry).or_default() += times;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The row that an entry is counted in: its own, as long as there is room.
    fn row(&mut self, entry: AuditEntry) -> AuditEntry {
        if self.rows.contains(&entry) {
            return entry;
        }
        let of_operation = |row: &&AuditEntry| row.plugin == entry.plugin && row.operation == entry.operation;
        let rows = self.rows.iter().filter(of_operation).count();
        let several = || AuditEntry { actor: SEVERAL.to_owned(), key: None, address: None, ..entry.clone() };
        let row = match rows {
            _ if rows < APART => entry,
            _ if rows < APART + OUTCOMES || self.rows.contains(&several()) => several(),
            _ => AuditEntry { outcome: SEVERAL.to_owned(), ..several() },
        };
        self.rows.insert(row.clone());
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyturn_core::accounts::Reach;
    use keyturn_core::caller::{Actor, Caller};

    fn from(address: &str, at: i64, outcome: &str) -> AuditEntry {
        let caller = Caller {
            address: Some(address.parse().expect("an address")),
            ..Caller::new(Actor::Anonymous, Reach::none())
        };
        AuditEntry::counted(&caller, at, "p", "verify", outcome.to_owned())
    }

    fn taken(tally: &Tally) -> Vec<Tallied> {
        tally.take_unwritten()
    }

    #[test]
    fn what_has_minute_network_and_outcome_in_common_is_counted_together() {
        let tally = Tally::default();
        for n in 0..412 {
            tally.add(from(&format!("192.0.2.{}", n % 250), 60_000 + n, "throttled"));
        }
        tally.add(from("192.0.2.7", 120_000, "throttled"));
        tally.add(from("192.0.2.7", 120_000, "busy"));
        let mut counted: Vec<(i64, String, u64)> =
            taken(&tally).into_iter().map(|(entry, times)| (entry.at, entry.outcome, times)).collect();
        counted.sort();
        let expected = [(60_000, "throttled", 412), (120_000, "busy", 1), (120_000, "throttled", 1)];
        assert_eq!(counted, expected.map(|(at, outcome, times)| (at, outcome.to_owned(), times)));
        assert_eq!(taken(&tally), []);
    }

    #[test]
    fn however_many_networks_and_outcomes_there_are_a_minute_of_an_operation_has_so_many_rows() {
        let tally = Tally::default();
        for n in 0..20_000_u32 {
            tally.add(from(&std::net::Ipv4Addr::from(n << 12).to_string(), 60_000, &format!("refused: {}", n % 100)));
        }
        let counted = taken(&tally);
        assert!(counted.len() <= APART + OUTCOMES + 1, "{}", counted.len());
        assert_eq!(counted.iter().map(|(_, times)| times).sum::<u64>(), 20_000, "each is in one of them");
        let apart = counted.iter().filter(|(entry, _)| entry.address.is_some()).count();
        assert_eq!(apart, APART);
        tally.add(from("192.0.2.7", 120_000, "throttled"));
        assert_eq!(taken(&tally)[0].0.address.as_deref(), Some("192.0.2.0/24"), "the next minute begins anew");
    }

    #[test]
    fn what_was_given_back_is_taken_again_with_what_came_meanwhile() {
        let tally = Tally::default();
        tally.add(from("192.0.2.7", 0, "throttled"));
        let counted = taken(&tally);
        tally.add(from("192.0.2.8", 0, "throttled"));
        tally.give_back(counted);
        assert_eq!(taken(&tally).iter().map(|(_, times)| *times).collect::<Vec<_>>(), [2]);
    }
}
