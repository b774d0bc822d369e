//! When two typed logins or addresses are the same: for look-ups and throttles, the same with every engine.

use icu_properties::CodePointSetData;
use icu_properties::props::DefaultIgnorableCodePoint;
use unicode_normalization::UnicodeNormalization as _;

/// The form in which logins and addresses are compared: without surrounding white space and invisible characters, case-folded
/// by Unicode's full folding (without rules of single languages, so `I` is always `i`), and composed (NFC). The domain of an
/// address is in A-labels: browsers write `bücher.example` as `xn--bcher-kva.example` and the other way round. Folding twice
/// changes nothing.
#[must_use]
pub fn fold(text: &str) -> String {
    if is_simple(text) {
        return text.trim().to_ascii_lowercase();
    }
    let mut folded = once(text);
    // A few combining marks fold to letters that compose again, so it runs again; none is known to need a third run.
    for _ in 0..3 {
        let again = once(&folded);
        if again == folded {
            break;
        }
        folded = again;
    }
    folded
}

/// Whether an index on `lower(column)` finds this text by its fold: SQL's `lower` handles ASCII only. A provider must find the
/// others in another way.
#[must_use]
pub fn is_plain(text: &str) -> bool {
    let trimmed = text.len() == text.trim().len();
    (trimmed && is_simple(text)) || text.to_ascii_lowercase() == fold(text)
}

/// How many [`spellings`] there are at most.
pub const SPELLINGS: usize = 9;

/// The spellings in which people store a name that folds to this: as typed, all small, in capitals, with capitals where words
/// begin, each composed or not (NFC, NFD), and with a domain in letters. There are others.
#[must_use]
pub fn spellings(typed: &str, folded: &str) -> Vec<String> {
    let mut all = vec![folded.to_owned(), typed.to_owned()];
    if is_simple(typed) {
        return all;
    }
    let titled = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
    };
    let titled = folded.split(' ').map(titled).collect::<Vec<String>>().join(" ");
    let in_letters = match folded.rsplit_once('@') {
        Some((local, domain)) => format!("{local}@{}", idna::domain_to_unicode(domain).0),
        None => folded.to_owned(),
    };
    all.push(folded.nfd().collect());
    for spelling in [folded.to_uppercase(), titled, in_letters] {
        all.push(spelling.nfd().collect());
        all.push(spelling);
    }
    all
}

/// Whether `stored` is what was typed; `folded` is the typed text, folded.
pub fn equals(stored: &str, folded: &str) -> bool {
    stored.eq_ignore_ascii_case(folded) || fold(stored) == folded
}

/// Whether two texts are exactly the same mailbox: they differ only in the case of ASCII letters, surrounding white space,
/// invisible characters, or the spelling of the domain. Texts that only fold to the same, such as `ß` and `ss`, can be
/// mailboxes of two people.
#[must_use]
pub fn same_address(a: &str, b: &str) -> bool {
    let letters = |text: &str| {
        let seen = seen(text);
        match seen.rsplit_once('@') {
            Some((local, domain)) => format!("{}@{}", local.to_ascii_lowercase(), a_labels(domain)),
            None => seen.to_ascii_lowercase(),
        }
    };
    letters(a) == letters(b)
}

/// The text as people see it: without surrounding white space and invisible characters.
pub fn seen(text: &str) -> String {
    text.chars().filter(|c| !is_invisible(*c)).collect::<String>().trim().to_owned()
}

/// Characters that nobody sees and that are no space: controls, and what Unicode calls Default_Ignorable_Code_Point, such as
/// zero-width spaces, joiners, direction marks, soft hyphens and byte order marks.
pub fn is_invisible(c: char) -> bool {
    let control = c.is_control() && !c.is_whitespace();
    control || (!c.is_ascii() && CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c))
}

fn has_a_label(domain: &str) -> bool {
    domain.split('.').any(|label| label.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("xn--")))
}

/// ASCII without invisible characters or A-labels: only its case and what surrounds it can differ.
fn is_simple(text: &str) -> bool {
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
    plain && !text.rsplit_once('@').is_some_and(|(_, domain)| has_a_label(domain))
}

fn once(text: &str) -> String {
    let seen = seen(text);
    match seen.rsplit_once('@') {
        Some((local, domain)) if !domain.is_ascii() || has_a_label(domain) => {
            format!("{}@{}", cased(local), a_labels(domain))
        }
        _ => cased(&seen),
    }
}

fn cased(text: &str) -> String {
    caseless::Caseless::default_case_fold(text.nfc()).nfc().collect()
}

