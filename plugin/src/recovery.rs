//! Forgotten password: emails a link to each account of the login or address that somebody types.
//!
//! The request counts, queues one job and is answered before anything is looked up: known, unknown, ambiguous and suspended
//! accounts cost the same work and get the same answer. The job does the rest, a moment later.

use crate::bindings::call::Actor;
use crate::bindings::mail::Error;
use crate::bindings::types::Failure;
use crate::letter::{self, Letter};
use crate::links::{self, Standing};
use crate::ports::Ports;
use crate::sign_in::MAX_NAME_BYTES;
use crate::store::{self, AskedBy};
use crate::throttle::{self, REQUESTS};
use crate::words::{Word, Words};
use crate::{failure, status, token};

/// The manifest's job. Its payload is the name as typed; or, for a machine, the accounts of that name that its key reaches,
/// each after a line break. A typed name never begins with one.
pub(crate) const JOB: &str = "find-and-mail";

/// The job for the emails that did not fit into the first one. Its payload is the time of the request, and an account on each
/// line.
pub(crate) const REST: &str = "mail-the-rest";

/// Accounts that get an email in one call, well within its limits.
const AT_ONCE: usize = 20;
/// The grant's limit, as the host names it.
const PER_MINUTE: &str = "per-minute";
/// In milliseconds.
const MINUTE: i64 = 60_000;
/// Milliseconds over which the jobs start that wait for another minute.
const MINUTE_APART: u16 = 10_000;
/// Milliseconds after which nobody waits for a link any more.
const OF_USE: i64 = 24 * 60 * MINUTE;

/// Milliseconds within which the job starts, at random. It does more work for known accounts, which would slow the requests
/// right after this one.
const WITHIN: u16 = 2_000;

/// Answers the same for every input. Whoever asks too often gets no more emails, and is not told.
///
/// # Errors
/// `refused` with `mail-not-configured` if no email can be sent at all.
pub fn request_reset(ports: &dyn Ports, login_or_email: &str) -> Result<(), Failure> {
    mail_is_on(ports)?;
    let by_name = [REQUESTS.by_name(ports, login_or_email)];
    let too_often = throttle::exceeded(ports, &[REQUESTS.by_address(ports), by_name.into()].concat())?;
    let typed = login_or_email.trim();
    if too_often || typed.is_empty() || typed.len() > MAX_NAME_BYTES {
        return Ok(());
    }
    let (payload, unique) = match ports.caller() {
        Actor::ServiceKey(_) => {
            // The job reaches everybody; a key reaches only these accounts.
            let accounts: String = ports.find(typed)?.into_iter().map(|found| format!("\n{}", found.account)).collect();
            // Queues a job even if nobody was found: the two cases must look the same.
            if accounts.is_empty() { ("\n".to_owned(), ports.fold(typed)) } else { (accounts.clone(), accounts) }
        }
        _ => (typed.to_owned(), ports.fold(typed)),
    };
    // Two presses are one job. Job keys are not sealed, so this one is a MAC, not the name.
    let key = store::hex(&ports.mac(JOB, unique.as_bytes()));
    Ok(ports.enqueue(JOB, &payload, Some(ports.now() + within(WITHIN)), Some(&key))?)
}

/// A random number of milliseconds, at most this many.
fn within(most: u16) -> i64 {
    let mut random = [0; 2];
    token::fill(&mut random);
    i64::from(u16::from_be_bytes(random) % most)
}

/// The holder of an expired, used or replaced link gets a new one, at the address on file, which is not shown. Answers the same
/// whether an email is sent or not.
///
/// # Errors
/// `not-found` for a token never made here, never emailed, or emailed to an address that the account no longer has; `refused`
/// with `mail-not-configured`.
pub(crate) fn resend_link(ports: &dyn Ports, token: &str) -> Result<(), Failure> {
    mail_is_on(ports)?;
    // First: whoever asks too often is not told, and nothing is looked up.
    if throttle::exceeded(ports, &REQUESTS.by_address(ports))? {
        return Ok(());
    }
    let account = match links::standing(ports, token)? {
        Standing::Over(over) if over.can_be_mailed_anew(ports)? => over.record.account,
        Standing::Good(_) | Standing::Over(_) | Standing::Unknown => return Err(Failure::NotFound),
    };
    if counted_out(ports, &account)? {
        return Ok(());
    }
    mail_link(ports, &account)?.map_err(|error| failure::of_mail(Words::of(ports), error))
}

