//! Checks a password at sign-in.

use crate::bindings::accounts::{Error, Match, Matched, Replacement};
use crate::bindings::kdf;
use crate::bindings::password::{SignedIn, Verdict};
use crate::bindings::types::Failure;
use crate::device::Shown;
use crate::failure;
use crate::hash::{self, Configured, Stored};
use crate::links;
use crate::password::PlainPassword;
use crate::ports::Ports;
use crate::settings;
use crate::status;
use crate::store::{self, Origin, State};
use crate::throttle::{self, ATTEMPTS};

/// Longer names can't exist; an email address has at most 254 bytes.
pub(crate) const MAX_NAME_BYTES: usize = 512;

/// How long people have who must choose a new password, in milliseconds.
const CHOOSE_MILLIS: i64 = 15 * 60 * 1000;

/// Checks whether the name and the password belong together, and what follows.
///
/// Throttles come first. Then it does the same work for an existing account, one without a password, and one with an unreadable
/// hash. Only somebody who typed the right password gets anything but `rejected`.
///
/// `device` is the answer of an earlier sign-in in the same browser. For the account that it signed in to, it is counted on its
/// own, before the counters that strangers use. So strangers can only use up their own attempts.
///
/// # Errors
/// `throttled` by the person's address, by the name as typed from there or from everywhere, known or not, and by the device if
/// there is one. `unavailable` if the machine is busy.
pub fn verify(
    ports: &dyn Ports,
    name: &str,
    password: PlainPassword,
    device: Option<&str>,
) -> Result<Verdict, Failure> {
    let shown = Shown::read(ports, device);
    // Only for a device is anything looked up before a refusal. Somebody with a device of another account learns nothing from
    // it.
    let whose = if shown.is_empty() { None } else { whose(ports, name)? };
    let as_device = match (shown.of(ports, whose.as_deref()), &whose) {
        (Some(device), Some(account)) => {
            vec![ATTEMPTS.by_device(ports, &device), ATTEMPTS.by_devices(ports, account)]
        }
        _ => Vec::new(),
    };
    let from_here = ATTEMPTS.by_name_from_here(ports, name);
    let as_anybody = [ATTEMPTS.by_address(ports), from_here.clone(), vec![ATTEMPTS.by_name(ports, name)]].concat();
    let ways = [as_device.as_slice(), &as_anybody];
    throttle::attempt(ports, ways.into_iter().filter(|way| !way.is_empty()))?;
    if password.is_empty() || password.is_too_long() {
        return Ok(Verdict::Rejected);
    }

    let configured = Configured::of(ports);
    let known = look_up(ports, name)?;
    let stored = known.as_ref().and_then(|known| readable(&known.account, known.hash.as_deref()?));
    let right = compare(ports, &configured, stored.as_ref(), &password)?;
    let (Some(known), Some(stored), Some(right)) = (known, stored, right) else {
        return Ok(Verdict::Rejected);
    };
    // Resets only the name from here, and the device. If an address could reset itself by a sign-in to one account, it would
    // have no limit; and somebody's sign-in must not give strangers elsewhere their attempts back.
    for counter in from_here.iter().chain(as_device.first()) {
        throttle::forget(ports, counter)?;
    }
    // Also the account's counter, which only its own session uses: so each right password changes something, and gets an entry
    // in the audit log.
    throttle::forget(ports, &ATTEMPTS.by_account(ports, &known.account))?;
    judge(ports, known, &configured, &stored, &right, &shown)
}

struct Known {
    account: String,
    hash: Option<String>,
    epoch: String,
}

/// The account of a name. None: no account, or several with one login.
fn whose(ports: &dyn Ports, name: &str) -> Result<Option<String>, Failure> {
    if name.is_empty() || name.len() > MAX_NAME_BYTES {
        return Ok(None);
    }
    Ok(meant(ports.find(name)?))
}

