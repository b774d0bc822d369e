//! Webhooks: events posted to the operator's destinations.

pub mod tended;
#[cfg(test)]
mod tests;

pub use keyturn_webhooks::*;
