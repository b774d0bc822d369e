//! Argon2 as PHC strings, `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`, as PHP's `password_verify` reads and writes them.

use super::{Fault, Unreadable, same};
use crate::bindings::kdf::{Argon2Ceilings, Argon2Kind, Argon2Parameters, Error};
use crate::ports::Ports;
use crate::token;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use std::fmt;
use zeroize::Zeroizing;

/// Above these, a stored hash is refused without calling the kdf: somebody who can write a hash must not choose what a sign-in
/// costs.
const MAX_MEMORY_KIB: u32 = 262_144;
const MAX_PASSES: u32 = 16;
const MAX_LANES: u32 = 8;

const SALT_BYTES: usize = 16;
const HASH_BYTES: u32 = 32;

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
    /// None: another scheme. Never panics.
    pub(crate) fn read(text: &str) -> Option<Result<Self, Unreadable>> {
        let mut parts = text.strip_prefix('$')?.split('$');
        let kind = match parts.next()? {
            "argon2i" => Argon2Kind::Argon2i,
            "argon2d" => Argon2Kind::Argon2d,
            "argon2id" => Argon2Kind::Argon2id,
            _ => return None,
        };
        Some(Self::of(kind, parts))
    }

    fn of<'a>(kind: Argon2Kind, mut parts: impl Iterator<Item = &'a str>) -> Result<Self, Unreadable> {
        let malformed = |fault| Unreadable::Malformed { scheme: name(kind), fault };
        let mut part = || parts.next().ok_or(malformed(Fault::CutOff));
        if part()? != "v=19" {
            return Err(malformed(Fault::Version));
        }
        let mut costs = part()?.split(',');
        let mut cost = |parameter: &'static str, most: u32| {
            let digits = costs.next().and_then(|cost| cost.strip_prefix(parameter)?.strip_prefix('='));
            match digits.and_then(decimal) {
                None | Some(0) => Err(malformed(Fault::Parameters)),
                Some(is) => within(kind, parameter, is, most).map(|()| is),
            }
        };
        let (memory_kib, passes, lanes) = (cost("m", MAX_MEMORY_KIB)?, cost("t", MAX_PASSES)?, cost("p", MAX_LANES)?);
        // Panels use no keys or associated data.
        if costs.next().is_some() || memory_kib < 8 * lanes {
            return Err(malformed(Fault::Parameters));
        }
        let salt = bytes(part()?, 8..=64).ok_or(malformed(Fault::Salt))?;
        let hash = bytes(part()?, 16..=64).ok_or(malformed(Fault::Hash))?;
        if parts.next().is_some() {
            return Err(malformed(Fault::GoesOn));
        }
        let parameters = Argon2Parameters { kind, memory_kib, passes, lanes, length: hash.len() as u32 };
        Ok(Phc { parameters, salt, hash })
    }

    /// The name in PHC strings.
    pub(crate) fn scheme(&self) -> &'static str {
        name(self.parameters.kind)
    }

    /// Whether the host would compute it.
    pub(crate) fn within(&self, ceilings: Argon2Ceilings) -> Result<(), Unreadable> {
        let Argon2Parameters { kind, memory_kib, passes, lanes, .. } = self.parameters;
        within(kind, "m", memory_kib, ceilings.memory_kib)?;
        within(kind, "t", passes, ceilings.passes)?;
        within(kind, "p", lanes, ceilings.lanes)
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

    /// A hash that costs as much as a real one and matches nothing.
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
        let kind = name(kind);
        let salt = BASE64_STANDARD_NO_PAD.encode(&self.salt);
        let hash = BASE64_STANDARD_NO_PAD.encode(&self.hash);
        write!(f, "${kind}$v=19$m={memory_kib},t={passes},p={lanes}${salt}${hash}")
    }
}

fn name(kind: Argon2Kind) -> &'static str {
    match kind {
        Argon2Kind::Argon2i => "argon2i",
        Argon2Kind::Argon2d => "argon2d",
        Argon2Kind::Argon2id => "argon2id",
    }
}

fn within(kind: Argon2Kind, parameter: &'static str, is: u32, most: u32) -> Result<(), Unreadable> {
    if is > most { Err(Unreadable::TooCostly { scheme: name(kind), parameter, is, most }) } else { Ok(()) }
}

/// Numbers in PHC strings: no sign, no leading zero.
fn decimal(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text.len() == 1 || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

/// None: not base64, or a length that nobody uses.
fn bytes(text: &str, lengths: std::ops::RangeInclusive<usize>) -> Option<Vec<u8>> {
    BASE64_STANDARD_NO_PAD.decode(text).ok().filter(|bytes| lengths.contains(&bytes.len()))
}
