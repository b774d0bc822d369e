//! Runs jobs and events, each with its plugin.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::{LEASE_MS, Worker, pause};
use keyturn_runtime::CallError;
use keyturn_runtime::Failure;
use keyturn_store::tasks::{Lease, LeasedTask};

/// The most tasks that one worker leases at once.
const AT_ONCE: u32 = 16;
/// A task that takes no longer counts as short.
const QUICK: Duration = Duration::from_millis(20);

impl Worker<'_> {
    /// Runs tasks one after another.
    pub(super) fn run_tasks(&self) {
        // Leases several in one write while they are short: a slow task delays only those leased with it.
        let quick = Cell::new(false);
        let lease = || {
            let most = if quick.get() { AT_ONCE } else { 1 };
            let leased = self.inner.storage.lease_tasks(most, LEASE_MS)?;
            Ok(if leased.is_empty() { Vec::new() } else { vec![leased] })
        };
        self.work(
            &self.inner.bells.task,
            || true,
            lease,
            |tasks: Vec<LeasedTask>| {
                let (began, count) = (Instant::now(), tasks.len() as u32);
                let leases: Vec<Lease> = tasks.iter().map(|task| task.lease.clone()).collect();
                self.held().extend(leases);
                for task in tasks {
                    self.run_task(&task);
                    self.held().remove(&task.lease);
                }
                quick.set(began.elapsed() < QUICK * count);
            },
        );
    }

    fn run_task(&self, task: &LeasedTask) {
        let plugin = self.inner.roster().get(&task.plugin).cloned();
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
