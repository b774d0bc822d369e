//! A call is read, decide, effects. A plugin's export reads, decides and asks for effects; when it answers `ok`, what it
//! read is checked to be still so and everything is committed together, and only then is anybody answered. If something has
//! changed the call runs again, in a fresh instance; on a failure, a trap or a deadline nothing is applied.

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

/// Calls the export of a fresh instance, and makes of its results what the caller is to get.
pub type Invoke<'a, T> = dyn Fn(&mut Store<State>, &Instance) -> wasmtime::Result<T> + 'a;

/// What an operation has answered.
pub struct Answer<T> {
    /// The answer itself.
    pub live: T,
    /// What a second request of the same key gets.
    pub stored: Value,
    /// One word for the audit.
    pub case: String,
}

/// How an operation's export is called, and its answer made of what was stored of it.
pub struct Export<'a, T> {
    pub invoke: &'a Invoke<'a, Result<Answer<T>, CallError>>,
    pub restore: &'a dyn Fn(Value) -> T,
}

/// An operation's answer, and the epoch that the caller's own account has afterwards, if its password was replaced.
pub type Answered<T> = Result<(T, Option<String>), CallError>;

/// An operation that is asked for.
pub struct Request<'a> {
    /// Whose.
    pub plugin: &'a Arc<Plugin>,
    /// Its row in the manifest.
    pub operation: &'a Operation,
    /// Who asks.
    pub caller: &'a Caller,
    /// The account that it is about.
    pub subject: Option<AccountId>,
    /// What its record is kept under, and the MAC of what is asked.
    pub key: Option<(RecordKey, [u8; 32])>,
    /// The task that this runs, if it is one.
    pub task: Option<&'a LeasedTask>,
}

/// What a finished call leaves behind.
pub struct Left {
    /// The call's one instant, Unix milliseconds.
    now: i64,
    reads: Vec<Read>,
    effects: Vec<Effect>,
    parts: Parts,
}

impl Left {
    /// The session epoch that this call has given an account, if it has replaced its password.
    fn epoch_of(&self, account: &AccountId) -> Option<&str> {
        self.effects.iter().rev().find_map(|effect| match effect {
            Effect::Replace { id, epoch, why: Why::Password, .. } if id == account => Some(epoch.as_str()),
            _ => None,
        })
    }
}
