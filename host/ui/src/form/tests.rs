//! What a sealed form withstands, and what comes back from it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;
use crate::draw_region;
use crate::nodes::{Choice, ChoiceOption, Field, FieldKind, LineKind, Node};
use crate::tests::{NOW, Stage, field, form, id, line, new_password, sealed_in};
use keyturn_core::caller::Actor;
use keyturn_core::seal::Keys;

fn fields() -> Vec<Field> {
    let option = |value: &str| ChoiceOption { value: value.to_owned(), label: value.to_owned(), hint: None };
    let choice = FieldKind::Choice(Choice { options: vec![option("a"), option("b")], value: None });
    vec![
        field("email", "Email", line(LineKind::Email, "")),
        Field { required: false, ..field("note", "Note", line(LineKind::Plain, "")) },
        Field { required: false, ..field("which", "Which", choice) },
        field("must", "Must change", FieldKind::Tick(false)),
        field("hidden", "", FieldKind::Hidden("h".to_owned())),
        field("password", "New password", new_password(true)),
    ]
}

fn drawn(stage: &Stage) -> String {
    let html = draw_region(&[Node::Form(form(fields()))], &stage.frame(Stage::slot()), 2).expect("drawn").html;
    sealed_in(html.as_str()).to_owned()
}

fn body(sealed: &str, pairs: &[(&str, &str)]) -> Vec<u8> {
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.append_pair(SEALED, sealed);
    pairs.iter().for_each(|(name, value)| {
        body.append_pair(name, value);
    });
    body.finish().into_bytes()
}

const GOOD: [(&str, &str); 4] = [
    ("email", " marta@example.com "),
    ("must", "1"),
    ("password", " a b\u{e9}\u{1F600} "),
    ("password~again", " a b\u{e9}\u{1F600} "),
];

fn submitted(stage: &Stage, body: &[u8]) -> Submission {
    match read(body, &stage.keys, &stage.caller, NOW) {
        Ok(Posted::Submission(posted)) => *posted,
        Ok(Posted::Wish(_)) => panic!("a question of the script"),
        Err(error) => panic!("{error}"),
    }
}

fn refused(stage: &Stage, body: &[u8]) -> FormError {
    read(body, &stage.keys, &stage.caller, NOW).err().expect("refused")
}

#[test]
fn a_form_comes_back_as_it_was_typed_with_what_was_sealed() {
    let stage = Stage::new();
    let posted = submitted(&stage, &body(&drawn(&stage), &GOOD));
    assert_eq!((posted.plugin.as_str(), posted.action.as_str()), ("example", "set"));
    assert_eq!(posted.subject, Some(id("customer:42")));
    assert_eq!(posted.place, Stage::slot());
    assert!(posted.problems.is_empty() && posted.place.token().is_none());
    assert!(posted.key.len() == 32);
    let inputs: Vec<_> = posted
        .inputs
        .iter()
        .map(|(name, input)| match input {
            Input::Text(text) => format!("{name}={text}"),
            Input::Tick(tick) => format!("{name}={tick}"),
            Input::Password(secret) => format!("{name}:{}", secret.as_str()),
        })
        .collect();
    let expected =
        ["mode=by hand", "email=marta@example.com", "note=", "must=true", "hidden=h", "password: a b\u{e9}\u{1F600} "];
    assert_eq!(inputs, expected);
    assert!(!posted.typed.contains_key("password") && !posted.typed.contains_key("hidden"));
}

#[test]
fn each_drawing_has_a_key_of_its_own_which_each_press_repeats() {
    let stage = Stage::new();
    let (one, two) = (drawn(&stage), drawn(&stage));
    let key = |sealed: &str| submitted(&stage, &body(sealed, &GOOD)).key;
    assert_eq!(key(&one), key(&one));
    assert_ne!(key(&one), key(&two));
}

#[test]
fn a_form_of_another_host_or_an_altered_one_is_refused() {
    let stage = Stage::new();
    let sealed = drawn(&stage);
    let mut bytes = URL_SAFE_NO_PAD.decode(&sealed).expect("base64");
    for at in [0, 30, bytes.len() - 1] {
        bytes[at] ^= 1;
        let altered = URL_SAFE_NO_PAD.encode(&bytes);
        assert!(matches!(refused(&stage, &body(&altered, &GOOD)), FormError::Foreign), "{at}");
        bytes[at] ^= 1;
    }
    for bad in ["", "!", "AAAA", &sealed[..sealed.len() - 4]] {
        assert!(matches!(refused(&stage, &body(bad, &GOOD)), FormError::Foreign), "{bad}");
    }
    let elsewhere = Stage { keys: Keys::random(), ..Stage::new() };
    assert!(matches!(refused(&elsewhere, &body(&sealed, &GOOD)), FormError::Foreign));
    // Sealed by the same keys for another purpose.
    let corrections = submitted(&stage, &body(&sealed, &GOOD)).corrections(vec![], None);
    let other = corrections.seal(&stage.keys, &stage.caller.actor);
    assert!(matches!(refused(&stage, &body(&other, &GOOD)), FormError::Foreign));
}

