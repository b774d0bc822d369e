//! Chains the audit log, logs where its chains end, and deletes what is older than it stays.

use std::time::{Duration, Instant};

use super::Worker;
use keyturn_core::time::now;
use keyturn_store::StorageError;
use keyturn_store::audit::chain::Head;

/// Time between two looks for rows to chain: until then, somebody who can write the database could remove them without a trace.
const LOOK: Duration = Duration::from_secs(1);
/// Time between two looks for old rows.
const TIDY: Duration = Duration::from_secs(60);
/// The ends of the chains are logged so often,
const TOLD: Duration = Duration::from_secs(3600);
/// and after so many rows.
const ROWS: i64 = 1_000;

/// The ends of the chains as they were logged last, and when.
type Logged = Option<([Head; 2], Instant)>;

impl Worker<'_> {
    pub(super) fn tend_audit(&self) {
        let (mut logged, mut tidied, mut failed) = (None, None, None);
        loop {
            // What was written before the end is chained, too.
            let stopped = self.shutdown.stopped();
            if self.may_go() {
                let due = tidied.is_none_or(|at: Instant| at.elapsed() >= TIDY);
                match self.tend_audit_once(&mut logged, due && !stopped, stopped) {
                    Ok(()) if due => tidied = Some(Instant::now()),
                    Ok(()) | Err(StorageError::Busy) => {}
                    // Each second it would be the same.
                    Err(error) if failed.is_none_or(|at: Instant| at.elapsed() >= TIDY) => {
                        failed = Some(Instant::now());
                        tracing::error!(%error, "can't tend the audit log; see `keyturn audit verify`");
                    }
                    Err(_) => {}
                }
            }
            if stopped {
                return;
            }
            self.shutdown.wait(LOOK);
        }
    }

    fn tend_audit_once(&self, logged: &mut Logged, tidy: bool, last: bool) -> Result<(), StorageError> {
        let (store, goes_on) = (&self.inner.storage, || !self.shutdown.stopped());
        store.chain_audit(goes_on)?;
        let heads = store.audit_heads()?;
        let grown =
            |before: &[Head; 2]| heads.iter().zip(before).map(|(now, before)| now.sequence - before.sequence).max();
        let due = logged.as_ref().is_none_or(|(before, at)| {
            let back = heads.iter().zip(before).find(|(now, before)| now.sequence < before.sequence);
            if let Some((now, before)) = back {
                tracing::error!(%now, %before, "the audit log was cut from outside: it had reached more");
            }
            at.elapsed() >= TOLD || grown(before) >= Some(ROWS) || (last && *before != heads) || back.is_some()
        });
        if due {
            let [entries, counts] = &heads;
            tracing::info!(%entries, %counts, "the audit log is chained up to here");
            *logged = Some((heads, Instant::now()));
        }
        if tidy { store.tidy_audit(now(), goes_on) } else { Ok(()) }
    }
}
