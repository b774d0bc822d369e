//! Exit codes, the same as those of `keyturn`.

use std::process::ExitCode;

use keyturn_host::config::ConfigError;
use keyturn_host::storage::StorageError;

/// Failed; nothing was changed.
pub const FAILED: u8 = 1;
/// Done in part; the output lists the rest.
pub const PART: u8 = 3;
/// No such file.
pub const NOT_FOUND: u8 = 4;
/// The configuration is wrong.
pub const CONFIGURATION: u8 = 6;
/// Interrupted; the output says how far it came.
pub const INTERRUPTED: u8 = 130;

/// An error with an exit code.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
struct Ended {
    code: u8,
    text: String,
}

pub fn ended(code: u8, text: impl Into<String>) -> anyhow::Error {
    Ended { code, text: text.into() }.into()
}

pub fn code(error: &anyhow::Error) -> ExitCode {
    ExitCode::from(match error.downcast_ref::<Ended>() {
        Some(ended) => ended.code,
        None if is_served(error) => FAILED,
        None if error.is::<ConfigError>() => CONFIGURATION,
        None => FAILED,
    })
}

/// Another server has the database: the configuration is fine.
fn is_served(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(ConfigError::Database { cause: StorageError::Served(_), .. }))
}
