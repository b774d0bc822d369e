use crate::bindings::nodes::Value;
use crate::words::{ALL, Form, Word, Words};
use std::collections::BTreeSet;

fn placeholders(text: &str) -> BTreeSet<&str> {
    text.split('{').skip(1).map(|rest| rest.split_once('}').expect("a brace is not closed").0).collect()
}

fn forms(form: &Form) -> Vec<&'static str> {
    match form {
        Form::Plain(text) => vec![text],
        Form::Plural { one, many, other } => vec![one, many, other],
    }
}

#[test]
fn both_catalogues_have_the_same_placeholders_in_every_form() {
    let (en, es) = (Words::in_locale("en"), Words::in_locale("es"));
    assert_eq!((en.table().len(), es.table().len()), (ALL.len(), ALL.len()));
    for (key, word) in ALL {
        let (en, es) = (&en.table()[word as usize], &es.table()[word as usize]);
        let expected = placeholders(forms(en)[0]);
        for text in forms(en).into_iter().chain(forms(es)) {
            assert_eq!(placeholders(text), expected, "{key}: {text}");
            assert!(!text.is_empty() && text == text.trim(), "{key}");
            assert!(!text.contains(['!', '¡']), "{key}: calm, without exclamation marks");
        }
        assert_eq!(matches!(en, Form::Plural { .. }), matches!(es, Form::Plural { .. }), "{key}");
        assert_ne!((key, forms(en)), (key, forms(es)), "{key} is not translated");
    }
}

/// The host draws a time of today as "today 15:02".
#[test]
fn no_word_stands_before_a_time_that_does_not_fit_today() {
    for locale in ["en", "es"] {
        let words = Words::in_locale(locale);
        for (key, word) in ALL {
            for text in forms(&words.table()[word as usize]) {
                for time in ["{at}", "{until}"] {
                    let before = text.split_once(time).and_then(|(before, _)| before.trim_end().rsplit(' ').next());
                    assert!(!["on", "at", "el", "las", "a"].iter().any(|word| before == Some(*word)), "{key}: {text}");
                }
            }
        }
    }
}

#[test]
fn spanish_keeps_to_its_own_words() {
    let es = Words::in_locale("es");
    for (key, word) in ALL {
        for text in forms(&es.table()[word as usize]) {
            for foreign in ["link", "clave", "email", "password", "bienvenid", "usted"] {
                assert!(!text.to_lowercase().contains(foreign), "{key}: {text}");
            }
        }
    }
}

#[test]
fn plurals_follow_the_number() {
    let text = |locale: &str, n| Words::in_locale(locale).text(Word::SetSessions, &[("n", Value::Number(n))]);
    assert_eq!(
        [0, 1, 2].map(|n| text("en", n)),
        ["0 sessions were ended.", "1 session was ended.", "2 sessions were ended."]
    );
    assert_eq!(
        [0, 1, 2].map(|n| text("es", n)),
        ["Se cerraron 0 sesiones.", "Se cerró 1 sesión.", "Se cerraron 2 sesiones."]
    );
    assert_eq!(text("es-MX", 2_000_000), "Se cerraron 2000000 de sesiones.");
}

#[test]
fn a_language_that_is_not_there_is_english() {
    for (locale, begins) in
        [("en", "Sign"), ("de-CH", "Sign"), ("", "Sign"), ("es", "Iniciar"), ("ES_mx", "Iniciar"), ("est", "Sign")]
    {
        assert!(Words::in_locale(locale).text(Word::SignIn, &[]).starts_with(begins), "{locale}");
    }
}

#[test]
fn values_stand_where_the_translator_put_them() {
    let sentence = Words::in_locale("en").sentence(Word::ChangedAt, &[("at", Value::Time(7))]);
    assert_eq!(sentence, [Value::Text("Changed ".to_owned()), Value::Time(7)]);
}
