//! What a stored hash is: for who brings accounts along from elsewhere.

use crate::bindings::types::Failure;
use crate::failure;
use crate::hash::{Stored, bcrypt};
use crate::ports::Ports;
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
