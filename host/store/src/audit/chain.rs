//! The audit's chains: each row holds a MAC over itself and over the MAC before it, under a key of the host's. So no row can be
//! changed, removed, put in or moved without that being seen.
//!
//! - **A call only inserts.** Its row comes with a seal: a MAC over what it says. A worker gives it its place in the chain a moment
//!   later. So calls have nothing in common that they would wait for, and what bears no seal never gets a place.
//! - **Two chains**, of entries and of rows that count, since these are removed apart from each other. So each is only ever cut at
//!   its old end, and what it begins after is one MAC.
//! - **How a chain stands** is one row, sealed too: where it begins and ends. Whoever changes it names the seal that they saw, so of
//!   two hosts that chain at once one does. Rows are read in a snapshot and written by their numbers, with what they were: no reader
//!   keeps a call's INSERT waiting.
//! - **Before a row is removed, it is checked.** Else somebody could make rows look old, and the host would remove them.

use std::fmt;
use std::str::FromStr;

use super::row::Stored;
use crate::database::{Connection, params};
use crate::error::StorageError;
use crate::store::{Rows, Store, forged};
use keyturn_core::seal::{Keys, hex, unhex};

/// Rows that one commit chains or removes at most.
pub(super) const AT_ONCE: u32 = 500;
/// A row that counts gets its place so long after its minute began, in milliseconds: hosts are late by seconds. A count that comes
/// later begins another row.
pub(super) const CLOSED: i64 = 90_000;

/// What a chain is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Chain {
    /// Entries of one call.
    Entries,
    /// Rows that count calls.
    Counts,
}

impl Chain {
    /// Both.
    pub const ALL: [Chain; 2] = [Chain::Entries, Chain::Counts];

    /// Its name, in the database and for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Chain::Entries => "entries",
            Chain::Counts => "counts",
        }
    }

    /// Which rows are in it.
    pub(super) fn rows(self) -> &'static str {
        match self {
            Chain::Entries => "times IS NULL",
            Chain::Counts => "times IS NOT NULL",
        }
    }

    /// The instant by which a row must have begun to get its place.
    pub(super) fn closed(self, now: i64) -> i64 {
        match self {
            Chain::Entries => i64::MAX,
            Chain::Counts => now - CLOSED,
        }
    }
}

/// The end of a chain. Kept elsewhere, such as in a log, it shows later that nothing was cut off: `entries:812:` and 32 hexadecimal
/// digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Of which chain.
    pub chain: Chain,
    /// The place of its last row, from 1; 0: it never had one.
    pub sequence: i64,
    /// The beginning of that row's MAC.
    mac: [u8; 16],
}

impl Head {
    pub(super) fn new(chain: Chain, sequence: i64, mac: &[u8]) -> Self {
        let mac = mac.first_chunk().copied().unwrap_or_default();
        Self { chain, sequence, mac }
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.chain.name(), self.sequence, hex(&self.mac))
    }
}

/// As a log has it; without a name, of entries.
impl FromStr for Head {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "must be as the log has it: entries:812:, or counts:812:, and 32 hexadecimal digits";
        let (name, rest) = match text.split(':').count() {
            3 => text.split_once(':').ok_or(wrong)?,
            _ => (Chain::Entries.name(), text),
        };
        let chain = Chain::ALL.into_iter().find(|chain| chain.name() == name).ok_or(wrong)?;
        let (sequence, mac) = rest.split_once(':').ok_or(wrong)?;
        let sequence = sequence.parse().ok().filter(|sequence| *sequence >= 0).ok_or(wrong)?;
        let mac = unhex(&mac.to_ascii_lowercase()).and_then(|mac| mac.try_into().ok()).ok_or(wrong)?;
        Ok(Self { chain, sequence, mac })
    }
}

/// How a chain stands.
#[derive(Clone)]
pub(super) struct State {
    /// The place of the oldest row that is there.
    pub first: i64,
    /// The MAC before it.
    pub before: Vec<u8>,
    /// The place of the newest row, and its MAC.
    pub last: i64,
    pub mac: Vec<u8>,
    /// When the chain began, Unix milliseconds.
    pub began: i64,
    /// Rows up to this number were there by then, and are taken as they stand, without a seal.
    pub taken: i64,
    /// Whether some of these have no place yet.
    pub taking: bool,
}

