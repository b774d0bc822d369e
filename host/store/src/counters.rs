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

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::database::params;
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
        Self { plugins: Mutex::default(), limit }
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

    /// What has changed since this was last asked; it is the caller's to write, or to give back.
    pub fn take_unwritten(&self) -> Unwritten {
        let Unwritten { mut gone, mut added } = Unwritten::default();
        for (plugin, state) in self.lock().iter_mut() {
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
        Unwritten { gone, added }
    }

    /// What could not be written will be taken again.
    pub fn give_back(&self, unwritten: Unwritten) {
        let mut plugins = self.lock();
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
        self.all(
            "SELECT key, span, step, count FROM keyturnhost_counters WHERE plugin = ?1 AND ends > ?2",
            params![plugin, now],
            |row| {
                let count = row.get::<i64>(3)?.unsigned_abs();
                Ok(Added { plugin: plugin.to_owned(), key: row.get(0)?, window: row.get(1)?, step: row.get(2)?, count })
            },
        )
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
mod tests {
    use super::*;

    fn nothing() -> Result<Vec<Added>, StorageError> {
        Ok(Vec::new())
    }

    fn bound(key: &str, window: u32, limit: u64) -> Bound {
        Bound { key: key.to_owned(), window, limit }
    }

    /// Of a plugin's counter whose limit is far away.
    fn count(counters: &Counters, plugin: &str, key: &str, window: u32, now: i64) {
        let counted = counters.count(plugin, &[bound(key, window, u64::MAX)], now, nothing);
        assert_eq!(counted, Ok(Counted::Within));
    }

    fn total(counters: &Counters, plugin: &str, key: &str, window: u32) -> u64 {
        counters.lock()[plugin].counters.get(&(key.to_owned(), window)).map_or(0, Counter::total)
    }

    #[test]
    fn within_no_window_more_pass_than_the_limit_and_the_wait_that_is_told_is_enough() {
        let mut random = 7_u64;
        for (window, limit) in [(1, 1), (2, 3), (7, 5), (60, 10), (3600, 4)] {
            let counters = Counters::new(10);
            let length = i64::from(window) * 1000;
            let (mut now, mut passed) = (1_700_000_000_123_i64, Vec::new());
            for _ in 0..2000 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                now += i64::try_from(random >> 33).expect("small") % (length * 15 / 100);
                let within = |span: i64| passed.iter().filter(|at| **at > now - span).count() as u64;
                match counters.count("p", &[bound("k", window, limit)], now, nothing).expect("counted") {
                    Counted::Within => {
                        assert!(within(length) < limit, "window {window}");
                        passed.push(now);
                    }
                    Counted::Full(wait) => {
                        assert!(within(length + length / 16 + 18) >= limit, "window {window}");
                        assert!(i64::from(wait) * 1000 <= length + length / 16 + 1018, "window {window}: {wait}");
                        now += i64::from(wait) * 1000;
                        let counted = counters.count("p", &[bound("k", window, limit)], now, nothing);
                        assert_eq!(counted, Ok(Counted::Within), "window {window}");
                        passed.push(now);
                    }
                }
            }
        }
    }

    #[test]
    fn what_finds_one_full_is_added_to_none_and_prolongs_nothing() {
        let counters = Counters::new(10);
        let (narrow, wide) = (bound("narrow", 60, 2), bound("wide", 60, 5));
        let both = [wide.clone(), narrow];
        for _ in 0..2 {
            assert_eq!(counters.count("p", &both, 0, nothing), Ok(Counted::Within));
        }
        for second in 0..60 {
            let new = bound(&format!("new {second}"), 60, 1);
            let bounds = [both.as_slice(), &[new]].concat();
            let refused = counters.count("p", &bounds, second * 1000, nothing);
            assert!(matches!(refused, Ok(Counted::Full(_))), "{second}: {refused:?}");
        }
        assert_eq!((total(&counters, "p", "wide", 60), counters.lock()["p"].counters.len()), (2, 2));
        assert_eq!(
            counters.count("p", &both, 64_000, nothing),
            Ok(Counted::Within),
            "though it was tried all the time"
        );
    }

    #[test]
    fn parallel_attempts_do_not_pass_a_limit_together() {
        let counters = Counters::new(10);
        let attempt = || {
            let bounds = [bound("wide", 60, 1_000), bound("narrow", 60, 10)];
            (0..50).filter(|_| counters.count("p", &bounds, 0, nothing) == Ok(Counted::Within)).count()
        };
        let passed: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(attempt)).collect();
            threads.into_iter().map(|thread| thread.join().expect("ends")).sum()
        });
        assert_eq!((passed, total(&counters, "p", "wide", 60)), (10, 10));
    }

    #[test]
    fn one_that_is_named_twice_counts_once() {
        let counters = Counters::new(10);
        assert_eq!(counters.count("p", &[bound("a", 60, 9), bound("a", 60, 1)], 0, nothing), Ok(Counted::Within));
        assert_eq!(total(&counters, "p", "a", 60), 1);
    }

    #[test]
    fn a_flood_of_new_names_pushes_out_neither_each_other_for_ever_nor_one_that_is_about_to_refuse() {
        let counters = Counters::new(64);
        for _ in 0..9 {
            count(&counters, "p", "victim", 60, 0);
        }
        for name in 0..1_000 {
            let name = format!("name {name}");
            count(&counters, "p", &name, 60, 0);
            assert_eq!(total(&counters, "p", &name, 60), 1);
        }
        count(&counters, "p", "victim", 60, 0);
        assert_eq!(total(&counters, "p", "victim", 60), 10);
        assert!(counters.lock()["p"].counters.len() <= 64);
        count(&counters, "q", "victim", 60, 0);
        assert_eq!(total(&counters, "q", "victim", 60), 1, "another plugin has its own");
    }

    #[test]
    fn what_has_ended_makes_room_before_anything_else() {
        let counters = Counters::new(2);
        count(&counters, "p", "a", 10, 0);
        count(&counters, "p", "b", 60, 0);
        count(&counters, "p", "c", 10, 11_000);
        count(&counters, "p", "b", 60, 11_000);
        assert_eq!(total(&counters, "p", "b", 60), 2, "it has not ended");
    }

    #[test]
    fn what_was_taken_and_given_back_is_taken_again_once() {
        let counters = Counters::new(2);
        count(&counters, "p", "a", 10, 0);
        let taken = counters.take_unwritten();
        assert_eq!(taken.added.len(), 1);
        assert!(counters.take_unwritten().is_empty());
        count(&counters, "p", "a", 10, 0);
        counters.give_back(taken);
        assert_eq!(counters.take_unwritten().added.iter().map(|one| one.count).sum::<u64>(), 2);
    }

    #[test]
    fn what_makes_room_is_taken_out_of_the_table_too_if_it_stands_there() {
        let counters = Counters::new(2);
        for key in ["a", "b"] {
            count(&counters, "p", key, 60, 0);
        }
        assert_eq!(counters.take_unwritten().gone, [], "both are there");
        count(&counters, "p", "c", 60, 0);
        let taken = counters.take_unwritten();
        assert!(taken.gone.len() == 1 && ["a", "b"].contains(&taken.gone[0].key.as_str()), "{taken:?}");
        counters.give_back(taken);
        assert_eq!(counters.take_unwritten().gone.len(), 1, "until it is out of it");
        let unwritten = Counters::new(2);
        for key in ["a", "b", "c"] {
            count(&unwritten, "p", key, 60, 0);
        }
        assert_eq!(unwritten.take_unwritten().gone, [], "what was never written needs no removing");
    }
}
