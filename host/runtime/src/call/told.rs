//! Lines for the operator's log that anybody could cause: each is written once a minute.

use std::sync::atomic::{AtomicI64, Ordering};

/// Milliseconds between two lines.
const APART: i64 = 60_000;

/// When something was told last, Unix milliseconds.
#[derive(Default)]
pub struct Told(AtomicI64);

impl Told {
    /// Whether it is time to log it again; of several that ask at once, one gets a yes.
    pub fn is_due(&self, now: i64) -> bool {
        let last = self.0.load(Ordering::Relaxed);
        let due = now.saturating_sub(last) >= APART;
        due && self.0.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_once_a_minute() {
        let told = Told::default();
        let at = [100_000, 100_001, 159_999, 160_000, 160_001].map(|now| told.is_due(now));
        assert_eq!(at, [true, false, false, true, false]);
    }
}
