//! Holds the audit against its chains. It reads in batches, each in a snapshot of its own, so that it stands in nobody's way, and
//! goes on where hosts chain and remove rows meanwhile.

use serde::Serialize;

use super::chain::{AT_ONCE, CLOSED, Chain, Head, State};
use super::row::Stored;
use crate::database::params;
use crate::error::StorageError;
use crate::store::{Rows, Store};

/// A row that has no place in its chain for so long is a problem, in milliseconds: until it has one, it can be removed without
/// a trace. No call takes as long.
pub const LATE: i64 = 15 * 60 * 1000;
/// Problems that are told of each chain.
const TOLD: usize = 20;

/// What is not as the hosts have written it. Rows go by their numbers, as lists show them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Problem {
    /// Rows are gone.
    Missing {
        /// How many.
        rows: i64,
        /// The one before them; none: they were the oldest.
        after: Option<i64>,
    },
    /// A row says something else than it did: itself, whom it concerns, or its place.
    Changed {
        /// The row.
        number: i64,
    },
    /// No host wrote a row, or it was changed before it was chained.
    Added {
        /// The row.
        number: i64,
    },
    /// No host has chained rows for too long.
    Unchained {
        /// How many.
        rows: u64,
        /// Since when one is waiting, Unix milliseconds.
        since: i64,
    },
    /// A head that was kept elsewhere is behind the end of the chain: its newest rows are gone.
    Cut {
        /// The head's place.
        sequence: i64,
    },
    /// The row at a head's place is another one than it was.
    Differs {
        /// The head's place.
        sequence: i64,
    },
}

/// What was found of one chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Which.
    pub chain: Chain,
    /// When it began, Unix milliseconds.
    pub began: i64,
    /// Rows up to this number were there by then, and were taken as they stood; 0: there were none.
    pub taken: i64,
    /// Rows that were held against it.
    pub rows: u64,
    /// Rows before them that hosts have deleted.
    pub deleted: i64,
    /// Its end.
    pub head: Head,
    /// Rows that have no place in it yet.
    pub waiting: u64,
    /// Since when one is waiting, Unix milliseconds.
    pub since: Option<i64>,
    /// The first problems, in the order of the chain.
    pub problems: Vec<Problem>,
    /// All problems.
    pub found: u64,
    /// Heads that say nothing any more: the rows at their places were deleted.
    pub deleted_heads: Vec<Head>,
}

impl Verified {
    fn problem(&mut self, problem: Problem) {
        self.found += 1;
        if self.problems.len() < TOLD {
            self.problems.push(problem);
        }
    }
}

/// Where in a chain the walk is.
struct Walk<'a> {
    /// The place of the row before.
    at: i64,
    /// Its number; none: the chain begins here.
    number: Option<i64>,
    /// Its MAC; none: that row is gone.
    mac: Option<Vec<u8>>,
    /// The MAC before that.
    before: Option<Vec<u8>>,
    /// What is expected at places that are still to come.
    heads: Vec<&'a Head>,
    verified: Verified,
}

impl Store {
    /// Holds all of the audit against its chains, and these against heads that were kept elsewhere. Nothing is written.
    ///
    /// # Errors
    /// [`StorageError::Failed`], also where there is no chain yet, or somebody changed from outside how one stands.
    pub fn verify_audit(&self, heads: &[Head]) -> Result<[Verified; 2], StorageError> {
        let [entries, counts] = Chain::ALL.map(|chain| self.verify_chain(chain, heads));
        Ok([entries?, counts?])
    }

    fn verify_chain(&self, chain: Chain, heads: &[Head]) -> Result<Verified, StorageError> {
        let state = self.rows(|rows| rows.state(chain))?;
        let verified = Verified {
            chain,
            began: state.began,
            taken: state.taken,
            rows: 0,
            deleted: state.first - 1,
            head: state.head(chain),
            waiting: 0,
            since: None,
            problems: Vec::new(),
            found: 0,
            deleted_heads: Vec::new(),
        };
        let heads = heads.iter().filter(|head| head.chain == chain).collect();
        let mut walk = Walk { at: -1, number: None, mac: None, before: None, heads, verified };
        let mut from = (i64::MIN, i64::MIN);
        loop {
            let (found, state) = self.rows(|rows| {
                let state = rows.state(chain)?;
                // What a host has deleted meanwhile was in order, or it would not have.
                if walk.at < state.first - 1 {
                    walk.begin(&state);
                    from = (state.first, i64::MIN);
                }
                Ok((rows.chained(chain, from.0, from.1, AT_ONCE)?, state))
            })?;
            for row in &found {
                walk.row(&self.own.keys, &state, row);
                from = (row.sequence.unwrap_or_default(), row.id);
            }
            if (found.len() as u32) < AT_ONCE {
                walk.end(&state);
                break;
            }
        }
        let Walk { mut verified, .. } = walk;
        self.rows(|rows| rows.outside(chain, &mut verified))?;
        self.verify_waiting(chain, &mut verified)?;
        Ok(verified)
    }

