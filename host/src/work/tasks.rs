//! Jobs and events are run, each by its plugin.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;

use super::{LEASE_MS, Worker, pause};
use crate::call::{CallError, Failure};
use crate::storage::tasks::LeasedTask;

impl Worker<'_> {
    /// Runs tasks one after another.
    pub(super) fn run_tasks(&self) {
        let lease = || self.inner.storage.lease_tasks(1, LEASE_MS);
        self.work(&self.inner.bell, lease, |task| self.holding(&task.lease.clone(), || self.run_task(&task)));
    }

    fn run_task(&self, task: &LeasedTask) {
        let plugins = self.inner.surroundings.plugins.read().unwrap_or_else(PoisonError::into_inner);
        let plugin = plugins.get(&task.plugin).cloned();
        drop(plugins);
        let (outcome, again_in) = match plugin {
            // It may be admitted again: an operator mends its grants, and its work is still there.
            None => ("no-plugin".to_owned(), pause(task.attempts)),
            Some(plugin) => match catch_unwind(AssertUnwindSafe(|| self.inner.run_task(&plugin, task))) {
                // It ended with its effects.
                Ok(Ok(())) => return,
                Ok(Err(error)) => {
                    tracing::warn!(plugin = task.plugin, task = task.name, attempts = task.attempts, "{error}");
                    (error.case(), again(&error, task.attempts))
                }
                Err(_) => ("broken".to_owned(), pause(task.attempts)),
            },
        };
        self.settle("a task", || self.inner.storage.settle_task(&task.lease, again_in, &outcome));
    }
}

/// Milliseconds until a task that failed so is run again; none: never.
fn again(error: &CallError, attempts: u32) -> Option<i64> {
    match error {
        CallError::Failed(Failure::Unavailable(seconds)) => {
            pause(attempts).map(|pause| pause.max(i64::from(*seconds) * 1000))
        }
        CallError::Trap { .. }
        | CallError::Limit { .. }
        | CallError::Busy(_)
        | CallError::Conflict
        | CallError::Storage(_)
        | CallError::Indeterminate
        | CallError::LeaseLost => pause(attempts),
        _ => None,
    }
}
