//! Where calls wait: so many at once, so many behind them, the rest turned away before anything is looked up.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A counting semaphore with a bounded queue.
pub struct Lane {
    state: Mutex<State>,
    freed: Condvar,
    queue: usize,
    patience: Duration,
}

struct State {
    free: usize,
    waiting: usize,
}

/// A place in a lane, given back when dropped.
pub struct Place<'a>(&'a Lane);

impl Lane {
    pub fn new(at_once: usize, queue: usize, patience: Duration) -> Self {
        Self { state: Mutex::new(State { free: at_once.max(1), waiting: 0 }), freed: Condvar::new(), queue, patience }
    }

    /// A place, or none if the queue is full or the patience has run out.
    pub fn enter(&self) -> Option<Place<'_>> {
        let mut state = self.lock();
        if state.free == 0 && state.waiting >= self.queue {
            return None;
        }
        state.waiting += 1;
        let waited = self.freed.wait_timeout_while(state, self.patience, |state| state.free == 0);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.waiting -= 1;
        if state.free == 0 {
            return None;
        }
        state.free -= 1;
        Some(Place(self))
    }

    // Two counters cannot be left half-changed by a panic, so a poisoned lock is as good as a sound one.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.lock().free += 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_turns_away_at_once_and_a_freed_place_is_taken() {
        let lane = Lane::new(1, 0, Duration::MAX);
        let place = lane.enter().expect("free");
        assert!(lane.enter().is_none(), "with that patience, waiting would have no end");
        drop(place);
        assert!(lane.enter().is_some());
    }

    #[test]
    fn who_waits_longer_than_the_patience_is_turned_away() {
        let lane = Lane::new(1, 5, Duration::from_millis(20));
        let _place = lane.enter().expect("free");
        assert!(lane.enter().is_none());
    }
}
