//! What a stored hash is: for who brings accounts along from elsewhere, and for who maps a panel's tables.

use crate::bindings::types::Failure;
use crate::failure;
use crate::hash::{Configured, Stored, bcrypt};
use crate::password::PlainPassword;
use crate::ports::Ports;
use crate::token::Token;
use crate::words::Words;

/// The scheme of a hash that sign-in would compare with. Nothing is computed.
///
/// # Errors
/// `invalid` against `hash`, with one of `unknown-scheme`, `malformed` and `too-costly`.
pub fn recognise_hash(ports: &dyn Ports, hash: &str) -> Result<String, Failure> {
    let recognised = Stored::read(hash).and_then(|stored| match &stored {
        Stored::Argon2(phc) => phc.within(ports.ceilings()).map(|()| phc.scheme()),
        Stored::Bcrypt(_) => Ok(bcrypt::SCHEME),
    });
    recognised
        .map(str::to_owned)
        .map_err(|why| Failure::Invalid(vec![failure::field("hash", why.code(), why.message(Words::of(ports)))]))
}

/// A hash as new passwords get one, of a password that nobody knows.
///
/// # Errors
/// `refused` with `hash-settings` where the settings make none; `unavailable` when the machine is busy.
pub fn sample_hash(ports: &dyn Ports) -> Result<String, Failure> {
    Configured::of(ports).write(ports, &PlainPassword::new(Token::random().reveal()))
}
