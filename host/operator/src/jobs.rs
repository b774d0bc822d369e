//! Jobs and events that failed for good, below the outbox: a link that was requested but never created leaves no email to look
//! at.

use super::list::{Row, list};
use super::outbox::{Act, PAGE};
use super::page::{Asked, counted};
use super::sheet::List;
use crate::host::Operator;
use keyturn_core::accounts::Scope;
use keyturn_core::caller::{Actor, Caller};
use keyturn_runtime::CallError;
use keyturn_store::tasks::{Task, TaskKind};
use keyturn_ui::nodes::{Outcome, Tone, Value};
use keyturn_work::outbox::AT_ONCE;

/// The newest ones, to show.
const SHOWN: usize = 10;

impl Operator {
    /// Whether a caller may see the plugins' jobs and run them again: they concern everybody of a realm, so callers who reach
    /// only some accounts of one may not.
    fn may_see_jobs(&self, caller: &Caller) -> bool {
        match caller.actor {
            Actor::Console => true,
            Actor::Account(_) => {
                let scopes: Vec<Scope> = self.storage.realms().iter().map(|realm| caller.reach.scope(realm)).collect();
                scopes.contains(&Scope::All) && !scopes.contains(&Scope::Own)
            }
            Actor::Anonymous | Actor::ServiceKey(_) | Actor::System => false,
        }
    }

    /// The failed ones that this caller may see; at most as many as one press runs again.
    fn failed_jobs(&self, caller: &Caller) -> Result<Vec<Task>, CallError> {
        if !self.may_see_jobs(caller) {
            return Ok(Vec::new());
        }
        self.storage.tasks(true, AT_ONCE).map_err(CallError::of_storage)
    }
}

/// The section; none if nothing failed.
pub(super) fn failed(asked: &Asked<'_>) -> Result<Option<List>, CallError> {
    let failed = asked.host.failed_jobs(asked.caller)?;
    if failed.is_empty() {
        return Ok(None);
    }
    let entries = failed.iter().take(SHOWN).map(|task| entry(task, asked)).collect();
    let all = failed.len() > 1 && failed.iter().any(|task| task.whole);
    let all = all.then(|| asked.press("jobs-run-all-again", &PAGE, &Act::RunAllAgain));
    Ok(Some(List {
        heading: Some(asked.word("jobs-failed")),
        lead: asked.say("jobs-failed-lead"),
        foot: Some((asked.words.count("jobs-shown", failed.len() as u64), all.into_iter().collect())),
        ..list("jobs-failed", "jobs-column-what", entries, asked.empty("jobs-failed"), asked)
    }))
}

fn entry(task: &Task, asked: &Asked<'_>) -> Row {
    let key = match task.kind {
        TaskKind::Job => "jobs-job",
        TaskKind::Event => "jobs-event",
    };
    let again = || asked.press("jobs-run-again", &PAGE, &Act::RunAgain(task.id.clone()));
    Row {
        entry: task.into(),
        what: Value::Code(task.name.clone()),
        about: asked.small(key, &[("plugin", &task.plugin)]),
        said: None,
        badge: asked.badge(Tone::Danger, "state-gave-up"),
        goes_on: false,
        actions: task.whole.then(again).into_iter().collect(),
    }
}

/// Runs one or all of those that the caller may see again.
pub(super) fn run_again(asked: &Asked<'_>, one: Option<&str>) -> Result<Outcome, CallError> {
    let failed = asked.host.failed_jobs(asked.caller)?.into_iter().map(|task| task.id);
    let ids: Vec<String> = failed.filter(|id| one.is_none_or(|one| one == id)).collect();
    let done = asked.host.run_again(asked.caller, &ids).map_err(CallError::of_storage)?;
    Ok(counted(done.len(), "jobs-again-title", "jobs-nothing", asked.words))
}
