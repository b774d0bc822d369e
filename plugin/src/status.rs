//! The status of an account's password.

use crate::bindings::password::{PasswordState, Status};
use crate::bindings::types::Failure;
use crate::ports::Ports;
use crate::store::{self, SecretMail, State};

/// The status of a password, with what the contract's `status` doesn't say.
pub(crate) struct Standing {
    pub(crate) state: Option<State>,
    pub(crate) changed: Changed,
    pub(crate) epoch: String,
    /// Emails with a link or a password, the latest last.
    pub(crate) mails: Vec<SecretMail>,
}

pub(crate) enum Changed {
    /// Here, at this time.
    Here(i64),
    /// Elsewhere, after it was last changed here.
    Elsewhere,
    Never,
}

/// `state` none: there is no password.
pub(crate) fn standing(ports: &dyn Ports, account: &str) -> Result<Standing, Failure> {
    let credential = ports.credential(account)?;
    let known = store::account(ports, account)?;
    let (state, changed) = match known.password {
        Some(record) if record.epoch == credential.session_epoch => (record.state, Changed::Here(record.changed)),
        Some(_) => (State::Set, Changed::Elsewhere),
        None => (State::Set, Changed::Never),
    };
    Ok(Standing { state: credential.hash.map(|_| state), changed, epoch: credential.session_epoch, mails: known.mails })
}

/// No effects.
///
/// # Errors
/// `not-found` for an account that doesn't exist or is out of reach.
pub fn account_status(ports: &dyn Ports, account: &str) -> Result<Status, Failure> {
    let Standing { state, changed, mut mails, .. } = standing(ports, account)?;
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
    Ok(Status { state, until, changed, last_mail: mails.pop().map(|last| last.mail) })
}

/// Whether the panel has suspended the account.
pub(crate) fn is_suspended(ports: &dyn Ports, account: &str) -> Result<bool, Failure> {
    let state = ports.fields(account, &["state"])?;
    Ok(state.first().is_some_and(|state| state.as_deref() == Some("suspended")))
}
