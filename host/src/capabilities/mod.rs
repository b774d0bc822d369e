//! What a plugin may import, one file per interface of `keyturn:panel`. Each works on the call's own state; nothing here
//! writes to a database. (`kdf` stands in [`crate::kdf`], beside the memory that it reuses.)

mod accounts;
mod call;
mod database;
mod keys;
mod settings;

use crate::bindings::keyturn::panel::types;
use crate::bindings::keyturn::ui::nodes;
use crate::call::state::State;

impl types::Host for State {}
impl nodes::Host for State {}

/// Seconds that a caller is told to wait when the database did not answer.
pub(crate) const RETRY_SECONDS: u32 = 5;
