//! What a call reads and what it commits.

pub use keyturn_store::*;
