use super::*;
use crate::hash::{Stored, Unreadable};
use crate::recognise::{compare_hash, recognise_hash, sample_hash};
use crate::settings::BCRYPT_COST;
use proptest::prelude::*;

/// `password_hash($password, PASSWORD_BCRYPT)` of PHP 8.2.
const PHP_BCRYPT: [(&str, &str); 3] = [
    ("rasmuslerdorf", "$2y$07$fgQtS1m0l0VyqTzRBYqcY.ckwzDzh6oj6DKyDdZ2w86w/bxbdWxLG"),
    ("copper lantern oats", "$2y$10$y6FzoWPtPkdODGAWVfedv.aZ5xEUxszPVOt2sKqBf7Wix7V306Lfq"),
    ("contraseña con eñe y más", "$2y$08$yhHHvCGZgkCtDypEoB5.quoLRQeTzbeEjdB2xQWzSxiXgwGTcW04i"),
];

fn with_hash(hash: &str) -> Panel {
    let panel = panel();
    panel.alter(MARTA, |person| person.hash = Some(hash.to_owned()));
    panel
}

#[test]
fn what_php_stored_as_bcrypt_signs_in_and_becomes_argon2id() {
    for (password, hash) in PHP_BCRYPT {
        let panel = with_hash(hash);
        assert_eq!(sign_in(&panel, "marta.vidal", "another lantern oats"), Ok(Verdict::Rejected));
        assert!(accepted(&panel, "marta.vidal", password), "{hash}");
        assert!(panel.person(MARTA).hash.unwrap().starts_with("$argon2id$v=19$m=7168,t=1,p=1$"));
        assert!(accepted(&panel, "marta.vidal", password), "after the upgrade");
    }
}

#[test]
fn every_mark_of_bcrypt_is_read() {
    let (password, hash) = PHP_BCRYPT[0];
    for mark in ["$2a$", "$2b$", "$2y$"] {
        let panel = with_hash(&hash.replace("$2y$", mark));
        assert!(accepted(&panel, "marta.vidal", password), "{mark}");
    }
}

#[test]
fn what_libargon2_wrote_signs_in() {
    // The first by `password_hash($password, PASSWORD_ARGON2ID)` of PHP 8.2, the others by argon2-cffi.
    let cases = [
        "$argon2id$v=19$m=65536,t=4,p=1$U1VRUkNUSWtjM2RPM3IzZQ$giM1QvuDmhEdG/aXJy1+EGyyzuqrLZGz9KW2KwR6HHo",
        "$argon2id$v=19$m=65536,t=4,p=1$XoQ838kbiobr0yByMThGSQ$xbWnDSuqWBcH/P2ksUrsTtygN/xc3igJG7AsY7IzC70",
        "$argon2i$v=19$m=1024,t=2,p=2$1bY3hkp5PWgm7uI2Rgmvdg$A4RFe6VfJ5iDSDH2xa+WzOv2RbFXn1TATsD+tTb/wSU",
        "$argon2d$v=19$m=8192,t=1,p=1$jXygi6GjPgU2oNS0xbhLXw$5ekbd/AOjyOAUEdYJEXQEQDrjjPr1PgJcjRSA+7sEyc",
    ];
    for hash in cases {
        let panel = with_hash(hash);
        assert!(accepted(&panel, "marta.vidal", "correct horse battery staple"), "{hash}");
    }
}

#[test]
fn bcrypt_is_written_as_php_reads_it() {
    let panel = panel();
    panel.settings.borrow_mut().insert("output", Value::Text("bcrypt".to_owned()));
    panel.settings.borrow_mut().insert("bcrypt-cost", Value::Number(10));
    set(&panel, MARTA, SECOND, false);
    let hash = panel.person(MARTA).hash.unwrap();
    assert!(hash.starts_with("$2y$10$") && hash.len() == 60, "{hash}");
    assert!(accepted(&panel, "marta.vidal", SECOND));
    assert_eq!(panel.person(MARTA).hash.unwrap(), hash, "nothing to upgrade");
    assert_eq!(sign_in(&panel, "nobody", SECOND), Ok(Verdict::Rejected));
    assert_eq!(panel.kdf_calls.get(), 0, "an unknown account costs a bcrypt too, not an Argon2");
}

