//! A call is read, decide, effects. A plugin's export reads, decides and asks for effects; when it answers `ok`, what it
//! read is checked to be still so and everything is committed together, and only then is anybody answered. If something
//! changed meanwhile the call runs again, in a fresh instance; on a failure, a trap or a deadline nothing is applied.

pub(crate) mod lane;
pub(crate) mod state;
pub(crate) mod tasks;
pub(crate) mod told;
pub(crate) mod trace;
pub(crate) mod views;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use wasmtime::component::{Instance, Val};
use wasmtime::{Store, Trap};
use zeroize::Zeroizing;

use crate::accounts::{AccountId, Why};
use crate::bindings::keyturn::panel::types::{FieldError, Refusal};
use crate::caller::{Actor, Caller};
use crate::engine;
use crate::host::Inner;
use crate::plugin::admit::{Hook, Plugin};
use crate::plugin::manifest::{Effects, Lane, Operation, Release, Role as ActorRole};
use crate::storage::tasks::LeasedTask;
use crate::storage::{AuditEntry, Commit, Effect, Known, Quotas, Read, Record, RecordKey, Role, StorageError};
use crate::values::{self, Misfit};
pub(crate) use keyturn_core::time::now;
use state::{Call, CountedOn, Facts, Purpose, State, Stop};

pub use crate::bindings::keyturn::panel::types::Failure;

/// How often a call is run before a lasting conflict is answered.
const RUNS: usize = 3;

/// Why a call has no answer. Nothing that it asked for was applied, but for [`CallError::Indeterminate`].
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The plugin said no, in the contract's words.
    #[error("{}", failure_text(.0))]
    Failed(Failure),
    /// The plugin said no, in words of its own.
    #[error("the plugin answered an error: {0}")]
    Error(Value),
    /// An argument does not fit its type.
    #[error("{0}")]
    Arguments(#[from] Misfit),
    /// There is no such plugin, hook, page, slot or form action.
    #[error("there is no {0}")]
    NoSuch(String),
    /// The plugin that has it is left out.
    #[error("the plugin {plugin} is left out: `keyturn check` says why and what to do")]
    LeftOut {
        /// The plugin.
        plugin: String,
    },
    /// The manifest does not let this caller do it.
    #[error("{actor} may not do {operation}")]
    Denied {
        /// Who.
        actor: String,
        /// What.
        operation: String,
    },
    /// The actor must prove himself anew before he does this.
    #[error("{operation} needs a fresh proof of who you are")]
    StepUp {
        /// What.
        operation: String,
    },
    /// The task took too long, and another worker has it.
    #[error("the task took longer than its lease, and was given to another worker; nothing was changed")]
    LeaseLost,
    /// A limit stopped the plugin.
    #[error("the plugin {plugin} was stopped: the limit {limit} was reached")]
    Limit {
        /// The plugin.
        plugin: String,
        /// The limit's setting.
        limit: &'static str,
    },
    /// It asked for an effect where there are none.
    #[error(
        "the plugin {plugin} was stopped: it asked for an effect in a page, a slot or an operation that declares none"
    )]
    EffectsRefused {
        /// The plugin.
        plugin: String,
    },
    /// It broke down by itself.
    #[error("the plugin {plugin} broke down: {trap}")]
    Trap {
        /// The plugin.
        plugin: String,
        /// How: the engine's word for it.
        trap: String,
    },
    /// What it drew cannot be shown.
    #[error("the plugin {plugin} drew what cannot be shown: {problem}")]
    View {
        /// The plugin.
        plugin: String,
        /// The limit or grant.
        problem: String,
    },
    /// Too many calls; try again in so many seconds.
    #[error("very busy just now; nothing was changed; try again in {0} seconds")]
    Busy(u32),
    /// Others kept changing what the call read.
    #[error("what this depends on kept changing; nothing was changed; try again")]
    Conflict,
    /// The idempotency key was used for something else.
    #[error("the idempotency key was used for a request with another content")]
    KeyReused,
    /// The database did not do it.
    #[error("the database did not answer as it should; nothing was changed: {0}")]
    Storage(StorageError),
    /// It may or may not have been done.
    #[error("the answer of the database did not come; it may have been done")]
    Indeterminate,
}

