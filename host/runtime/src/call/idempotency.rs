//! Idempotency keys: a second request with the same key and content gets the first one's answer.

use keyturn_core::caller::Caller;
use keyturn_core::time::now;
use keyturn_package::manifest::Operation;
use keyturn_store::{Record, RecordKey, StorageError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Request;
use super::error::CallError;
use crate::admit::Plugin;
use crate::runtime::Runtime;

impl Runtime {
    /// The hook that this caller called with an idempotency key, and its answer; none if nothing was done with it.
    pub fn operation(&self, caller: &Caller, key: &str) -> Result<Option<(String, Value)>, CallError> {
        let now = now();
        for plugin in &self.plugins() {
            for hook in &plugin.hooks {
                let record = self.storage.record(&record_key(caller, plugin, &hook.operation, key), now);
                if let Some(record) = record.map_err(CallError::of_storage)? {
                    let answer = serde_json::from_slice::<Recorded>(&record.answer).map(|kept| kept.answer);
                    return Ok(hook.operation.scope().map(|hook| (hook, answer.unwrap_or_default())));
                }
            }
        }
        Ok(None)
    }

    pub(super) fn recorded(&self, request: &Request<'_>, now: i64) -> Result<Option<Recorded>, CallError> {
        let Some((key, _)) = &request.key else { return Ok(None) };
        let record = self.storage.record(key, now).map_err(CallError::of_storage)?;
        record.map(|record| same_body(request, record)).transpose()
    }
}

/// The key of a record.
pub(super) fn record_key(caller: &Caller, plugin: &Plugin, operation: &Operation, key: &str) -> RecordKey {
    RecordKey {
        caller: format!("{} {}", caller.actor.name(), caller.session),
        operation: format!("{}/{}", plugin.name, operation.name),
        key: key.to_owned(),
    }
}

/// The answer to a second request with the same key: the first one's, and the epoch that it gave its caller. So after two fast
/// clicks the answer that the reader sees keeps them signed in.
#[derive(Serialize, Deserialize)]
pub(super) struct Recorded {
    pub(super) answer: Value,
    pub(super) own_epoch: Option<String>,
}

impl Recorded {
    pub(super) fn restored<T: DeserializeOwned + Default>(self) -> (T, Option<String>) {
        (serde_json::from_value(self.answer).unwrap_or_default(), self.own_epoch)
    }
}

pub(super) fn same_body(request: &Request<'_>, record: Record) -> Result<Recorded, CallError> {
    match &request.key {
        Some((_, body)) if *body == record.body => serde_json::from_slice(&record.answer).map_err(|cause| {
            let doing = "reading keyturnhost_records".to_owned();
            CallError::Storage(StorageError::Failed { doing, cause: cause.to_string() })
        }),
        _ => Err(CallError::KeyReused),
    }
}