    /// Rows that have no place yet: who wrote them, and since when.
    fn verify_waiting(&self, chain: Chain, verified: &mut Verified) -> Result<(), StorageError> {
        let (mut after, mut now) = (Some(i64::MIN), 0);
        while let Some(from) = after {
            after = self.rows(|rows| {
                now = rows.now()?;
                let state = rows.state(chain)?;
                let found = rows.unchained(chain, from, i64::MAX, AT_ONCE)?;
                for row in &found {
                    let since = match chain {
                        Chain::Entries => row.at(),
                        Chain::Counts => row.at().saturating_add(CLOSED),
                    };
                    if state.takes(row) {
                        verified.waiting += 1;
                        verified.since = Some(verified.since.unwrap_or(i64::MAX).min(since.max(state.began)));
                    } else if !row.is_sealed(rows.keys) || rows.is_copy(row)? {
                        verified.problem(Problem::Added { number: row.id });
                    } else if since <= now {
                        verified.waiting += 1;
                        verified.since = Some(verified.since.unwrap_or(i64::MAX).min(since));
                    }
                }
                Ok(found.last().filter(|_| found.len() as u32 == AT_ONCE).map(|row| row.id))
            })?;
        }
        if let Some(since) = verified.since.filter(|since| now - since > LATE) {
            verified.problem(Problem::Unchained { rows: verified.waiting, since });
        }
        Ok(())
    }
}

impl Rows<'_> {
    /// Rows with a place before the chain's first one: they are in no chain.
    fn outside(&self, chain: Chain, verified: &mut Verified) -> Result<(), StorageError> {
        let first = self.state(chain)?.first;
        let outside = format!(
            "SELECT id FROM keyturnhost_audit WHERE sequence < ?1 AND {} ORDER BY sequence, id LIMIT {TOLD}",
            chain.rows()
        );
        for number in self.all(&outside, params![first], |row| row.get(0))? {
            verified.problem(Problem::Added { number });
        }
        Ok(())
    }
}

impl Walk<'_> {
    fn begin(&mut self, state: &State) {
        let at = state.first - 1;
        (self.at, self.mac, self.number) = (at, Some(state.before.clone()), None);
        self.verified.deleted = at;
        let gone = self.heads.extract_if(.., |head| head.sequence < at).copied();
        self.verified.deleted_heads.extend(gone);
        self.compare();
    }

    fn row(&mut self, keys: &keyturn_core::seal::Keys, state: &State, row: &Stored) {
        let (chain, sequence) = (self.verified.chain, row.sequence.unwrap_or_default());
        let fits = |before: &Option<Vec<u8>>| before.as_ref().is_none_or(|before| row.fits(keys, chain, before));
        self.verified.rows += 1;
        if sequence > state.last {
            return self.verified.problem(Problem::Added { number: row.id });
        }
        if sequence == self.at {
            // One place, several rows: the one that fits is the chain's, whichever comes first.
            let last = Some(Problem::Changed { number: self.number.unwrap_or_default() });
            if self.verified.problems.last() == last.as_ref() && self.before.is_some() && fits(&self.before) {
                let added = Problem::Added { number: self.number.unwrap_or_default() };
                self.verified.problems.pop();
                self.verified.problems.push(added);
                (self.mac, self.number) = (row.mac.clone(), Some(row.id));
            } else {
                self.verified.problem(Problem::Added { number: row.id });
            }
            return;
        }
        if sequence > self.at + 1 {
            let rows = sequence - self.at - 1;
            self.verified.problem(Problem::Missing { rows, after: self.number });
            self.mac = None;
            self.lose(sequence);
        }
        if !fits(&self.mac) {
            self.verified.problem(Problem::Changed { number: row.id });
        }
        self.before = std::mem::replace(&mut self.mac, row.mac.clone());
        (self.at, self.number) = (sequence, Some(row.id));
        self.compare();
    }

    /// Heads before this place whose rows are gone.
    fn lose(&mut self, before: i64) {
        let gone: Vec<&Head> = self.heads.extract_if(.., |head| head.sequence < before).collect();
        for head in gone {
            self.verified.problem(Problem::Cut { sequence: head.sequence });
        }
    }

    fn compare(&mut self) {
        let here = Head::new(self.verified.chain, self.at, self.mac.as_deref().unwrap_or_default());
        let expected: Vec<&Head> = self.heads.extract_if(.., |head| head.sequence == here.sequence).collect();
        for head in expected.into_iter().filter(|head| **head != here) {
            self.verified.problem(Problem::Differs { sequence: head.sequence });
        }
    }

    fn end(&mut self, state: &State) {
        self.verified.head = state.head(self.verified.chain);
        if self.at < state.last {
            self.verified.problem(Problem::Missing { rows: state.last - self.at, after: self.number });
        } else if self.mac.as_ref() != Some(&state.mac) {
            self.verified.problem(Problem::Changed { number: self.number.unwrap_or_default() });
        }
        self.lose(i64::MAX);
    }
}
