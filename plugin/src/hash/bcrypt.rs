//! bcrypt as crypt(3) strings. Reads `$2a$`, `$2b$` and `$2y$`; writes `$2y$`, the only one that PHP supports. Computed here,
//! in the component: its parser belongs in the sandbox, and the host's `kdf` has no bcrypt.

use super::{Fault, Unfit, Unreadable};
use crate::settings::BCRYPT_COST;
use bcrypt::{HashParts, Version};
use std::str::FromStr as _;

/// bcrypt reads no more bytes of a password.
pub(crate) const MAX_BYTES: usize = 72;

/// Characters of a crypt(3) string.
const LENGTH: usize = 60;

/// The name for crypt(3) strings.
pub(crate) const SCHEME: &str = "bcrypt";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Crypt {
    text: String,
    cost: u32,
}

impl Crypt {
    /// None: another scheme. Never panics.
    pub(crate) fn read(text: &str) -> Option<Result<Self, Unreadable>> {
        let known = ["$2a$", "$2b$", "$2y$"].iter().any(|prefix| text.starts_with(prefix));
        known.then(|| Self::of(text))
    }

    /// A hash that costs more than any that is written here is refused: somebody who can write a hash must not choose what a
    /// sign-in costs, and a comparison must finish within a call.
    fn of(text: &str) -> Result<Self, Unreadable> {
        let malformed = |fault| Err(Unreadable::Malformed { scheme: SCHEME, fault });
        let is = text.chars().count();
        if is != LENGTH {
            return malformed(Fault::Length { is, must: LENGTH });
        }
        // The crate would read `+9` as a number.
        if !text.bytes().skip(4).take(2).all(|b| b.is_ascii_digit()) {
            return malformed(Fault::Cost);
        }
        let Ok(parts) = HashParts::from_str(text) else { return malformed(Fault::Alphabet) };
        match parts.get_cost() {
            is if is > BCRYPT_COST.max => {
                Err(Unreadable::TooCostly { scheme: SCHEME, parameter: "cost", is, most: BCRYPT_COST.max })
            }
            cost if cost < 4 => malformed(Fault::Cost),
            cost => Ok(Crypt { text: text.to_owned(), cost }),
        }
    }

    /// A hash that costs as much as a real one and matches nothing.
    pub(crate) fn unmatched(cost: u32) -> Self {
        Crypt { text: format!("$2y${cost:02}${}", ".".repeat(53)), cost }
    }

    pub(crate) fn cost(&self) -> u32 {
        self.cost
    }

    /// As with crypt(3), only the first 72 bytes count, so what PHP stored for a longer password still matches. A NUL never
    /// matches: crypt(3) would stop there, so `a` and `a\0a` would be the same password.
    pub(crate) fn matches(&self, password: &[u8]) -> bool {
        let same = bcrypt::verify(password, &self.text).unwrap_or(false);
        same && unfit(password) != Some(Unfit::Nul)
    }
}

/// None: bcrypt doesn't allow the cost.
pub(crate) fn write(password: &[u8], cost: u32) -> Option<String> {
    let mut salt = [0; 16];
    crate::token::fill(&mut salt);
    let parts = bcrypt::hash_with_salt(password, cost, salt).ok()?;
    Some(parts.format_for_version(Version::TwoY))
}

pub(crate) fn unfit(password: &[u8]) -> Option<Unfit> {
    if password.contains(&0) {
        Some(Unfit::Nul)
    } else if password.len() > MAX_BYTES {
        Some(Unfit::TooLong)
    } else {
        None
    }
}
