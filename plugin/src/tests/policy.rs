use super::*;
use crate::generate::{self, Dice};
use crate::policy::shape::{canon, said_once, stem, unit, weight};
use crate::policy::{Context, Policy};
use crate::settings::{GENERATOR_ALPHABET, Generator};
use crate::unicode::fold;
use crate::words::Words;
use crate::{check, links, token};
use proptest::prelude::*;

/// Password, the codes against it, what the first sentence begins with in English and in Spanish.
const CASES: &[(&str, &[&str], &str, &str)] = &[
    (FIRST, &[], "", ""),
    (SECOND, &[], "", ""),
    ("tavo-meki-rusa-dole-fipa-94", &[], "", ""),
    ("cuatro palabras sin relación", &[], "", ""),
    ("пароль из пяти слов", &[], "", ""),
    ("🐢🐢 tortuga 🐢 mesa lila", &[], "", ""),
    ("password84719263", &[], "", ""),
    (
        "x",
        &["too-short"],
        "The password has 1 character; at least 15",
        "La contraseña tiene 1 carácter; hacen falta al menos 15",
    ),
    ("copper lantern", &["too-short"], "The password has 14 characters;", "La contraseña tiene 14 caracteres;"),
    ("ññññ lantern oa", &[], "", ""),
    ("", &["too-short"], "The password has 0 characters;", "La contraseña tiene 0 caracteres;"),
    (
        "passwordpassword",
        &["repeated"],
        "The password repeats one short piece.",
        "La contraseña repite un trozo corto.",
    ),
    (
        "Password Password Password",
        &["repeated"],
        "The password repeats one short piece.",
        "La contraseña repite un trozo corto.",
    ),
    ("P@ssw0rd-2024!!", &["known"], "This password, or one", "Esta contraseña"),
    ("!!!P4$$w0rd123456789", &["known"], "This password, or one", "Esta contraseña"),
    ("p.a.s.s.w.o.r.d.", &["known"], "This password, or one", "Esta contraseña"),
    (
        "password1password1",
        &["repeated"],
        "The password repeats one short piece.",
        "La contraseña repite un trozo corto.",
    ),
    (
        "pássword passwórd",
        &["repeated"],
        "The password repeats one short piece.",
        "La contraseña repite un trozo corto.",
    ),
    ("iLoveYou-2024!!!", &["known"], "This password, or one", "Esta contraseña"),
    ("qwertyuiop123456", &["known"], "This password, or one", "Esta contraseña"),
    ("123456789123456789", &["known"], "This password, or one", "Esta contraseña"),
    (
        "aaaaaaaaaaaaaaaa",
        &["sequence"],
        "The password is mostly a sequence",
        "La contraseña es casi toda una secuencia",
    ),
    (
        "zzzzzzzzzzzzzzzzz",
        &["sequence"],
        "The password is mostly a sequence",
        "La contraseña es casi toda una secuencia",
    ),
    (
        "abcdefghijklmnop",
        &["sequence"],
        "The password is mostly a sequence",
        "La contraseña es casi toda una secuencia",
    ),
    (
        "zyxwvutsrqponmlk",
        &["sequence"],
        "The password is mostly a sequence",
        "La contraseña es casi toda una secuencia",
    ),
    (
        "99998888777766665555",
        &["sequence"],
        "The password is mostly a sequence",
        "La contraseña es casi toda una secuencia",
    ),
    (
        "oats oats oats oats",
        &["repeated"],
        "The password repeats one short piece.",
        "La contraseña repite un trozo corto.",
    ),
    (
        "pass-word pass.word 12",
        &["repeated"],
        "The password repeats one short piece.",
        "La contraseña repite un trozo corto.",
    ),
    (
        "marta marta marta marta",
        &["contains-name", "repeated"],
        "The password contains your name",
        "La contraseña contiene tu nombre",
    ),
    ("xkvbtxkvbtxkvbt", &["repeated"], "The password repeats one short piece.", "La contraseña repite un trozo corto."),
    (
        "x9!k x9!k x9!k x9!k",
        &["repeated"],
        "The password repeats one short piece.",
        "La contraseña repite un trozo corto.",
    ),
    (
        "marta likes copper oats",
        &["contains-name"],
        "The password contains your name",
        "La contraseña contiene tu nombre",
    ),
    (
        "M4rt4-likes-copper-oats",
        &["contains-name"],
        "The password contains your name",
        "La contraseña contiene tu nombre",
    ),
    ("copper vidal lantern", &["contains-name"], "The password contains your name", "La contraseña contiene tu nombre"),
    (
        "EstudioVidal lantern oats",
        &["contains-name"],
        "The password contains your name",
        "La contraseña contiene tu nombre",
    ),
    (
        "north wind copper lantern",
        &["contains-word"],
        "The password contains “Northwind”",
        "La contraseña contiene «Northwind»",
    ),
    ("vidal", &["too-short", "contains-name"], "The password has 5 characters;", "La contraseña tiene 5 caracteres;"),
    (
        "northwind marta",
        &["contains-name", "contains-word"],
        "The password contains your name",
        "La contraseña contiene tu nombre",
    ),
    // What everybody tries.
    ("correcthorsebatterystaple", &["known"], "This password, or one", "Esta contraseña"),
    ("Correct Horse Battery Staple 1!", &["known"], "This password, or one", "Esta contraseña"),
    ("c0rrecth0rsebatt3ry", &["known"], "This password, or one", "Esta contraseña"),
    ("my correct-horse-battery-staple", &["known"], "This password, or one", "Esta contraseña"),
    (
        "letmein letmein letmein",
        &["repeated"],
        "The password repeats one short piece.",
        "La contraseña repite un trozo corto.",
    ),
    ("MayTheForceBeWithYou", &["known"], "This password, or one", "Esta contraseña"),
    ("thequickbrownfoxjumps", &["known"], "This password, or one", "Esta contraseña"),
    ("one two three four five", &["known"], "This password, or one", "Esta contraseña"),
    ("unodostrescuatrocinco", &["known"], "This password, or one", "Esta contraseña"),
    ("En un lugar de La Mancha", &["known"], "This password, or one", "Esta contraseña"),
    ("Padre nuestro, que estás", &["known"], "This password, or one", "Esta contraseña"),
    ("Contraseña12345", &["known"], "This password, or one", "Esta contraseña"),
    ("estaesmicontraseña", &["known"], "This password, or one", "Esta contraseña"),
    ("michaeljackson1958", &["known"], "This password, or one", "Esta contraseña"),
    (
        "qwertyuiopasdfghjkl",
        &["sequence"],
        "The password is mostly a sequence",
        "La contraseña es casi toda una secuencia",
    ),
    (
        "qw3rtyu10p@sdfghjkl",
        &["sequence"],
        "The password is mostly a sequence",
        "La contraseña es casi toda una secuencia",
    ),
    ("q-w-e-r-t-y-u-i-o-p", &["known"], "This password, or one", "Esta contraseña"),
    (
        "poiuytrewqlkjhgfdsa",
        &["sequence"],
        "The password is mostly a sequence",
        "La contraseña es casi toda una secuencia",
    ),
    (
        "qwertzuiopasdfghjkl",
        &["sequence"],
        "The password is mostly a sequence",
        "La contraseña es casi toda una secuencia",
    ),
    (
        "azertyuiopqsdfghjklm",
        &["sequence"],
        "The password is mostly a sequence",
        "La contraseña es casi toda una secuencia",
    ),
    (
        "mlkjhgfdsqpoiuytreza",
        &["sequence"],
        "The password is mostly a sequence",
        "La contraseña es casi toda una secuencia",
    ),
    (
        "1qay2wsx3edc4rfv5tgb",
        &["sequence"],
        "The password is mostly a sequence",
        "La contraseña es casi toda una secuencia",
    ),
    (
        "1qaz2wsx3edc4rfv5tgb",
        &["sequence"],
        "The password is mostly a sequence",
        "La contraseña es casi toda una secuencia",
    ),
    (
        "!QAZ@WSX#EDC$RFV%TGB",
        &["sequence"],
        "The password is mostly a sequence",
        "La contraseña es casi toda una secuencia",
    ),
    (
        "!QAZ2wsx#EDC4rfv%TGB",
        &["sequence"],
        "The password is mostly a sequence",
        "La contraseña es casi toda una secuencia",
    ),
    (
        "zaq12wsxcde34rfv",
        &["sequence"],
        "The password is mostly a sequence",
        "La contraseña es casi toda una secuencia",
    ),
    ("qazxswedcvfrtgb", &["sequence"], "The password is mostly a sequence", "La contraseña es casi toda una secuencia"),
    ("qwertasdfgzxcvb", &["sequence"], "The password is mostly a sequence", "La contraseña es casi toda una secuencia"),
    ("1234qwerasdfzxcv", &["known"], "This password, or one", "Esta contraseña"),
    (
        "q1w2e3r4t5y6u7i8",
        &["sequence"],
        "The password is mostly a sequence",
        "La contraseña es casi toda una secuencia",
    ),
    (
        "a1b2c3d4e5f6g7h8",
        &["sequence"],
        "The password is mostly a sequence",
        "La contraseña es casi toda una secuencia",
    ),
    (
        "aabbccddeeffgghh",
        &["sequence"],
        "The password is mostly a sequence",
        "La contraseña es casi toda una secuencia",
    ),
    (
        "123abc456def789ghi",
        &["sequence"],
        "The password is mostly a sequence",
        "La contraseña es casi toda una secuencia",
    ),
    (
        "abcdefghijkLMNOP",
        &["sequence"],
        "The password is mostly a sequence",
        "La contraseña es casi toda una secuencia",
    ),
    (
        "oatsoatsoatsoats1",
        &["repeated"],
        "The password repeats one short piece.",
        "La contraseña repite un trozo corto.",
    ),
    (
        "oats OATS oats-0ats!",
        &["repeated"],
        "The password repeats one short piece.",
        "La contraseña repite un trozo corto.",
    ),
    (
        "oats mug oats oats mug",
        &["repeated"],
        "The password repeats one short piece.",
        "La contraseña repite un trozo corto.",
    ),
    ("Ana, the place's own name, once more", &[], "", ""),
    (
        "Blue Sky 2024!!!",
        &["contains-word", "known"],
        "The password contains “Blue Sky”",
        "La contraseña contiene «Blue Sky»",
    ),
    (
        "2024blueskyBLUESKY1",
        &["contains-word", "repeated"],
        "The password contains “Blue Sky”",
        "La contraseña contiene «Blue Sky»",
    ),
    ("sky1234567890123", &["contains-word"], "The password contains “Blue Sky”", "La contraseña contiene «Blue Sky»"),
    ("blue lantern, sky of copper", &[], "", ""),
    ("ovhovhovhovhovh1", &["contains-word", "repeated"], "The password contains “OVH”", "La contraseña contiene «OVH»"),
    ("ovhcopper lantern", &[], "", ""),
];