/// Emails each account of that login or address, in the account's language, at the address on file.
///
/// # Errors
/// `unavailable` if no email can be sent for a while. A problem with one account is logged, and doesn't stop the others'
/// emails.
pub(crate) fn find_and_mail(ports: &dyn Ports, payload: &str) -> Result<(), Failure> {
    let found: Vec<String> = match payload.strip_prefix('\n') {
        Some(accounts) => accounts.lines().map(str::to_owned).collect(),
        None => ports.find(payload)?.into_iter().map(|found| found.account).collect(),
    };
    let mut accounts: Vec<String> = Vec::new();
    for account in found {
        // Counted here, once, however long the email has to wait.
        if !accounts.contains(&account) && !counted_out(ports, &account)? {
            accounts.push(account);
        }
    }
    mail_each(ports, &accounts, ports.now())
}

/// Sends the emails that did not fit into the first job.
///
/// # Errors
/// Those of [`find_and_mail`]; `expired` when nobody waits for them any more, so that the job is listed as failed.
pub(crate) fn mail_the_rest(ports: &dyn Ports, payload: &str) -> Result<(), Failure> {
    let mut lines = payload.lines();
    let asked = lines.next().and_then(|asked| asked.parse().ok()).unwrap_or_default();
    let accounts: Vec<String> = lines.map(str::to_owned).collect();
    if ports.now() - asked > OF_USE {
        failure::log(format_args!(
            "{} links were requested a day ago and could not be emailed: raise grants.mail.per-minute",
            accounts.len()
        ));
        return Err(Failure::Expired);
    }
    mail_each(ports, &accounts, asked)
}

/// As many as fit into one call. The others get a job of their own; if this minute's emails are used up, in the next minute.
fn mail_each(ports: &dyn Ports, accounts: &[String], asked: i64) -> Result<(), Failure> {
    let (mut later, mut not_before) = (accounts.get(AT_ONCE..).unwrap_or_default(), None);
    for (at, account) in accounts.iter().take(AT_ONCE).enumerate() {
        let queued = match mail_link(ports, account) {
            Ok(Err(Error::Limit(which))) if which == PER_MINUTE => {
                later = &accounts[at..];
                not_before = Some(ports.now() + MINUTE + within(MINUTE_APART));
                failure::log(format_args!(
                    "this minute's emails are used up (grants.mail.per-minute): {} links go out in the next minutes",
                    later.len()
                ));
                break;
            }
            other => other.and_then(|queued| queued.map_err(|error| failure::of_mail(Words::of(ports), error))),
        };
        match queued {
            // The account is gone.
            Ok(()) | Err(Failure::NotFound) => {}
            // Known before anything is sent, so the others' emails can be.
            Err(Failure::Refused(why)) => {
                failure::log(format_args!("{account} gets no link by email: {}", why.message));
            }
            Err(other) => return Err(other),
        }
    }
    if later.is_empty() {
        return Ok(());
    }
    Ok(ports.enqueue(REST, &format!("{asked}\n{}", later.join("\n")), not_before, None)?)
}

/// Counts by the account, too: several names lead to one.
fn counted_out(ports: &dyn Ports, account: &str) -> Result<bool, Failure> {
    throttle::exceeded(ports, &[REQUESTS.by_account(ports, account)])
}

/// The inner error: no email can be queued; then nothing was asked for.
fn mail_link(ports: &dyn Ports, account: &str) -> Result<Result<(), Error>, Failure> {
    if let Err(error) = letter::ready(ports, account) {
        return Ok(Err(error));
    }
    // A link would not help, and without an answer the owner would wait.
    if status::is_suspended(ports, account)? {
        return Ok(letter::send(ports, account, &Letter::AccountSuspended).map(drop));
    }
    Ok(links::queue(ports, account, AskedBy::Owner)?.map(drop))
}

fn mail_is_on(ports: &dyn Ports) -> Result<(), Failure> {
    match ports.ready(None) {
        Ok(()) => Ok(()),
        Err(Error::NotConfigured) => {
            Err(failure::refused(Words::of(ports), "mail-not-configured", Word::NoSelfServiceRefusal))
        }
        Err(error) => Err(failure::of_mail(Words::of(ports), error)),
    }
}