#[test]
fn a_form_of_another_actor_is_refused_even_in_the_same_session() {
    let stage = Stage::new();
    let sealed = drawn(&stage);
    let mut other = Stage::new();
    other.caller.actor = Actor::Account(id("staff:8"));
    assert!(matches!(refused(&other, &body(&sealed, &GOOD)), FormError::Foreign));
}

#[test]
fn a_form_of_another_session_is_not_run_but_what_was_typed_is_kept() {
    let stage = Stage::new();
    let sealed = drawn(&stage);
    let mut later = Stage::new();
    later.caller.session = "session two".to_owned();
    let FormError::Stale(stale) = refused(&later, &body(&sealed, &GOOD)) else { panic!("not stale") };
    assert_eq!(stale.sign_in_as, None);
    assert_eq!(stale.corrections.typed.get("email"), Some(&"marta@example.com".to_owned()));

    let mut nobody = Stage::new();
    nobody.caller.actor = Actor::Anonymous;
    nobody.caller.session = String::new();
    let FormError::Stale(stale) = refused(&nobody, &body(&sealed, &GOOD)) else { panic!("not stale") };
    assert_eq!(stale.sign_in_as.as_deref(), Some("staff:7"));
    // Carried through the sign-in, for nobody else.
    let carried = stale.corrections.seal(&stage.keys, &stage.caller.actor);
    let opened = Corrections::open(&carried, &stage.keys, &stage.caller.actor);
    assert_eq!(opened.as_ref(), Some(&stale.corrections));
    assert_eq!(Corrections::open(&carried, &stage.keys, &Actor::Account(id("staff:8"))), None);
    assert!(!format!("{stale:?}").contains("\u{1F600}"), "a secret is in it");
}

#[test]
fn a_form_of_nobody_is_of_no_use_to_somebody_and_cannot_be_replayed_for_a_plugin_that_did_not_draw_it() {
    let mut nobody = Stage::new();
    nobody.caller.actor = Actor::Anonymous;
    nobody.caller.session = String::new();
    let sealed = drawn(&nobody);
    assert!(matches!(refused(&Stage::new(), &body(&sealed, &GOOD)), FormError::Foreign));
    // The plugin stands in the seal: a form of one can only ever be a submission to that one.
    let other = Stage { name: "stranger".to_owned(), ..Stage::new() };
    let sealed = drawn(&other);
    assert_eq!(submitted(&Stage::new(), &body(&sealed, &GOOD)).plugin, "stranger");
    let corrections = submitted(&other, &body(&sealed, &GOOD)).corrections(vec![], None);
    assert!(corrections.standing_in(&Stage::new().name, &Stage::slot()).is_empty());
}

#[test]
fn a_form_lives_for_twelve_hours_and_is_not_of_tomorrow() {
    let stage = Stage::new();
    let sent = body(&drawn(&stage), &GOOD);
    assert!(read(&sent, &stage.keys, &stage.caller, NOW + LIFETIME - 1).is_ok());
    assert!(matches!(read(&sent, &stage.keys, &stage.caller, NOW + LIFETIME), Err(FormError::Stale(_))));
    assert!(matches!(read(&sent, &stage.keys, &stage.caller, NOW - LIFETIME), Err(FormError::Stale(_))));
}

#[test]
fn a_body_that_was_not_drawn_is_refused() {
    let stage = Stage::new();
    let sealed = drawn(&stage);
    let with = |more: &str| [body(&sealed, &GOOD), more.as_bytes().to_vec()].concat();
    for more in [
        "&email=b",
        "&kt=x",
        "&other=1",
        "&hidden=x",
        "&mode=x",
        "&email~again=x",
        "&note=%FF",
        "&note=%4",
        "&note=%zz",
    ] {
        assert!(matches!(refused(&stage, &with(more)), FormError::Malformed(_)), "{more}");
    }
    assert!(matches!(refused(&stage, b"email=a"), FormError::Malformed(_)));
    assert!(matches!(refused(&stage, b""), FormError::Malformed(_)));
    let many: String = (0..100).map(|at| format!("&x{at}=")).collect();
    assert!(matches!(refused(&stage, &with(&many)), FormError::Malformed(_)));
    assert!(matches!(refused(&stage, &vec![b'a'; BODY + 1]), FormError::TooLarge));
}

#[test]
fn what_the_host_finds_itself_is_said_by_field_in_the_readers_language() {
    let mut stage = Stage::new();
    let sealed = drawn(&stage);
    let problems = |stage: &Stage, pairs: &[(&str, &str)]| {
        let posted = submitted(stage, &body(&sealed, pairs));
        posted.problems.into_iter().map(|problem| (problem.field, problem.message)).collect::<Vec<_>>()
    };
    let has = |found: &[(String, String)], field: &str, message: &str| {
        assert!(
            found.iter().any(|(name, said)| name == field && said.contains(message)),
            "{field}: {message}: {found:?}"
        );
    };
    let found = problems(&stage, &[("email", "marta"), ("which", "c"), ("password", "one"), ("password~again", "two")]);
    has(&found, "email", "an email address");
    has(&found, "which", "one of the options");
    has(&found, "must", "To continue, tick “Must change”.");
    has(&found, "password~again", "The two passwords differ.");
    assert_eq!(found.len(), 4);
    let long = "x".repeat(4_097);
    let found = problems(&stage, &[("note", &long), ("password", &long), ("password~again", &long)]);
    has(&found, "email", "Fill in “Email”.");
    has(&found, "note", "at most 4,096 bytes");
    has(&found, "password", "at most 4,096 bytes");
    let found = problems(&stage, &[("note", "a\0"), ("password", "a\0b"), ("password~again", "a\0b")]);
    has(&found, "note", "character");
    has(&found, "password", "character");
    stage.caller.locale = "es-MX".to_owned();
    has(&problems(&stage, &[("password", "one")]), "password~again", "Las dos contraseñas no coinciden.");
}