#[test]
fn what_bcrypt_would_cut_off_is_refused_by_name() {
    let panel = panel();
    panel.settings.borrow_mut().insert("output", Value::Text("bcrypt".to_owned()));
    panel.settings.borrow_mut().insert("bcrypt-cost", Value::Number(10));
    let long = "copper lantern oats velvet tractor sunrise marble window candle forest tin";
    let cases = [(long, "too-long-for-bcrypt"), ("copper lantern\0oats", "nul-for-bcrypt")];
    for (password, code) in cases {
        let failed = panel.run(|ports| using::set_password(ports, MARTA, secret(password), false));
        assert_eq!(codes(failed.unwrap_err()), [("new".to_owned(), code.to_owned())]);
    }
    assert!(panel.run(|ports| using::set_password(ports, MARTA, secret(&long[..72]), false)).is_ok());
}

#[test]
fn a_nul_never_matches_bcrypt() {
    let (password, hash) = PHP_BCRYPT[0];
    let panel = with_hash(hash);
    assert_eq!(sign_in(&panel, "marta.vidal", &format!("{password}\0{password}")), Ok(Verdict::Rejected));
}

#[test]
fn parameters_above_the_limits_are_refused_by_name() {
    let hash = |costs: &str| format!("$argon2id$v=19${costs}$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAA");
    assert!(Stored::read(&hash("m=65536,t=4,p=1")).is_ok());
    let cases = [("m=262145,t=1,p=1", "m"), ("m=8192,t=17,p=1", "t"), ("m=8192,t=1,p=9", "p")];
    for (costs, name) in cases {
        assert_eq!(too_costly(&hash(costs)), Some(name), "{costs}");
    }
}

fn too_costly(hash: &str) -> Option<&'static str> {
    match Stored::read(hash) {
        Err(Unreadable::TooCostly { parameter, .. }) => Some(parameter),
        _ => None,
    }
}

#[test]
fn bcrypt_of_every_cost_that_may_be_written_is_read_and_of_none_above() {
    let of = |cost: u32| format!("$2y${cost:02}${}", ".".repeat(53));
    for cost in 4..=BCRYPT_COST.max {
        assert!(Stored::read(&of(cost)).is_ok(), "{cost}");
    }
    assert_eq!(too_costly(&of(BCRYPT_COST.max + 1)), Some("cost"));
}

#[test]
fn what_is_not_of_the_form_is_malformed() {
    for text in [
        "$argon2id$v=16$m=8192,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$m=8192,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$t=1,m=8192,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=08192,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=+8192,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=8192,t=1,p=1,data=AA$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=8192,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAA$",
        "$argon2id$v=19$m=8192,t=1,p=1$c29tZXNhbHRzb21lc2FsdA==$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=8192,t=1,p=1$c29t$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=8192,t=0,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=8,t=1,p=2$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id",
        "$argon2id$v=19$m=8192,t=1,p=1$c29tZXNhbHRzb21lc2FsdA",
        "$2y$",
        "$2y$é",
        "$2y$+7$BCryptRequires22Chrcte/VlQH0piJtjXl.0t1XkA8pw9dMXTTOq",
        "$2y$03$BCryptRequires22Chrcte/VlQH0piJtjXl.0t1XkA8pw9dMXTTOq",
    ] {
        assert!(matches!(Stored::read(text), Err(Unreadable::Malformed { .. })), "{text}: {:?}", Stored::read(text));
    }
}

#[test]
fn of_another_scheme_only_its_mark_is_told() {
    let told = |text| match Stored::read(text) {
        Err(Unreadable::Scheme(mark)) => mark,
        other => panic!("{other:?}"),
    };
    for (hash, mark) in [
        ("$6$rounds=5000$salt$hash", "$6$"),
        ("$argon2x$v=19$m=8192,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAA", "$argon2x$"),
        ("$2x$07$BCryptRequires22Chrcte/VlQH0piJtjXl.0t1XkA8pw9dMXTTOq", "$2x$"),
    ] {
        assert_eq!(told(hash).as_deref(), Some(mark));
    }
    for clear in ["a password in the clear", "$a password in the clear$", ""] {
        assert_eq!(told(clear), None);
    }
}

