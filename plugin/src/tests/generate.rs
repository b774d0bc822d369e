use super::*;
use crate::generate::{
    self, CONSONANTS, DIGITS, Dice, LOOK_ALIKE, UNWANTED, VOWELS, length_for, one, usable, words_for,
};
use crate::settings::{GENERATOR_ALPHABET, Generator};
use crate::token;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn throw(generator: &Generator, min_length: usize) -> String {
    let mut fill = token::fill;
    one(&mut Dice::new(&mut fill), generator, min_length).text().to_owned()
}

fn characters(length: usize, alphabet: &str) -> Generator {
    Generator::Characters { length, alphabet: alphabet.to_owned() }
}

fn generated(panel: &Panel) -> Result<String, Failure> {
    panel.run(|ports| generate::for_account(ports, MARTA)).map(|password| password.text().to_owned())
}

fn bits(choices: usize) -> f64 {
    (choices as f64).log2()
}

#[test]
fn syllables_have_at_least_64_bits() {
    let word = bits((CONSONANTS.len() * VOWELS.len()).pow(2) - UNWANTED.len());
    assert!(words_for(0) as f64 * word + 2.0 * bits(DIGITS.len()) >= 64.0);
}

#[test]
fn syllables_are_words_and_two_digits_with_hyphens_between() {
    for _ in 0..200 {
        let password = throw(&Generator::Syllables, 15);
        let parts: Vec<&str> = password.split('-').collect();
        let [words @ .., digits] = &parts[..] else { panic!("{password}") };
        assert_eq!((words.len(), digits.len()), (5, 2), "{password}");
        assert!(digits.bytes().all(|b| DIGITS.contains(&b)), "{password}");
        for word in words {
            let [a, b, c, d] = word.as_bytes() else { panic!("{password}") };
            assert!([a, c].iter().all(|b| CONSONANTS.contains(b)) && [b, d].iter().all(|b| VOWELS.contains(b)));
        }
    }
}

#[test]
fn no_word_is_one_that_nobody_wants_to_find_in_a_mail() {
    // Of 4,900 words 12 are unwanted: without a filter some two dozen would be among these.
    for _ in 0..2_000 {
        let password = throw(&Generator::Syllables, 15);
        assert!(!password.split('-').any(|word| UNWANTED.contains(&word)), "{password}");
    }
}

#[test]
fn the_alphabet_of_the_manifest_has_nothing_that_looks_alike() {
    assert!(!GENERATOR_ALPHABET.chars().any(|c| LOOK_ALIKE.contains(c)));
    assert_eq!(usable(GENERATOR_ALPHABET).len(), GENERATOR_ALPHABET.len());
    assert!(DIGITS.iter().all(|digit| !LOOK_ALIKE.as_bytes().contains(digit)));
}

/// Every byte comes up once, in each of two orders: what is picked more often than another is biased.
#[test]
fn every_choice_is_as_likely_as_every_other() {
    for n in [1, 2, 3, 5, 7, 8, 10, 14, 55, 94, 128, 200, 255, 256] {
        let from: Vec<u8> = (0..n).map(|i| i as u8).collect();
        let mut next = 0_u32;
        let mut fill = |bytes: &mut [u8]| {
            for byte in bytes {
                // Odd, so it goes through all 256 before one comes again.
                *byte = (next * 167) as u8;
                next += 1;
            }
        };
        let mut dice = Dice::new(&mut fill);
        let rounds = 256 / n;
        let mut counts = vec![0; n];
        for _ in 0..rounds * n {
            counts[usize::from(dice.pick(&from))] += 1;
        }
        assert!(counts.iter().all(|count| *count == rounds), "{n}: {counts:?}");
    }
}

#[test]
fn two_are_never_the_same() {
    let all: BTreeSet<String> = (0..500).map(|_| throw(&Generator::Syllables, 15)).collect();
    assert_eq!(all.len(), 500);
}

#[test]
fn a_generated_password_passes_the_policy_of_its_account() {
    let panel = panel();
    for (generator, min_length) in [("syllables", 15), ("characters", 15), ("syllables", 64), ("characters", 128)] {
        panel.settings.borrow_mut().insert("generator", Value::Text(generator.to_owned()));
        panel.settings.borrow_mut().insert("min-length", Value::Number(min_length));
        for _ in 0..20 {
            let password = generated(&panel).unwrap();
            assert!(password.chars().count() >= min_length as usize, "{password}");
            set(&panel, MARTA, &password, false);
        }
    }
}

#[test]
fn a_name_that_comes_up_is_thrown_again() {
    let panel = panel();
    // Of some 5,000 words about every tenth, so that nearly every second password would hold one of these.
    let mut unwanted = BTreeSet::new();
    while unwanted.len() < 500 {
        let password = throw(&Generator::Syllables, 15);
        unwanted.extend(password.split('-').filter(|word| word.len() == 4).map(str::to_owned));
    }
    let words = unwanted.iter().cloned().collect();
    panel.settings.borrow_mut().insert("context-words", Value::Texts(words));
    for _ in 0..100 {
        let password = generated(&panel).unwrap();
        assert!(password.split('-').all(|word| !unwanted.contains(word)), "{password}");
    }
}

#[test]
fn settings_that_no_password_fits_are_told_as_such() {
    let panel = panel();
    panel.settings.borrow_mut().insert("output", Value::Text("bcrypt".to_owned()));
    panel.settings.borrow_mut().insert("min-length", Value::Number(100));
    assert_eq!(refusal_code(generated(&panel)), "generator-settings");
}

#[test]
fn an_alphabet_too_small_to_be_of_use_is_replaced() {
    for alphabet in ["", "abc", "0O1lI|", "ñçß漢字かなабвг"] {
        assert_eq!(usable(alphabet).len(), GENERATOR_ALPHABET.len(), "{alphabet}");
    }
}

proptest! {
    #[test]
    fn passwords_of_characters_have_at_least_64_bits(
        length in 12_usize..=64,
        min_length in 8_usize..=128,
        alphabet in "[!-~]{0,100}",
    ) {
        let usable = usable(&alphabet);
        let length = length_for(length, min_length, usable.len());
        prop_assert!(length as f64 * bits(usable.len()) >= 64.0);
        let password = throw(&characters(length, &alphabet), min_length);
        prop_assert_eq!(password.len(), length);
        prop_assert!(password.bytes().all(|b| usable.contains(&b)));
        prop_assert!(!password.chars().any(|c| LOOK_ALIKE.contains(c)));
        prop_assert_eq!(usable.iter().collect::<BTreeSet<_>>().len(), usable.len(), "each once, or it is likelier");
    }

    #[test]
    fn syllables_are_as_long_as_the_policy_asks(min_length in 8_usize..=128) {
        prop_assert!(throw(&Generator::Syllables, min_length).len() >= min_length);
    }
}
