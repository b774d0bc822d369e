//! What a call reads and what it commits: all SQL of the host's own tables, written once over what an engine offers
//! ([`database`]). The panel's own tables are its [`Provider`]'s.

#![deny(missing_docs)]

mod accounts;
mod addresses;
pub mod audit;
mod commit;
mod counters;
mod data;
pub mod database;
pub mod deliveries;
pub mod dialect;
mod entry;
pub mod epoch;
mod error;
pub mod hosts;
pub mod keys;
pub mod moves;
pub mod outbox;
mod provider;
pub mod queue;
mod quotas;
mod records;
pub mod rights;
pub mod schema;
pub mod settings;
pub mod store;
pub mod tables;
mod tally;
pub mod tasks;
#[cfg(feature = "testing")]
pub mod testing;
mod touched;

pub use accounts::Known;
pub use addresses::SeenAddress;
pub use commit::{Commit, Effect, Read};
pub use counters::{Bound, Counted};
pub use data::Version;
pub use database::Value;
pub use entry::{AuditEntry, AuditFilter, Outdated, Role};
pub use error::{Record, StorageError};
pub use provider::Provider;
pub use quotas::Quotas;
pub use records::RecordKey;
pub use store::Store;
