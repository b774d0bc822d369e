use crate::unicode::{composed, fold};
use proptest::prelude::*;
use unicode_normalization::UnicodeNormalization as _;

#[test]
fn every_character_composes_as_the_crate_does_it() {
    for c in (0..=0x10_FFFF).filter_map(char::from_u32) {
        let apart: String = c.nfd().collect();
        for text in [c.to_string(), apart.clone(), format!("a{apart}\u{301}\u{323}"), format!("{apart}\u{5b0}{c}")] {
            assert_eq!(*composed(&text), text.nfc().collect::<String>(), "U+{:04X}", c as u32);
        }
    }
}

#[test]
fn case_and_accents_fold_away() {
    for (text, folded) in
        [("José", "jose"), ("JOSE\u{301}", "jose"), ("Ñandú", "nandu"), ("ΆΛΦΑ", "αλφα"), ("Straße", "straße")]
    {
        assert_eq!(*fold(text), folded);
    }
}

proptest! {
    #[test]
    fn any_text_composes_as_the_crate_does_it(text in any::<String>()) {
        prop_assert_eq!(&*composed(&text), &text.nfc().collect::<String>());
    }

    #[test]
    fn marks_in_any_order_compose_as_the_crate_does_it(text in r"[aeou가ᄀᆨéậ\u{300}-\u{36f}\u{591}-\u{5c7}]{0,12}") {
        prop_assert_eq!(&*composed(&text), &text.nfc().collect::<String>());
    }
}
