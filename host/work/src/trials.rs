//! Tests of a mail server or a webhook from a page. Somebody waits for each, and each holds a request that long.

use std::time::Duration;

/// The time limit for one test, with everything.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Tests at once; more are refused.
pub const AT_ONCE: usize = 2;
