//! Wakes workers when a call has left work for them, so that they don't have to poll.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// Counts its rings, so that a worker that was busy during a ring doesn't sleep through it.
#[derive(Default)]
pub struct Bell {
    rings: Mutex<u64>,
    rung: Condvar,
}

impl Bell {
    /// For one thing to do: wakes one sleeping worker.
    pub fn ring(&self) {
        *self.rings.lock() += 1;
        self.rung.notify_one();
    }

    /// Wakes all workers.
    pub fn ring_all(&self) {
        *self.rings.lock() += 1;
        self.rung.notify_all();
    }

    /// How often it has rung. Ask before you look for work.
    pub fn rings(&self) -> u64 {
        *self.rings.lock()
    }

    /// Sleeps until it has rung more often than `heard`, or the time is over.
    pub fn wait(&self, heard: u64, most: Duration) {
        self.rung.wait_while_for(&mut self.rings.lock(), |rings| *rings == heard, most);
    }
}