fn policy() -> Policy {
    let panel = panel();
    let words = vec!["Northwind".to_owned(), "OVH".to_owned()];
    panel.settings.borrow_mut().insert("context-words", Value::Texts(words));
    panel.settings.borrow_mut().insert("brand", Value::Text("Blue Sky".to_owned()));
    Policy::of(&panel, Context::of(&panel, Some(MARTA)).unwrap())
}

#[test]
fn each_reason_has_its_code_and_its_sentence_in_both_languages() {
    let policy = policy();
    let codes = |password: &str| policy.findings(&secret(password)).iter().map(|f| f.code()).collect::<Vec<_>>();
    let found: Vec<_> = CASES.iter().map(|(password, ..)| (*password, codes(password))).collect();
    let expected: Vec<_> = CASES.iter().map(|(password, codes, ..)| (*password, codes.to_vec())).collect();
    let differ: Vec<_> = found.iter().zip(&expected).filter(|(found, expected)| found != expected).collect();
    assert!(differ.is_empty(), "found, expected: {differ:#?}");
    for (password, _, english, spanish) in CASES {
        let findings = policy.findings(&secret(password));
        for (locale, begin) in [("en-GB", english), ("es-MX", spanish)] {
            if let Some(first) = findings.first() {
                let message = first.message(Words::in_locale(locale));
                assert!(message.starts_with(begin) && message.ends_with('.'), "{password}: {message}");
                assert!(message.chars().count() <= 400);
            }
        }
    }
}

