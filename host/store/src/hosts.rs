//! The hosts on this database: what each is, how it is set up, when it was last there, and whether its clock is right.
//!
//! A host's row is small, since it is written every few seconds; what it says of itself is among the host's own data, sealed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::database::{Connection, Work, params};
use super::error::StorageError;
use super::moves;
use super::schema;
use super::store::{Own, Rows, Store};
use keyturn_core::caller::OWN;
use keyturn_core::{seal, time};

/// Time between two signs of life of a host.
pub const BEAT: Duration = Duration::from_secs(10);
/// A host without a sign of life for so many milliseconds is gone.
pub const SILENT_MS: i64 = 30_000;
/// A host's clock may differ from the database's by so many milliseconds. A host that is off by more claims no work.
pub const TOLERATED_MS: i64 = 5_000;
/// Rows of hosts that are gone stay for so many milliseconds, and so many of them.
const REMEMBERED_MS: i64 = 24 * 3600 * 1000;
const REMEMBERED: usize = 100;
/// What the key of a host's description among the host's own data begins with.
const ABOUT: &str = "host/";

/// What a host is, and how it is set up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct About {
    /// Its machine and process.
    pub name: String,
    /// Its program's version.
    pub version: String,
    /// Its settings and grants by their full names, each with a MAC of its value.
    pub settings: BTreeMap<String, String>,
}

impl About {
    /// The settings and grants in which two hosts differ, by name.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<String> {
        differing(&self.settings, &other.settings)
    }
}

/// The names under which two have different values, or one has none.
pub fn differing<V: PartialEq>(one: &BTreeMap<String, V>, other: &BTreeMap<String, V>) -> Vec<String> {
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    names.into_iter().filter(|name| one.get(*name) != other.get(*name)).cloned().collect()
}

/// How a host stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It gives signs of life.
    Running,
    /// It has stopped.
    Stopped,
    /// It gives no more signs of life, and has not said that it stops.
    Silent,
}

/// A host as others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Random; another at each start.
    pub id: String,
    /// What it says of itself; none: nothing yet.
    pub about: Option<About>,
    /// When it started, Unix milliseconds by the database's clock.
    pub started: i64,
    /// Its last sign of life, likewise.
    pub seen: i64,
    /// The last one of its workers, likewise.
    pub worked: Option<i64>,
    /// At least so many milliseconds its clock was ahead of the database's then; negative: behind.
    pub ahead: i64,
    /// How it stands.
    pub state: State,
    /// Whether its workers give signs of life.
    pub works: bool,
}

impl Host {
    /// Its name; without one, its id.
    #[must_use]
    pub fn name(&self) -> &str {
        self.about.as_ref().map_or(&self.id, |about| &about.name)
    }
}

/// When a worker was last there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beat {
    /// The last sign of life of any, Unix milliseconds by the database's clock; none: there never was one.
    pub at: Option<i64>,
    /// Whether one is there.
    pub running: bool,
}

/// The database's clock, and this process's beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// Unix milliseconds by the database's clock.
    pub now: i64,
    /// At least so many milliseconds this process's clock is ahead of it; negative: behind.
    pub ahead: i64,
}

impl Clock {
    /// The database said `now` at some moment between these two of ours: so a slow answer is never taken for a wrong clock.
    fn between(before: i64, now: i64, after: i64) -> Self {
        Self { now, ahead: (before - now).max(0) + (after - now).min(0) }
    }

    /// Whether they differ by more than [`TOLERATED_MS`].
    #[must_use]
    pub fn is_off(&self) -> bool {
        is_off(self.ahead)
    }
}

/// Whether a clock that is so many milliseconds ahead is off by more than [`TOLERATED_MS`].
#[must_use]
pub fn is_off(ahead: i64) -> bool {
    ahead.saturating_abs() > TOLERATED_MS
}

/// `12.3 s ahead of the database's`.
#[must_use]
pub fn said_ahead(ahead: i64) -> String {
    let side = if ahead < 0 { "behind" } else { "ahead of" };
    let tenths = ahead.unsigned_abs() / 100;
    format!("{}.{} s {side} the database's", tenths / 10, tenths % 10)
}

/// This host among the others.
pub(super) struct Presence {
    id: String,
    state: Mutex<Present>,
}

#[derive(Default)]
struct Present {
    about: Option<About>,
    joined: bool,
    ending: bool,
    /// The last sign of life.
    beaten: Option<Instant>,
    /// Whether the clock was off then.
    off: bool,
}

impl Default for Presence {
    fn default() -> Self {
        Self { id: seal::hex(&seal::random::<8>()), state: Mutex::default() }
    }
}

