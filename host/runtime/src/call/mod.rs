//! A call reads, decides and asks for effects. When a plugin's export answers `ok`, the host checks that nothing that it read
//! has changed, and commits everything together; only then does anybody get an answer. If something has changed, the call runs
//! again in a fresh instance. On a failure, a trap or a deadline nothing is applied.

pub mod audit;
pub mod error;
mod hook;
mod idempotency;
pub mod lane;
pub mod ledger;
mod run;
pub mod state;
pub mod tasks;
pub mod told;
pub mod views;

use std::collections::BTreeSet;
use std::sync::Arc;

use keyturn_core::accounts::{AccountId, Why};
use keyturn_core::caller::Caller;
use keyturn_package::manifest::Operation;
use keyturn_store::tasks::LeasedTask;
use keyturn_store::{Effect, Read};
use wasmtime::Store;
use wasmtime::component::Instance;

use crate::admit::Plugin;
use crate::capabilities::Parts;
use state::State;

/// Calls the export of a fresh instance, and turns its results into the caller's answer.
pub type Invoke<'a, T> = dyn Fn(&mut Store<State>, &Instance) -> wasmtime::Result<T> + 'a;

/// The result of an operation.
pub struct Answer<T> {
    /// The answer itself.
    pub live: T,
    /// The answer to a second request with the same key.
    pub stored: Vec<u8>,
    /// One word for the audit log.
    pub case: String,
}

/// A requested operation.
pub struct Request<'a> {
    /// Its plugin.
    pub plugin: &'a Arc<Plugin>,
    /// Its row in the manifest.
    pub operation: &'a Operation,
    /// Its caller.
    pub caller: &'a Caller,
    /// The account that it is about.
    pub subject: Option<AccountId>,
    /// The idempotency key, and a MAC of the request.
    pub key: Option<(String, [u8; 32])>,
    /// The task that this runs, if it is one.
    pub task: Option<&'a LeasedTask>,
}

/// What a finished run of the guest leaves.
pub struct Left {
    reads: Vec<Read>,
    effects: Vec<Effect>,
    parts: Parts,
}

impl Left {
    /// Accounts whose stored hash the guest got.
    fn checked(&self) -> &BTreeSet<AccountId> {
        &self.parts.accounts.checked
    }

    /// The new session epoch of an account whose password this call replaced.
    fn epoch_of(&self, account: &AccountId) -> Option<&str> {
        self.effects.iter().rev().find_map(|effect| match effect {
            Effect::Replace { id, epoch, why: Why::Password, .. } if id == account => Some(epoch.as_str()),
            _ => None,
        })
    }
}