/// A domain in A-labels; a domain without letters beyond ASCII is only folded. It goes through the letters, because A-labels
/// can hide invisible characters, too.
fn a_labels(domain: &str) -> String {
    let (letters, read) = idna::domain_to_unicode(domain);
    match read.and_then(|()| idna::domain_to_ascii(&seen(&letters))) {
        Ok(labels) if !labels.is_empty() => labels,
        _ => cased(domain),
    }
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
            ("ana@vidal.example\r\n", "\u{FEFF}ana@vidal.example"),
            ("\u{200B} ana@vi\u{AD}dal\u{200D}.example \u{2060}", "ana@vidal.example"),
            ("\0ana@vidal.example\u{7F}", "ana@vidal.example"),
            ("ana@B\u{dc}CHER.example", "ANA@xn--bcher-kva.Example"),
            ("ana@bu\u{308}cher.example ", "ana@XN--BCHER-KVA.example"),
            ("jürgen@bücher.example", "JÜRGEN@xn--bcher-kva.example"),
            // A domain with a joiner in its A-label, and the letters without it.
            ("a@xn--mgba3gch31f060k.example", "a@نامه\u{200C}ای.example"),
            ("a@xn--mgba3gch31f060k.example", "a@نامهای.example"),
        ] {
            assert_eq!(fold(a), fold(b), "{a:?} and {b:?}");
            assert!(equals(a, &fold(b)) && equals(b, &fold(a)), "{a:?} and {b:?}");
        }
    }

    #[test]
    fn plain_is_what_an_index_on_lower_finds() {
        for text in ["ana", "Ana@Vidal.example", "a b", "müller", "jürgen@xn--bcher-kva.example", ""] {
            assert!(is_plain(text), "{text:?}");
            assert_eq!(text.to_ascii_lowercase(), fold(text), "{text:?}");
        }
        for text in
            [" ana", "ana\r", "ana\u{A0}", "a\u{200B}na", "Müller\u{2060}", "MÜLLER", "ana@bücher.example", "straße"]
        {
            assert!(!is_plain(text), "{text:?}");
        }
    }

    #[test]
    fn spellings_fold_to_the_name_that_was_typed_and_plain_names_have_no_more_than_two() {
        for typed in
            ["müller", "MÜLLER", "Åsa Öst", " ana ", "ana@xn--bcher-kva.example", "élodie@Vidal.example", "straße"]
        {
            let all = spellings(typed, &fold(typed));
            assert!(all.iter().all(|spelling| fold(spelling) == fold(typed)), "{typed:?}: {all:?}");
            assert!(all.len() <= SPELLINGS && all.contains(&typed.to_owned()), "{all:?}");
        }
        let has = |typed: &str, stored: &str| spellings(typed, &fold(typed)).iter().any(|one| one == stored);
        for (typed, stored) in [
            ("müller", "MÜLLER"),
            ("MÜLLER", "mu\u{308}ller"),
            ("åsa öst", "Åsa Öst"),
            ("ana@xn--bcher-kva.example", "ana@bücher.example"),
        ] {
            assert!(has(typed, stored), "{typed:?} {stored:?}");
        }
        assert_eq!(spellings("Ana@Vidal.example", "ana@vidal.example").len(), 2);
    }

    #[test]
    fn one_mailbox_to_the_letter_has_several_spellings_and_no_other_letters() {
        for (a, b) in
            [("Ana@Vidal.example", " ana@vidal.example\u{200B}"), ("ana@bücher.example", "ana@xn--bcher-kva.example\r")]
        {
            assert!(same_address(a, b), "{a:?} and {b:?}");
        }
        for (a, b) in [("strasse@x.example", "straße@x.example"), ("É@x.example", "é@x.example"), ("a", "b")] {
            assert!(!same_address(a, b), "{a:?} and {b:?}");
        }
    }

    #[test]
    fn names_that_only_look_alike_stay_apart() {
        for (a, b) in [
            ("ana", "аna"),
            ("paul", "pau1"),
            ("a b", "ab"),
            ("José", "Jose"),
            ("a@straße.example", "a@strasse.example"),
        ] {
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
                let befores: &[&str] = if c as u32 > 0x3000 { &["x"] } else { &["x", "x@x"] };
                for before in befores {
                    text.clear();
                    text.push_str(before);
                    text.push(c);
                    text.push_str(tail);
                    let folded = fold(&text);
                    assert_eq!(fold(&folded), folded, "{before}U+{:04X} {tail:?}", c as u32);
                }
            }
        }
    }
}
