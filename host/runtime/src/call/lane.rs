//! Queues for calls: so many run at once, so many wait, and the rest are turned away before any look-up.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};

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
    /// A lane with `at_once` places. Up to `queue` calls wait for one, each no longer than `patience`.
    pub fn new(at_once: usize, queue: usize, patience: Duration) -> Self {
        Self { state: Mutex::new(State { free: at_once.max(1), waiting: 0 }), freed: Condvar::new(), queue, patience }
    }

    /// A place, or none if the queue is full or the patience has run out.
    pub fn enter(&self) -> Option<Place<'_>> {
        let mut state = self.state.lock();
        if state.free == 0 && state.waiting >= self.queue {
            return None;
        }
        state.waiting += 1;
        self.freed.wait_while_for(&mut state, |state| state.free == 0, self.patience);
        state.waiting -= 1;
        if state.free == 0 {
            return None;
        }
        state.free -= 1;
        Some(Place(self))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.state.lock().free += 1;
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
