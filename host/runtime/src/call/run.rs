//! An operation, from the permission check to its answer, and one run of the guest.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use keyturn_core::accounts::AccountId;
use keyturn_core::caller::{Actor, Caller};
use keyturn_core::time::now;
use keyturn_package::manifest::{Effects, Lane, Release, Role as ActorRole};
use keyturn_store::{Commit, Effect, Known, Quotas, Record, StorageError};
use serde::de::DeserializeOwned;
use wasmtime::Store;

use super::audit::turned_away;
use super::error::{CallError, Failure, stopped};
use super::idempotency::{Recorded, same_body};
use super::ledger::{Ledger, Purpose};
use super::state::{self, State};
use super::{Answer, Answered, Invoke, Left, Operate, Request};
use crate::admit::Plugin;
use crate::capabilities::{Parts, RETRY_SECONDS};
use crate::engine;
use crate::runtime::{Bells, Runtime};

/// How often a call runs before it ends with a conflict.
const RUNS: usize = 3;

impl Runtime {
    /// Does an operation: checks permission, waits for a place, runs the guest, commits, audits.
    pub fn operate<T: DeserializeOwned + Default>(
        &self,
        request: &Request<'_>,
        invoke: &Operate<'_, T>,
    ) -> Answered<T> {
        let operation = request.operation;
        let scope = operation.scope();
        let subject = request.subject.as_ref();
        let seen = self.may(request.caller, subject, &operation.actors, &operation.name, scope.as_deref())?;
        if operation.step_up && !request.caller.proved_lately(now()) {
            return Err(CallError::StepUp { operation: operation.name.clone() });
        }
        let result = self.in_turn(request, seen, invoke);
        if let Err(error) = &result
            && operation.effects == Effects::Some
            && turned_away(error)
        {
            self.tally(request, now(), error.case());
        }
        result
    }

    fn in_turn<T: DeserializeOwned + Default>(
        &self,
        request: &Request<'_>,
        seen: Option<Known>,
        invoke: &Operate<'_, T>,
    ) -> Answered<T> {
        let began = Instant::now();
        let busy = || CallError::Busy(RETRY_SECONDS);
        let compute =
            if request.operation.lane == Lane::Compute { Some(self.compute.enter().ok_or_else(busy)?) } else { None };
        let place = self.calls.enter().ok_or_else(busy)?;
        let result = self.in_place(request, seen, invoke);
        drop((place, compute));
        if request.operation.answer == Release::Even {
            let took = began.elapsed();
            self.tell_uneven(took);
            std::thread::sleep(until_grid(took, self.even_grid));
        }
        result
    }

    fn in_place<T: DeserializeOwned + Default>(
        &self,
        request: &Request<'_>,
        mut seen: Option<Known>,
        invoke: &Operate<'_, T>,
    ) -> Answered<T> {
        let (effects, compute) = (request.operation.effects == Effects::Some, request.operation.lane == Lane::Compute);
        let purpose = Purpose { effects, compute };
        let mut parts = Parts::default();
        for _ in 0..RUNS {
            let now = now();
            if let Some(answer) = self.recorded(request, now)? {
                return Ok(answer.restored());
            }
            let depth = request.task.map_or(0, |task| task.depth);
            let profile = &request.plugin.profile;
            let mut ledger = Ledger::new(profile, &self.surroundings, request.caller, now, purpose, depth);
            // Although the guest may never ask for it: the reason why the caller may do this must still hold at the commit.
            if let Some(id) = &request.subject {
                let known = seen.take().map_or_else(|| self.storage.account(id), |known| Ok(Some(known)));
                ledger.noted(id.clone(), known.map_err(CallError::of_storage)?);
            }
            let (outcome, left) = self.run(request.plugin, ledger, parts, invoke);
            parts = left.parts.for_another_run();
            match outcome.and_then(|answer| answer) {
                Ok(answer) => match self.settle(request, left, answer) {
                    Err(CallError::Conflict) => {}
                    settled => return settled,
                },
                Err(error) => {
                    // A failure that depends on changed data is no answer, and neither is one beside a recorded success.
                    let still = self.storage.still(&request.plugin.name, &left.reads, now);
                    if !still.map_err(CallError::of_storage)? {
                        continue;
                    }
                    if let Some(answer) = self.recorded(request, now)? {
                        return Ok(answer.restored());
                    }
                    if request.operation.effects == Effects::Some && !turned_away(&error) {
                        self.audit_failure(request, now, &left.parts, &error);
                    }
                    return Err(error);
                }
            }
        }
        Err(CallError::Conflict)
    }

