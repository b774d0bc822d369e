//! Which passwords are good enough, and why one is not.

mod common;
mod context;
// `stem` is for `build.rs`, which takes the same file.
#[allow(dead_code)]
pub(crate) mod shape;

#[cfg(test)]
pub(crate) use common::stems;
pub(crate) use context::Context;

use crate::bindings::nodes::{Strength, Value};
use crate::bindings::types::{Failure, FieldError};
use crate::failure;
use crate::hash::{Configured, Unfit, bcrypt};
use crate::password::PlainPassword;
use crate::ports::Ports;
use crate::settings;
use crate::unicode::fold;
use crate::words::{Word, Words};
use zeroize::Zeroizing;

/// The rules for a new password.
pub(crate) struct Policy {
    min_length: usize,
    configured: Configured,
    context: Context,
    /// Whether new passwords are composed (NFC): only if sign-in calls this plugin, which composes too. A panel that compares
    /// hashes itself compares what was typed.
    composes: bool,
}

/// One reason against a password, with a code and a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    TooShort {
        has: usize,
        min: usize,
    },
    TooLong,
    Known,
    /// `managed`: a manager reads it.
    ContainsName {
        managed: bool,
    },
    ContainsWord(String),
    Repeated,
    Sequence,
    TooLongForBcrypt {
        has: usize,
    },
    NulForBcrypt,
    SameAsCurrent,
}

impl Policy {
    pub(crate) fn of(ports: &dyn Ports, context: Context) -> Self {
        Policy {
            min_length: settings::MIN_LENGTH.of(ports) as usize,
            configured: Configured::of(ports),
            context,
            composes: settings::asked_at_sign_in(ports),
        }
    }

    /// In characters.
    pub(crate) fn min_length(&self) -> usize {
        self.min_length
    }

    /// The hash of the stored form of a new password.
    ///
    /// # Errors
    /// Those of [`Configured::write`].
    pub(crate) fn write(&self, ports: &dyn Ports, password: &PlainPassword) -> Result<String, Failure> {
        self.configured.write(ports, self.stored_form(password).as_ref().unwrap_or(password))
    }

    /// None: stored as typed.
    fn stored_form(&self, password: &PlainPassword) -> Option<PlainPassword> {
        if self.composes { password.composed() } else { None }
    }

    /// All reasons, the most useful first.
    pub(crate) fn findings(&self, typed: &PlainPassword) -> Vec<Finding> {
        if typed.is_too_long() {
            return vec![Finding::TooLong];
        }
        let stored = self.stored_form(typed);
        let password = stored.as_ref().unwrap_or(typed);
        let mut findings = Vec::new();
        let has = password.text().chars().count();
        if has < self.min_length {
            findings.push(Finding::TooShort { has, min: self.min_length });
        }
        let folded = fold(password.text());
        if self.context.names_owner(&folded) {
            findings.push(Finding::ContainsName { managed: self.context.is_managed() });
        }
        if let Some(word) = self.context.names_place(&folded) {
            findings.push(Finding::ContainsWord(word.to_owned()));
        }
        // One reason for a pattern is enough: the first fits best.
        let head = shape::head(&folded);
        if common::is_common(head) {
            findings.push(Finding::Known);
        } else if has > 1 && weight_apart(head) * 5 <= head.chars().count() * 2 {
            findings.push(Finding::Sequence);
        } else if self.repeats(head) || common::repeats_common(head) {
            findings.push(Finding::Repeated);
        }
        match self.configured.unfit(password) {
            Some(Unfit::TooLong) => findings.push(Finding::TooLongForBcrypt { has: password.bytes().len() }),
            Some(Unfit::Nul) => findings.push(Finding::NulForBcrypt),
            None => {}
        }
        findings
    }

