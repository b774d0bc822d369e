use crate::bindings::nodes::Value;
use crate::words::{ALL, Word, Words};
use keyturn_words::Language;

fn forms(word: Word, language: Language) -> &'static [&'static str] {
    Words::in_locale(language.tag()).form(word).texts()
}

/// That every language has them, with the same placeholders, the build has seen.
#[test]
fn every_word_is_translated_and_calm() {
    for (key, word) in ALL {
        for (at, language) in Language::ALL.into_iter().enumerate() {
            for text in forms(word, language) {
                assert_eq!(*text, text.trim(), "{key}");
                assert!(!text.contains(['!', '¡']), "{key}: calm, without exclamation marks");
            }
            for other in &Language::ALL[..at] {
                assert_ne!((key, forms(word, *other)), (key, forms(word, language)), "{key} is not translated");
            }
        }
    }
}

/// The host draws a time of today as "today 15:02".
#[test]
fn no_word_stands_before_a_time_that_does_not_fit_today() {
    for language in Language::ALL {
        for (key, word) in ALL {
            for text in forms(word, language) {
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
    for (key, word) in ALL {
        for text in forms(word, Language::of("es")) {
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
        [("en", "Sign"), ("xx-CH", "Sign"), ("", "Sign"), ("es", "Iniciar"), ("ES_mx", "Iniciar"), ("est", "Sign")]
    {
        assert!(Words::in_locale(locale).text(Word::SignIn, &[]).starts_with(begins), "{locale}");
    }
}

#[test]
fn values_stand_where_the_translator_put_them() {
    let sentence = Words::in_locale("en").sentence(Word::ChangedAt, &[("at", Value::Time(7))]);
    assert_eq!(sentence, [Value::Text("Changed ".to_owned()), Value::Time(7)]);
}
