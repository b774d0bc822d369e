//! What waits to be done, and who does it: emails, jobs, events and webhooks are rows that calls leave behind. [`workers`] take
//! them; [`outbox`] and [`tended`] are what people see and do about them.

mod builder;
pub mod outbox;
pub mod tended;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod trials;
mod work;
mod workers;

pub use builder::{HostBuilder, HostError};
pub use work::Work;
pub use workers::*;