    /// A password that repeats a piece is worth no more than the piece, which must then be long enough on its own. Pieces that
    /// come back in another order count once each; what is left must not be much shorter.
    fn repeats(&self, folded: &str) -> bool {
        let key = Zeroizing::new(shape::canon(folded));
        let is_one = |text: &str| {
            let piece = shape::unit(text);
            piece.len() < text.len() && piece.chars().count() < self.min_length
        };
        let is_few = |text: &str| {
            let chars = Zeroizing::new(text.chars().collect::<Vec<_>>());
            let once = shape::said_once(&chars, self.min_length);
            once > 0 && once * 2 <= chars.len() && once * 3 < self.min_length * 2
        };
        common::parts(folded).chain(common::parts(&key)).any(is_one) || is_few(folded) || is_few(&key)
    }

    /// The same rating as Save's, as advice.
    pub(crate) fn strength(&self, password: &PlainPassword, words: Words) -> Strength {
        let advice = |score, acceptable, text| Strength { score, acceptable, advice: Some(text) };
        if password.is_empty() {
            return advice(0, false, words.text(Word::AdviceEmpty, &[("min", Value::Number(self.min_length as i64))]));
        }
        let findings = self.findings(password);
        if let Some(first) = findings.first() {
            let only_short = findings.iter().all(|finding| matches!(finding, Finding::TooShort { .. }));
            return advice(u8::from(only_short), false, first.message(words));
        }
        let worth = shape::weight(&fold(shape::unit(shape::head(password.text()))));
        match worth.saturating_sub(self.min_length) {
            0..=1 => advice(2, true, words.text(Word::AdviceFair, &[])),
            2..=8 => advice(3, true, words.text(Word::AdviceGood, &[])),
            _ => Strength { score: 4, acceptable: true, advice: None },
        }
    }
}

/// The weight without the separator between its words or letters, which adds little itself.
fn weight_apart(folded: &str) -> usize {
    let weight = shape::weight(folded);
    match separator(folded) {
        Some(separator) => weight.min(1 + shape::weight(&Zeroizing::new(folded.replace(separator, "")))),
        None => weight,
    }
}

/// The most frequent sign, if any occurs twice.
fn separator(folded: &str) -> Option<char> {
    let count = |sign: char| folded.matches(sign).count();
    let signs = folded.chars().filter(|c| !c.is_alphanumeric());
    signs.max_by_key(|sign| count(*sign)).filter(|sign| count(*sign) >= 2)
}

impl Finding {
    /// Stable: part of the contract.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Finding::TooShort { .. } => "too-short",
            Finding::TooLong => "too-long",
            Finding::Known => "known",
            Finding::ContainsName { .. } => "contains-name",
            Finding::ContainsWord(_) => "contains-word",
            Finding::Repeated => "repeated",
            Finding::Sequence => "sequence",
            Finding::TooLongForBcrypt { .. } => "too-long-for-bcrypt",
            Finding::NulForBcrypt => "nul-for-bcrypt",
            Finding::SameAsCurrent => "same-as-current",
        }
    }

    pub(crate) fn message(&self, words: Words) -> String {
        let number = |n: &usize| Value::Number(*n as i64);
        match self {
            Finding::TooShort { has, min } => words.text(Word::TooShort, &[("n", number(has)), ("min", number(min))]),
            Finding::TooLong => words.text(Word::TooLong, &[]),
            Finding::Known => words.text(Word::Known, &[]),
            Finding::ContainsName { managed: false } => words.text(Word::ContainsName, &[]),
            Finding::ContainsName { managed: true } => words.text(Word::ContainsNameOther, &[]),
            Finding::ContainsWord(word) => words.text(Word::ContainsContext, &[("word", Value::Text(word.clone()))]),
            Finding::Repeated => words.text(Word::Repeated, &[]),
            Finding::Sequence => words.text(Word::Sequence, &[]),
            Finding::TooLongForBcrypt { has } => {
                words.text(Word::TooLongForBcrypt, &[("n", number(has)), ("max", number(&bcrypt::MAX_BYTES))])
            }
            Finding::NulForBcrypt => words.text(Word::NulForBcrypt, &[]),
            Finding::SameAsCurrent => words.text(Word::SameAsCurrent, &[]),
        }
    }

    pub(crate) fn about(&self, field: &str, words: Words) -> FieldError {
        failure::field(field, self.code(), self.message(words))
    }
}