    /// Commits what an answered run left, with its audit entry and its record.
    ///
    /// # Errors
    /// [`CallError::Conflict`] if what it read has changed: nothing was written, and it may run again.
    fn settle<T: DeserializeOwned + Default>(
        &self,
        request: &Request<'_>,
        left: Left,
        answer: Answer<T>,
    ) -> Answered<T> {
        let own_epoch = match &request.caller.actor {
            Actor::Account(own) => left.epoch_of(own).map(str::to_owned),
            _ => None,
        };
        if request.operation.effects != Effects::Some {
            return Ok((answer.live, own_epoch));
        }
        let trace = self.trace(request, &left, &answer);
        let record = request.key.clone().filter(|_| trace.recorded).map(|(key, body)| {
            let recorded = Recorded { answer: answer.stored, own_epoch: own_epoch.clone() };
            (key, Record { body, answer: serde_json::to_vec(&recorded).unwrap_or_default() })
        });
        let limits = &request.plugin.limits;
        let Left { now, reads, effects, parts } = left;
        let commit = Commit {
            plugin: request.plugin.name.clone(),
            now,
            audit: trace.entry,
            reads,
            effects,
            record,
            quotas: Quotas {
                stored_bytes: limits.stored_bytes,
                outbox_bytes: limits.outbox_bytes,
                waiting_jobs: limits.waiting_jobs,
                waiting_deliveries: limits.waiting_deliveries,
            },
            task: request.task.map(|task| task.lease.clone()),
            once: request.caller.once.clone(),
        };
        let rings: Vec<_> = commit.effects.iter().filter_map(|effect| ring_for(effect, now)).collect();
        match self.committed(commit) {
            Ok(()) => {
                rings.into_iter().for_each(|ring| ring(&self.bells));
                if let Some(outcome) = trace.counted {
                    self.tally(request, now, outcome);
                }
                Ok((answer.live, own_epoch))
            }
            Err(StorageError::Recorded(record)) => same_body(request, record).map(Recorded::restored),
            // Other jobs fill the queue, not this call: tell the caller to retry.
            Err(StorageError::Limit(limit @ "waiting-jobs")) => {
                self.tell_full(&request.plugin.name, limit, now);
                Err(CallError::Busy(RETRY_SECONDS))
            }
            Err(StorageError::Limit(limit)) => {
                let error = CallError::Limit { plugin: request.plugin.name.clone(), limit };
                self.audit_failure(request, now, &parts, &error);
                Err(error)
            }
            Err(cause) => Err(CallError::of_storage(cause)),
        }
    }

    /// Commits. If there is nothing to write, it only checks what was read, without touching the disk.
    fn committed(&self, commit: Commit) -> Result<(), StorageError> {
        if commit.audit.is_some() || commit.record.is_some() || commit.task.is_some() || !commit.effects.is_empty() {
            return self.storage.commit(commit);
        }
        match self.storage.still(&commit.plugin, &commit.reads, commit.now)? {
            true => Ok(()),
            false => Err(StorageError::Changed),
        }
    }

    /// Logs that a plugin has no room for more work; once a minute, because anybody may cause it.
    fn tell_full(&self, plugin: &str, limit: &str, now: i64) {
        if self.told_full.is_due(now) {
            tracing::error!(
                plugin,
                limit,
                "the limit of waiting jobs is reached: new ones are refused for now. If no worker runs, start one; \
                 `keyturn check` says more"
            );
        }
    }

    /// Logs that answers come too late for the time grid, which reveals names; once a minute.
    fn tell_uneven(&self, took: Duration) {
        if !self.even_grid.is_zero() && took > self.even_grid && self.told_uneven.is_due(now()) {
            tracing::warn!(
                took_ms = took.as_millis(),
                even_ms = self.even_grid.as_millis(),
                "a password check took longer than sign-in.even-ms, so its time reveals something. If that is not because of the \
                 machine's load, `keyturn check` says which value to set"
            );
        }
    }