fn failure_text(failure: &Failure) -> String {
    match failure {
        Failure::NotFound => "no such thing, or not one of yours".to_owned(),
        Failure::Forbidden => "not allowed".to_owned(),
        Failure::Invalid(errors) => {
            errors.iter().map(|error| format!("{}: {}", error.field, error.message)).collect::<Vec<_>>().join("; ")
        }
        Failure::Refused(refusal) => refusal.message.clone(),
        Failure::Expired => "the link no longer works".to_owned(),
        Failure::Throttled(seconds) => format!("too often; wait {seconds} seconds"),
        Failure::Unavailable(seconds) => format!("not now; try again in {seconds} seconds"),
        Failure::Unsupported => "this panel cannot do that".to_owned(),
    }
}

/// One word for the audit.
fn failure_case(failure: &Failure) -> String {
    match failure {
        Failure::NotFound => "not-found".to_owned(),
        Failure::Forbidden => "forbidden".to_owned(),
        Failure::Invalid(errors) => {
            let codes: BTreeSet<&str> = errors.iter().map(|error| error.code.as_str()).collect();
            format!("invalid: {}", codes.into_iter().collect::<Vec<_>>().join(" "))
        }
        Failure::Refused(refusal) => format!("refused: {}", refusal.code),
        Failure::Expired => "expired".to_owned(),
        Failure::Throttled(_) => "throttled".to_owned(),
        Failure::Unavailable(_) => "unavailable".to_owned(),
        Failure::Unsupported => "unsupported".to_owned(),
    }
}

impl CallError {
    /// One word for the audit and for machines.
    #[must_use]
    pub fn case(&self) -> String {
        match self {
            CallError::Failed(failure) => failure_case(failure),
            CallError::Error(_) => "error".to_owned(),
            CallError::Arguments(_) => "arguments".to_owned(),
            CallError::NoSuch(_) => "no-such".to_owned(),
            CallError::LeftOut { .. } => "left-out".to_owned(),
            CallError::Denied { .. } => "denied".to_owned(),
            CallError::StepUp { .. } => "step-up".to_owned(),
            CallError::LeaseLost => "lease-lost".to_owned(),
            CallError::Limit { limit, .. } => format!("limit: {limit}"),
            CallError::EffectsRefused { .. } => "effects-refused".to_owned(),
            CallError::Trap { .. } => "trap".to_owned(),
            CallError::View { .. } => "view".to_owned(),
            CallError::Busy(_) => "busy".to_owned(),
            CallError::Conflict => "conflict".to_owned(),
            CallError::KeyReused => "key-reused".to_owned(),
            CallError::Storage(_) => "storage".to_owned(),
            CallError::Indeterminate => "indeterminate".to_owned(),
        }
    }

    pub(crate) fn view(plugin: &Plugin, problem: impl ToString) -> Self {
        CallError::View { plugin: plugin.name.clone(), problem: problem.to_string() }
    }

    pub(crate) fn of_storage(cause: StorageError) -> Self {
        match cause {
            StorageError::Changed => CallError::Conflict,
            StorageError::LeaseLost => CallError::LeaseLost,
            StorageError::Busy => CallError::Busy(crate::capabilities::RETRY_SECONDS),
            StorageError::Indeterminate => CallError::Indeterminate,
            cause => CallError::Storage(cause),
        }
    }
}

/// Calls the export of a fresh instance, and makes of its results what the caller is to get.
pub(crate) type Invoke<'a, T> = dyn Fn(&mut Store<State>, &Instance) -> wasmtime::Result<T> + 'a;

/// What an operation has answered.
pub(crate) struct Answer<T> {
    /// The answer itself.
    pub(crate) live: T,
    /// What a second request of the same key gets.
    pub(crate) stored: Vec<u8>,
    /// One word for the audit.
    pub(crate) case: String,
}

