//! Why a call has no answer: by the contract, the engine or the host.

use std::collections::BTreeSet;

use keyturn_contract::keyturn::panel::types::{FieldError, Refusal};
use keyturn_store::StorageError;
use serde::Deserialize;
use serde_json::Value;
use wasmtime::Trap;
use wasmtime::component::types::Type;
use wasmtime::component::{ResourceTableError, Val};

use super::state::State;
use crate::admit::Plugin;
use crate::capabilities::RETRY_SECONDS;
use crate::values::{self, Misfit};

pub use keyturn_contract::keyturn::panel::types::Failure;

/// Why a call has no answer. None of its effects was applied, except perhaps after [`CallError::Indeterminate`].
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum CallError {
    /// The plugin refused, with an error of the contract.
    #[error("{}", in_words(.0).1)]
    Failed(Failure),
    /// The plugin refused, with its own error.
    #[error("the plugin answered with an error: {0}")]
    Error(Value),
    /// An argument does not fit its type.
    #[error("{0}")]
    Arguments(#[from] Misfit),
    /// There is no such plugin, hook, page, slot or form action.
    #[error("there is no {0}")]
    NoSuch(String),
    /// Its plugin is left out.
    #[error("the plugin {plugin} is left out; `keyturn check` says why and what to do")]
    LeftOut { plugin: String },
    /// The manifest doesn't let this caller do it.
    #[error("{actor} isn't allowed to do {operation}")]
    Denied { actor: String, operation: String },
    /// The actor must confirm their identity again first.
    #[error("{operation} needs the caller's password again")]
    StepUp { operation: String },
    /// The task took too long, and another worker has it.
    #[error("the task took longer than its lease and was given to another worker; nothing was changed")]
    LeaseLost,
    /// A limit stopped the plugin.
    #[error("the plugin {plugin} was stopped: the limit {limit} was reached")]
    Limit { plugin: String, limit: &'static str },
    /// It asked for an effect where none are allowed.
    #[error(
        "the plugin {plugin} was stopped: it asked for an effect in a page, a slot or an operation without effects"
    )]
    EffectsRefused { plugin: String },
    /// It crashed.
    #[error("the plugin {plugin} crashed: {trap}")]
    Trap { plugin: String, trap: String },
    /// Its view can't be shown.
    #[error("the view of the plugin {plugin} can't be shown: {problem}")]
    View { plugin: String, problem: String },
    /// Too many calls; try again in so many seconds.
    #[error("very busy right now; nothing was changed; try again in {0} seconds")]
    Busy(u32),
    /// Other calls kept changing what this call read.
    #[error("the data that this depends on kept changing; nothing was changed; try again")]
    Conflict,
    /// The idempotency key was used for another request.
    #[error("the idempotency key was already used for a request with other contents")]
    KeyReused,
    /// The signed request was used before.
    #[error("the request was already used")]
    Replayed,
    /// The database refused it.
    #[error("the database failed; nothing was changed: {0}")]
    Storage(StorageError),
    /// It may or may not have been done.
    #[error("the database did not answer; it may have been done")]
    Indeterminate,
}

/// One word for the audit log, and a sentence.
fn in_words(failure: &Failure) -> (String, String) {
    let words = |case: &str, sentence: &str| (case.to_owned(), sentence.to_owned());
    match failure {
        Failure::NotFound => words("not-found", "it doesn't exist, or isn't one of yours"),
        Failure::Forbidden => words("forbidden", "not allowed"),
        Failure::Expired => words("expired", "the link no longer works"),
        Failure::Unsupported => words("unsupported", "this panel can't do that"),
        Failure::Throttled(seconds) => words("throttled", &format!("too many requests; wait {seconds} seconds")),
        Failure::Unavailable(seconds) => words("unavailable", &format!("not now; try again in {seconds} seconds")),
        Failure::Refused(refusal) => words(&format!("refused: {}", refusal.code), &refusal.message),
        Failure::Invalid(errors) => {
            let codes: BTreeSet<&str> = errors.iter().map(|error| error.code.as_str()).collect();
            let sentences: Vec<_> = errors.iter().map(|error| format!("{}: {}", error.field, error.message)).collect();
            let case = format!("invalid: {}", codes.into_iter().collect::<Vec<_>>().join(" "));
            (case, sentences.join("; "))
        }
    }
}

