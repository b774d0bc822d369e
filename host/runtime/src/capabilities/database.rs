//! `keyturn:panel/database`: the plugin's own ordered map. Reads are noted, and checked at the commit. Writes are collected;
//! the call itself sees them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use zeroize::Zeroizing;

use crate::call::ledger::{Ledger, View};
use keyturn_contract::keyturn::panel::database::{Counted, Counter, Entry, Error, Host};
use keyturn_store::{self as storage, Effect, Read, StorageError};

/// What this capability keeps of a call.
#[derive(Default)]
pub(super) struct Part {
    /// What the call itself wrote, by key; none where it deleted.
    written: BTreeMap<String, Option<Zeroizing<Vec<u8>>>>,
    /// The counters that it has added to, by key and window.
    counted: BTreeSet<(String, u32)>,
}

impl Part {
    pub(super) fn for_another_run(&self) -> Self {
        Self { counted: self.counted.clone(), ..Self::default() }
    }
}

const MAX_KEY: usize = 200;
const MAX_VALUE: usize = 64 << 10;
const MAX_SCAN: u32 = 1_000;
const MAX_COUNTERS: usize = 16;
const MAX_WINDOW: u32 = 31_536_000;

fn storage_error(call: &Ledger, cause: &StorageError) -> Error {
    match cause {
        StorageError::Limit(name) => Error::Limit((*name).to_owned()),
        cause => Error::Unavailable(call.come_back(cause)),
    }
}

fn key_fits(key: &str) -> Result<(), Error> {
    if (1..=MAX_KEY).contains(&key.len()) { Ok(()) } else { Err("key".into()) }
}

impl View<'_, Part> {
    fn read_data(&mut self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        key_fits(key)?;
        let call = &mut *self.ledger;
        call.reading()?;
        if let Some(written) = self.part.written.get(key) {
            return Ok(written.as_ref().map(|value| value.to_vec()));
        }
        let found = call
            .in_host(|call| call.around.storage.get(&call.plugin.name, key, call.now))
            .map_err(|cause| storage_error(call, &cause))?;
        let (value, version) = found.unzip();
        let noted = call.reads.iter().any(|read| matches!(read, Read::Data { key: noted, .. } if noted == key));
        if !noted {
            call.reads.push(Read::Data { key: key.to_owned(), version });
        }
        Ok(value)
    }
}

impl Host for View<'_, Part> {
    fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<Vec<u8>>, Error>> {
        Ok(self.read_data(&key))
    }

    fn scan(
        &mut self,
        prefix: String,
        after: Option<String>,
        limit: u32,
    ) -> wasmtime::Result<Result<Vec<Entry>, Error>> {
        if !(1..=MAX_SCAN).contains(&limit) {
            return Ok(Err("limit".into()));
        }
        let call = &mut *self.ledger;
        if let Err(limit) = call.reading() {
            return Ok(Err(limit.into()));
        }
        // The call may have deleted as many of these entries itself.
        let asked = limit + u32::try_from(self.part.written.len()).unwrap_or(u32::MAX - MAX_SCAN);
        let found = call
            .in_host(|call| call.around.storage.scan(&call.plugin.name, &prefix, after.as_deref(), asked, call.now));
        let found = match found {
            Ok(found) => found,
            Err(cause) => return Ok(Err(storage_error(call, &cause))),
        };
        let mut merged: BTreeMap<String, Vec<u8>> = found.into_iter().collect();
        let last = merged.last_key_value().map(|(key, _)| key.clone());
        let whole = merged.len() < asked as usize;
        let from = match &after {
            Some(after) if *after >= prefix => Bound::Excluded(after.clone()),
            _ => Bound::Included(prefix.clone()),
        };
        for (key, value) in
            self.part.written.range((from, Bound::Unbounded)).take_while(|(key, _)| key.starts_with(&prefix))
        {
            match value {
                // Behind the last entry that the storage returned there may be more entries, which this one must not precede.
                Some(value) if whole || last.as_ref().is_some_and(|last| key <= last) => {
                    merged.insert(key.clone(), value.to_vec());
                }
                Some(_) => {}
                None => {
                    merged.remove(key);
                }
            }
        }
        Ok(Ok(merged.into_iter().take(limit as usize).map(|(key, value)| Entry { key, value }).collect()))
    }

    fn put(&mut self, key: String, value: Vec<u8>, expires: Option<i64>) -> wasmtime::Result<Result<(), Error>> {
        if let Err(error) = key_fits(&key) {
            return Ok(Err(error));
        }
        if value.len() > MAX_VALUE {
            return Ok(Err("value".into()));
        }
        let value = Zeroizing::new(value);
        let bytes = key.len() + value.len();
        let effect = Effect::Put { key: key.clone(), value: value.clone(), expires };
        let call = &mut *self.ledger;
        Ok(call.effect(effect, bytes)?.map_err(Error::from).map(|()| {
            let alive = expires.is_none_or(|expires| expires > call.now);
            self.part.written.insert(key, alive.then_some(value));
        }))
    }

    fn delete(&mut self, key: String) -> wasmtime::Result<Result<(), Error>> {
        if let Err(error) = key_fits(&key) {
            return Ok(Err(error));
        }
        let call = &mut *self.ledger;
        Ok(call.effect(Effect::Delete { key: key.clone() }, key.len())?.map_err(Error::from).map(|()| {
            self.part.written.insert(key, None);
        }))
    }

    fn count(&mut self, counters: Vec<Counter>) -> wasmtime::Result<Result<Counted, Error>> {
        let call = &mut *self.ledger;
        call.effects_allowed()?;
        if !(1..=MAX_COUNTERS).contains(&counters.len()) {
            return Ok(Err("counters".into()));
        }
        let mut bounds = Vec::new();
        for Counter { key, window, limit } in counters {
            if let Err(error) = key_fits(&key) {
                return Ok(Err(error));
            }
            if !(1..=MAX_WINDOW).contains(&window) {
                return Ok(Err("window".into()));
            }
            if limit == 0 {
                return Ok(Err("limit".into()));
            }
            if let Err(limit) = call.reading() {
                return Ok(Err(limit.into()));
            }
            // A call that is run again counts once.
            if !self.part.counted.contains(&(key.clone(), window)) {
                bounds.push(storage::Bound { key, window, limit });
            }
        }
        let counted = call.in_host(|call| call.around.storage.count(&call.plugin.name, &bounds, call.now));
        Ok(match counted {
            Ok(storage::Counted::Within) => {
                self.part.counted.extend(bounds.into_iter().map(|bound| (bound.key, bound.window)));
                Ok(Counted::Within)
            }
            Ok(storage::Counted::Full(seconds)) => Ok(Counted::Full(seconds)),
            Err(cause) => Err(storage_error(call, &cause)),
        })
    }

    fn forget(&mut self, key: String) -> wasmtime::Result<Result<(), Error>> {
        if let Err(error) = key_fits(&key) {
            return Ok(Err(error));
        }
        let bytes = key.len();
        Ok(self.ledger.effect(Effect::Forget { key }, bytes)?.map_err(Error::from))
    }
}
