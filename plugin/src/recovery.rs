//! A way back for who has forgotten his password: a mail with a link to each account of the name that he types.
//!
//! The request counts, queues one job and is answered, before anything is looked up: known, unknown, ambiguous and suspended
//! cost the same work and get the same answer. The job does the rest, a moment later.

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

/// The job of the manifest. Its payload is the name as typed.
pub(crate) const JOB: &str = "find-and-mail";

/// Milliseconds within which the job begins, at random. For somebody who is known it does more, and what the machine does
/// then would slow the requests right behind this one.
const WITHIN: u16 = 2_000;

/// Answers the same for every input. Who asks too often gets no more mail, and is not told.
///
/// # Errors
/// `refused` with `mail-not-configured` where no mail can go at all.
pub fn request_reset(ports: &dyn Ports, login_or_email: &str) -> Result<(), Failure> {
    mail_is_on(ports)?;
    let by_name = REQUESTS.by_name(ports, login_or_email);
    let by_address = REQUESTS.by_address(ports);
    let too_often = throttle::exceeded(ports, by_address.iter().chain([&by_name]))?;
    let typed = login_or_email.trim();
    if too_often || typed.is_empty() || typed.len() > MAX_NAME_BYTES {
        return Ok(());
    }
    // Two presses are one job. The key is not sealed, so it is no name but its MAC.
    let key = store::hex(&ports.mac(JOB, ports.fold(typed).as_bytes()));
    let mut random = [0; 2];
    token::fill(&mut random);
    let later = i64::from(u16::from_be_bytes(random) % WITHIN);
    Ok(ports.enqueue(JOB, typed, Some(ports.now() + later), Some(&key))?)
}

/// The holder of a link that has ended, was used or was replaced gets a new one, to the address on file, which is not shown
/// to him. Answers the same whether a mail goes or not.
///
/// # Errors
/// `not-found` for a token never made here, not mailed, or mailed to an address that is no longer the account's; `refused` with
/// `mail-not-configured`.
pub(crate) fn resend_link(ports: &dyn Ports, token: &str) -> Result<(), Failure> {
    mail_is_on(ports)?;
    // First: whoever asks too often is not told, and nothing is looked up for them.
    if throttle::exceeded(ports, &REQUESTS.by_address(ports))? {
        return Ok(());
    }
    let account = match links::standing(ports, token)? {
        Standing::Over(over) if over.can_be_mailed_anew(ports)? => over.record.account,
        Standing::Good(_) | Standing::Over(_) | Standing::Unknown => return Err(Failure::NotFound),
    };
    mail_link(ports, &account)
}

/// Mails each account of that login or address, in the account's own language, to the address on file.
///
/// # Errors
/// What keeps every mail back, `unavailable` for a while. What is wrong with one account is logged, and keeps no mail from the
/// others.
pub(crate) fn find_and_mail(ports: &dyn Ports, typed: &str) -> Result<(), Failure> {
    let mut done: Vec<String> = Vec::new();
    for found in ports.find(typed)? {
        if done.contains(&found.account) {
            continue;
        }
        match mail_link(ports, &found.account) {
            // It went away meanwhile.
            Ok(()) | Err(Failure::NotFound) => {}
            // Said before anything is asked for, so the others' mails can go.
            Err(Failure::Refused(why)) => {
                failure::log(format_args!("{} gets no link by mail: {}", found.account, why.message));
            }
            Err(other) => return Err(other),
        }
        done.push(found.account);
    }
    Ok(())
}

/// Counts by the account too: several names lead to one.
fn mail_link(ports: &dyn Ports, account: &str) -> Result<(), Failure> {
    if throttle::exceeded(ports, [&REQUESTS.by_account(ports, account)])? {
        return Ok(());
    }
    let words = Words::of(ports);
    letter::ready(ports, account).map_err(|error| failure::of_mail(words, error))?;
    // A link would lead to a password that opens nothing; silence would leave its owner waiting for a mail.
    if status::is_suspended(ports, account)? {
        letter::send(ports, account, &Letter::AccountSuspended).map_err(|error| failure::of_mail(words, error))?;
        return Ok(());
    }
    links::mail(ports, account, AskedBy::Owner)?;
    Ok(())
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