/// An operation about to be done.
pub(crate) struct Deed<'a> {
    pub(crate) plugin: &'a Arc<Plugin>,
    pub(crate) operation: &'a Operation,
    pub(crate) caller: &'a Caller,
    pub(crate) subject: Option<AccountId>,
    /// Idempotency key and MAC of what is asked.
    pub(crate) key: Option<(String, [u8; 32])>,
    /// The task that this runs, if it is one.
    pub(crate) task: Option<&'a LeasedTask>,
}

/// What a finished call leaves behind.
pub(crate) struct Left {
    reads: Vec<Read>,
    effects: Vec<Effect>,
    checked: BTreeSet<AccountId>,
    counted: CountedOn,
}

impl Left {
    /// The session epoch that this call has given an account, if it has replaced its password.
    fn epoch_of(&self, account: &AccountId) -> Option<&str> {
        self.effects.iter().rev().find_map(|effect| match effect {
            Effect::Replace { id, epoch, why: Why::Password, .. } if id == account => Some(epoch.as_str()),
            _ => None,
        })
    }
}

impl Inner {
    /// Calls a hook by its JSON arguments.
    pub(crate) fn hook(
        &self,
        plugin: &Arc<Plugin>,
        interface: &str,
        function: &str,
        caller: &Caller,
        arguments: &Value,
        key: Option<&str>,
    ) -> Result<Value, CallError> {
        let hook = plugin
            .hook(interface, function)
            .ok_or_else(|| CallError::NoSuch(format!("hook {interface}/{function}")))?;
        let mut values = values::arguments(arguments, &hook.parameters)?;
        let subject = subject(hook, &values)?;
        let body = || self.keys.mac("idempotent body", &[Zeroizing::new(arguments.to_string()).as_bytes()]);
        let key = key.map(|key| (key.to_owned(), body()));
        let deed = Deed { plugin, operation: &hook.operation, caller, subject, key, task: None };
        let link = |page: &str, token: &str| self.surroundings.link(&plugin.name, page, token);
        let invoke = |store: &mut Store<State>, instance: &Instance| {
            let function =
                instance.get_func(&mut *store, hook.index).ok_or_else(|| wasmtime::Error::msg("the export is gone"))?;
            let mut results = vec![Val::Bool(false); usize::from(hook.result.is_some())];
            function.call(&mut *store, &values, &mut results)?;
            Ok(hook_answer(hook, results.pop(), &link))
        };
        let restore = |stored: &[u8]| serde_json::from_slice(stored).unwrap_or(Value::Null);
        let answer = self.operate(&deed, &invoke, &restore).map(|(answer, _)| answer);
        values::wipe(&mut values);
        answer
    }

    /// The hook that this caller has called under an idempotency key, and what it answered; none: nothing was done under it.
    pub(crate) fn operation(&self, caller: &Caller, key: &str) -> Result<Option<(String, Value)>, CallError> {
        let now = now();
        for plugin in &self.plugins() {
            for hook in &plugin.hooks {
                let record = self.storage.record(&record_key(caller, plugin, &hook.operation, key), now);
                if let Some(record) = record.map_err(CallError::of_storage)? {
                    let answer =
                        Kept::decode(&record.answer).and_then(|kept| serde_json::from_slice(&kept.answer).ok());
                    return Ok(hook.operation.scope().map(|hook| (hook, answer.unwrap_or(Value::Null))));
                }
            }
        }
        Ok(None)
    }

    /// Does an operation: asks who may, waits for a place, runs the guest, commits, audits. Also answers the epoch that
    /// the caller's own account has afterwards, if its password was replaced.
    pub(crate) fn operate<T>(
        &self,
        deed: &Deed<'_>,
        invoke: &Invoke<'_, Result<Answer<T>, CallError>>,
        restore: &dyn Fn(&[u8]) -> T,
    ) -> Result<(T, Option<String>), CallError> {
        let operation = deed.operation;
        self.may(deed.caller, deed.subject.as_ref(), &operation.actors, &operation.name, operation.scope().as_deref())?;
        stepped_up(deed.caller, deed.operation, now())?;
        let result = self.operate_in_turn(deed, invoke, restore);
        if let Err(error) = &result
            && operation.effects == Effects::Some
            && turned_away(error)
        {
            self.tally(deed, now(), error.case());
        }
        result
    }

