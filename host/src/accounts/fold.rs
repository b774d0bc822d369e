//! When two typed logins or addresses are the same one: for look-ups and for throttles, the same on every engine.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization as _;

/// What logins and addresses are compared by: without surrounding white space, case-folded by Unicode's full folding
/// (no language's own rules, so `I` is `i` everywhere), composed (NFC). Folding it again changes nothing.
#[must_use]
pub fn fold(text: &str) -> String {
    let text = text.trim();
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut folded = once(text);
    // A few combining marks fold to letters that compose anew, hence the second look; none was found to need a third.
    for _ in 0..3 {
        let again = once(&folded);
        if again == folded {
            break;
        }
        folded = again;
    }
    folded
}

/// Whether `stored` is what was typed; `folded` is the typed text, folded.
pub(crate) fn equals(stored: &str, folded: &str) -> bool {
    let stored: Cow<'_, str> = if stored.is_ascii() { Cow::Borrowed(stored.trim()) } else { Cow::Owned(fold(stored)) };
    if stored.is_ascii() { stored.eq_ignore_ascii_case(folded) } else { stored == folded }
}

fn once(text: &str) -> String {
    caseless::Caseless::default_case_fold(text.trim().nfc()).nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_take_for_the_same_name_folds_to_the_same() {
        for (a, b) in [
            (" Ana@Example.ORG\t", "ana@example.org"),
            ("STRASSE", "straße"),
            ("\u{212A}elvin", "kelvin"),
            ("Åsa", "A\u{30A}SA"),
            ("\u{212B}sa", "åsa"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
            ("\u{A0}müller\u{2003}", "MÜLLER"),
            ("\u{FB01}n", "FIN"),
        ] {
            assert_eq!(fold(a), fold(b), "{a:?} and {b:?}");
            assert!(equals(a, &fold(b)) && equals(b, &fold(a)), "{a:?} and {b:?}");
        }
    }

    #[test]
    fn names_that_only_look_alike_stay_apart() {
        for (a, b) in [("ana", "аna"), ("paul", "pau1"), ("a b", "ab"), ("José", "Jose")] {
            assert_ne!(fold(a), fold(b), "{a:?} and {b:?}");
            assert!(!equals(a, &fold(b)));
        }
    }

    #[test]
    fn no_language_has_rules_of_its_own() {
        assert_eq!(fold("INFO"), "info");
        assert_eq!(fold("\u{130}"), "i\u{307}");
    }

    #[test]
    fn folding_again_changes_nothing_for_any_character_alone_or_before_a_mark() {
        let mut text = String::new();
        for c in (0..=0x10_FFFF_u32).filter_map(char::from_u32) {
            for tail in ["", "\u{301}", "\u{345}", "\u{345}\u{301}"] {
                if c as u32 > 0x3000 && !tail.is_empty() {
                    continue;
                }
                text.clear();
                text.push('x');
                text.push(c);
                text.push_str(tail);
                let folded = fold(&text);
                assert_eq!(fold(&folded), folded, "U+{:04X} {tail:?}", c as u32);
            }
        }
    }
}