/// What the hook answers: a scheme, or the code and the sentence against it.
fn recognised(panel: &Panel, hash: &str) -> Result<String, (String, String)> {
    recognise_hash(panel, hash).map_err(|failure| match failure {
        Failure::Invalid(mut errors) => {
            let error = errors.pop().unwrap();
            assert_eq!((error.field.as_str(), errors.len()), ("hash", 0));
            (error.code, error.message)
        }
        other => panic!("{other:?}"),
    })
}

#[test]
fn a_hash_that_would_be_compared_with_is_called_by_its_scheme() {
    let panel = panel();
    for (hash, scheme) in [
        (PHP_BCRYPT[0].1, "bcrypt"),
        (
            "$argon2id$v=19$m=65536,t=4,p=1$U1VRUkNUSWtjM2RPM3IzZQ$giM1QvuDmhEdG/aXJy1+EGyyzuqrLZGz9KW2KwR6HHo",
            "argon2id",
        ),
        ("$argon2i$v=19$m=1024,t=2,p=2$1bY3hkp5PWgm7uI2Rgmvdg$A4RFe6VfJ5iDSDH2xa+WzOv2RbFXn1TATsD+tTb/wSU", "argon2i"),
        ("$argon2d$v=19$m=8192,t=1,p=1$jXygi6GjPgU2oNS0xbhLXw$5ekbd/AOjyOAUEdYJEXQEQDrjjPr1PgJcjRSA+7sEyc", "argon2d"),
    ] {
        assert_eq!(recognised(&panel, hash), Ok(scheme.to_owned()));
    }
    assert_eq!(panel.kdf_calls.get(), 0, "nothing is computed");
}

#[test]
fn why_a_hash_is_not_taken_is_said_in_words_that_hold_nothing_of_it() {
    let panel = panel();
    let salted = |costs: &str, rest: &str| format!("$argon2id$v=19${costs}$c29tZXNhbHRzb21lc2FsdA{rest}");
    let bcrypt = PHP_BCRYPT[0].1;
    for (hash, code, message) in [
        (
            "$6$rounds=5000$salt$hash".to_owned(),
            "unknown-scheme",
            "sha512-crypt ($6$) isn't supported; supported are argon2id, argon2i, argon2d, bcrypt",
        ),
        ("$9$x$y".to_owned(), "unknown-scheme", "$9$ isn't supported; supported are"),
        ("hunter2".to_owned(), "unknown-scheme", "the scheme isn't recognised; supported are argon2id,"),
        (bcrypt[..59].to_owned(), "malformed", "bcrypt: hash is 59 characters, must be 60"),
        (format!("{}!", &bcrypt[..59]), "malformed", "bcrypt: hash has characters that bcrypt doesn't use"),
        (bcrypt.replace("$07$", "$+7$"), "malformed", "bcrypt: cost must be two digits"),
        (bcrypt.replace("$07$", "$15$"), "too-costly", "bcrypt: cost is 15, must be at most 13"),
        (salted("m=8192,p=1,t=1", "$"), "malformed", "argon2id: parameters must be like m=65536,t=4,p=1"),
        (salted("m=8192,t=1,p=1", ""), "malformed", "argon2id: the end is missing"),
        (salted("m=8192,t=1,p=1", "$AAAA"), "malformed", "argon2id: hash must be 16 to 64 bytes in base64"),
        (salted("m=8192,t=1,p=1", "==$AAAA"), "malformed", "argon2id: salt must be 8 to 64 bytes in base64"),
        (salted("m=8192,t=1,p=1", "$AAAAAAAAAAAAAAAAAAAAAA$"), "malformed", "argon2id: something follows the hash"),
        (salted("m=8192,t=17,p=1", "$AAAAAAAAAAAAAAAAAAAAAA"), "too-costly", "argon2id: t is 17, must be at most 16"),
    ] {
        let (found, said) = recognised(&panel, &hash).unwrap_err();
        assert_eq!(found, code, "{hash}");
        assert!(said.starts_with(message), "{said}");
        assert!(!said.contains("hunter2") && !said.contains("c29t"), "{said}");
    }
    *panel.locale.borrow_mut() = "es".to_owned();
    let (_, said) = recognised(&panel, &bcrypt[..59]).unwrap_err();
    assert_eq!(said, "bcrypt: el hash tiene 59 caracteres y debe tener 60");
}