    fn operate_in_turn<T>(
        &self,
        deed: &Deed<'_>,
        invoke: &Invoke<'_, Result<Answer<T>, CallError>>,
        restore: &dyn Fn(&[u8]) -> T,
    ) -> Result<(T, Option<String>), CallError> {
        let began = Instant::now();
        let busy = || CallError::Busy(crate::capabilities::RETRY_SECONDS);
        let compute =
            if deed.operation.lane == Lane::Compute { Some(self.compute.enter().ok_or_else(busy)?) } else { None };
        let place = self.calls.enter().ok_or_else(busy)?;
        let result = self.operate_in_place(deed, invoke, restore);
        drop((place, compute));
        if deed.operation.answer == Release::Even {
            let took = began.elapsed();
            self.tell_uneven(took);
            std::thread::sleep(until_grid(took, self.even_grid));
        }
        result
    }

    fn operate_in_place<T>(
        &self,
        deed: &Deed<'_>,
        invoke: &Invoke<'_, Result<Answer<T>, CallError>>,
        restore: &dyn Fn(&[u8]) -> T,
    ) -> Result<(T, Option<String>), CallError> {
        let record_key = deed.key.as_ref().map(|(key, _)| record_key(deed.caller, deed.plugin, deed.operation, key));
        let purpose = Purpose::Operation {
            effects: deed.operation.effects == Effects::Some,
            compute: deed.operation.lane == Lane::Compute,
        };
        let audited = deed.operation.effects == Effects::Some;
        let mut counted = CountedOn::new();
        for _ in 0..RUNS {
            let now = now();
            if let Some(answer) = self.recorded(deed, record_key.as_ref(), now)? {
                return Ok(answer.restored(restore));
            }
            // Noted although the guest may never ask: what let the caller do this must hold at the commit.
            let seen = match &deed.subject {
                Some(id) => vec![(id.clone(), self.storage.account(id).map_err(CallError::of_storage)?)],
                None => Vec::new(),
            };
            let depth = deed.task.map_or(0, |task| task.depth);
            let (outcome, left) = self.run(deed.plugin, deed.caller, now, purpose, depth, seen, counted, invoke)?;
            counted = left.counted.clone();
            match outcome.and_then(|answer| answer) {
                Ok(answer) => {
                    let own_epoch = match &deed.caller.actor {
                        Actor::Account(own) => left.epoch_of(own).map(str::to_owned),
                        _ => None,
                    };
                    if !audited {
                        return Ok((answer.live, own_epoch));
                    }
                    let trace = self.trace(deed, now, &left, &answer);
                    let record = record_key.clone().zip(deed.key.as_ref()).filter(|_| trace.recorded);
                    let record = record.map(|(key, (_, body))| {
                        let kept = Kept { answer: answer.stored.clone(), own_epoch: own_epoch.clone() };
                        (key, Record { body: *body, answer: kept.encode() })
                    });
                    let commit = Commit {
                        plugin: deed.plugin.name.clone(),
                        now,
                        audit: trace.entry,
                        reads: left.reads,
                        effects: left.effects,
                        record,
                        quotas: Quotas {
                            stored_bytes: deed.plugin.limits.stored_bytes,
                            outbox_bytes: deed.plugin.limits.outbox_bytes,
                            waiting_jobs: deed.plugin.limits.waiting_jobs,
                            waiting_deliveries: deed.plugin.limits.waiting_deliveries,
                        },
                        task: deed.task.map(|task| task.lease.clone()),
                    };
                    let waits = work_left(&commit.effects, now);
                    match self.committed(commit) {
                        Ok(()) => {
                            self.wake(waits);
                            if let Some(outcome) = trace.counted {
                                self.tally(deed, now, outcome);
                            }
                            return Ok((answer.live, own_epoch));
                        }
                        Err(StorageError::Changed) => continue,
                        Err(StorageError::Recorded(record)) => {
                            return same_body(deed, record).map(|answer| answer.restored(restore));
                        }
                        // By the others' jobs, and not for what this one asks: no more than a busy moment.
                        Err(StorageError::Limit(limit @ "waiting-jobs")) => {
                            self.tell_full(&deed.plugin.name, limit, now);
                            return Err(CallError::Busy(crate::capabilities::RETRY_SECONDS));
                        }
                        Err(StorageError::Limit(limit)) => {
                            let error = CallError::Limit { plugin: deed.plugin.name.clone(), limit };
                            self.audit_failure(deed, now, &left.checked, &error);
                            return Err(error);
                        }
                        Err(cause) => return Err(CallError::of_storage(cause)),
                    }
                }
                Err(error) => {
                    // A failure that rests on what is no longer so is no answer, nor is one beside a recorded success.
                    if !self.storage.still(&deed.plugin.name, &left.reads, now).map_err(CallError::of_storage)? {
                        continue;
                    }
                    if let Some(answer) = self.recorded(deed, record_key.as_ref(), now)? {
                        return Ok(answer.restored(restore));
                    }
                    if audited && !turned_away(&error) {
                        self.audit_failure(deed, now, &left.checked, &error);
                    }
                    return Err(error);
                }
            }
        }
        Err(CallError::Conflict)
    }

