//! Counters for throttles: kept in memory, because no attempt may cost a commit. The storage writes what was added behind,
//! about each second; what a crash loses is at most that.
//!
//! What finds a counter full is added to none: so a refused attempt never prolongs a refusal. Looking and adding happen
//! under one lock, so parallel attempts do not pass a limit together.
//!
//! The window slides in [`STEPS`] steps. The step that the window's beginning falls into counts whole: within no window are
//! more let pass than the limit, and a full counter has room again after a sixteenth of a window more at the latest.
//!
//! The table holds what the memory holds and, for a while, what has ended: new names make no more rows than there may be counters.
//!
//! Where several hosts count, the table has the sum. A counter that was not read from it for [`FRESH`] is read before it is
//! counted with. So a host knows what another has let pass after a second until it is written, and another one at most.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::database::{Bind as _, ValueRef, params};
use super::error::StorageError;
use super::store::Rows;

/// A counter, and how much it lets pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// Its name among the plugin's.
    pub key: String,
    /// Seconds.
    pub window: u32,
    /// How many within each window.
    pub limit: u64,
}

/// What became of a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// One was added to each.
    Within,
    /// One or more are full, and nothing was added to any. All have room after so many seconds, if nothing is added before.
    Full(u32),
}

/// Steps in a window.
const STEPS: i64 = 16;
/// How long a host believes what it read of a counter that others count with, too.
const FRESH: Duration = Duration::from_secs(1);

/// What was added to one step of one counter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Added {
    pub plugin: String,
    pub key: String,
    /// Seconds.
    pub window: u32,
    /// The step's number since 1970.
    pub step: i64,
    pub count: u64,
}

impl Added {
    /// Unix milliseconds from which it counts no longer.
    pub fn ends(&self) -> i64 {
        step_ends(self.step, self.window)
    }
}

/// Counters that have to be read.
pub(super) struct Stale<'a> {
    pub bounds: Vec<&'a Bound>,
    /// What [`Counters::flushes`] was before.
    flushes: u64,
    at: Instant,
}

/// A counter that made room for another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gone {
    pub plugin: String,
    pub key: String,
    /// Seconds.
    pub window: u32,
}

/// What is to be written.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Unwritten {
    /// Removed before anything is added: one may have begun anew since.
    pub gone: Vec<Gone>,
    pub added: Vec<Added>,
}

impl Unwritten {
    pub fn is_empty(&self) -> bool {
        self.gone.is_empty() && self.added.is_empty()
    }
}

/// All plugins' counters.
pub(super) struct Counters {
    plugins: Mutex<HashMap<String, Plugin>>,
    limit: usize,
    /// Grows when something is taken to be written, and when that is done: so it is odd in between.
    flushes: AtomicU64,
}

#[derive(Default)]
struct Plugin {
    counters: HashMap<(String, u32), Counter>,
    /// Those with something to be written.
    fresh: Vec<(String, u32)>,
    /// Those that made room for others: what was written of them must go too, or the table grows with each new name.
    gone: HashSet<(String, u32)>,
    /// No counter ends before this instant, so looking for one to remove is useless.
    full_until: i64,
}

#[derive(Default)]
struct Counter {
    steps: Vec<Step>,
    fresh: bool,
    /// When it was last read from the table.
    read: Option<Instant>,
}

struct Step {
    number: i64,
    count: u64,
    /// The part of `count` that is not written yet.
    unwritten: u64,
}

impl Step {
    fn ends(&self, window: u32) -> i64 {
        step_ends(self.number, window)
    }
}

impl Counters {
    /// At most `limit` for each plugin.
    pub fn new(limit: usize) -> Self {
        Self { plugins: Mutex::default(), limit, flushes: AtomicU64::new(0) }
    }