impl State {
    /// Of a chain that begins.
    fn begun(keys: &Keys, chain: Chain, began: i64, taken: i64) -> Self {
        let before = keys.mac("audit began", &[chain.name().as_bytes(), &began.to_be_bytes()]).to_vec();
        Self { first: 1, before: before.clone(), last: 0, mac: before, began, taken, taking: taken > 0 }
    }

    fn seal(&self, keys: &Keys, chain: Chain) -> [u8; 32] {
        let numbers = [self.first, self.last, self.began, self.taken, self.taking.into()].map(i64::to_be_bytes);
        let parts = [chain.name().as_bytes(), &self.before, &self.mac];
        let parts: Vec<&[u8]> = parts.into_iter().chain(numbers.iter().map(<[u8; 8]>::as_slice)).collect();
        keys.mac("audit chain's state", &parts)
    }

    /// Whether this row, which bears no seal, is one that was there when the chain began.
    pub fn takes(&self, row: &Stored) -> bool {
        self.taking && row.mac.is_none() && row.id <= self.taken
    }

    pub fn head(&self, chain: Chain) -> Head {
        Head::new(chain, self.last, &self.mac)
    }
}

/// Begins the chains where there are none. Whatever stands in the audit by then is taken as it is.
pub(crate) fn begin(db: &dyn Connection, keys: &Keys) -> Result<(), StorageError> {
    for chain in Chain::ALL {
        let begun = "SELECT 1 FROM keyturnhost_audit_chains WHERE name = ?1";
        if db.one(begun, params![chain.name()], |_| Ok(()))?.is_some() {
            continue;
        }
        let taken = db.one("SELECT coalesce(max(id), 0) FROM keyturnhost_audit", &[], |row| row.get::<i64>(0))?;
        let state = State::begun(keys, chain, db.now()?, taken.unwrap_or(0));
        // Of two hosts that start at once, one begins it.
        db.execute(
            "INSERT INTO keyturnhost_audit_chains (name, first, before, last, mac, began, taken, taking, seal)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (name) DO NOTHING",
            params![
                chain.name(),
                state.first,
                state.before,
                state.last,
                state.mac,
                state.began,
                state.taken,
                i64::from(state.taking),
                state.seal(keys, chain)
            ],
        )?;
    }
    Ok(())
}

/// Begins them again, where the keys of the former ones are lost.
pub(crate) fn begin_again(db: &dyn Connection, keys: &Keys) -> Result<(), StorageError> {
    db.execute("DELETE FROM keyturnhost_audit_chains", &[])?;
    db.execute("UPDATE keyturnhost_audit SET sequence = NULL, mac = NULL", &[])?;
    begin(db, keys)
}

/// Number, what its MAC was, its place, its MAC then.
type Placed = (i64, Option<Vec<u8>>, i64, Option<Vec<u8>>);

/// What a look at a chain's new rows has found to write.
struct Step {
    old: State,
    new: State,
    rows: Vec<Placed>,
    /// Rows that no host has written so.
    foreign: Vec<i64>,
    /// Where the next look goes on; none: nothing is left.
    next: Option<i64>,
}