    /// Commits; where nothing is to be written only what was read is checked, and the disk is left alone.
    fn committed(&self, commit: Commit) -> Result<(), StorageError> {
        if commit.audit.is_some() || commit.record.is_some() || commit.task.is_some() || !commit.effects.is_empty() {
            return self.storage.commit(commit);
        }
        match self.storage.still(&commit.plugin, &commit.reads, commit.now)? {
            true => Ok(()),
            false => Err(StorageError::Changed),
        }
    }

    fn recorded(&self, deed: &Deed<'_>, key: Option<&RecordKey>, now: i64) -> Result<Option<Kept>, CallError> {
        let Some(key) = key else { return Ok(None) };
        let record = self.storage.record(key, now).map_err(CallError::of_storage)?;
        record.map(|record| same_body(deed, record)).transpose()
    }

    /// Wakes who does what was left: a mail, a task, a webhook.
    fn wake(&self, (mail, task, webhook): (bool, bool, bool)) {
        if mail {
            self.mail_bell.ring();
        }
        if task {
            self.task_bell.ring();
        }
        if webhook {
            // Each destination has workers of its own, and the bell does not know whose this is.
            self.webhook_bell.ring_all();
        }
    }

    /// Tells the operator that a plugin has no room for more work; once a minute, since anybody may be who asks for more.
    fn tell_full(&self, plugin: &str, limit: &str, now: i64) {
        if self.full_told.is_due(now) {
            tracing::error!(
                plugin,
                limit,
                "as many jobs wait as may: whoever asks for more is told to come back. If nobody runs them, start who does; \
                 `keyturn check` says more"
            );
        }
    }

    /// Tells the operator that answers come later than evenly, which tells names apart; once a minute.
    fn tell_uneven(&self, took: Duration) {
        if !self.even_grid.is_zero() && took > self.even_grid && self.uneven_told.is_due(now()) {
            tracing::warn!(
                took_ms = took.as_millis(),
                even_ms = self.even_grid.as_millis(),
                "a check of a password took longer than sign-in.even-ms, so that its time tells something. If that is not for the \
                 machine's load, `keyturn check` says which value to set"
            );
        }
    }