fn look_up(ports: &dyn Ports, name: &str) -> Result<Option<Known>, Failure> {
    let Some(account) = whose(ports, name)? else {
        return Ok(None);
    };
    match ports.credential(&account) {
        Ok(credential) => Ok(Some(Known { account, hash: credential.hash, epoch: credential.session_epoch })),
        Err(Error::NotFound) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Logins outrank addresses: nobody may block another's sign-in by using their login as an address. Two accounts with one login
/// count as none, because a password must not choose between people. Of several with one address it is the first, which has had it
/// longest: so nobody blocks its owner's sign-in by giving the address to another account.
fn meant(matches: Vec<Match>) -> Option<String> {
    let (by_login, by_email): (Vec<Match>, Vec<Match>) = matches.into_iter().partition(|m| m.by == Matched::Login);
    let of_first = |group: Vec<Match>| group.into_iter().next().map(|first| first.account);
    match by_login.len() {
        0 => of_first(by_email),
        1 => of_first(by_login),
        _ => None,
    }
}

fn readable(account: &str, hash: &str) -> Option<Stored> {
    Stored::read(hash)
        .inspect_err(|why| failure::log(format_args!("can't compare the stored hash of {account}: {why}")))
        .ok()
}

/// Which form of the typed password matched. Without a stored hash, it compares with one that nobody has.
pub(crate) fn compare(
    ports: &dyn Ports,
    configured: &Configured,
    stored: Option<&Stored>,
    password: &PlainPassword,
) -> Result<Option<PlainPassword>, Failure> {
    let stand_in = configured.stand_in();
    let mut against = stored;
    for form in password.forms() {
        if let Some(stored) = against {
            match stored.matches(ports, &form) {
                Ok(true) => return Ok(Some(form)),
                Ok(false) => continue,
                Err(kdf::Error::Limit(which)) => {
                    failure::log(format_args!("can't compare a stored hash: its {which} is above the host's limit"));
                    against = None;
                }
                Err(error) => return Err(hash::configured_failure(ports, error)),
            }
        }
        stand_in.matches(ports, &form).map_err(|error| hash::configured_failure(ports, error))?;
    }
    Ok(None)
}

/// The password is right.
fn judge(
    ports: &dyn Ports,
    known: Known,
    configured: &Configured,
    stored: &Stored,
    right: &PlainPassword,
    shown: &Shown,
) -> Result<Verdict, Failure> {
    if status::is_suspended(ports, &known.account)? {
        return Ok(Verdict::Suspended);
    }
    let record = store::account(ports, &known.account)?;
    match record.password.filter(|password| password.epoch == known.epoch).map(|password| password.state) {
        Some(State::Temporary { until }) if until <= ports.now() => Ok(Verdict::TemporaryEnded(until)),
        Some(State::Temporary { .. } | State::MustChange) => {
            let until = ports.now() + CHOOSE_MILLIS;
            let link = links::issue(ports, &known.account, Origin::SignIn, &known.epoch, until)?;
            Ok(Verdict::MustChange(link))
        }
        Some(State::Set) | None => {
            let session_epoch = upgrade(ports, &known, configured, stored, right);
            let device = shown.after_sign_in(ports, &known.account);
            Ok(Verdict::Accepted(SignedIn { account: known.account, session_epoch, device }))
        }
    }
}

/// Writes the hash again if it isn't in the configured form. This never makes a sign-in fail. Answers the session epoch.
///
/// Not if the old hash may cover more than was typed: then the owner's whole password would no longer match.
fn upgrade(
    ports: &dyn Ports,
    known: &Known,
    configured: &Configured,
    stored: &Stored,
    right: &PlainPassword,
) -> String {
    let composed = if settings::asked_at_sign_in(ports) { right.composed() } else { None };
    let new = composed.as_ref().unwrap_or(right);
    if configured.covers(stored) || configured.unfit(new).is_some() || !stored.has_read_all_of(right) {
        return known.epoch.clone();
    }
    let replaced = configured
        .write(ports, new)
        .and_then(|hash| ports.replace(&known.account, &hash, Replacement::Upgrade).map_err(Failure::from));
    replaced.unwrap_or_else(|_| {
        failure::log(format_args!("can't upgrade the hash of {}; the sign-in is not affected", known.account));
        known.epoch.clone()
    })
}
