//! Every way to set a new password. All of them end in `put`.

use crate::bindings::accounts::Replacement;
use crate::bindings::call::Actor;
use crate::bindings::kdf;
use crate::bindings::password::Changed;
use crate::bindings::types::{Failure, FieldError};
use crate::failure;
use crate::hash::{self, Stored};
use crate::letter;
use crate::links;
use crate::password::PlainPassword;
use crate::policy::{Context, Finding, Policy};
use crate::ports::Ports;
use crate::settings;
use crate::store::{self, AccountRecord, PasswordRecord, State};
use crate::throttle::{self, ATTEMPTS};
use crate::told::{self, Way};
use crate::words::{Word, Words};

/// Somebody else sets the password: the customer's panel, a manager, the console.
///
/// It isn't compared with the current password: the answer would let a manager guess the customer's password.
///
/// # Errors
/// `invalid` with every reason against `new`; `not-found` for an account out of reach; `unsupported` for `must_change` if the
/// panel does not ask at sign-in.
pub fn set_password(
    ports: &dyn Ports,
    account: &str,
    new: PlainPassword,
    must_change: bool,
) -> Result<Changed, Failure> {
    if must_change && !settings::asked_at_sign_in(ports) {
        return Err(Failure::Unsupported);
    }
    let policy = Policy::of(ports, Context::of(ports, Some(account))?);
    reject(errors(ports, &policy, &new))?;
    let state = if must_change { State::MustChange } else { State::Set };
    let put = put(ports, &policy, account, &new, state)?;
    Ok(told(ports, account, put, Way::Support))
}

/// People change their own password, and type the current one.
///
/// # Errors
/// `forbidden` for a caller without an account; `throttled`; `invalid` with every reason against `current` and `new`.
pub fn change_own(ports: &dyn Ports, current: PlainPassword, new: PlainPassword) -> Result<Changed, Failure> {
    let Actor::Account(account) = ports.caller() else {
        return Err(Failure::Forbidden);
    };
    let counter = ATTEMPTS.by_account(ports, &account);
    throttle::attempt(ports, [std::slice::from_ref(&counter)])?;

    let words = Words::of(ports);
    let policy = Policy::of(ports, Context::of(ports, Some(&account))?);
    let mut wrong = Vec::new();
    if !is_current(ports, &account, &current)? {
        wrong.push(failure::field("current", "wrong-current", words.text(Word::WrongCurrent, &[])));
    }
    wrong.extend(errors(ports, &policy, &new));
    if new.text() == current.text() {
        wrong.push(Finding::SameAsCurrent.about("new", words));
    }
    reject(wrong)?;
    throttle::forget(ports, &counter)?;
    let put = put(ports, &policy, &account, &new, State::Set)?;
    Ok(told(ports, &account, put, Way::Owner))
}

/// The holder of a link chooses a password. This uses the link up.
///
/// # Errors
/// `expired`; `refused` with `link-used` or `link-replaced`; `not-found` for a token never made here; `invalid` with every
/// reason against `new`. The current password is one: typing it again changes nothing.
pub fn complete_reset(ports: &dyn Ports, token: &str, new: PlainPassword) -> Result<Changed, Failure> {
    let link = links::good(ports, token)?;
    let account = link.record.account.clone();
    let policy = Policy::of(ports, Context::of(ports, Some(&account))?);
    reject(errors(ports, &policy, &new))?;
    if is_current(ports, &account, &new)? {
        reject(vec![Finding::SameAsCurrent.about("new", Words::of(ports))])?;
    }
    link.use_up(ports)?;
    let put = put(ports, &policy, &account, &new, State::Set)?;
    Ok(told(ports, &account, put, Way::Link))
}

fn errors(ports: &dyn Ports, policy: &Policy, new: &PlainPassword) -> Vec<FieldError> {
    let words = Words::of(ports);
    policy.findings(new).iter().map(|finding| finding.about("new", words)).collect()
}

fn reject(errors: Vec<FieldError>) -> Result<(), Failure> {
    if errors.is_empty() { Ok(()) } else { Err(Failure::Invalid(errors)) }
}

/// Compares as sign-in does. An unreadable hash doesn't match.
fn is_current(ports: &dyn Ports, account: &str, typed: &PlainPassword) -> Result<bool, Failure> {
    let hash = ports.credential(account)?.hash;
    let Some(stored) = hash.as_deref().and_then(|hash| Stored::read(hash).ok()) else {
        return Ok(false);
    };
    if typed.is_empty() || typed.is_too_long() {
        return Ok(false);
    }
    let matches = |form: &PlainPassword| match stored.matches(ports, form) {
        Err(kdf::Error::Limit(which)) => {
            failure::log(format_args!(
                "can't compare the stored hash of {account}: its {which} is above the host's limit"
            ));
            Ok(false)
        }
        other => other.map_err(|error| hash::configured_failure(ports, error)),
    };
    for form in typed.forms() {
        if matches(&form)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn told(ports: &dyn Ports, account: &str, put: Put, way: Way) -> Changed {
    told::others(ports, account, way);
    let notice = told::owner(ports, account, way);
    Changed { sessions_ended: put.sessions_ended, session_epoch: put.epoch, notice }
}

pub(crate) struct Put {
    pub(crate) sessions_ended: Option<u32>,
    pub(crate) epoch: String,
}

/// Writes hash, credential and state, and ends emails with an older password or link. The only place that sets a password.
pub(crate) fn put(
    ports: &dyn Ports,
    policy: &Policy,
    account: &str,
    new: &PlainPassword,
    state: State,
) -> Result<Put, Failure> {
    let hash = policy.write(ports, new)?;
    let sessions_ended = ports.sessions(account)?;
    let epoch = ports.replace(account, &hash, Replacement::Password)?;
    let before = store::account_if_readable(ports, account)?;
    letter::withdraw(ports, before.mails.iter())?;
    let record = AccountRecord {
        password: Some(PasswordRecord { epoch: epoch.clone(), state, changed: ports.now() }),
        // The new epoch voids older links, so there is no newest one to remember.
        newest_links: Vec::new(),
        mails: before.mails.into_iter().next_back().into_iter().collect(),
    };
    store::put_account(ports, account, &record)?;
    Ok(Put { sessions_ended, epoch })
}