    /// Whether the manifest lets this caller do a thing for that subject: the one place that says who may. A machine must
    /// also have the scope, and what has none is not for machines. Answers the subject where it had to be looked at.
    pub(crate) fn may(
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

    /// One run of the guest in a fresh instance, which finds the accounts of `seen` as they were seen. The outer error is the
    /// host's; the inner one is the guest's end.
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn run<T>(
        &self,
        plugin: &Arc<Plugin>,
        caller: &Caller,
        now: i64,
        purpose: Purpose,
        depth: u32,
        seen: Vec<(AccountId, Option<Known>)>,
        counted: CountedOn,
        invoke: &Invoke<'_, T>,
    ) -> Result<(Result<T, CallError>, Left), CallError> {
        let facts = Facts {
            plugin,
            storage: &self.storage,
            keys: &self.keys,
            buffers: &self.buffers,
            surroundings: &self.surroundings,
            caller,
            now,
            purpose,
            depth,
        };
        let mut store = Store::new(plugin.pre.engine(), State::new(&facts, counted));
        store.limiter(|state| &mut state.limiter);
        store.set_hostcall_fuel(plugin.limits.hostcall_bytes);
        store.set_epoch_deadline(engine::ticks(Duration::from_millis(
            plugin.limits.guest_ms.min(plugin.limits.total_ms),
        )));
        store.epoch_deadline_callback(state::deadline);
        for (id, seen) in seen {
            store.data_mut().call.noted(id, seen);
        }
        let result = plugin.pre.instantiate(&mut store).and_then(|instance| invoke(&mut store, &instance));
        let state = store.into_data();
        log_stderr(plugin, caller, &state);
        let result = result.map_err(|cause| stopped(plugin, &state, &cause));
        let Call { reads, effects, checked, counted, .. } = state.call;
        Ok((result, Left { reads, effects, checked, counted }))
    }
}

/// What a record is kept under.
fn record_key(caller: &Caller, plugin: &Plugin, operation: &Operation, key: &str) -> RecordKey {
    RecordKey {
        caller: format!("{} {}", caller.actor.name(), caller.session),
        operation: format!("{}/{}", plugin.name, operation.name),
        key: key.to_owned(),
    }
}

/// Whether these leave a mail, a task, a webhook, for workers to do now. What is for later is found when its time has come.
fn work_left(effects: &[Effect], now: i64) -> (bool, bool, bool) {
    let mail = effects.iter().any(|effect| matches!(effect, Effect::Send(_)));
    let task = effects.iter().any(|effect| matches!(effect, Effect::Enqueue(task) if task.not_before <= now));
    let webhook = effects.iter().any(|effect| matches!(effect, Effect::Deliver(_)));
    (mail, task, webhook)
}

/// Who acts must have proved himself of late where the manifest says so.
fn stepped_up(caller: &Caller, operation: &Operation, now: i64) -> Result<(), CallError> {
    if !operation.step_up || caller.proved_lately(now) {
        return Ok(());
    }
    Err(CallError::StepUp { operation: operation.name.clone() })
}

/// What a second request of the same key gets: the first one's answer, and the epoch that it gave its caller, so that of two
/// fast presses the one whose answer the reader sees keeps him signed in.
struct Kept {
    answer: Vec<u8>,
    own_epoch: Option<String>,
}

impl Kept {
    /// The epoch's length in one byte, the epoch, the answer. An epoch is the host's own, of 32 bytes.
    fn encode(&self) -> Vec<u8> {
        let epoch = self.own_epoch.as_deref().unwrap_or_default().as_bytes();
        let length = u8::try_from(epoch.len()).expect("an epoch has 32 bytes");
        [&[length], epoch, &self.answer].concat()
    }

    fn decode(record: &[u8]) -> Option<Self> {
        let (length, rest) = record.split_first()?;
        let (epoch, answer) = rest.split_at_checked(usize::from(*length))?;
        let epoch = std::str::from_utf8(epoch).ok()?;
        Some(Self { answer: answer.to_vec(), own_epoch: (!epoch.is_empty()).then(|| epoch.to_owned()) })
    }

