//! The calls of `keyturn:panel/background`: a job or an event, run by its plugin as the panel itself. A task ends in the commit
//! of its own effects, so they happen once.

use std::sync::Arc;

use serde_json::Value;
use wasmtime::Store;
use wasmtime::component::Instance;

use super::error::{CallError, Failure};
use super::state::State;
use super::{Answer, Request};
use crate::admit::Plugin;
use crate::runtime::Runtime;
use keyturn_contract::exports::keyturn::panel::background::{Job, Task};
use keyturn_contract::keyturn::panel::types::Received;
use keyturn_core::accounts::Reach;
use keyturn_core::caller::{Actor, Caller};
use keyturn_package::manifest::{Operation, Role};
use keyturn_store::tasks::{LeasedTask, TaskKind};

impl Runtime {
    /// Runs a task once, and ends it together with its effects.
    ///
    /// # Errors
    /// [`CallError`]; then the task is still there.
    pub fn run_task(&self, plugin: &Arc<Plugin>, leased: &LeasedTask) -> Result<(), CallError> {
        let no_such = || CallError::NoSuch(format!("background work in {}", plugin.name));
        let run = plugin.background.ok_or_else(no_such)?;
        let task = task(leased)?;
        // No manifest names a caller for it: the plugin itself queued it, or listens to it.
        let operation = Operation { name: leased.name.clone(), actors: [Role::System].into(), ..Operation::default() };
        let caller = Caller {
            address: leased.address.as_deref().and_then(|address| address.parse().ok()),
            ..Caller::new(Actor::System, Reach::none())
        };
        let request =
            Request { plugin, operation: &operation, caller: &caller, subject: None, key: None, task: Some(leased) };
        let invoke = |store: &mut Store<State>, instance: &Instance| {
            let function = instance.get_typed_func::<(&Task,), (Result<(), Failure>,)>(&mut *store, run)?;
            let (result,) = function.call(store, (&task,))?;
            let done = Answer { live: (), stored: Value::Null, case: "done".to_owned() };
            Ok(result.map(|()| done).map_err(CallError::Failed))
        };
        self.operate(&request, &invoke).map(|((), _)| ())
    }
}

fn task(leased: &LeasedTask) -> Result<Task, CallError> {
    let forged = |cause: String| CallError::NoSuch(format!("task that can be run: {cause}"));
    let payload = leased.payload.as_ref().map_err(|cause| forged(cause.clone()))?;
    Ok(match leased.kind {
        TaskKind::Job => Task::Job(Job { name: leased.name.clone(), payload: payload.to_string() }),
        TaskKind::Event => {
            let received: Received = serde_json::from_str(payload).map_err(|cause| forged(cause.to_string()))?;
            Task::Event(received)
        }
    })
}
