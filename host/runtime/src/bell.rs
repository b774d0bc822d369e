//! Wakes workers when a call has left work for them, so that they don't have to poll.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Counts its rings, so that a worker that was busy during a ring doesn't sleep through it.
#[derive(Default)]
pub struct Bell {
    rings: Mutex<u64>,
    rung: Condvar,
}

impl Bell {
    /// For one thing to do: wakes one sleeping worker.
    pub fn ring(&self) {
        *self.lock() += 1;
        self.rung.notify_one();
    }

    /// Wakes all workers.
    pub fn ring_all(&self) {
        *self.lock() += 1;
        self.rung.notify_all();
    }

    /// How often it has rung. Ask before you look for work.
    pub fn rings(&self) -> u64 {
        *self.lock()
    }

    /// Sleeps until it has rung more often than `heard`, or the time is over.
    pub fn wait(&self, heard: u64, most: Duration) {
        let until = Instant::now() + most;
        let mut rings = self.lock();
        while *rings == heard {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            rings = self.rung.wait_timeout(rings, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    // A panic can't leave a counter half-changed.
    fn lock(&self) -> MutexGuard<'_, u64> {
        self.rings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