impl Rows<'_> {
    pub(super) fn state(&self, chain: Chain) -> Result<State, StorageError> {
        let state = self.one(
            "SELECT first, before, last, mac, began, taken, taking, seal FROM keyturnhost_audit_chains WHERE name = ?1",
            params![chain.name()],
            |row| {
                let state = State {
                    first: row.get(0)?,
                    before: row.get(1)?,
                    last: row.get(2)?,
                    mac: row.get(3)?,
                    began: row.get(4)?,
                    taken: row.get(5)?,
                    taking: row.get(6)?,
                };
                Ok((state, row.get::<Vec<u8>>(7)?))
            },
        )?;
        match state {
            Some((state, seal)) if seal == state.seal(self.keys, chain) => Ok(state),
            Some(_) => Err(forged("keyturnhost_audit_chains", chain.name())),
            None => Err(StorageError::Failed {
                doing: format!("reading keyturnhost_audit_chains of {}", chain.name()),
                cause:
                    "there is no row: the next start of a host begins the chain; if one has begun it before, somebody \
                        removed the row from outside"
                        .to_owned(),
            }),
        }
    }

    /// Whether the chain stood as `old`, and so stands as `new`.
    fn replace_state(&self, chain: Chain, old: &State, new: &State) -> Result<bool, StorageError> {
        let replaced = self.execute(
            "UPDATE keyturnhost_audit_chains SET first = ?2, before = ?3, last = ?4, mac = ?5, taking = ?6, seal = ?7
             WHERE name = ?1 AND seal = ?8",
            params![
                chain.name(),
                new.first,
                new.before,
                new.last,
                new.mac,
                i64::from(new.taking),
                new.seal(self.keys, chain),
                old.seal(self.keys, chain)
            ],
        )?;
        Ok(replaced > 0)
    }

    /// Whether another row came first of two with one mark: this is a copy of that, with its seal.
    pub(super) fn is_copy(&self, row: &Stored) -> Result<bool, StorageError> {
        let [mark, at, ..] = &row.content.columns[..] else { return Ok(true) };
        let first = "SELECT 1 FROM keyturnhost_audit WHERE at = ?2 AND mark = ?1 AND id <> ?3
                     AND (sequence > 0 OR id < ?3) LIMIT 1";
        Ok(self.one(first, params![mark, at, row.id], |_| Ok(()))?.is_some())
    }

    /// What comes next into a chain, of rows with greater numbers than `after`.
    fn step(&self, chain: Chain, after: i64) -> Result<Step, StorageError> {
        let old = self.state(chain)?;
        let found = self.unchained(chain, after, chain.closed(self.now()?), AT_ONCE)?;
        let next = (found.len() as u32 == AT_ONCE).then(|| found.last().map(|row| row.id)).flatten();
        let (mut new, mut rows, mut foreign, mut taken) = (old.clone(), Vec::new(), Vec::new(), 0);
        for row in found {
            let takes = old.takes(&row);
            if !takes && (!row.is_sealed(self.keys) || self.is_copy(&row)?) {
                foreign.push(row.id);
                // A place that no chain has: it is looked at once, and in the way of no other.
                rows.push((row.id, row.mac.clone(), 0, row.mac));
                continue;
            }
            taken += u32::from(takes);
            let mac = row.content.link(self.keys, chain, new.last + 1, &new.mac, row.id).to_vec();
            (new.last, new.mac) = (new.last + 1, mac.clone());
            rows.push((row.id, row.mac, new.last, Some(mac)));
        }
        if old.taking && taken == 0 {
            let left = format!(
                "SELECT 1 FROM keyturnhost_audit WHERE sequence IS NULL AND id <= ?1 AND mac IS NULL AND {} LIMIT 1",
                chain.rows()
            );
            new.taking = self.one(&left, params![old.taken], |_| Ok(()))?.is_some();
        }
        Ok(Step { old, new, rows, foreign, next })
    }

    fn write_step(&self, chain: Chain, step: &Step) -> Result<(), StorageError> {
        if !self.replace_state(chain, &step.old, &step.new)? {
            return Err(StorageError::Changed);
        }
        for (id, was, sequence, mac) in &step.rows {
            let placed = self.execute(
                "UPDATE keyturnhost_audit SET sequence = ?2, mac = ?3
                 WHERE id = ?1 AND sequence IS NULL AND mac IS NOT DISTINCT FROM ?4",
                params![id, sequence, mac, was],
            )?;
            if placed == 0 {
                return Err(StorageError::Changed);
            }
        }
        Ok(())
    }
}

