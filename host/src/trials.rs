//! Tests of a mail server or a webhook from a page. Somebody waits for each, and each holds a request for as long.

use std::time::Duration;

/// The time for one, everything together.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// At once; more are refused.
pub(crate) const AT_ONCE: usize = 2;
