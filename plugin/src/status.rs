//! How the password of an account stands.

use crate::bindings::password::{PasswordState, Status};
use crate::bindings::types::Failure;
use crate::ports::Ports;
use crate::store::{self, State};

/// The standing of a password, with what the contract's `status` does not say.
pub(crate) struct Standing {
    pub(crate) state: Option<State>,
    pub(crate) changed: Changed,
}

/// What is known of the last change.
pub(crate) enum Changed {
    /// Here, then.
    Here(i64),
    /// Here before, and since then by somebody else.
    Elsewhere,
    Never,
}

/// `state` none: there is no password.
pub(crate) fn standing(ports: &dyn Ports, account: &str) -> Result<Standing, Failure> {
    let credential = ports.credential(account)?;
    let record = store::account(ports, account)?.password;
    let (state, changed) = match record {
        Some(record) if record.epoch == credential.session_epoch => (record.state, Changed::Here(record.changed)),
        Some(_) => (State::Set, Changed::Elsewhere),
        None => (State::Set, Changed::Never),
    };
    Ok(Standing { state: credential.hash.map(|_| state), changed })
}

/// No effects.
///
/// # Errors
/// `not-found` for an account that does not exist or is out of reach.
pub fn account_status(ports: &dyn Ports, account: &str) -> Result<Status, Failure> {
    let Standing { state, changed } = standing(ports, account)?;
    let (state, until) = match state {
        None => (PasswordState::None, None),
        Some(State::Set) => (PasswordState::Set, None),
        Some(State::MustChange) => (PasswordState::MustChange, None),
        Some(State::Temporary { until }) => (PasswordState::Temporary, Some(until)),
    };
    let changed = match changed {
        Changed::Here(at) => Some(at),
        Changed::Elsewhere | Changed::Never => None,
    };
    Ok(Status { state, until, changed })
}
