//! `keyturn:panel/database`: the plugin's own ordered map. Reads are noted, and checked at the commit. Writes are collected;
//! the call itself sees them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use zeroize::Zeroizing;

use crate::call::ledger::{Unmet, View, told, within};
use keyturn_contract::keyturn::panel::database::{Counted, Counter, Entry, Error, Host};
use keyturn_store::{self as storage, Effect, Read};

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

fn key_fits(key: &str) -> Result<(), Unmet> {
    within("key", (1..=MAX_KEY).contains(&key.len()))
}

impl Host for View<'_, Part> {
    fn convert_error(&mut self, cause: wasmtime::Error) -> wasmtime::Result<Error> {
        told(cause, Error::Limit, Some(Error::Unavailable))
    }

    fn get(&mut self, key: String) -> wasmtime::Result<Option<Vec<u8>>> {
        key_fits(&key)?;
        let call = &mut *self.ledger;
        call.reading()?;
        if let Some(written) = self.part.written.get(&key) {
            return Ok(written.as_ref().map(|value| value.to_vec()));
        }
        let found = call.ask(|call| call.around.storage.get(&call.plugin.name, &key, call.now))?;
        let (value, version) = found.unzip();
        if !call.reads.iter().any(|read| matches!(read, Read::Data { key: noted, .. } if *noted == key)) {
            call.reads.push(Read::Data { key, version });
        }
        Ok(value)
    }

    fn scan(&mut self, prefix: String, after: Option<String>, limit: u32) -> wasmtime::Result<Vec<Entry>> {
        within("limit", (1..=MAX_SCAN).contains(&limit))?;
        let call = &mut *self.ledger;
        call.reading()?;
        // The call may have deleted as many of these entries itself.
        let asked = limit + u32::try_from(self.part.written.len()).unwrap_or(u32::MAX - MAX_SCAN);
        let found =
            call.ask(|call| call.around.storage.scan(&call.plugin.name, &prefix, after.as_deref(), asked, call.now))?;
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
        Ok(merged.into_iter().take(limit as usize).map(|(key, value)| Entry { key, value }).collect())
    }

    fn put(&mut self, key: String, value: Vec<u8>, expires: Option<i64>) -> wasmtime::Result<()> {
        key_fits(&key)?;
        within("value", value.len() <= MAX_VALUE)?;
        let value = Zeroizing::new(value);
        let bytes = key.len() + value.len();
        let alive = expires.is_none_or(|expires| expires > self.ledger.now);
        self.ledger.effect(Effect::Put { key: key.clone(), value: value.clone(), expires }, bytes)?;
        self.part.written.insert(key, alive.then_some(value));
        Ok(())
    }

    fn delete(&mut self, key: String) -> wasmtime::Result<()> {
        key_fits(&key)?;
        self.ledger.effect(Effect::Delete { key: key.clone() }, key.len())?;
        self.part.written.insert(key, None);
        Ok(())
    }

    fn count(&mut self, counters: Vec<Counter>) -> wasmtime::Result<Counted> {
        let call = &mut *self.ledger;
        call.effects_allowed()?;
        within("counters", (1..=MAX_COUNTERS).contains(&counters.len()))?;
        let mut bounds = Vec::new();
        for Counter { key, window, limit } in counters {
            key_fits(&key)?;
            within("window", (1..=MAX_WINDOW).contains(&window))?;
            within("limit", limit > 0)?;
            call.reading()?;
            // A call that is run again counts once.
            if !self.part.counted.contains(&(key.clone(), window)) {
                bounds.push(storage::Bound { key, window, limit });
            }
        }
        Ok(match call.ask(|call| call.around.storage.count(&call.plugin.name, &bounds, call.now))? {
            storage::Counted::Within => {
                self.part.counted.extend(bounds.into_iter().map(|bound| (bound.key, bound.window)));
                Counted::Within
            }
            storage::Counted::Full(seconds) => Counted::Full(seconds),
        })
    }

    fn forget(&mut self, key: String) -> wasmtime::Result<()> {
        key_fits(&key)?;
        let bytes = key.len();
        self.ledger.effect(Effect::Forget { key }, bytes)
    }
}
