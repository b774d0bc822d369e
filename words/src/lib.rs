//! Texts in more than one language. A crate with texts has a folder of catalogues, one TOML file a language. Its build script
//! reads them with `build`, which checks that nothing is missing. Here an entry is looked up and its placeholders are filled.
//! Small and without the standard library, because a plugin uses it too.
#![cfg_attr(not(any(test, feature = "build")), no_std)]

extern crate alloc;

#[cfg(any(test, feature = "build"))]
pub mod build;

use alloc::string::{String, ToString as _};

/// How a language writes what hangs on numbers.
struct Rules {
    tag: &'static str,
    name: &'static str,
    plural: fn(u64) -> Plural,
    /// Between groups of three digits, in numbers of so many digits or more.
    groups: (char, usize),
}

/// The languages that there are; the first is for readers of any other. One more is one more here, and a file in every folder of
/// catalogues, without which nothing builds.
const RULES: [Rules; 2] = [
    Rules { tag: "en", name: "English", plural: one_or_other, groups: (',', 4) },
    Rules { tag: "es", name: "Español", plural: one_many_or_other, groups: ('.', 5) },
];

/// The plural forms that CLDR has for these languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plural {
    /// One of something.
    One,
    /// Whole millions, where these take a form of their own.
    Many,
    /// Any other number of it.
    Other,
}

fn one_or_other(n: u64) -> Plural {
    if n == 1 { Plural::One } else { Plural::Other }
}

fn one_many_or_other(n: u64) -> Plural {
    if n != 0 && n.is_multiple_of(1_000_000) { Plural::Many } else { one_or_other(n) }
}

/// One of the languages. The default is the first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Language(usize);

impl Language {
    /// All of them, in the order in which catalogues have them.
    pub const ALL: [Self; RULES.len()] = {
        let mut all = [Self(0); RULES.len()];
        let mut at = 0;
        while at < all.len() {
            all[at] = Self(at);
            at += 1;
        }
        all
    };

    /// The language of a BCP 47 tag, if it is one of these.
    #[must_use]
    pub fn known(locale: &str) -> Option<Self> {
        let primary = locale.split(['-', '_']).next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(primary))
    }

    /// The language that fits a BCP 47 tag: the first where it is none of these.
    #[must_use]
    pub fn of(locale: &str) -> Self {
        Self::known(locale).unwrap_or_default()
    }

    /// Its place in [`Language::ALL`] and in [`Forms`].
    #[must_use]
    pub fn index(self) -> usize {
        self.0
    }

    /// Its tag, BCP 47.
    #[must_use]
    pub fn tag(self) -> &'static str {
        RULES[self.0].tag
    }

    /// What it calls itself.
    #[must_use]
    pub fn name(self) -> &'static str {
        RULES[self.0].name
    }

    /// The form that `n` of something takes.
    #[must_use]
    pub fn plural(self, n: u64) -> Plural {
        (RULES[self.0].plural)(n)
    }

    /// A whole number with its groups.
    #[must_use]
    pub fn number(self, number: i64) -> String {
        let digits = number.unsigned_abs().to_string();
        let (mark, least) = RULES[self.0].groups;
        let mut text = String::from(if number < 0 { "−" } else { "" });
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && digits.len() >= least && (digits.len() - at).is_multiple_of(3) {
                text.push(mark);
            }
            text.push(digit);
        }
        text
    }
}

/// An entry in one language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One text.
    Plain(&'static str),
    /// A text for each [`Plural`], in its order, of which the number `n` decides.
    Plural([&'static str; 3]),
}

impl Form {
    /// The text for `n`; without it, for any other number.
    #[must_use]
    pub fn text(&self, language: Language, n: Option<u64>) -> &'static str {
        match self {
            Self::Plain(text) => text,
            Self::Plural(texts) => texts[n.map_or(Plural::Other, |n| language.plural(n)) as usize],
        }
    }

    /// All of its texts.
    #[must_use]
    pub fn texts(&self) -> &[&'static str] {
        match self {
            Self::Plain(text) => core::slice::from_ref(text),
            Self::Plural(texts) => texts,
        }
    }
}

/// An entry in every language.
pub type Forms = [Form; RULES.len()];

/// A piece of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part<'a> {
    /// As it stands.
    Text(&'a str),
    /// To be filled: its name.
    Placeholder(&'a str),
}

/// The pieces of a text with placeholders such as `{name}`.
pub fn parts(text: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = text;
    core::iter::from_fn(move || {
        if let Some((name, after)) = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            rest = after;
            return Some(Part::Placeholder(name));
        }
        let end = rest.find('{').filter(|end| *end > 0).unwrap_or(rest.len());
        let (text, after) = rest.split_at(end);
        rest = after;
        (!text.is_empty()).then_some(Part::Text(text))
    })
}

/// Entries by key, as `build::catalogue` writes them down, sorted.
#[derive(Debug)]
pub struct Catalogue(pub &'static [(&'static str, Forms)]);