impl Store {
    /// Gives rows that have none yet their place in the chains, in commits of at most 500 rows, as long as it `goes_on`; answers how
    /// many. Where another host does the same at the moment, it does nothing.
    ///
    /// # Errors
    /// [`StorageError`]; what was chained before it stays.
    pub fn chain_audit(&self, goes_on: impl Fn() -> bool) -> Result<u64, StorageError> {
        let mut chained = 0;
        for chain in Chain::ALL {
            let mut after = Some(i64::MIN);
            while let Some(from) = after {
                let step = self.rows(|rows| rows.step(chain, from))?;
                let (all, next) = ((step.rows.len() - step.foreign.len()) as u64, step.next);
                let foreign = step.foreign.first().copied();
                if all == 0 && foreign.is_none() && step.new.taking == step.old.taking {
                    break;
                }
                match self.write(move |rows| rows.write_step(chain, &step)) {
                    Ok(()) => chained += all,
                    Err(StorageError::Changed) => break,
                    Err(error) => return Err(error),
                }
                if let Some(entry) = foreign {
                    let which = chain.name();
                    tracing::error!(
                        entry,
                        which,
                        "the audit log has a row that no host has written so; see `keyturn audit verify`"
                    );
                }
                after = next.filter(|_| goes_on());
            }
        }
        Ok(chained)
    }

    /// The ends of the chains.
    ///
    /// # Errors
    /// [`StorageError`]; also where somebody changed from outside how a chain stands.
    pub fn audit_heads(&self) -> Result<[Head; 2], StorageError> {
        self.rows(|rows| {
            let [entries, counts] = Chain::ALL.map(|chain| rows.state(chain).map(|state| state.head(chain)));
            Ok([entries?, counts?])
        })
    }

    /// Removes rows of a chain from its old end while `old` says so of when they were, Unix milliseconds, in one commit of at most
    /// `most` and 500; answers how many.
    ///
    /// # Errors
    /// [`StorageError::Failed`] where the oldest row that is to go is not as a host has written it: then it stays, with all later
    /// ones. [`StorageError`].
    pub(super) fn cut_audit(&self, chain: Chain, most: u32, old: impl Fn(i64) -> bool) -> Result<u64, StorageError> {
        loop {
            match self.cut_once(chain, most.min(AT_ONCE), &old) {
                // The chain went on meanwhile.
                Err(StorageError::Changed) => {}
                done => return done,
            }
        }
    }

    fn cut_once(&self, chain: Chain, most: u32, old: &impl Fn(i64) -> bool) -> Result<u64, StorageError> {
        let (state, rows) = self.rows(|rows| {
            let state = rows.state(chain)?;
            let found = rows.chained(chain, state.first, i64::MIN, most)?;
            Ok((state, found))
        })?;
        let (mut new, mut gone) = (state.clone(), Vec::new());
        for row in rows.into_iter().take_while(|row| old(row.at())) {
            if row.sequence != Some(new.first) || !row.fits(&self.own.keys, chain, &new.before) {
                if gone.is_empty() {
                    return Err(broken(&row));
                }
                break;
            }
            (new.first, new.before) = (new.first + 1, row.mac.unwrap_or_default());
            gone.push(row.id);
        }
        let count = gone.len() as u64;
        if count == 0 {
            return Ok(0);
        }
        let cut = move |rows: Rows<'_>| {
            if !rows.replace_state(chain, &state, &new)? {
                return Err(StorageError::Changed);
            }
            for id in &gone {
                rows.change("DELETE FROM keyturnhost_audit_subjects WHERE entry = ?1", params![id])?;
                rows.change("DELETE FROM keyturnhost_audit WHERE id = ?1", params![id])?;
            }
            Ok(())
        };
        self.write(cut).map(|()| count)
    }
}

fn broken(row: &Stored) -> StorageError {
    StorageError::Failed {
        doing: "deleting old rows of the audit log".to_owned(),
        cause: format!(
            "row {} was changed, or one before it was removed, from outside; nothing from it on is deleted. See `keyturn audit \
             verify`",
            row.id
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_is_written_and_nothing_else() {
        let head = Head::new(Chain::Counts, 812, &[0xab; 32]);
        let text = format!("counts:812:{}", "ab".repeat(16));
        assert_eq!((head.to_string(), text.parse()), (text.clone(), Ok(head)));
        let mac = "ab".repeat(16);
        assert_eq!(format!("7:{mac}").parse(), Ok(Head::new(Chain::Entries, 7, &[0xab; 32])));
        for wrong in ["", "7", "7:", "7:ab", &format!("-1:{mac}"), &format!("x:7:{mac}"), &format!("entries:7:{mac}ab")]
        {
            assert!(wrong.parse::<Head>().is_err(), "{wrong}");
        }
    }
}
