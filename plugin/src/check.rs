//! The strength meter. No effects, no counts, no hash.

use crate::bindings::call::Actor;
use crate::bindings::nodes::Strength;
use crate::bindings::types::Failure;
use crate::links::{self, Standing};
use crate::password::PlainPassword;
use crate::policy::{Context, Policy};
use crate::ports::Ports;
use crate::words::Words;

/// Rates by the same policy as Save.
///
/// For anonymous callers, `account` is ignored: the advice would reveal the account's name.
///
/// # Errors
/// `not-found` for an account out of reach.
pub fn check_password(ports: &dyn Ports, password: &PlainPassword, account: Option<&str>) -> Result<Strength, Failure> {
    let account = account.filter(|_| ports.caller() != Actor::Anonymous);
    rate(ports, password, account)
}

/// In a form, the account is that of the link, the subject, or the caller.
pub(crate) fn check_in_form(
    ports: &dyn Ports,
    password: &PlainPassword,
    subject: Option<&str>,
    token: Option<&str>,
) -> Result<Strength, Failure> {
    if let Some(token) = token {
        // The holder of a valid link sees the login anyway.
        return match links::standing(ports, token)? {
            Standing::Good(good) => rate(ports, password, Some(&good.record.account)),
            _ => rate(ports, password, None),
        };
    }
    match (subject, ports.caller()) {
        (None, Actor::Account(own)) => rate(ports, password, Some(&own)),
        _ => check_password(ports, password, subject),
    }
}

fn rate(ports: &dyn Ports, password: &PlainPassword, account: Option<&str>) -> Result<Strength, Failure> {
    let policy = Policy::of(ports, Context::of(ports, account)?);
    Ok(policy.strength(password, Words::of(ports)))
}
