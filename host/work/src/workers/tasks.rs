//! Jobs and events are run, each by its plugin.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::{LEASE_MS, Worker, pause};
use keyturn_runtime::CallError;
use keyturn_runtime::Failure;
use keyturn_store::tasks::LeasedTask;

/// Tasks that one worker leases at once, at most.
const AT_ONCE: u32 = 16;
/// A task that takes no longer is soon done.
const QUICK: Duration = Duration::from_millis(20);

impl Worker<'_> {
    /// Runs tasks one after another.
    pub(super) fn run_tasks(&self) {
        // Several in one write, as long as they are soon done: what is slow holds up only what it was leased with.
        let mut most = 1;
        self.work(
            &self.inner.bells.task,
            || true,
            || {
                let tasks = self.inner.storage.lease_tasks(most, LEASE_MS)?;
                let (began, count) = (Instant::now(), tasks.len() as u32);
                self.held.lock().extend(tasks.iter().map(|task| task.lease.clone()));
                for task in &tasks {
                    self.run_task(task);
                    self.held.lock().remove(&task.lease);
                }
                if count > 0 {
                    most = if began.elapsed() < QUICK * count { AT_ONCE } else { 1 };
                }
                Ok(count > 0)
            },
        );
    }

    fn run_task(&self, task: &LeasedTask) {
        let plugin = self.inner.roster().admitted.get(&task.plugin).cloned();
        let (outcome, again_in) = match plugin {
            // It may be admitted again: an operator may fix its grants, and its work is still there.
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
        let storage = &self.inner.storage;
        self.settle("a task", || Ok((storage.settle_task(&task.lease, again_in, &outcome)?, ())));
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
