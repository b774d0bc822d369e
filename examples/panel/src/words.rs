//! The panel's own words. The host and each plugin bring theirs.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use keyturn_host::view::words::Words as HostWords;

type Catalogue = BTreeMap<String, String>;

static ENGLISH: LazyLock<Catalogue> = LazyLock::new(|| catalogue(include_str!("../words/en.toml")));
static SPANISH: LazyLock<Catalogue> = LazyLock::new(|| catalogue(include_str!("../words/es.toml")));

fn catalogue(text: &str) -> Catalogue {
    // One that does not parse is caught by the test of completeness; at run time its keys stand for themselves.
    toml::from_str(text).unwrap_or_default()
}

/// The words of one language. Numbers and times are written by the host's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    /// The host's, in the same language.
    pub host: HostWords,
}

impl Words {
    /// The language that fits a BCP 47 tag.
    pub fn of(locale: &str) -> Self {
        Self { host: HostWords::of(locale) }
    }

    fn known(self, key: &str) -> Option<&'static str> {
        let catalogue = match self.host {
            HostWords::English => &*ENGLISH,
            HostWords::Spanish => &*SPANISH,
        };
        catalogue.get(key).map(String::as_str)
    }

    /// One entry without placeholders.
    pub fn get(self, key: &str) -> &str {
        self.known(key).unwrap_or(key)
    }

    /// One entry if there is one.
    pub fn find(self, key: &str) -> Option<&'static str> {
        self.known(key)
    }

    /// One entry, its placeholders filled. A value that looks like a placeholder is not filled again.
    pub fn fill(self, key: &str, values: &[(&str, &str)]) -> String {
        self.parts(key)
            .map(|part| match part {
                Part::Text(text) => text,
                Part::Placeholder(name) => values.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value),
            })
            .collect()
    }

    /// `n` of something, in the plural form of this language.
    pub fn count(self, key: &str, n: u64) -> String {
        let form = if n == 1 { "one" } else { "other" };
        let number = self.host.number(i64::try_from(n).unwrap_or(i64::MAX));
        self.fill(&format!("{key}.{form}"), &[("n", &number)])
    }

    /// The pieces of an entry, for those that take more than text into it.
    pub fn parts(self, key: &str) -> impl Iterator<Item = Part<'_>> {
        let mut rest = self.get(key);
        std::iter::from_fn(move || {
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
}

/// A piece of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    /// As it stands.
    Text(&'a str),
    /// To be filled.
    Placeholder(&'a str),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placeholders(text: &str) -> Vec<&str> {
        let mut found: Vec<_> = text.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0)).collect();
        found.sort_unstable();
        found
    }

    #[test]
    fn both_catalogues_have_the_same_keys_and_placeholders() {
        assert!(ENGLISH.len() > 50, "the English catalogue does not parse");
        assert_eq!(ENGLISH.keys().collect::<Vec<_>>(), SPANISH.keys().collect::<Vec<_>>());
        for (key, english) in ENGLISH.iter() {
            assert_eq!(placeholders(english), placeholders(&SPANISH[key]), "{key}");
            assert!(!english.is_empty() && !SPANISH[key].is_empty(), "{key}");
        }
    }

    /// Keys are literals wherever they can be; those that are put together stand in lists of their own.
    #[test]
    fn every_key_that_the_sources_name_is_in_the_catalogue() {
        let sources = [
            include_str!("request.rs"),
            include_str!("pages/sign_in.rs"),
            include_str!("pages/people.rs"),
            include_str!("pages/overview.rs"),
            include_str!("pages/activity.rs"),
            include_str!("pages/details.rs"),
            include_str!("pages/account.rs"),
            include_str!("pages/plugin.rs"),
            include_str!("pages/forms.rs"),
        ];
        let mut named = 0;
        for source in sources {
            for opening in ["words.get(\"", "words.fill(\"", "words.count(\"", "words.find(\"", "words.parts(\""] {
                for rest in source.split(opening).skip(1) {
                    let key = rest.split('"').next().unwrap_or_default();
                    let known = ENGLISH.contains_key(key) || ENGLISH.contains_key(&format!("{key}.other"));
                    assert!(known, "{key}");
                    named += 1;
                }
            }
        }
        assert!(named > 40, "only {named} keys were found in the sources");
        for folk in crate::folk::Folk::ALL {
            for key in ["title", "empty", "empty-hint", "none-such"] {
                assert!(ENGLISH.contains_key(&format!("{}-{key}", folk.path())), "{folk:?} {key}");
            }
        }
        for kind in crate::people::Kind::ALL {
            assert!(ENGLISH.contains_key(&format!("role-{}", kind.name())), "{kind:?}");
        }
    }

    #[test]
    fn a_filled_value_is_not_filled_again() {
        let words = Words::of("en");
        let filled = words.fill("search-none", &[("typed", "{typed} and {n}")]);
        assert!(filled.contains("{typed} and {n}"), "{filled}");
    }

    #[test]
    fn an_entry_without_an_end_of_its_placeholder_still_ends() {
        assert_eq!(Words::of("en").parts("{open").collect::<Vec<_>>(), [Part::Text("{open")]);
    }
}