    fn restored<T>(&self, restore: &dyn Fn(&[u8]) -> T) -> (T, Option<String>) {
        (restore(&self.answer), self.own_epoch.clone())
    }
}

fn same_body(deed: &Deed<'_>, record: Record) -> Result<Kept, CallError> {
    match &deed.key {
        Some((_, body)) if *body == record.body => Kept::decode(&record.answer).ok_or_else(|| {
            let cause = "it does not hold what this host writes".to_owned();
            CallError::Storage(StorageError::Failed { doing: "reading keyturnhost_records".to_owned(), cause })
        }),
        _ => Err(CallError::KeyReused),
    }
}

/// Turned away without having been looked at. It is counted, not written: a row for each would let anybody fill the disk.
fn turned_away(error: &CallError) -> bool {
    matches!(error, CallError::Failed(Failure::Throttled(_) | Failure::Unavailable(_)) | CallError::Busy(_))
}

fn until_grid(elapsed: Duration, grid: Duration) -> Duration {
    if grid.is_zero() {
        return Duration::ZERO;
    }
    let steps = elapsed.as_nanos().div_ceil(grid.as_nanos()).max(1);
    Duration::from_nanos(u64::try_from(steps * grid.as_nanos()).unwrap_or(u64::MAX)).saturating_sub(elapsed)
}

fn subject(hook: &Hook, values: &[Val]) -> Result<Option<AccountId>, CallError> {
    let Some(name) = &hook.operation.subject else { return Ok(None) };
    let value =
        hook.parameters.iter().zip(values).find(|((parameter, _), _)| parameter == name).map(|(_, value)| value);
    let text = match value {
        Some(Val::String(text)) => text,
        Some(Val::Option(Some(inner))) => match inner.as_ref() {
            Val::String(text) => text,
            _ => return Ok(None),
        },
        _ => return Ok(None),
    };
    // What is not even a name is nobody's.
    text.parse().map(Some).map_err(|_| CallError::Failed(Failure::NotFound))
}

fn hook_answer(
    hook: &Hook,
    result: Option<Val>,
    link: &dyn Fn(&str, &str) -> String,
) -> Result<Answer<Value>, CallError> {
    let done = |json: Value| {
        let case = json.get("kind").and_then(Value::as_str).unwrap_or("done").to_owned();
        let stored = serde_json::to_vec(&json).unwrap_or_default();
        Ok(Answer { live: json, stored, case })
    };
    use wasmtime::component::types::Type;
    match (result, &hook.result) {
        (Some(Val::Result(result)), Some(Type::Result(ty))) => match (result, ty.ok(), ty.err()) {
            (Ok(Some(value)), Some(ty), _) => done(values::to_json(&value, &ty, link)),
            (Ok(_), _, _) => done(Value::Null),
            (Err(Some(value)), _, Some(ty)) => Err(match failure(&value, &ty) {
                Some(failure) => CallError::Failed(failure),
                None => CallError::Error(values::to_json(&value, &ty, link)),
            }),
            (Err(_), _, _) => Err(CallError::Error(Value::Null)),
        },
        (Some(value), Some(ty)) => done(values::to_json(&value, ty, link)),
        _ => done(Value::Null),
    }
}

/// Whether a type is the contract's `failure`, recognised by all of its cases: the engine's types have no names.
pub(crate) fn is_failure(ty: &wasmtime::component::types::Type) -> bool {
    let cases = ["not-found", "forbidden", "invalid", "refused", "expired", "throttled", "unavailable", "unsupported"];
    matches!(ty, wasmtime::component::types::Type::Variant(variant) if variant.cases().map(|case| case.name).eq(cases))
}

/// The contract's `failure`; none: it is another type.
fn failure(value: &Val, ty: &wasmtime::component::types::Type) -> Option<Failure> {
    if !is_failure(ty) {
        return None;
    }
    let Val::Variant(case, payload) = value else { return None };
    let text = |value: &Val| if let Val::String(text) = value { Some(text.clone()) } else { None };
    let texts = |value: &Val| match value {
        Val::Record(fields) => fields.iter().map(|(_, value)| text(value)).collect::<Option<Vec<String>>>(),
        _ => None,
    };
    let seconds = || match payload.as_deref() {
        Some(Val::U32(seconds)) => Some(*seconds),
        _ => None,
    };
    Some(match case.as_str() {
        "not-found" => Failure::NotFound,
        "forbidden" => Failure::Forbidden,
        "invalid" => {
            let Some(Val::List(errors)) = payload.as_deref() else { return None };
            let errors = errors.iter().map(|error| match texts(error)?.as_slice() {
                [field, code, message] => {
                    Some(FieldError { field: field.clone(), code: code.clone(), message: message.clone() })
                }
                _ => None,
            });
            Failure::Invalid(errors.collect::<Option<_>>()?)
        }
        "refused" => match texts(payload.as_deref()?)?.as_slice() {
            [code, message] => Failure::Refused(Refusal { code: code.clone(), message: message.clone() }),
            _ => return None,
        },
        "expired" => Failure::Expired,
        "throttled" => Failure::Throttled(seconds()?),
        "unavailable" => Failure::Unavailable(seconds()?),
        "unsupported" => Failure::Unsupported,
        _ => return None,
    })
}

fn audit_entry(
    deed: &Deed<'_>,
    now: i64,
    effects: &[Effect],
    checked: &BTreeSet<AccountId>,
    outcome: String,
) -> AuditEntry {
    let replaced = effects.iter().filter_map(|effect| match effect {
        Effect::Replace { id, why: Why::Password, .. } => Some((id.clone(), Role::Password)),
        Effect::Replace { id, why: Why::Upgrade, .. } => Some((id.clone(), Role::Upgrade)),
        _ => None,
    });
    let mut subjects: Vec<(AccountId, Role)> =
        deed.subject.clone().map(|id| (id, Role::Subject)).into_iter().chain(replaced).collect();
    // Only where nothing else names it: whoever replaces a hash has mostly read it before.
    let named: BTreeSet<AccountId> = subjects.iter().map(|(id, _)| id.clone()).collect();
    subjects.extend(checked.difference(&named).map(|id| (id.clone(), Role::Checked)));
    AuditEntry { subjects, ..AuditEntry::of(deed.caller, now, &deed.plugin.name, &deed.operation.name, outcome) }
}

/// What ended the guest, told apart: what we stopped, by the limit's name, from what broke by itself.
fn stopped(plugin: &Plugin, state: &State, cause: &wasmtime::Error) -> CallError {
    let name = || plugin.name.clone();
    let limit = |limit| CallError::Limit { plugin: name(), limit };
    if let Some(stop) = cause.downcast_ref::<Stop>() {
        return match stop {
            Stop::Limit(name) => limit(name),
            Stop::EffectsRefused => CallError::EffectsRefused { plugin: name() },
        };
    }
    if let Some(hit) = state.limiter.hit {
        return limit(hit);
    }
    if cause.is::<wasmtime::PoolConcurrencyLimitError>() {
        return CallError::Busy(crate::capabilities::RETRY_SECONDS);
    }
    let text = format!("{cause:#}");
    if text.contains("fuel allocated for hostcalls has been exhausted") {
        return limit("hostcall-bytes");
    }
    if state.stderr.contents().len() >= plugin.limits.log_bytes {
        return limit("log-bytes");
    }
    if text.contains("table has no free keys") || text.contains("resource table") {
        return limit("handles");
    }
    let trap = match cause.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => "stack overflow".to_owned(),
        Some(trap) => trap.to_string(),
        None => cause.root_cause().to_string(),
    };
    tracing::error!(plugin = plugin.name, request = state.call.caller.request, "{text}");
    CallError::Trap { plugin: name(), trap }
}

/// What the guest wrote to standard error: of a plugin that is given passwords only its size, since it may hold one.
fn log_stderr(plugin: &Plugin, caller: &Caller, state: &State) {
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
