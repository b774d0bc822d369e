//! A password as it is typed, pasted and stored: composed and taken apart, with white space around it, longer than bcrypt reads.

use super::*;
use crate::bindings::password::Mode;
use crate::generate::may_have_made;
use crate::password::PlainPassword;
use crate::{change, check};

const COMPOSED: &str = "contrase\u{f1}a de caf\u{e9} mo\u{f1}o";
const APART: &str = "contrasen\u{303}a de cafe\u{301} mon\u{303}o";

fn forms(text: &str) -> Vec<String> {
    secret(text).forms().map(|form| form.text().to_owned()).collect()
}

#[test]
fn however_its_letters_were_set_a_password_signs_in_however_they_are_typed() {
    for set_as in [COMPOSED, APART] {
        let panel = panel();
        set(&panel, MARTA, set_as, false);
        assert!(accepted(&panel, "marta.vidal", COMPOSED) && accepted(&panel, "marta.vidal", APART), "{set_as}");
        // By its owner, and by a link.
        act_as(&panel, MARTA);
        let own = format!("{set_as} de azul");
        panel.run(|ports| change::change_own(ports, secret(APART), secret(&own))).unwrap();
        *panel.caller.borrow_mut() = Actor::Anonymous;
        assert!(accepted(&panel, "marta.vidal", &format!("{COMPOSED} de azul")), "{set_as}");
        let token = panel.run(|ports| crate::links::make(ports, MARTA)).unwrap().link.token;
        let by_link = format!("{set_as} de verde");
        panel.run(|ports| change::complete_reset(ports, &token, secret(&by_link))).unwrap();
        assert!(accepted(&panel, "marta.vidal", &format!("{COMPOSED} de verde")), "{set_as}");
    }
}

#[test]
fn a_panel_that_compares_by_itself_gets_the_hash_of_what_was_typed() {
    let panel = panel();
    panel.settings.borrow_mut().insert("asked-at-sign-in", Value::Truth(false));
    set(&panel, MARTA, APART, false);
    // As that panel would: by no other form.
    let stored = crate::hash::Stored::read(&panel.person(MARTA).hash.unwrap()).unwrap();
    assert_eq!(stored.matches(&panel, &secret(APART)), Ok(true));
    assert_eq!(stored.matches(&panel, &secret(COMPOSED)), Ok(false));
}

#[test]
fn a_hash_brought_along_of_letters_taken_apart_matches_them_and_is_upgraded_to_the_composed() {
    let panel = panel();
    panel.settings.borrow_mut().insert("asked-at-sign-in", Value::Truth(false));
    set(&panel, MARTA, APART, false);
    panel.settings.borrow_mut().insert("asked-at-sign-in", Value::Truth(true));
    assert!(!accepted(&panel, "marta.vidal", COMPOSED));
    panel.settings.borrow_mut().insert("argon2-passes", Value::Number(2));
    assert!(accepted(&panel, "marta.vidal", APART), "as it was typed, before any other form");
    assert!(accepted(&panel, "marta.vidal", COMPOSED) && accepted(&panel, "marta.vidal", APART));
}

#[test]
fn a_password_is_as_long_as_what_is_stored_of_it() {
    let panel = panel();
    // 15 characters as typed, of which 14 are left.
    let apart = "copper lantern\u{303}";
    assert_eq!(apart.chars().count(), 15);
    let refused = panel.run(|ports| using::set_password(ports, MARTA, secret(apart), false));
    assert_eq!(codes(refused.unwrap_err()), [("new".to_owned(), "too-short".to_owned())]);
    assert!(!check::check_password(&panel, &secret(apart), None).unwrap().acceptable, "the meter says the same");
}

#[test]
fn a_generated_password_is_taken_with_the_white_space_that_was_copied_with_it() {
    for generator in ["syllables", "characters"] {
        let panel = panel();
        panel.settings.borrow_mut().insert("generator", Value::Text(generator.to_owned()));
        panel.run(|ports| crate::reset_and_mail::reset_and_mail(ports, MARTA, Mode::Temporary)).unwrap();
        let mailed = mailed_password(&panel);
        for pasted in [
            format!("{mailed} "),
            format!("{mailed}\u{a0}"),
            format!("{mailed}\r\n"),
            format!("\t{mailed}\t"),
            format!(" {mailed}"),
            format!("\u{feff}{mailed}\u{200b}"),
            mailed.clone(),
        ] {
            let verdict = sign_in(&panel, "marta.vidal", &pasted);
            assert!(matches!(verdict, Ok(Verdict::MustChange(_))), "{generator} {pasted:?}: {verdict:?}");
        }
        // Nothing within, and nothing that is no white space.
        let (begin, end) = mailed.split_at(6);
        for wrong in [format!("{begin} {end}"), format!("{mailed}."), format!("{mailed} {mailed}")] {
            assert_eq!(sign_in(&panel, "marta.vidal", &wrong), Ok(Verdict::Rejected), "{wrong}");
        }
    }
}

