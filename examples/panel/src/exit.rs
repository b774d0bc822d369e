//! What a script is told: the numbers of `keyturn`.

use std::process::ExitCode;

use keyturn_host::config::ConfigError;
use keyturn_host::storage::StorageError;

/// Failed; nothing was changed.
pub const FAILED: u8 = 1;
/// Done in part; what was not done is listed.
pub const PART: u8 = 3;
/// No such file.
pub const NOT_FOUND: u8 = 4;
/// The configuration is wrong.
pub const CONFIGURATION: u8 = 6;
/// Interrupted; how far it came is said.
pub const INTERRUPTED: u8 = 130;

/// An error that knows its code.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
struct Ended {
    code: u8,
    text: String,
}

/// An error that ends with `code`.
pub fn ended(code: u8, text: impl Into<String>) -> anyhow::Error {
    Ended { code, text: text.into() }.into()
}

/// The code of an error.
pub fn code(error: &anyhow::Error) -> ExitCode {
    ExitCode::from(match error.downcast_ref::<Ended>() {
        Some(ended) => ended.code,
        None if is_served(error) => FAILED,
        None if error.is::<ConfigError>() => CONFIGURATION,
        None => FAILED,
    })
}

/// Another server has the database: nothing is wrong with the configuration.
fn is_served(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(ConfigError::Database { cause: StorageError::Served(_), .. }))
}
