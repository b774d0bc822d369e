//! Accounts stored in a spelling that no index finds: with a space before the name, in capital umlauts, with a domain in
//! letters. An index of the panel's finds all others. These few are read in one walk through the table and kept by the hash
//! of their fold, so that each look-up stays one search by the index and one in memory, whatever is typed.
//!
//! What is kept only leads to rows, which are read and compared again at each look-up: it can be old, never wrong. How old is
//! bounded by what a walk costs: walks take a hundredth of the time at most.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use keyturn_core::fold::fold;
use keyturn_store::{StorageError, Value};

/// A walk is taken again after so many times what the last one took: 0.1 s at 1,000 people, some seconds at 200,000.
const APART: u32 = 100;
/// But after so long at most.
const OLDEST: Duration = Duration::from_secs(60);

/// The odd spellings of one column.
#[derive(Default)]
pub(super) struct Odd {
    hasher: RandomState,
    last: RwLock<Option<Arc<Walk>>>,
    walking: Mutex<()>,
}

struct Walk {
    /// Hash of the fold, key of the row; in order of the hashes.
    rows: Vec<(u64, Value)>,
    ended: Instant,
    holds: Duration,
}

impl Odd {
    /// Keys of rows that may be stored in another spelling of this name. `walk` reads the keys and texts of all odd rows.
    pub(super) fn keys(
        &self,
        folded: &str,
        walk: impl FnOnce() -> Result<Vec<Vec<Value>>, StorageError>,
    ) -> Result<Vec<Value>, StorageError> {
        let walk = self.current(walk)?;
        let hash = self.hasher.hash_one(folded);
        let from = walk.rows.partition_point(|(other, _)| *other < hash);
        let same = walk.rows[from..].iter().take_while(|(other, _)| *other == hash);
        Ok(same.map(|(_, key)| key.clone()).collect())
    }

    fn current(&self, walk: impl FnOnce() -> Result<Vec<Vec<Value>>, StorageError>) -> Result<Arc<Walk>, StorageError> {
        let good = |last: &Arc<Walk>| last.ended.elapsed() < last.holds;
        let last = self.last();
        // One walks, and the others go by what there is; at first there is nothing, and all wait.
        let _walking = match last {
            Some(last) if good(&last) => return Ok(last),
            Some(last) => match self.walking.try_lock() {
                Ok(walking) => walking,
                Err(_) => return Ok(last),
            },
            None => self.walking.lock().unwrap_or_else(PoisonError::into_inner),
        };
        if let Some(last) = self.last().filter(good) {
            return Ok(last);
        }
        let began = Instant::now();
        let mut rows: Vec<(u64, Value)> = Vec::new();
        for row in walk()? {
            if let Ok([key, Value::Text(stored)]) = <[Value; 2]>::try_from(row) {
                let folded = fold(&stored);
                // Who is stored as people type it is found by the index.
                if folded != stored {
                    rows.push((self.hasher.hash_one(folded), key));
                }
            }
        }
        rows.sort_unstable_by_key(|(hash, _)| *hash);
        rows.shrink_to_fit();
        let walk = Arc::new(Walk { rows, ended: Instant::now(), holds: OLDEST.min(began.elapsed() * APART) });
        *self.last.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&walk));
        Ok(walk)
    }

    fn last(&self) -> Option<Arc<Walk>> {
        self.last.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
