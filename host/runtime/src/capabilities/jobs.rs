//! `keyturn:panel/jobs`: work for later. A queued job is an effect; from the commit on it waits in the storage.

use zeroize::Zeroizing;

use crate::call::ledger::{View, told, within};
use keyturn_contract::keyturn::panel::jobs::{Error, Host};
use keyturn_store::Effect;
use keyturn_store::tasks::{NewTask, TaskKind};

const MAX_PAYLOAD: usize = 64 << 10;
const MAX_KEY: usize = 200;

impl Host for View<'_, ()> {
    fn convert_error(&mut self, cause: wasmtime::Error) -> wasmtime::Result<Error> {
        told(cause, Error::Limit, Some(Error::Unavailable))
    }

    fn enqueue(
        &mut self,
        job: String,
        payload: String,
        not_before: Option<i64>,
        key: Option<String>,
    ) -> wasmtime::Result<()> {
        let payload = Zeroizing::new(payload);
        let call = &mut *self.ledger;
        if !call.plugin.manifest.jobs.contains(&job) {
            return Err(Error::Undeclared(job).into());
        }
        within("payload", payload.len() <= MAX_PAYLOAD)?;
        within("key", key.as_ref().is_none_or(|key| key.len() <= MAX_KEY))?;
        let bytes = job.len() + payload.len() + key.as_ref().map_or(0, String::len);
        let task = NewTask {
            kind: TaskKind::Job,
            plugin: call.plugin.name.clone(),
            name: job,
            payload,
            not_before: not_before.unwrap_or(call.now).max(call.now),
            key,
            address: call.caller.person_address().map(|address| address.to_canonical().to_string()),
            depth: call.depth,
        };
        call.effect(Effect::Enqueue(Box::new(task)), bytes)
    }
}