#[test]
fn the_meter_asks_the_operation_that_was_sealed_about_the_one_field() {
    let stage = Stage::new();
    let sealed = drawn(&stage);
    let ask = |pairs: &[(&str, &str)]| read(&body(&sealed, pairs), &stage.keys, &stage.caller, NOW);
    let Ok(Posted::Wish(rate)) = ask(&[(RATE, "password"), ("password", "copper lantern")]) else { panic!("no rate") };
    let given = &rate.submission.inputs;
    assert_eq!(
        (rate.submission.plugin.as_str(), rate.operation.as_str(), rate.of),
        ("example", "rate", Wished::Rating)
    );
    let names: Vec<_> = given.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["mode", "hidden", "password"]);
    assert!(matches!(&given[2].1, Input::Password(secret) if secret.as_str() == "copper lantern"));
    for pairs in [&[(RATE, "email"), ("email", "x")][..], &[(RATE, "password")], &[(RATE, "none")]] {
        assert!(matches!(ask(pairs), Err(FormError::Malformed(_))));
    }
    let mut other = Stage::new();
    other.caller.session = "session two".to_owned();
    let asked = body(&sealed, &[(RATE, "password"), ("password", "x")]);
    assert!(matches!(read(&asked, &other.keys, &other.caller, NOW), Err(FormError::Foreign)));
}

#[test]
fn what_will_be_refused_does_not_look_good() {
    let strength = |acceptable| Strength { score: 200, acceptable, advice: Some("One more word.\u{202E}".to_owned()) };
    assert_eq!(*rate_answer(&strength(true), "en"), r#"{"score":4,"word":"Strong.","text":"One more word."}"#);
    assert_eq!(*rate_answer(&strength(false), "es"), r#"{"score":1,"word":"No se acepta.","text":"One more word."}"#);
}

/// A form with a password that can be generated.
fn with_generate(stage: &Stage) -> String {
    let mut password = new_password(true);
    if let FieldKind::NewPassword(new) = &mut password {
        new.generate = Some("suggest".to_owned());
    }
    let form =
        form(vec![field("email", "Email", line(LineKind::Email, "")), field("password", "New password", password)]);
    let html = draw_region(&[Node::Form(form)], &stage.frame(Stage::slot()), 2).expect("drawn").html;
    html.as_str().to_owned()
}

#[test]
fn a_generated_password_is_asked_for_by_the_form_as_it_was_typed_and_shown_beside_its_field_this_once() {
    let mut stage = Stage::new();
    let html = with_generate(&stage);
    let (main, generate) =
        (html.find(">Save</button>").expect("a button"), html.find("kt-generate").expect("a button"));
    assert!(main < generate, "Enter presses the first one");
    let body = body(sealed_in(&html), &[("email", "marta@example.com"), ("password", ""), ("kt-generate", "password")]);
    let Ok(Posted::Wish(asked)) = read(&body, &stage.keys, &stage.caller, NOW) else { panic!("read") };
    let wished = (asked.operation.as_str(), asked.field.as_str(), asked.of);
    assert_eq!(wished, ("suggest", "password", Wished::Password { script: false }));
    let mut corrections = asked.submission.corrections(Vec::new(), None);
    let password = Zeroizing::new("tavo-meki-rusa".to_owned());
    corrections.generated = Some(Box::new(super::Generated { field: "password".to_owned(), password }));
    assert!(!format!("{corrections:?}").contains("tavo"));
    let carried = corrections.seal(&stage.keys, &stage.caller.actor);
    let opened = Corrections::open(&carried, &stage.keys, &stage.caller.actor).expect("opens");
    assert_eq!(opened.generated, None, "it is not kept");
    stage.corrections = Some(corrections);
    let again = with_generate(&stage);
    assert_eq!(again.matches("tavo-meki-rusa").count(), 1);
    assert!(again.contains("marta@example.com") && !again.contains("kt-summary"), "nothing is wrong, and nothing lost");
}

#[test]
fn only_a_field_that_was_drawn_so_is_generated_for() {
    let stage = Stage::new();
    let sealed = drawn(&stage);
    for field in ["password", "email", "other"] {
        let asked = body(&sealed, &[("kt-generate", field)]);
        assert!(matches!(refused(&stage, &asked), FormError::Malformed(_)), "{field}");
    }
}
