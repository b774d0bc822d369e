//! The panel's people, and how one panel keeps them.

pub use keyturn_accounts as sql;
pub use keyturn_core::accounts::*;
pub use keyturn_core::fold;
pub use keyturn_store::Provider;