impl Presence {
    fn lock(&self) -> MutexGuard<'_, Present> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a sign of life, and says when the clock begins to be off, and when it is right again.
    fn beaten(&self, clock: Clock) {
        let mut state = self.lock();
        state.beaten = Some(Instant::now());
        match (std::mem::replace(&mut state.off, clock.is_off()), clock.is_off()) {
            (false, true) => tracing::error!(
                "this machine's clock is {}: this host claims no work until they differ by {} s at most. Synchronise the clocks",
                said_ahead(clock.ahead),
                TOLERATED_MS / 1000
            ),
            (true, false) => tracing::info!("this machine's clock is right again"),
            _ => {}
        }
    }
}

impl Own {
    /// Gives a sign of life if it is time; the last one says that the host stops.
    pub(super) fn give_sign(&self, transaction: &dyn Fn(&Work<'_>) -> Result<(), StorageError>) {
        let ending = {
            let state = self.presence.lock();
            let due = state.ending || state.beaten.is_none_or(|at| at.elapsed() >= BEAT);
            if !state.joined || !due {
                return;
            }
            state.ending
        };
        let (clock, id) = (std::cell::Cell::new(None), &self.presence.id);
        let given = transaction(&|db: &dyn Connection| {
            let rows = self.rows(db);
            clock.set(Some(rows.sign(id, false)?));
            if ending {
                rows.change("UPDATE keyturnhost_hosts SET ended = beat WHERE id = ?1", params![id])?;
            }
            Ok(())
        });
        match (given, clock.get()) {
            (Ok(()), Some(clock)) => self.presence.beaten(clock),
            (Ok(()), None) | (Err(StorageError::Busy), _) => {}
            (Err(error), _) => tracing::warn!(%error, "can't write this host's sign of life"),
        }
    }
}

impl Rows<'_> {
    /// The database's clock, and ours.
    pub fn clock(&self) -> Result<Clock, StorageError> {
        let before = time::now();
        let now = self.now()?;
        Ok(Clock::between(before, now, time::now()))
    }

    /// A sign of life of a host, and of its workers if they are `working`.
    pub fn sign(&self, id: &str, working: bool) -> Result<Clock, StorageError> {
        let clock = self.clock()?;
        let worked = working.then_some(clock.now);
        self.change(
            "INSERT INTO keyturnhost_hosts (id, started, beat, worked, ahead) VALUES (?1, ?2, ?2, ?3, ?4)
             ON CONFLICT (id) DO UPDATE SET beat = excluded.beat, ahead = excluded.ahead,
                worked = coalesce(excluded.worked, keyturnhost_hosts.worked)",
            params![id, clock.now, worked, clock.ahead],
        )?;
        Ok(clock)
    }

    fn hosts(&self) -> Result<Vec<Host>, StorageError> {
        let now = self.now()?;
        let lately = |at: i64| at > now - SILENT_MS;
        self.all(
            "SELECT id, started, beat, worked, ahead, ended FROM keyturnhost_hosts ORDER BY started, id",
            &[],
            |row| {
                let (seen, worked, ended): (i64, Option<i64>, Option<i64>) = (row.get(2)?, row.get(3)?, row.get(5)?);
                let state = match ended {
                    Some(_) => State::Stopped,
                    None if lately(seen) => State::Running,
                    None => State::Silent,
                };
                Ok(Host {
                    id: row.get(0)?,
                    about: None,
                    started: row.get(1)?,
                    seen,
                    worked,
                    ahead: row.get(4)?,
                    state,
                    works: state == State::Running && worked.is_some_and(lately),
                })
            },
        )
    }

    /// Removes hosts that are gone for long; the last one that worked stays, since people are told when that was.
    fn remove_gone_hosts(&self) -> Result<(), StorageError> {
        let mut hosts = self.hosts()?;
        let worked = hosts.iter().filter(|host| host.worked.is_some()).max_by_key(|host| host.worked);
        let worked = worked.map(|host| host.id.clone());
        let over = self.now()? - REMEMBERED_MS;
        hosts.retain(|host| host.state != State::Running && Some(&host.id) != worked.as_ref());
        hosts.sort_by_key(|host| std::cmp::Reverse(host.seen));
        let gone = hosts.iter().enumerate().filter(|(at, host)| *at >= REMEMBERED || host.seen < over);
        for (_, Host { id, .. }) in gone {
            self.change("DELETE FROM keyturnhost_hosts WHERE id = ?1", params![id])?;
            let growth = self.delete(OWN, &format!("{ABOUT}{id}"))?;
            self.grow(OWN, growth, u64::MAX)?;
        }
        Ok(())
    }
}

impl Store {
    /// Makes this one of the hosts on the database: from now on it gives signs of life, until it is closed.
    ///
    /// # Errors
    /// [`StorageError::OtherKey`] if the key was replaced since it was opened.
    pub fn join(&self) -> Result<(), StorageError> {
        let presence = &self.own.presence;
        if presence.lock().joined {
            return Ok(());
        }
        let id = presence.id.clone();
        let clock = self.write(move |rows| {
            moves::in_service(rows.db)?;
            // Whoever replaces the key at this moment waits, and then sees this host.
            schema::hold_key(rows.db, rows.keys)?;
            rows.remove_gone_hosts()?;
            rows.sign(&id, false)
        })?;
        presence.beaten(clock);
        let about = {
            let mut state = presence.lock();
            state.joined = true;
            state.about.clone()
        };
        about.map_or(Ok(()), |about| self.describe(&about))
    }

