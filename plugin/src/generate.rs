//! Generated passwords: at least 64 bits, all equally likely, without look-alike characters, and good by the same policy as a
//! typed one.

use crate::bindings::types::Failure;
use crate::failure;
use crate::password::PlainPassword;
use crate::policy::{Context, Policy};
use crate::ports::Ports;
use crate::settings::{self, GENERATOR_ALPHABET, GENERATOR_LENGTH, Generator};
use crate::token;
use crate::words::{Word, Words};
use std::collections::BTreeSet;
use zeroize::Zeroizing;

/// Bits of each password, at least.
const BITS: f64 = 64.0;

/// A policy that refuses so many refuses them all.
const TRIES: usize = 100;

/// Consonants for the syllables: pronounced alike in many languages, and easy to find on a phone.
pub(crate) const CONSONANTS: [u8; 14] = *b"bdfgklmnprstvz";
pub(crate) const VOWELS: [u8; 5] = *b"aeiou";
/// Without 0 and 1, which look like letters.
pub(crate) const DIGITS: [u8; 8] = *b"23456789";

/// Look-alikes. None of them is in a generated password, whatever the operator's alphabet has.
pub(crate) const LOOK_ALIKE: &str = "0Oo1lI|`'\"";

/// With fewer different characters, a password of 64 bits would be too long to type.
const FEWEST_CHARACTERS: usize = 10;

/// Words that nobody wants in an email from their provider.
pub(crate) const UNWANTED: [&str; 12] =
    ["puta", "puto", "pene", "teta", "pedo", "fuka", "fuko", "fuki", "nazi", "kaka", "pipi", "sado"];

/// For the field of a form: follows the settings, and the policy for that account.
///
/// # Errors
/// `not-found` for an account out of reach; `refused` with `generator-settings`.
pub(crate) fn for_account(ports: &dyn Ports, account: &str) -> Result<PlainPassword, Failure> {
    password(ports, &Policy::of(ports, Context::of(ports, Some(account))?))
}

/// Follows the settings and the policy.
///
/// # Errors
/// `refused` with `generator-settings` if the policy refuses all of them, such as one that needs more bytes than bcrypt takes.
pub(crate) fn password(ports: &dyn Ports, policy: &Policy) -> Result<PlainPassword, Failure> {
    let generator = settings::generator(ports);
    let mut fill = token::fill;
    let mut dice = Dice::new(&mut fill);
    for _ in 0..TRIES {
        let password = one(&mut dice, &generator, policy.min_length());
        if policy.findings(&password).is_empty() {
            return Ok(password);
        }
    }
    failure::log(format_args!(
        "{TRIES} generated passwords broke the policy: check the settings min-length, output, context-words and generator"
    ));
    Err(failure::refused(Words::of(ports), "generator-settings", Word::GeneratorRefusal))
}

pub(crate) fn one(dice: &mut Dice, generator: &Generator, min_length: usize) -> PlainPassword {
    match generator {
        Generator::Syllables => syllables(dice, words_for(min_length)),
        Generator::Characters { length, alphabet } => {
            let alphabet = usable(alphabet);
            characters(dice, length_for(*length, min_length, alphabet.len()), &alphabet)
        }
    }
}

/// Words of two syllables: five have 61 bits, two digits add six; a hyphen follows each.
pub(crate) fn words_for(min_length: usize) -> usize {
    min_length.saturating_sub(DIGITS_AT_END).div_ceil(WORD + 1).max(5)
}

const WORD: usize = 4;
const DIGITS_AT_END: usize = 2;

/// `tavo-meki-rusa-dole-fipa-94`
fn syllables(dice: &mut Dice, words: usize) -> PlainPassword {
    let mut text = String::with_capacity(words * (WORD + 1) + DIGITS_AT_END);
    for _ in 0..words {
        let start = text.len();
        // A word at a time, so that the other words stay equally likely.
        loop {
            for _ in 0..WORD / 2 {
                text.push(dice.pick(&CONSONANTS).into());
                text.push(dice.pick(&VOWELS).into());
            }
            if !UNWANTED.contains(&&text[start..]) {
                break;
            }
            text.truncate(start);
        }
        text.push('-');
    }
    for _ in 0..DIGITS_AT_END {
        text.push(dice.pick(&DIGITS).into());
    }
    PlainPassword::new(text)
}

/// Whether a text could have been generated here, with these settings or earlier ones.
pub(crate) fn may_have_made(text: &str) -> bool {
    is_of_syllables(text) || is_of_characters(text)
}

fn is_of_syllables(text: &str) -> bool {
    let words = |words: &str| {
        words.split('-').all(|word| {
            let is =
                |(place, b): (usize, u8)| if place % 2 == 0 { CONSONANTS.contains(&b) } else { VOWELS.contains(&b) };
            word.len() == WORD && word.bytes().enumerate().all(is)
        })
    };
    text.rsplit_once('-').is_some_and(|(before, digits)| {
        digits.len() == DIGITS_AT_END && digits.bytes().all(|b| DIGITS.contains(&b)) && words(before)
    })
}

fn is_of_characters(text: &str) -> bool {
    text.len() >= GENERATOR_LENGTH.min as usize && text.bytes().all(|b| b.is_ascii_graphic() && !is_look_alike(b))
}

/// The usable part of the operator's alphabet: printable ASCII, each once, no look-alikes. Our own if too little remains.
pub(crate) fn usable(alphabet: &str) -> Vec<u8> {
    let usable: BTreeSet<u8> = alphabet.bytes().filter(|b| b.is_ascii_graphic() && !is_look_alike(*b)).collect();
    if usable.len() >= FEWEST_CHARACTERS {
        return usable.into_iter().collect();
    }
    failure::log(format_args!(
        "the setting generator-alphabet leaves {} usable characters, fewer than {FEWEST_CHARACTERS}: using the default",
        usable.len()
    ));
    GENERATOR_ALPHABET.bytes().collect()
}

fn is_look_alike(byte: u8) -> bool {
    LOOK_ALIKE.bytes().any(|other| other == byte)
}

/// Long enough for the operator, the policy and [`BITS`].
pub(crate) fn length_for(configured: usize, min_length: usize, alphabet: usize) -> usize {
    let needed = (BITS / (alphabet as f64).log2()).ceil() as usize;
    configured.max(min_length).max(needed)
}

fn characters(dice: &mut Dice, length: usize, alphabet: &[u8]) -> PlainPassword {
    let mut text = String::with_capacity(length);
    text.extend((0..length).map(|_| char::from(dice.pick(alphabet))));
    PlainPassword::new(text)
}

/// Unbiased random choices, from random bytes.
pub(crate) struct Dice<'a> {
    fill: &'a mut dyn FnMut(&mut [u8]),
    bytes: Zeroizing<[u8; 32]>,
    left: usize,
}

impl<'a> Dice<'a> {
    pub(crate) fn new(fill: &'a mut dyn FnMut(&mut [u8])) -> Self {
        Dice { fill, bytes: Zeroizing::new([0; 32]), left: 0 }
    }

    /// One of them, all equally likely. At least one, at most 256.
    pub(crate) fn pick(&mut self, from: &[u8]) -> u8 {
        // A byte beyond the last whole multiple would favour the first ones: draw again.
        let whole = 256 - 256 % from.len();
        loop {
            let byte = usize::from(self.byte());
            if byte < whole {
                return from[byte % from.len()];
            }
        }
    }

    fn byte(&mut self) -> u8 {
        if self.left == 0 {
            (self.fill)(self.bytes.as_mut());
            self.left = self.bytes.len();
        }
        self.left -= 1;
        self.bytes[self.left]
    }
}
