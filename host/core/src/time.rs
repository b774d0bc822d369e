//! The clock for every time that the host writes.

use std::time::{SystemTime, UNIX_EPOCH};

/// Unix milliseconds.
pub fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}