#[test]
fn a_password_that_somebody_made_up_is_his_with_each_of_its_spaces() {
    let panel = panel();
    assert_eq!(sign_in(&panel, "marta.vidal", &format!("{FIRST} ")), Ok(Verdict::Rejected));
    set(&panel, MARTA, &format!(" {SECOND} "), false);
    assert_eq!(sign_in(&panel, "marta.vidal", SECOND), Ok(Verdict::Rejected));
    assert!(accepted(&panel, "marta.vidal", &format!(" {SECOND} ")));
    // Also one that looks like a generated one.
    set(&panel, MARTA, "tavo-meki-rusa-dole-fipa-94 ", false);
    assert_eq!(sign_in(&panel, "marta.vidal", "tavo-meki-rusa-dole-fipa-94"), Ok(Verdict::Rejected));
    assert!(accepted(&panel, "marta.vidal", "tavo-meki-rusa-dole-fipa-94 "));
}

#[test]
fn no_attempt_is_worth_more_than_two_hashes_nor_tells_a_known_name_from_an_unknown_one() {
    let panel = panel();
    let generated = "tavo-meki-rusa-dole-fipa-94";
    assert!(may_have_made(generated) && !may_have_made("tavo-meki-rusa-dole-fipa-9"));
    for (typed, hashes) in [
        (generated.to_owned(), 1),
        (format!("{generated} "), 2),
        // A space that has a composed form of its own.
        (format!("{generated}\u{2000}"), 2),
        (format!("{FIRST} "), 1),
        (APART.to_owned(), 2),
        (format!("{APART} "), 2),
    ] {
        assert_eq!(forms(&typed).len(), hashes, "{typed:?}");
        for name in ["marta.vidal", "nobody"] {
            panel.kdf_calls.set(0);
            assert_eq!(sign_in(&panel, name, &typed), Ok(Verdict::Rejected));
            assert_eq!(panel.kdf_calls.get(), hashes as u32, "{name} {typed:?}");
        }
    }
}

#[test]
fn a_generated_password_is_known_as_such_under_any_settings() {
    let mut fill = crate::token::fill;
    let mut dice = crate::generate::Dice::new(&mut fill);
    for generator in [
        crate::settings::Generator::Syllables,
        crate::settings::Generator::Characters { length: 12, alphabet: crate::settings::GENERATOR_ALPHABET.to_owned() },
        crate::settings::Generator::Characters { length: 20, alphabet: ('!'..='~').collect() },
    ] {
        for min_length in [8, 15, 40] {
            let password: PlainPassword = crate::generate::one(&mut dice, &generator, min_length);
            assert!(may_have_made(password.text()), "{}", password.text());
        }
    }
    for not in [
        "",
        "-94",
        "tavo-94 ",
        "velvet tractor sunrise",
        "tavo-mek-94",
        "contraseña-larga",
        "tavo-meki-rusa-dole-fipa-01x\u{e9}",
    ] {
        assert!(!may_have_made(not), "{not}");
    }
}

#[test]
fn a_bcrypt_hash_of_what_may_have_been_longer_is_not_upgraded() {
    let long = "copper lantern oats velvet tractor sunrise marble window candle forest tinsel pond";
    assert!(long.len() > 80);
    for (typed, upgraded) in [(&long[..71], true), (&long[..72], false), (&long[..75], false), (long, false)] {
        let panel = panel();
        let of = if upgraded { typed } else { long };
        let hash = crate::hash::bcrypt::write(of.as_bytes(), 4).unwrap();
        panel.alter(MARTA, |person| person.hash = Some(hash.clone()));
        assert!(accepted(&panel, "marta.vidal", typed), "{typed}");
        assert_eq!(panel.person(MARTA).hash.unwrap() != hash, upgraded, "{}", typed.len());
        assert!(accepted(&panel, "marta.vidal", of), "the owner's own, after {} bytes of it", typed.len());
    }
}
