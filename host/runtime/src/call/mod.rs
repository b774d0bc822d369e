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

use std::sync::Arc;

use keyturn_core::accounts::{AccountId, Why};
use keyturn_core::caller::Caller;
use keyturn_package::manifest::Operation;
use keyturn_store::tasks::LeasedTask;
use keyturn_store::{Effect, Read, RecordKey};
use serde_json::Value;
use wasmtime::Store;
use wasmtime::component::Instance;

use crate::admit::Plugin;
use crate::capabilities::Parts;
use error::CallError;
use state::State;

/// Calls the export of a fresh instance, and turns its results into the caller's answer.
pub type Invoke<'a, T> = dyn Fn(&mut Store<State>, &Instance) -> wasmtime::Result<T> + 'a;

/// The result of an operation.
pub struct Answer<T> {
    /// The answer itself.
    pub live: T,
    /// The answer to a second request with the same key, as JSON: of the same type, or else that type's default.
    pub stored: Value,
    /// One word for the audit log.
    pub case: String,
}

/// Calls the export of an operation.
pub type Operate<'a, T> = Invoke<'a, Result<Answer<T>, CallError>>;

/// An operation's answer, and the epoch that the caller's own account has afterwards, if its password was replaced.
pub type Answered<T> = Result<(T, Option<String>), CallError>;

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
    /// What its record is kept under, and the MAC of what is asked.
    pub key: Option<(RecordKey, [u8; 32])>,
    /// The task that this runs, if it is one.
    pub task: Option<&'a LeasedTask>,
}

/// What a finished run of the guest leaves.
pub struct Left {
    /// The time of the call, Unix milliseconds.
    now: i64,
    reads: Vec<Read>,
    effects: Vec<Effect>,
    parts: Parts,
}

impl Left {
    /// The new session epoch of an account whose password this call replaced.
    fn epoch_of(&self, account: &AccountId) -> Option<&str> {
        self.effects.iter().rev().find_map(|effect| match effect {
            Effect::Replace { id, epoch, why: Why::Password, .. } if id == account => Some(epoch.as_str()),
            _ => None,
        })
    }
}
