//! Runs jobs and events, each with its plugin.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::{LEASE_MS, Worker, pause};
use keyturn_runtime::CallError;
use keyturn_runtime::Failure;
use keyturn_store::tasks::LeasedTask;

/// The most tasks that one worker leases at once.
const AT_ONCE: u32 = 16;
/// A task that takes no longer counts as short.
const QUICK: Duration = Duration::from_millis(20);

impl Worker<'_> {
    /// Runs tasks one after another.
    pub(super) fn run_tasks(&self) {
        // Leases several in one write while they are short: a slow task delays only those leased with it.
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
            // The plugin may be admitted again after its operator fixed its grants; its work waits.
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

/// Milliseconds until a task with this failure runs again; none: never.
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
