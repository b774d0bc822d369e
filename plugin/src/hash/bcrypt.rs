//! bcrypt as crypt(3) strings: `$2a$`, `$2b$` and `$2y$` are read, `$2y$` is written, since PHP knows no other. Computed here,
//! in the component: its parser belongs in the sandbox, and the host's `kdf` has no bcrypt.

use super::{Unfit, Unreadable};
use bcrypt::{HashParts, Version};
use std::str::FromStr as _;

/// bcrypt reads no more of a password.
pub(crate) const MAX_BYTES: usize = 72;

/// 2^15 rounds take seconds in the component; what is above is refused rather than begun.
const MAX_COST: u32 = 15;

/// A crypt(3) string whose form is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Crypt {
    text: String,
    cost: u32,
}

impl Crypt {
    /// Never panics, whatever the text.
    pub(crate) fn read(text: &str) -> Result<Self, Unreadable> {
        if !["$2a$", "$2b$", "$2y$"].iter().any(|prefix| text.starts_with(prefix)) {
            return Err(Unreadable::Malformed("no such kind of bcrypt"));
        }
        // The crate would take `+9` for a number.
        if !text.bytes().skip(4).take(2).all(|b| b.is_ascii_digit()) {
            return Err(Unreadable::Malformed("the cost is not a number"));
        }
        let parts = HashParts::from_str(text).map_err(|_| Unreadable::Malformed("not a bcrypt string"))?;
        match parts.get_cost() {
            cost if cost > MAX_COST => Err(Unreadable::TooCostly("cost")),
            cost if cost < 4 => Err(Unreadable::Malformed("a cost below 4")),
            cost => Ok(Crypt { text: text.to_owned(), cost }),
        }
    }

    /// Costs what a real one costs, and is nobody's.
    pub(crate) fn unmatched(cost: u32) -> Self {
        Crypt { text: format!("$2y${cost:02}${}", ".".repeat(53)), cost }
    }

    pub(crate) fn cost(&self) -> u32 {
        self.cost
    }

    /// As crypt(3) does, only the first 72 bytes count; what PHP stored of a longer password still matches. A NUL never
    /// does: crypt(3) would stop there, so `a` and `a\0a` would be one password.
    pub(crate) fn matches(&self, password: &[u8]) -> bool {
        let same = bcrypt::verify(password, &self.text).unwrap_or(false);
        same && unfit(password) != Some(Unfit::Nul)
    }
}

/// None: the cost is outside of what bcrypt knows.
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
