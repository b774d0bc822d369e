//! Why sign-in can't compare with a stored hash, without revealing the hash.

use super::{KNOWN, OTHERS};
use crate::bindings::nodes::Value;
use crate::words::{Word, Words};
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// Another scheme; its mark, such as `$6$`, if it has one.
    Scheme(Option<String>),
    /// This scheme, but malformed.
    Malformed { scheme: &'static str, fault: Fault },
    /// The parameter is above what one sign-in may cost.
    TooCostly { scheme: &'static str, parameter: &'static str, is: u32, most: u32 },
}

/// What is wrong with a hash of a known scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// In characters.
    Length { is: usize, must: usize },
    /// It has characters that the scheme doesn't use.
    Alphabet,
    /// Not a cost, or one that the scheme doesn't have.
    Cost,
    /// Argon2's version.
    Version,
    /// Argon2's `m`, `t` and `p`.
    Parameters,
    /// Not base64, or a length that nobody uses.
    Salt,
    /// The same for the hash itself.
    Hash,
    /// The end is missing.
    CutOff,
    /// There is a part too many.
    GoesOn,
}

/// For the log.
impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message(Words::in_locale("en")))
    }
}

impl Unreadable {
    /// Stable: part of the contract.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Unreadable::Scheme(_) => "unknown-scheme",
            Unreadable::Malformed { .. } => "malformed",
            Unreadable::TooCostly { .. } => "too-costly",
        }
    }

    /// Reveals only the scheme, the length and the costs of the hash.
    pub(crate) fn message(&self, words: Words) -> String {
        let text = |text: &str| Value::Text(text.to_owned());
        match self {
            Unreadable::Scheme(None) => words.text(Word::HashUnmarked, &[("known", text(KNOWN))]),
            Unreadable::Scheme(Some(mark)) => {
                let name = OTHERS.iter().find(|(known, _)| known == mark).map(|(_, name)| format!("{name} ({mark})"));
                let scheme = Value::Text(name.unwrap_or_else(|| mark.clone()));
                words.text(Word::HashUnknown, &[("scheme", scheme), ("known", text(KNOWN))])
            }
            Unreadable::TooCostly { scheme, parameter, is, most } => {
                let number = |n: &u32| Value::Number((*n).into());
                let values = [
                    ("scheme", text(scheme)),
                    ("parameter", text(parameter)),
                    ("is", number(is)),
                    ("most", number(most)),
                ];
                words.text(Word::HashTooCostly, &values)
            }
            Unreadable::Malformed { scheme, fault } => {
                let mut values = vec![("scheme", text(scheme))];
                if let Fault::Length { is, must } = fault {
                    values.extend([("is", Value::Number(*is as i64)), ("must", Value::Number(*must as i64))]);
                }
                words.text(fault.word(), &values)
            }
        }
    }
}

impl Fault {
    fn word(self) -> Word {
        match self {
            Fault::Length { .. } => Word::HashLength,
            Fault::Alphabet => Word::HashAlphabet,
            Fault::Cost => Word::HashCost,
            Fault::Version => Word::HashVersion,
            Fault::Parameters => Word::HashParameters,
            Fault::Salt => Word::HashSalt,
            Fault::Hash => Word::HashHash,
            Fault::CutOff => Word::HashCutOff,
            Fault::GoesOn => Word::HashGoesOn,
        }
    }
}
