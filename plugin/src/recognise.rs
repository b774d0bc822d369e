//! Identifies stored hashes: for people who import accounts, and for people who map a panel's tables.

use crate::bindings::types::Failure;
use crate::failure;
use crate::hash::{Configured, Stored};
use crate::password::PlainPassword;
use crate::ports::Ports;
use crate::sign_in;
use crate::token::Token;
use crate::words::Words;

/// The scheme of a hash that sign-in can verify. Computes nothing.
///
/// # Errors
/// `invalid` against `hash`, with one of `unknown-scheme`, `malformed` and `too-costly`.
pub fn recognise_hash(ports: &dyn Ports, hash: &str) -> Result<String, Failure> {
    Ok(read(ports, hash)?.scheme().to_owned())
}

fn read(ports: &dyn Ports, hash: &str) -> Result<Stored, Failure> {
    let read = Stored::read(hash).and_then(|stored| stored.within(ports).map(|()| stored));
    read.map_err(|why| Failure::Invalid(vec![failure::field("hash", why.code(), why.message(Words::of(ports)))]))
}

/// Does the work of a sign-in with this hash, with a password that doesn't match. The password is not composed, so all of its
/// forms are compared.
///
/// # Errors
/// Those of [`recognise_hash`]; `unavailable` when the machine is busy.
pub fn compare_hash(ports: &dyn Ports, hash: &str) -> Result<(), Failure> {
    let stored = read(ports, hash)?;
    let password = PlainPassword::new(format!("e\u{301}{}", Token::random().reveal()));
    sign_in::compare(ports, &Configured::of(ports), Some(&stored), &password).map(drop)
}

/// A hash in the form of new ones, of a password that nobody knows.
///
/// # Errors
/// `refused` with `hash-settings` if the settings allow none; `unavailable` if the machine is busy.
pub fn sample_hash(ports: &dyn Ports) -> Result<String, Failure> {
    Configured::of(ports).write(ports, &PlainPassword::new(Token::random().reveal()))
}
