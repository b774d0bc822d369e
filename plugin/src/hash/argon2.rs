//! Argon2 as PHC strings, `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`, as PHP's `password_verify` reads and writes them.

use super::{Unreadable, same};
use crate::bindings::kdf::{Argon2Kind, Argon2Parameters, Error};
use crate::ports::Ports;
use crate::token;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use std::fmt;
use zeroize::Zeroizing;

/// Above these a stored hash is refused before the kdf is asked: who can write a hash must not choose what a sign-in costs.
const MAX_MEMORY_KIB: u32 = 262_144;
const MAX_PASSES: u32 = 16;
const MAX_LANES: u32 = 8;

const SALT_BYTES: usize = 16;
const HASH_BYTES: u32 = 32;

/// A PHC string, taken apart.
#[derive(Clone, Debug)]
pub(crate) struct Phc {
    parameters: Argon2Parameters,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl PartialEq for Phc {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for Phc {}

impl Phc {
    /// Never panics, whatever the text.
    pub(crate) fn read(text: &str) -> Result<Self, Unreadable> {
        let mut parts = text.split('$').skip(1);
        let mut part = |what| parts.next().ok_or(Unreadable::Malformed(what));
        let kind = match part("no scheme")? {
            "argon2i" => Argon2Kind::Argon2i,
            "argon2d" => Argon2Kind::Argon2d,
            "argon2id" => Argon2Kind::Argon2id,
            _ => return Err(Unreadable::Malformed("no such kind of Argon2")),
        };
        if part("no version")? != "v=19" {
            return Err(Unreadable::Malformed("the version is not 19"));
        }
        let mut costs = part("no parameters")?.split(',');
        let mut cost = |prefix: &str, max: u32, name: &'static str| {
            let digits = costs.next().and_then(|cost| cost.strip_prefix(prefix));
            match digits.and_then(decimal) {
                None | Some(0) => Err(Unreadable::Malformed("a parameter is not a number, or out of order")),
                Some(n) if n > max => Err(Unreadable::TooCostly(name)),
                Some(n) => Ok(n),
            }
        };
        let memory_kib = cost("m=", MAX_MEMORY_KIB, "m (memory)")?;
        let passes = cost("t=", MAX_PASSES, "t (passes)")?;
        let lanes = cost("p=", MAX_LANES, "p (lanes)")?;
        if costs.next().is_some() {
            return Err(Unreadable::Malformed("keys or associated data are not supported"));
        }
        if memory_kib < 8 * lanes {
            return Err(Unreadable::Malformed("less than 8 KiB of memory for each lane"));
        }
        let salt = bytes(part("no salt")?, 8..=64)?;
        let hash = bytes(part("no hash")?, 16..=64)?;
        if parts.next().is_some() {
            return Err(Unreadable::Malformed("something follows the hash"));
        }
        let parameters = Argon2Parameters { kind, memory_kib, passes, lanes, length: hash.len() as u32 };
        Ok(Phc { parameters, salt, hash })
    }

    pub(crate) fn make(
        ports: &dyn Ports,
        password: &[u8],
        memory_kib: u32,
        passes: u32,
        lanes: u32,
    ) -> Result<Self, Error> {
        let parameters = Argon2Parameters { kind: Argon2Kind::Argon2id, memory_kib, passes, lanes, length: HASH_BYTES };
        let mut salt = vec![0; SALT_BYTES];
        token::fill(&mut salt);
        let hash = ports.argon2(password, &salt, parameters)?;
        Ok(Phc { parameters, salt, hash })
    }

    /// Costs what a real one costs, and is nobody's.
    pub(crate) fn unmatched(memory_kib: u32, passes: u32, lanes: u32) -> Self {
        let parameters = Argon2Parameters { kind: Argon2Kind::Argon2id, memory_kib, passes, lanes, length: HASH_BYTES };
        Phc { parameters, salt: vec![0; SALT_BYTES], hash: vec![0; HASH_BYTES as usize] }
    }

    pub(crate) fn is_argon2id(&self, memory_kib: u32, passes: u32, lanes: u32) -> bool {
        self.parameters
            == Argon2Parameters { kind: Argon2Kind::Argon2id, memory_kib, passes, lanes, length: HASH_BYTES }
    }

    pub(crate) fn matches(&self, ports: &dyn Ports, password: &[u8]) -> Result<bool, Error> {
        let computed = Zeroizing::new(ports.argon2(password, &self.salt, self.parameters)?);
        Ok(same(&computed, &self.hash))
    }
}

impl fmt::Display for Phc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Argon2Parameters { kind, memory_kib, passes, lanes, .. } = self.parameters;
        let kind = match kind {
            Argon2Kind::Argon2i => "argon2i",
            Argon2Kind::Argon2d => "argon2d",
            Argon2Kind::Argon2id => "argon2id",
        };
        let salt = BASE64_STANDARD_NO_PAD.encode(&self.salt);
        let hash = BASE64_STANDARD_NO_PAD.encode(&self.hash);
        write!(f, "${kind}$v=19$m={memory_kib},t={passes},p={lanes}${salt}${hash}")
    }
}

/// As PHC strings write numbers: no sign, no leading zero.
fn decimal(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text.len() == 1 || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

fn bytes(text: &str, lengths: std::ops::RangeInclusive<usize>) -> Result<Vec<u8>, Unreadable> {
    let bytes = BASE64_STANDARD_NO_PAD.decode(text).map_err(|_| Unreadable::Malformed("salt or hash is not base64"))?;
    if lengths.contains(&bytes.len()) {
        Ok(bytes)
    } else {
        Err(Unreadable::Malformed("salt or hash is of another length than any that is in use"))
    }
}
