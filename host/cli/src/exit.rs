//! Exit codes, for scripts.

use std::process::ExitCode;

use keyturn_host::config::ConfigError;
use keyturn_host::plugin::admit::AdmitError;
use keyturn_host::plugin::grants::GrantsError;
use keyturn_host::plugin::pack::PackError;
use keyturn_host::storage::StorageError;
use keyturn_host::{CallError, Failure};

/// Done in part; the output lists the rest.
pub const PART: u8 = 3;
/// No such account, hook or file.
pub const NOT_FOUND: u8 = 4;
/// A policy or a right refused it.
pub const REFUSED: u8 = 5;
/// The configuration is wrong.
pub const CONFIGURATION: u8 = 6;
/// Busy.
pub const LATER: u8 = 75;

/// An error that knows its exit code.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct Ended {
    pub code: u8,
    pub text: String,
}

/// The code of an error.
pub fn code(error: &anyhow::Error) -> ExitCode {
    if let Some(ended) = error.downcast_ref::<Ended>() {
        return ExitCode::from(ended.code);
    }
    if let Some(call) = error.downcast_ref::<CallError>() {
        return ExitCode::from(match call {
            CallError::NoSuch(_) | CallError::Failed(Failure::NotFound) => NOT_FOUND,
            CallError::Arguments(_) => 2,
            CallError::Busy(_)
            | CallError::LeftOut { .. }
            | CallError::Conflict
            | CallError::Failed(Failure::Unavailable(_) | Failure::Throttled(_))
            | CallError::Storage(StorageError::Busy | StorageError::Replaced(_)) => LATER,
            CallError::Failed(_) | CallError::Error(_) | CallError::Denied { .. } | CallError::StepUp { .. } => REFUSED,
            _ => 1,
        });
    }
    if let Some(ConfigError::Database { cause: StorageError::Served(_) | StorageError::Busy, .. }) =
        error.downcast_ref()
    {
        return ExitCode::from(LATER);
    }
    let configuration =
        error.is::<ConfigError>() || error.is::<GrantsError>() || error.is::<AdmitError>() || error.is::<PackError>();
    ExitCode::from(if configuration { CONFIGURATION } else { 1 })
}