#[test]
fn what_the_host_would_not_compute_at_sign_in_is_not_taken() {
    let panel = panel();
    let hash = "$argon2id$v=19$m=65536,t=4,p=1$U1VRUkNUSWtjM2RPM3IzZQ$giM1QvuDmhEdG/aXJy1+EGyyzuqrLZGz9KW2KwR6HHo";
    panel.kdf_ceiling_kib.set(65_535);
    let (code, said) = recognised(&panel, hash).unwrap_err();
    assert_eq!((code.as_str(), said.as_str()), ("too-costly", "argon2id: m is 65536, must be at most 65535"));
    assert_eq!(
        sign_in(&with_hash_under(hash, 65_535), "marta.vidal", "correct horse battery staple"),
        Ok(Verdict::Rejected)
    );
    assert!(accepted(&with_hash_under(hash, 65_536), "marta.vidal", "correct horse battery staple"));
}

fn with_hash_under(hash: &str, ceiling_kib: u32) -> Panel {
    let panel = with_hash(hash);
    panel.kdf_ceiling_kib.set(ceiling_kib);
    panel
}

proptest! {
    #[test]
    fn the_readers_never_panic(text in any::<String>()) {
        let _ = Stored::read(&text);
    }

    #[test]
    fn the_readers_never_panic_on_what_looks_like_a_hash(
        text in r"\$(argon2(i|d|id)?|2[abxy]?)\$(v=19)?\$?(m=[0-9]{0,12},t=[0-9+]{0,4},p=[0-9]{0,3})?\$?\PC{0,70}"
    ) {
        let _ = Stored::read(&text);
    }

    #[test]
    fn what_is_read_is_written_the_same(
        m in 64u32..262_144, t in 1u32..=16, p in 1u32..=8,
        salt in prop::collection::vec(any::<u8>(), 8..=64), hash in prop::collection::vec(any::<u8>(), 16..=64),
    ) {
        use base64::Engine as _;
        let base64 = |bytes| base64::prelude::BASE64_STANDARD_NO_PAD.encode(bytes);
        let text = format!("$argon2id$v=19$m={m},t={t},p={p}${}${}", base64(salt), base64(hash));
        let Ok(Stored::Argon2(phc)) = Stored::read(&text) else { panic!("not read: {text}") };
        prop_assert_eq!(phc.to_string(), text);
    }
}

#[test]
fn a_sample_is_a_hash_as_new_passwords_get_one_and_another_each_time() {
    let panel = panel();
    let sample = || panel.run(|ports| sample_hash(ports)).unwrap();
    let (first, second) = (sample(), sample());
    assert!(first.starts_with("$argon2id$v=19$m=") && first != second, "{first} {second}");
    assert_eq!(panel.run(|ports| recognise_hash(ports, &first)).unwrap(), "argon2id");
    panel.settings.borrow_mut().insert("output", Value::Text("bcrypt".to_owned()));
    assert!(sample().starts_with("$2y$12$"));
}

#[test]
fn comparing_does_what_a_sign_in_does_at_its_most_and_refuses_what_none_compares_with() {
    let panel = panel();
    let hash = panel.run(|ports| sample_hash(ports)).unwrap();
    panel.kdf_calls.set(0);
    panel.run(|ports| compare_hash(ports, &hash)).unwrap();
    let most = panel.kdf_calls.replace(0);
    sign_in(&panel, "marta.vidal", "cafe\u{301} lantern oats").unwrap();
    assert_eq!(most, panel.kdf_calls.get());
    panel.kdf_calls.set(0);
    for hash in
        ["$6$salt$digest", "$2y$12$", "$argon2id$v=19$m=999999,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA"]
    {
        assert!(matches!(panel.run(|ports| compare_hash(ports, hash)), Err(Failure::Invalid(_))), "{hash}");
    }
    assert_eq!(panel.kdf_calls.get(), 0);
}
