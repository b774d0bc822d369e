//! Work for later, and who does it: emails, jobs, events and webhooks are rows that calls leave. Workers process them;
//! [`outbox`] and [`tended`] are what people see of them and can do.

#![deny(missing_docs)]

mod builder;
pub mod outbox;
pub mod tended;
#[cfg(any(test, feature = "testing"))]
#[allow(missing_docs)]
pub mod testing;
pub mod trials;
mod work;
mod workers;

pub use builder::{HostBuilder, HostError};
pub use work::Work;
pub use workers::*;