    /// What of these has to be read from the table, since others may have counted; none: nothing. What is full by what was just
    /// read is refused without.
    pub fn stale<'a>(&self, plugin: &str, bounds: &'a [Bound], now: i64) -> Option<Stale<'a>> {
        let plugins = self.lock();
        let state = plugins.get(plugin)?;
        let is_fresh = |bound: &&Bound| {
            let counter = state.counters.get(&(bound.key.clone(), bound.window));
            counter.and_then(|counter| counter.read).is_some_and(|read| read.elapsed() < FRESH)
        };
        let (fresh, bounds): (Vec<&Bound>, Vec<&Bound>) = bounds.iter().partition(is_fresh);
        let full = fresh.iter().any(|bound| state.wait(bound, now).is_some());
        let flushes = self.flushes.load(Ordering::Relaxed);
        (!full && !bounds.is_empty()).then(|| Stale { bounds, flushes, at: Instant::now() })
    }

    /// What was read of these.
    pub fn refresh(&self, plugin: &str, stale: &Stale<'_>, written: &[Added], now: i64) {
        let mut plugins = self.lock();
        let Some(state) = plugins.get_mut(plugin) else { return };
        // What was being written at that time may be in what was read, or not.
        let exact = stale.flushes.is_multiple_of(2) && stale.flushes == self.flushes.load(Ordering::Relaxed);
        for bound in &stale.bounds {
            let of_bound = written.iter().filter(|one| (&one.key, one.window) == (&bound.key, bound.window));
            let of_bound: Vec<&Added> = of_bound.collect();
            let name = (bound.key.clone(), bound.window);
            if of_bound.is_empty() && !state.counters.contains_key(&name) {
                continue;
            }
            let counter = state.counters.entry(name).or_default();
            counter.read = Some(stale.at);
            if exact {
                counter.steps.retain_mut(|step| {
                    step.count = step.unwritten;
                    step.count > 0
                });
            }
            for one in of_bound {
                match counter.steps.iter_mut().find(|step| step.number == one.step) {
                    Some(step) => step.count = step.count.max(one.count + step.unwritten),
                    None => counter.steps.push(Step { number: one.step, count: one.count, unwritten: 0 }),
                }
            }
        }
        while state.counters.len() > self.limit {
            state.make_room(now);
        }
    }

    /// Adds one to each if all have room in their windows, which end at `now`; else to none. `load` reads what was written of
    /// the plugin's counters; it runs once for each plugin.
    pub fn count(
        &self,
        plugin: &str,
        bounds: &[Bound],
        now: i64,
        load: impl FnOnce() -> Result<Vec<Added>, StorageError>,
    ) -> Result<Counted, StorageError> {
        let mut plugins = self.lock();
        if !plugins.contains_key(plugin) {
            let mut loaded = Plugin::loaded(load()?, now);
            while loaded.counters.len() > self.limit {
                loaded.make_room(now);
            }
            plugins.insert(plugin.to_owned(), loaded);
        }
        let Some(state) = plugins.get_mut(plugin) else { unreachable!("inserted above") };
        if let Some(wait) = bounds.iter().filter_map(|bound| state.wait(bound, now)).max() {
            return Ok(Counted::Full(wait));
        }
        for (at, bound) in bounds.iter().enumerate() {
            let same = |other: &Bound| (&other.key, other.window) == (&bound.key, bound.window);
            // One that is named twice counts once.
            if !bounds[..at].iter().any(same) {
                state.add(bound, self.limit, now);
            }
        }
        Ok(Counted::Within)
    }

    /// Lets the counters of these keys begin anew, under every window.
    pub fn forget(&self, plugin: &str, key: &str) {
        if let Some(state) = self.lock().get_mut(plugin) {
            state.counters.retain(|(name, _), _| name != key);
        }
    }

    /// What has changed since this was last asked; it is the caller's to write and to say so, or to give back.
    pub fn take_unwritten(&self) -> Unwritten {
        let Unwritten { mut gone, mut added } = Unwritten::default();
        let mut plugins = self.lock();
        for (plugin, state) in plugins.iter_mut() {
            let made_room = std::mem::take(&mut state.gone).into_iter();
            gone.extend(made_room.map(|(key, window)| Gone { plugin: plugin.clone(), key, window }));
            for (key, window) in std::mem::take(&mut state.fresh) {
                let Some(counter) = state.counters.get_mut(&(key.clone(), window)) else {
                    continue;
                };
                counter.fresh = false;
                for step in counter.steps.iter_mut().filter(|step| step.unwritten > 0) {
                    let count = std::mem::take(&mut step.unwritten);
                    added.push(Added { plugin: plugin.clone(), key: key.clone(), window, step: step.number, count });
                }
            }
        }
        let unwritten = Unwritten { gone, added };
        self.has_moved(&unwritten);
        unwritten
    }

    /// It was taken, or written.
    pub fn has_moved(&self, unwritten: &Unwritten) {
        self.flushes.fetch_add(u64::from(!unwritten.is_empty()), Ordering::Relaxed);
    }

    /// What could not be written will be taken again.
    pub fn give_back(&self, unwritten: Unwritten) {
        let mut plugins = self.lock();
        self.has_moved(&unwritten);
        for one in unwritten.gone {
            if let Some(state) = plugins.get_mut(&one.plugin) {
                state.gone.insert((one.key, one.window));
            }
        }
        for one in unwritten.added {
            let Some(state) = plugins.get_mut(&one.plugin) else {
                continue;
            };
            let name = (one.key, one.window);
            let Some(counter) = state.counters.get_mut(&name) else {
                continue;
            };
            let Some(step) = counter.steps.iter_mut().find(|step| step.number == one.step) else {
                continue;
            };
            step.unwritten += one.count;
            if !counter.fresh {
                counter.fresh = true;
                state.fresh.push(name);
            }
        }
    }

    /// Removes those that ended before `now`.
    pub fn tidy(&self, now: i64) {
        for state in self.lock().values_mut() {
            state.remove_ended(now);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Plugin>> {
        self.plugins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Plugin {
    /// Seconds until one more fits, if nothing is added before; none: it fits now.
    fn wait(&self, bound: &Bound, now: i64) -> Option<u32> {
        let counter = self.counters.get(&(bound.key.clone(), bound.window))?;
        let first = step_number(bound.window, now) - STEPS;
        let mut steps: Vec<&Step> = counter.steps.iter().filter(|step| step.number >= first).collect();
        let mut total: u64 = steps.iter().map(|step| step.count).sum();
        if total < bound.limit {
            return None;
        }
        steps.sort_unstable_by_key(|step| step.number);
        let enough = steps.into_iter().find(|step| {
            total -= step.count;
            total < bound.limit
        });
        let ends = enough.map_or(i64::MAX, |step| step.ends(bound.window));
        let seconds = ends.saturating_sub(now).saturating_add(999) / 1000;
        Some(u32::try_from(seconds).unwrap_or(u32::MAX).max(1))
    }

    fn add(&mut self, bound: &Bound, limit: usize, now: i64) {
        let name = (bound.key.clone(), bound.window);
        if !self.counters.contains_key(&name) && self.counters.len() >= limit {
            self.make_room(now);
        }
        let counter = self.counters.entry(name.clone()).or_default();
        if !counter.fresh {
            counter.fresh = true;
            self.fresh.push(name);
        }
        let number = step_number(bound.window, now);
        counter.steps.retain(|step| step.number >= number - STEPS);
        match counter.steps.iter_mut().find(|step| step.number == number) {
            Some(step) => {
                step.count += 1;
                step.unwritten += 1;
            }
            None => counter.steps.push(Step { number, count: 1, unwritten: 1 }),
        }
    }

    fn loaded(written: Vec<Added>, now: i64) -> Self {
        let mut state = Self::default();
        for one in written {
            if one.ends() > now {
                let counter = state.counters.entry((one.key, one.window)).or_default();
                counter.read = Some(Instant::now());
                counter.steps.push(Step { number: one.step, count: one.count, unwritten: 0 });
            }
        }
        state
    }

    /// Lets go of those that have ended, and if that does not help, of those that count least: whoever floods with new
    /// names must neither stop everybody's sign-in nor wash away a counter that is about to refuse. A sixteenth at once,
    /// so that a flood does not look through all of them each time.
    fn make_room(&mut self, now: i64) {
        let before = self.counters.len();
        if now >= self.full_until {
            self.remove_ended(now);
        }
        if self.counters.len() < before {
            return;
        }
        let mut counts: Vec<u64> = self.counters.values().map(Counter::total).collect();
        let (_, most, _) = counts.select_nth_unstable(before / 16);
        let (most, mut left) = (*most, before / 16 + 1);
        self.counters.retain(|name, counter| {
            let goes = left > 0 && counter.total() <= most;
            left -= usize::from(goes);
            if goes && counter.is_written() {
                self.gone.insert(name.clone());
            }
            !goes
        });
    }

    fn remove_ended(&mut self, now: i64) {
        self.counters.retain(|(_, window), counter| counter.ends(*window) > now);
        self.full_until = self.counters.iter().map(|((_, window), counter)| counter.ends(*window)).min().unwrap_or(0);
    }
}

impl Counter {
    /// Whether any of it stands in the table.
    fn is_written(&self) -> bool {
        self.steps.iter().any(|step| step.count > step.unwritten)
    }

    fn total(&self) -> u64 {
        self.steps.iter().map(|step| step.count).sum()
    }

    fn ends(&self, window: u32) -> i64 {
        step_ends(self.steps.iter().map(|step| step.number).max().unwrap_or(i64::MIN / 2), window)
    }
}

/// Milliseconds.
fn step_length(window: u32) -> i64 {
    (i64::from(window) * 1000 + STEPS - 1).max(STEPS) / STEPS
}

/// Unix milliseconds from which a step counts no longer.
fn step_ends(number: i64, window: u32) -> i64 {
    (number + STEPS + 1).saturating_mul(step_length(window))
}

fn step_number(window: u32, now: i64) -> i64 {
    now.div_euclid(step_length(window))
}

impl Rows<'_> {
    pub fn counters(&self, plugin: &str, now: i64) -> Result<Vec<Added>, StorageError> {
        self.counters_where("", plugin, now, &[])
    }

    /// Only those of these names.
    pub fn counters_named(&self, plugin: &str, bounds: &[&Bound], now: i64) -> Result<Vec<Added>, StorageError> {
        let marks: Vec<String> = (3..bounds.len() + 3).map(|at| format!("?{at}")).collect();
        let keys: Vec<ValueRef<'_>> = bounds.iter().map(|bound| bound.key.bind()).collect();
        self.counters_where(&format!(" AND key IN ({})", marks.join(", ")), plugin, now, &keys)
    }

    fn counters_where(
        &self,
        also: &str,
        plugin: &str,
        now: i64,
        keys: &[ValueRef<'_>],
    ) -> Result<Vec<Added>, StorageError> {
        let sql =
            format!("SELECT key, span, step, count FROM keyturnhost_counters WHERE plugin = ?1 AND ends > ?2{also}");
        self.all(&sql, &[params![plugin, now], keys].concat(), |row| {
            let count = row.get::<i64>(3)?.unsigned_abs();
            Ok(Added { plugin: plugin.to_owned(), key: row.get(0)?, window: row.get(1)?, step: row.get(2)?, count })
        })
    }

    pub fn write_counts(&self, unwritten: &Unwritten) -> Result<(), StorageError> {
        for one in &unwritten.gone {
            self.change(
                "DELETE FROM keyturnhost_counters WHERE plugin = ?1 AND key = ?2 AND span = ?3",
                params![one.plugin, one.key, one.window],
            )?;
        }
        for one in &unwritten.added {
            self.change(
                "INSERT INTO keyturnhost_counters (plugin, key, span, step, count, ends) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (plugin, key, span, step) DO UPDATE SET count = keyturnhost_counters.count + excluded.count",
                params![one.plugin, one.key, one.window, one.step, one.count as i64, one.ends()],
            )?;
        }
        Ok(())
    }

    /// Removes at most `most` steps that have ended; answers how many.
    pub fn tidy_counters(&self, now: i64, most: u32) -> Result<usize, StorageError> {
        let gone = self.execute(
            "DELETE FROM keyturnhost_counters WHERE (plugin, key, span, step) IN (SELECT plugin, key, span, step FROM (
                SELECT plugin, key, span, step FROM keyturnhost_counters WHERE ends <= ?1 ORDER BY ends LIMIT ?2) AS ended)",
            params![now, most],
        )?;
        Ok(gone as usize)
    }
}

#[cfg(test)]
mod tests;
