//! "Reset & mail": a generated password, or a link to choose one, to the address on file.

use crate::bindings::accounts::Error;
use crate::bindings::password::{Mode, Reset};
use crate::bindings::types::Failure;
use crate::change::{self, Put};
use crate::letter::{self, Letter};
use crate::links;
use crate::policy::{Context, Policy};
use crate::ports::Ports;
use crate::store::{self, AskedBy, Carries, SecretMail, State};
use crate::told::{self, Way};
use crate::words::{Word, Words};
use crate::{failure, generate, settings};

/// Changes nothing unless the email can be queued: email and change are applied together.
///
/// The email itself notifies the owner; there is no other notice.
///
/// # Errors
/// `not-found` for an account out of reach; `refused` with `mail-not-configured`, `no-address`, `address-unusable` or
/// `mode-not-offered`, or with `generator-settings` if no generated password passes the policy.
pub fn reset_and_mail(ports: &dyn Ports, account: &str, mode: Mode) -> Result<Reset, Failure> {
    let words = Words::of(ports);
    letter::ready(ports, account).map_err(|error| failure::of_mail(words, error))?;
    if !settings::reset_modes(ports).contains(&mode) {
        return Err(failure::refused(words, "mode-not-offered", Word::ModeNotOfferedRefusal));
    }
    let sent = match mode {
        Mode::Link => links::mail(ports, account, AskedBy::Support)?,
        Mode::Temporary => mail_password(ports, account, Some(temporary_end(ports)))?,
        Mode::Permanent => mail_password(ports, account, None)?,
    };
    Ok(Reset { mail: sent.mail, mode, until: sent.until, sessions_ended: sent.sessions_ended })
}

/// From the confirm page. Refused if the address has changed since that page was drawn: the reader agreed to another one.
///
/// # Errors
/// Those of [`reset_and_mail`]; `refused` with `address-changed`.
pub(crate) fn confirmed(ports: &dyn Ports, account: &str, mode: Mode, address_seen: &str) -> Result<Reset, Failure> {
    if address_mark(ports, account)? != address_seen {
        return Err(failure::refused(Words::of(ports), "address-changed", Word::AddressChangedRefusal));
    }
    reset_and_mail(ports, account, mode)
}

/// Tells two addresses of one account apart without showing them. The same for all addresses if the operator doesn't let this
/// plugin read them.
pub(crate) fn address_mark(ports: &dyn Ports, account: &str) -> Result<String, Failure> {
    let address = match ports.fields(account, &["email"]) {
        Err(Error::Denied(_)) => None,
        other => other?.pop().flatten(),
    };
    let seen = [account, "\n", &address.unwrap_or_default()].concat();
    Ok(store::hex(&ports.mac("address-seen", seen.as_bytes())))
}

/// `until`: when the password expires; none: it stays.
fn mail_password(ports: &dyn Ports, account: &str, until: Option<i64>) -> Result<SecretMail, Failure> {
    let policy = Policy::of(ports, Context::of(ports, Some(account))?);
    let password = generate::password(ports, &policy)?;
    let (state, carries, letter) = match until {
        Some(until) => {
            let letter = Letter::TemporaryPassword { password: &password, until };
            (State::Temporary { until }, Carries::TemporaryPassword, letter)
        }
        None => (State::Set, Carries::PermanentPassword, Letter::PermanentPassword { password: &password }),
    };
    // First withdraw the older emails, then send the new one.
    let Put { sessions_ended, epoch } = change::put(ports, &policy, account, &password, state)?;
    let mail = letter::send(ports, account, &letter).map_err(|error| failure::of_mail(Words::of(ports), error))?;
    let sent = SecretMail { mail, carries, epoch, queued: ports.now(), until, sessions_ended };
    let mut known = store::account(ports, account)?;
    known.mails = vec![sent.clone()];
    store::put_account(ports, account, &known)?;
    told::others(ports, account, Way::Mail);
    Ok(sent)
}

fn temporary_end(ports: &dyn Ports) -> i64 {
    ports.now() + i64::from(settings::TEMPORARY_HOURS.of(ports)) * 60 * 60_000
}