    /// Whether the manifest lets this caller do something to that subject: the only place that decides. A machine needs the
    /// scope, too; an operation without a scope is not for machines. Returns the subject, if it was looked up.
    pub fn may(
        &self,
        caller: &Caller,
        subject: Option<&AccountId>,
        actors: &BTreeSet<ActorRole>,
        operation: &str,
        scope: Option<&str>,
    ) -> Result<Option<Known>, CallError> {
        let role = match (&caller.actor, subject) {
            (Actor::Anonymous, _) => ActorRole::Anonymous,
            (Actor::Account(own), Some(subject)) if own != subject => ActorRole::Manager,
            (Actor::Account(_), _) => ActorRole::Own,
            (Actor::ServiceKey(_), _) => ActorRole::ServiceKey,
            (Actor::Console, _) => ActorRole::Console,
            (Actor::System, _) => ActorRole::System,
        };
        let denied = || CallError::Denied { actor: caller.actor.name(), operation: operation.to_owned() };
        let scoped = role != ActorRole::ServiceKey || scope.is_some_and(|scope| caller.scopes.contains(scope));
        if !actors.contains(&role) || !scoped {
            return Err(denied());
        }
        let Some(subject) = subject else { return Ok(None) };
        if matches!(role, ActorRole::Manager | ActorRole::ServiceKey | ActorRole::Console) {
            let known = self.storage.account(subject).map_err(CallError::of_storage)?;
            let reached = known.filter(|known| caller.reaches(&known.account));
            return reached.map(Some).ok_or(CallError::Failed(Failure::NotFound));
        }
        Ok(None)
    }

    /// One run of the guest in a fresh instance.
    pub(super) fn run<T>(
        &self,
        plugin: &Plugin,
        ledger: Ledger,
        parts: Parts,
        invoke: &Invoke<'_, T>,
    ) -> (Result<T, CallError>, Left) {
        let mut store = Store::new(plugin.pre.engine(), State::new(ledger, parts));
        store.limiter(|state| &mut state.limiter);
        store.set_hostcall_fuel(plugin.limits.hostcall_bytes);
        store.set_epoch_deadline(engine::ticks(Duration::from_millis(
            plugin.limits.guest_ms.min(plugin.limits.total_ms),
        )));
        store.epoch_deadline_callback(state::deadline);
        let result = plugin.pre.instantiate(&mut store).and_then(|instance| invoke(&mut store, &instance));
        let state = store.into_data();
        log_stderr(&state);
        let result = result.map_err(|cause| stopped(&state, cause));
        let Ledger { now, reads, effects, .. } = state.ledger;
        (result, Left { now, reads, effects, parts: state.parts })
    }
}

/// Wakes the workers for what an effect leaves for now: an email, a task, an event for a webhook. They find later work when it
/// is due.
fn ring_for(effect: &Effect, now: i64) -> Option<fn(&Bells)> {
    match effect {
        Effect::Send(_) => Some(|bells| bells.mail.ring()),
        Effect::Enqueue(task) if task.not_before <= now => Some(|bells| bells.task.ring()),
        // Each destination has workers of its own, and the bell doesn't know whose event this is.
        Effect::Deliver(_) => Some(|bells| bells.webhook.ring_all()),
        _ => None,
    }
}

fn until_grid(elapsed: Duration, grid: Duration) -> Duration {
    if grid.is_zero() {
        return Duration::ZERO;
    }
    let steps = elapsed.as_nanos().div_ceil(grid.as_nanos()).max(1);
    Duration::from_nanos(u64::try_from(steps * grid.as_nanos()).unwrap_or(u64::MAX)).saturating_sub(elapsed)
}

/// Logs what the guest wrote to standard error. If the plugin gets passwords, only the size is logged, because the text may
/// hold one.
fn log_stderr(state: &State) {
    let Ledger { plugin, caller, .. } = &state.ledger;
    let written = state.stderr.contents();
    if written.is_empty() {
        return;
    }
    let given_passwords = plugin.authority.passwords || plugin.authority.kdf;
    if given_passwords {
        tracing::warn!(
            plugin = plugin.name,
            request = caller.request,
            bytes = written.len(),
            "wrote to standard error"
        );
    } else {
        for line in String::from_utf8_lossy(&written).lines() {
            tracing::warn!(plugin = plugin.name, request = caller.request, "{}", line.escape_debug());
        }
    }
}