    /// Says what this host is, for others to see once it has joined, and logs in what they differ.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn introduce(&self, about: About) -> Result<(), StorageError> {
        let joined = {
            let mut state = self.own.presence.lock();
            state.about = Some(about.clone());
            state.joined
        };
        if joined { self.describe(&about) } else { Ok(()) }
    }

    /// What this host says of itself.
    #[must_use]
    pub fn about(&self) -> Option<About> {
        self.own.presence.lock().about.clone()
    }

    fn describe(&self, about: &About) -> Result<(), StorageError> {
        let (key, text) = (format!("{ABOUT}{}", self.own.presence.id), serde_json::to_vec(about).unwrap_or_default());
        self.write(move |rows| {
            let growth = rows.put(OWN, &key, &text, None)?;
            rows.grow(OWN, growth, u64::MAX)
        })?;
        for other in self.hosts()?.iter().filter(|host| host.state == State::Running) {
            let Some(their) = &other.about else { continue };
            let differences = about.differences(their);
            if !differences.is_empty() {
                let (host, differences) = (&their.name, differences.join(", "));
                tracing::warn!(host, "another host on this database has other settings or grants: {differences}");
            }
            if their.version != about.version {
                let (host, version) = (&their.name, &their.version);
                tracing::warn!(host, version, "another host on this database runs another version");
            }
        }
        Ok(())
    }

    /// The hosts on this database, also those that are gone since not long, the first started first.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn hosts(&self) -> Result<Vec<Host>, StorageError> {
        let mut hosts = self.rows(|rows| rows.hosts())?;
        for (key, text) in self.scan(OWN, ABOUT, None, 1_000, 0)? {
            let id = key.strip_prefix(ABOUT).unwrap_or_default();
            if let Some(host) = hosts.iter_mut().find(|host| host.id == id) {
                host.about = serde_json::from_slice(&text).ok();
            }
        }
        Ok(hosts)
    }

    /// When a worker was last there, on whatever host.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn last_beat(&self) -> Result<Beat, StorageError> {
        self.rows(|rows| {
            let now = rows.now()?;
            let last = "SELECT max(worked), max(CASE WHEN ended IS NULL THEN worked END) FROM keyturnhost_hosts";
            let last = rows.one(last, &[], |row| Ok((row.get(0)?, row.get::<Option<i64>>(1)?)))?;
            let (at, lives) = last.unwrap_or_default();
            Ok(Beat { at, running: lives.is_some_and(|at| at > now - SILENT_MS) })
        })
    }

    /// A sign of life of this host and of its workers.
    pub(super) fn sign_of_workers<T: Send + 'static>(
        &self,
        and: impl Fn(Rows<'_>, i64) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let id = self.own.presence.id.clone();
        let (clock, done) = self.write(move |rows| {
            moves::in_service(rows.db)?;
            let clock = rows.sign(&id, true)?;
            Ok((clock, and(rows, clock.now)?))
        })?;
        self.own.presence.beaten(clock);
        Ok(done)
    }

    /// The database's clock, and this process's.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn clock(&self) -> Result<Clock, StorageError> {
        self.rows(|rows| rows.clock())
    }

    /// The next sign of life is the last one.
    pub(super) fn stops(&self) {
        self.own.presence.lock().ending = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_answer_is_no_wrong_clock_and_a_wrong_one_is_at_least_as_wrong_as_it_is_called() {
        for (before, now, after, ahead) in [
            (1_000, 1_000, 1_000, 0),
            (1_000, 9_000, 20_000, 0),
            (9_000, 1_000, 9_500, 8_000),
            (1_000, 9_000, 1_500, -7_500),
        ] {
            assert_eq!(Clock::between(before, now, after).ahead, ahead);
        }
        assert!(!is_off(TOLERATED_MS) && !is_off(-TOLERATED_MS));
        assert!(is_off(TOLERATED_MS + 1) && is_off(-TOLERATED_MS - 1));
        assert_eq!(said_ahead(12_345), "12.3 s ahead of the database's");
        assert_eq!(said_ahead(-60), "0.0 s behind the database's");
    }

    #[test]
    fn what_one_has_and_the_other_has_not_differs_too() {
        let of = |pairs: &[(&str, u8)]| -> BTreeMap<String, u8> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
        };
        let (one, other) = (of(&[("a", 1), ("b", 2), ("c", 3)]), of(&[("b", 2), ("c", 4), ("d", 5)]));
        assert_eq!(differing(&one, &other), ["a", "c", "d"]);
        assert_eq!(differing(&one, &one), <[&str; 0]>::default());
    }
}
