//! Accounts stored in a spelling that no index finds: with a space before the name, in a mixture of capital umlauts, with `ß`
//! where somebody types `ss`. These few are known before anybody asks, by the hash of their fold: so each look-up is one search
//! by the index and one in memory, whatever is typed, and no name that anybody types makes the table be read.
//!
//! The table is read a little at a time, again and again, at a pace that does not depend on how often or for what people ask. Only
//! the first look-up of a process waits until all was read once. What is kept only leads to rows, which are read and compared
//! again at each look-up: it can be old, never wrong.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use keyturn_core::fold::fold;
use keyturn_store::{StorageError, Value};

use super::find::in_order;

/// Rows that are read at once.
pub(super) const STEP: usize = 5_000;
/// The pause after a step; longer after a step that took long, so that it is at most a hundredth of the time.
const PAUSE: Duration = Duration::from_secs(1);
const APART: u32 = 100;

/// The odd spellings of one column.
#[derive(Default)]
pub(super) struct Odd {
    hasher: RandomState,
    /// Those of the last whole walk; none: there was none yet.
    known: RwLock<Option<Arc<[Lead]>>>,
    walk: Mutex<Walk>,
}

/// Hash of the fold, key of the row.
type Lead = (u64, Value);

/// How far the present walk has come.
#[derive(Default)]
struct Walk {
    leads: Vec<Lead>,
    reached: Option<Value>,
    rests_until: Option<Instant>,
}

impl Odd {
    /// Keys of rows that may be stored in another spelling of this name, in their order. `read` reads the rows after a key, at
    /// most [`STEP`] of them: their keys, and their texts where they are odd.
    pub fn keys(
        &self,
        folded: &str,
        read: impl Fn(Option<&Value>) -> Result<Vec<Vec<Value>>, StorageError>,
    ) -> Result<Vec<Value>, StorageError> {
        let known = match self.known() {
            Some(known) => known,
            None => self.first(read)?,
        };
        let hash = self.hasher.hash_one(folded);
        let from = known.partition_point(|(other, _)| *other < hash);
        let same = known[from..].iter().take_while(|(other, _)| *other == hash);
        Ok(same.map(|(_, key)| key.clone()).collect())
    }

    /// Takes one step, if the last one was long enough ago.
    pub fn look_ahead(
        &self,
        read: impl Fn(Option<&Value>) -> Result<Vec<Vec<Value>>, StorageError>,
    ) -> Result<(), StorageError> {
        // Whoever waits for the first walk takes its steps.
        let Ok(mut walk) = self.walk.try_lock() else { return Ok(()) };
        let began = Instant::now();
        if walk.rests_until.is_some_and(|until| began < until) {
            return Ok(());
        }
        let done = self.step(&mut walk, &read);
        walk.rests_until = Some(Instant::now() + PAUSE.max(began.elapsed() * APART));
        done
    }

    /// Whoever comes first walks to the end, and the others wait. A step that fails is taken again by the next one.
    fn first(
        &self,
        read: impl Fn(Option<&Value>) -> Result<Vec<Vec<Value>>, StorageError>,
    ) -> Result<Arc<[Lead]>, StorageError> {
        let mut walk: MutexGuard<'_, Walk> = self.walk.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(known) = self.known() {
                return Ok(known);
            }
            self.step(&mut walk, &read)?;
        }
    }

    fn step(
        &self,
        walk: &mut Walk,
        read: &impl Fn(Option<&Value>) -> Result<Vec<Vec<Value>>, StorageError>,
    ) -> Result<(), StorageError> {
        let rows = read(walk.reached.as_ref())?;
        let ended = rows.len() < STEP;
        for row in rows {
            let Ok([key, text]) = <[Value; 2]>::try_from(row) else { continue };
            if let Value::Text(stored) = text {
                let folded = fold(&stored);
                // Whoever is stored as people type it is found by the index; but a fold may have capitals, as in Cherokee.
                if folded != stored || folded.to_lowercase() != folded {
                    walk.leads.push((self.hasher.hash_one(folded), key.clone()));
                }
            }
            walk.reached = Some(key);
        }
        if ended {
            let mut leads = std::mem::take(&mut walk.leads);
            leads.sort_unstable_by(|(a, one), (b, other)| a.cmp(b).then_with(|| in_order(one, other)));
            walk.reached = None;
            *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(leads.into());
        }
        Ok(())
    }

    fn known(&self) -> Option<Arc<[Lead]>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
