//! Idempotency keys: a second request with the same key and content gets the first one's answer.

use keyturn_core::caller::Caller;
use keyturn_core::time::now;
use keyturn_package::manifest::Operation;
use keyturn_store::{Record, RecordKey, StorageError};
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
                    let answer =
                        Recorded::decode(&record.answer).and_then(|kept| serde_json::from_slice(&kept.answer).ok());
                    return Ok(hook.operation.scope().map(|hook| (hook, answer.unwrap_or(Value::Null))));
                }
            }
        }
        Ok(None)
    }

    pub(super) fn recorded(
        &self,
        request: &Request<'_>,
        key: Option<&RecordKey>,
        now: i64,
    ) -> Result<Option<Recorded>, CallError> {
        let Some(key) = key else { return Ok(None) };
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
pub(super) struct Recorded {
    pub(super) answer: Vec<u8>,
    pub(super) own_epoch: Option<String>,
}

impl Recorded {
    /// The epoch's length in one byte, the epoch, the answer. An epoch is the host's own, of 32 bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        let epoch = self.own_epoch.as_deref().unwrap_or_default().as_bytes();
        let length = u8::try_from(epoch.len()).expect("an epoch has 32 bytes");
        [&[length], epoch, &self.answer].concat()
    }

    pub(super) fn decode(record: &[u8]) -> Option<Self> {
        let (length, rest) = record.split_first()?;
        let (epoch, answer) = rest.split_at_checked(usize::from(*length))?;
        let epoch = std::str::from_utf8(epoch).ok()?;
        Some(Self { answer: answer.to_vec(), own_epoch: (!epoch.is_empty()).then(|| epoch.to_owned()) })
    }

    pub(super) fn restored<T>(&self, restore: &dyn Fn(&[u8]) -> T) -> (T, Option<String>) {
        (restore(&self.answer), self.own_epoch.clone())
    }
}

pub(super) fn same_body(request: &Request<'_>, record: Record) -> Result<Recorded, CallError> {
    match &request.key {
        Some((_, body)) if *body == record.body => Recorded::decode(&record.answer).ok_or_else(|| {
            let cause = "it does not hold what this host writes".to_owned();
            CallError::Storage(StorageError::Failed { doing: "reading keyturnhost_records".to_owned(), cause })
        }),
        _ => Err(CallError::KeyReused),
    }
}