impl CallError {
    /// One word for the audit and for machines.
    #[must_use]
    pub fn case(&self) -> String {
        match self {
            CallError::Failed(failure) => in_words(failure).0,
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
            CallError::Replayed => "replayed".to_owned(),
            CallError::Storage(_) => "storage".to_owned(),
            CallError::Indeterminate => "indeterminate".to_owned(),
        }
    }

    /// The plugin answered a view that can't be drawn.
    pub fn view(plugin: &Plugin, problem: impl ToString) -> Self {
        CallError::View { plugin: plugin.name.clone(), problem: problem.to_string() }
    }

    /// The error of a commit or a read.
    pub fn of_storage(cause: StorageError) -> Self {
        match cause {
            StorageError::Changed => CallError::Conflict,
            StorageError::LeaseLost => CallError::LeaseLost,
            StorageError::Replayed => CallError::Replayed,
            StorageError::Busy => CallError::Busy(RETRY_SECONDS),
            StorageError::Indeterminate => CallError::Indeterminate,
            cause => CallError::Storage(cause),
        }
    }
}

/// Whether a type is the contract's `failure`, recognised by all of its cases: the engine's types have no names.
pub fn is_failure(ty: &Type) -> bool {
    let cases = ["not-found", "forbidden", "invalid", "refused", "expired", "throttled", "unavailable", "unsupported"];
    matches!(ty, Type::Variant(variant) if variant.cases().map(|case| case.name).eq(cases))
}

/// The contract's `failure`; none if it is another type.
pub(super) fn failure(value: &Val, ty: &Type) -> Option<Failure> {
    is_failure(ty).then(|| FailureJson::deserialize(values::to_json(value, ty, &|_, _| String::new())).ok()).flatten()
}

/// [`Failure`] as hooks write variants.
#[derive(Deserialize)]
#[serde(remote = "Failure", tag = "kind", content = "value", rename_all = "snake_case")]
enum FailureJson {
    NotFound,
    Forbidden,
    Invalid(Vec<FieldError>),
    Refused(Refusal),
    Expired,
    Throttled(u32),
    Unavailable(u32),
    Unsupported,
}

/// Why the guest ended: the limit by which the host stopped it, or its own failure.
pub(super) fn stopped(state: &State, cause: wasmtime::Error) -> CallError {
    let cause = match cause.downcast() {
        Ok(stopped) => return stopped,
        Err(cause) => cause,
    };
    let plugin = &state.ledger.plugin;
    let limit = |limit| state.ledger.limit(limit);
    if let Some(hit) = state.limiter.hit {
        return limit(hit);
    }
    if cause.is::<wasmtime::PoolConcurrencyLimitError>() {
        return CallError::Busy(RETRY_SECONDS);
    }
    let text = format!("{cause:#}");
    if text.contains("fuel allocated for hostcalls has been exhausted") {
        return limit("hostcall-bytes");
    }
    if state.stderr.contents().len() >= plugin.limits.log_bytes {
        return limit("log-bytes");
    }
    let full =
        |cause: &(dyn std::error::Error + 'static)| matches!(cause.downcast_ref(), Some(ResourceTableError::Full));
    if cause.chain().any(full) {
        return limit("handles");
    }
    let trap = match cause.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => "stack overflow".to_owned(),
        Some(trap) => trap.to_string(),
        None => cause.root_cause().to_string(),
    };
    tracing::error!(plugin = plugin.name, request = state.ledger.caller.request, "{text}");
    CallError::Trap { plugin: plugin.name.clone(), trap }
}