#[test]
fn who_manages_an_account_is_not_told_that_its_name_is_his() {
    let panel = panel();
    let said = |caller: Actor, locale: &str| {
        *panel.caller.borrow_mut() = caller;
        *panel.locale.borrow_mut() = locale.to_owned();
        let advice = check::check_password(&panel, &secret("marta likes copper oats"), Some(MARTA)).unwrap().advice;
        let refused = panel.run(|ports| using::set_password(ports, MARTA, secret("marta likes copper oats"), false));
        match refused {
            Err(Failure::Invalid(errors)) => assert_eq!(Some(errors[0].message.clone()), advice),
            other => panic!("{other:?}"),
        }
        advice.unwrap()
    };
    let own = Actor::Account(MARTA.to_owned());
    for other in [Actor::Account(OMAR.to_owned()), Actor::Console, Actor::ServiceKey("billing".to_owned())] {
        assert!(said(other.clone(), "en").starts_with("The password contains its owner's name, address or user name."));
        assert!(
            said(other, "es").starts_with("La contraseña contiene el nombre, el correo o el usuario de su titular.")
        );
    }
    assert!(said(own.clone(), "en").starts_with("The password contains your name"));
    assert!(said(own, "es").starts_with("La contraseña contiene tu nombre"));
    // By a link.
    *panel.caller.borrow_mut() = Actor::Console;
    let link = panel.run(|ports| links::make(ports, MARTA)).unwrap().link;
    *panel.caller.borrow_mut() = Actor::Anonymous;
    match panel.run(|ports| using::complete_reset(ports, &link.token, secret("marta likes copper oats"))) {
        Err(Failure::Invalid(errors)) => assert!(errors[0].message.starts_with("La contraseña contiene tu nombre")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_password_of_more_than_4096_bytes_is_refused_by_name() {
    let policy = policy();
    let codes = |text: String| policy.findings(&PlainPassword::new(text)).iter().map(|f| f.code()).collect::<Vec<_>>();
    let long: String =
        (0u32..).flat_map(|n| format!("{} ", n * 7919).into_bytes()).map(char::from).take(4_096).collect();
    assert!(codes(long.clone()).is_empty());
    assert_eq!(codes(long + "x"), ["too-long"]);
}

#[test]
fn the_shortest_length_is_a_setting_within_bounds() {
    let panel = panel();
    for (set, min) in [(8, 8), (20, 20), (1, 8), (1_000, 128), (i64::MIN, 8)] {
        panel.settings.borrow_mut().insert("min-length", Value::Number(set));
        let policy = Policy::of(&panel, Context::default());
        let long_enough = |text: &str| !policy.findings(&secret(text)).iter().any(|f| f.code() == "too-short");
        assert!(long_enough(&"é".repeat(min)) && !long_enough(&"é".repeat(min - 1)), "{set}");
    }
}

#[test]
fn the_meter_gets_better_with_each_unrelated_word() {
    let policy = policy();
    let score = |text: &str| policy.strength(&secret(text), Words::in_locale("en")).score;
    let scores =
        ["", "copper oats", "copper lantern o", "copper lantern oats", "copper lantern oats velvet tractor"].map(score);
    assert_eq!(scores, [0, 1, 2, 3, 4]);
    assert_eq!(score("passwordpassword"), 0);
    // The host says the score in a word: advice says no more than what would make it better.
    let advice = |text: &str| policy.strength(&secret(text), Words::in_locale("en")).advice;
    assert_eq!(advice("copper lantern oats").as_deref(), Some("One more unrelated word would make it strong."));
    assert_eq!(advice("copper lantern oats velvet tractor"), None);
}

#[test]
fn the_list_is_long_sorted_and_each_of_it_is_found_when_dressed_up_and_not_only_repeated() {
    let mut last = "";
    let mut count = 0;
    for stem in crate::policy::stems() {
        assert!(last < stem, "{last} is not before {stem}");
        (last, count) = (stem, count + 1);
    }
    assert!(count >= 3_000, "{count}");
    for word in ["monkey", "dragon", "letmein", "trustno1", "iloveyou", "lanternoats"] {
        let codes =
            |text: String| policy().findings(&secret(&text)).iter().map(|f| f.code()).collect::<Vec<_>>().join(" ");
        assert_eq!(codes(format!("!!{word}1234")).contains("known"), word != "lanternoats", "{word}");
        // That nobody has stolen, as far as the list knows.
        assert_eq!(codes(format!("{word} {word} {word}")), "repeated", "{word}");
    }
}

#[test]
fn a_piece_is_found_in_what_repeats_it() {
    for (text, piece) in
        [("abcabcabc", "abc"), ("abcabcab", "abc"), ("abab", "ab"), ("aa", "a"), ("abcd", "abcd"), ("", "")]
    {
        assert_eq!(unit(text), piece, "{text}");
    }
    assert_eq!(weight("abcdef123456"), 4);
    assert_eq!(weight("copper"), 5);
}

#[test]
fn a_run_is_seen_by_whichever_reading_makes_it_longest() {
    for (text, worth) in [
        // The alphabet goes on from o to p, and so does the keyboard.
        ("qwertyuiop", 2),
        ("fghjkl", 2),
        ("@bcdefg", 2),
        ("1lll", 1),
        ("1mn0pq", 2),
        ("1qaz2wsx3edc4rfv", 5),
        ("zaq1xsw2cde3", 5),
        ("8471926", 7),
        ("lantern", 7),
    ] {
        assert_eq!(weight(text), worth, "{text}");
    }
}

#[test]
fn what_comes_back_is_said_once() {
    let count = |text: &str, enough| said_once(&text.chars().collect::<Vec<_>>(), enough);
    assert_eq!(count("oats mug oats", 99), 9);
    assert_eq!(count("oatsoatsoats", 99), 4);
    assert_eq!(count("the man, the dog", 99), 12);
    assert_eq!(count("nothing here again", 99), 18);
    assert_eq!(count("nothing here again", 5), 5);
}

#[test]
fn each_phrase_is_found_whole_or_cut_and_with_something_around() {
    let panel = panel_without_password();
    let policy = Policy::of(&panel, Context::default());
    let codes = |text: &str| policy.findings(&secret(text)).iter().map(|f| f.code()).collect::<Vec<_>>().join(" ");
    let list = include_str!("../../data/common-phrases.txt");
    let phrases: Vec<&str> = list.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert!(phrases.len() > 300);
    for phrase in phrases {
        for dressed in [format!("{phrase} 2024!"), format!("¡{}!9", phrase.replace(' ', "")).to_uppercase()] {
            let found = codes(&dressed);
            assert!(!found.is_empty() && found != "too-short", "{dressed}: {found}");
        }
        let letters = phrase.replace(' ', "");
        if letters.len() > 15 {
            assert_eq!(codes(&letters[..15]), "known", "{phrase}");
        }
    }
}

proptest! {
    #[test]
    fn normalisation_never_panics_and_is_stable(text in any::<String>()) {
        let folded = fold(&text);
        let key = canon(&folded);
        prop_assert_eq!(canon(&key), key.clone());
        prop_assert!(key.chars().all(char::is_alphanumeric));
        prop_assert!(weight(&folded) <= folded.chars().count());
        prop_assert!(folded.starts_with(unit(&folded)));
        let _ = stem(&folded);
    }

    #[test]
    fn case_and_leet_do_not_change_what_is_seen(text in "[a-z]{1,30}") {
        let dressed: String = text.chars().enumerate().map(|(i, c)| match c {
            'a' if i % 2 == 0 => '@',
            'e' => '3',
            'o' => '0',
            's' => '$',
            c if i % 3 == 0 => c.to_ascii_uppercase(),
            c => c,
        }).collect();
        prop_assert_eq!(canon(&fold(&dressed)), canon(&text));
    }

    #[test]
    fn the_policy_judges_any_text(text in any::<String>()) {
        let panel = panel_without_password();
        let policy = Policy::of(&panel, Context::default());
        let findings = policy.findings(&secret(&text));
        let strength = policy.strength(&secret(&text), Words::in_locale("es"));
        prop_assert_eq!(strength.acceptable, findings.is_empty());
        prop_assert!(strength.score <= 4);
    }

    /// Not only what is left after a refused one was thrown again.
    #[test]
    fn what_the_generator_throws_is_never_refused(
        length in 12_usize..=64,
        alphabet in prop_oneof![Just(GENERATOR_ALPHABET.to_owned()), "[2-9]{8}[a-km-z!-/]{4,90}"],
        characters in any::<bool>(),
    ) {
        let panel = panel_without_password();
        panel.settings.borrow_mut().insert("brand", Value::Text("Northwind Hosting".to_owned()));
        let policy = Policy::of(&panel, Context::of(&panel, None).unwrap());
        let generator = if characters { Generator::Characters { length, alphabet } } else { Generator::Syllables };
        let mut fill = token::fill;
        let password = generate::one(&mut Dice::new(&mut fill), &generator, policy.min_length());
        prop_assert_eq!(policy.findings(&password), [], "{}", password.text());
    }

    #[test]
    fn random_words_of_a_short_list_are_taken(
        words in prop::collection::vec(prop::sample::select(WORDS.to_vec()), 4..=6),
        separator in prop::sample::select(vec![" ", "-", ".", ""]),
    ) {
        let different = words.iter().collect::<std::collections::BTreeSet<_>>();
        prop_assume!(different.len() == words.len());
        let text = words.join(separator);
        prop_assume!(text.chars().count() >= 15);
        let panel = panel_without_password();
        panel.add_customer(MARTA, "marta.vidal", "marta@estudiovidal.example", "Marta Vidal");
        let policy = Policy::of(&panel, Context::of(&panel, Some(MARTA)).unwrap());
        prop_assert_eq!(policy.findings(&secret(&text)), [], "{}", text);
    }

    #[test]
    fn random_passwords_of_twenty_characters_are_taken(text in "[a-km-z2-9]{20}") {
        let panel = panel_without_password();
        let policy = Policy::of(&panel, Context::default());
        prop_assert_eq!(policy.findings(&secret(&text)), []);
    }
}

/// Short ones of the lists that people throw dice for, many of them with runs along a keyboard.
const WORDS: [&str; 60] = [
    "acid", "aged", "ajar", "area", "avid", "bash", "blot", "bred", "cage", "cape", "clip", "cork", "dawn", "deck",
    "dill", "drew", "dust", "easy", "evil", "fade", "fern", "fled", "gala", "gift", "gore", "hull", "hurt", "iron",
    "jury", "kept", "kiwi", "ladder", "lash", "lend", "lion", "loop", "mold", "mule", "neon", "oink", "oval", "poem",
    "polo", "pool", "puma", "quill", "rare", "ruby", "saga", "sedate", "sweet", "tree", "twig", "undo", "verb", "wasp",
    "were", "wired", "yoyo", "zero",
];

fn panel_without_password() -> Panel {
    Panel::new()
}