impl Catalogue {
    /// One entry, unfilled.
    #[must_use]
    pub fn find(&self, language: Language, key: &str) -> Option<&'static str> {
        self.entry(language, key).map(|form| form.text(language, None))
    }

    /// One entry with its placeholders filled. A value that looks like a placeholder is not filled again.
    #[must_use]
    pub fn fill(&self, language: Language, key: &str, values: &[(&str, &str)]) -> String {
        filled(self.find(language, key).unwrap_or(key), values)
    }

    /// `n` of something, in the plural form of this language, with the number as `{n}`.
    #[must_use]
    pub fn count(&self, language: Language, key: &str, n: u64) -> String {
        let text = self.entry(language, key).map_or(key, |form| form.text(language, Some(n)));
        filled(text, &[("n", &language.number(i64::try_from(n).unwrap_or(i64::MAX)))])
    }

    /// All keys.
    pub fn keys(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|(key, _)| *key)
    }

    fn entry(&self, language: Language, key: &str) -> Option<&'static Form> {
        let at = self.0.binary_search_by_key(&key, |(key, _)| key).ok()?;
        Some(&self.0[at].1[language.index()])
    }
}

fn filled(text: &str, values: &[(&str, &str)]) -> String {
    let value = |name: &str| values.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| *value);
    parts(text).fold(String::new(), |mut filled, part| {
        filled.push_str(match part {
            Part::Text(text) => text,
            Part::Placeholder(name) => value(name),
        });
        filled
    })
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    /// In the first two languages; what others say is no matter here.
    const fn both(english: Form, spanish: Form) -> Forms {
        let mut forms = [english; RULES.len()];
        forms[1] = spanish;
        forms
    }

    const SOME: Catalogue = Catalogue(&[
        ("and", both(Form::Plain("{first} {second}"), Form::Plain("{first} y {second}"))),
        (
            "days",
            both(
                Form::Plural(["{n} day", "{n} days", "{n} days"]),
                Form::Plural(["{n} día", "{n} de días", "{n} días"]),
            ),
        ),
    ]);

    fn spanish() -> Language {
        Language::known("es").expect("there")
    }

    #[test]
    fn a_filled_value_is_not_filled_again_and_a_key_that_is_not_there_stands_for_itself() {
        let english = Language::default();
        assert_eq!(SOME.fill(english, "and", &[("first", "{second}"), ("second", "x")]), "{second} x");
        assert_eq!(SOME.fill(english, "or {a}", &[("a", "b")]), "or b");
        assert_eq!(SOME.find(english, "or"), None);
    }

    #[test]
    fn a_text_without_an_end_of_its_placeholder_still_ends() {
        assert_eq!(parts("{open").collect::<Vec<_>>(), [Part::Text("{open")]);
        assert_eq!(parts("a{b}").collect::<Vec<_>>(), [Part::Text("a"), Part::Placeholder("b")]);
    }

    #[test]
    fn numbers_and_plurals_read_as_in_each_language() {
        let english = Language::default();
        assert_eq!(english.number(1_284), "1,284");
        assert_eq!(spanish().number(1_284), "1284");
        assert_eq!(spanish().number(-1_234_567), "−1.234.567");
        assert_eq!(english.number(i64::MIN), "−9,223,372,036,854,775,808");
        assert_eq!([0, 1, 2].map(|n| SOME.count(english, "days", n)), ["0 days", "1 day", "2 days"]);
        assert_eq!(SOME.count(spanish(), "days", 1), "1 día");
        assert_eq!(SOME.count(spanish(), "days", 2_000_000), "2.000.000 de días");
        assert_eq!(SOME.count(english, "days", 2_000_000), "2,000,000 days");
        assert_eq!(SOME.find(spanish(), "days"), Some("{n} días"));
    }

    #[test]
    fn a_language_that_is_not_there_is_the_first() {
        for (locale, tag) in [("en", "en"), ("xx-CH", "en"), ("", "en"), ("es", "es"), ("ES_mx", "es"), ("est", "en")] {
            assert_eq!(Language::of(locale).tag(), tag, "{locale}");
        }
        assert_eq!(Language::known("xx"), None);
        assert_eq!(Language::ALL.map(Language::name)[..2], ["English", "Español"]);
    }
}
