//! What a call reads and what it commits.

pub use keyturn_store::*;
pub use keyturn_store_sqlite as sqlite;
