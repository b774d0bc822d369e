//! The panel's own words. The host and each plugin bring theirs.

use std::sync::LazyLock;

use keyturn_host::view::words::{Catalogue, Words as HostWords};

static ENGLISH: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::read(include_str!("../words/en.toml")));
static SPANISH: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::read(include_str!("../words/es.toml")));

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

    fn catalogue(self) -> &'static Catalogue {
        match self.host {
            HostWords::English => &ENGLISH,
            HostWords::Spanish => &SPANISH,
        }
    }

    /// One entry without placeholders.
    pub fn get(self, key: &str) -> &str {
        self.find(key).unwrap_or(key)
    }

    /// One entry if there is one.
    pub fn find(self, key: &str) -> Option<&'static str> {
        self.catalogue().find(key)
    }

    /// One entry, its placeholders filled.
    pub fn fill(self, key: &str, values: &[(&str, &str)]) -> String {
        self.catalogue().fill(key, values)
    }

    /// `n` of something, in the plural form of this language.
    pub fn count(self, key: &str, n: u64) -> String {
        let (key, number) = self.host.plural(key, n);
        self.fill(&key, &[("n", &number)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyturn_host::view::words::Part;

    fn placeholders<'a>(catalogue: &'a Catalogue, key: &'a str) -> Vec<Part<'a>> {
        let mut found: Vec<_> = catalogue.parts(key).filter(|part| matches!(part, Part::Placeholder(_))).collect();
        found.sort_unstable();
        found
    }

    #[test]
    fn both_catalogues_have_the_same_keys_and_placeholders() {
        assert!(ENGLISH.entries().count() > 50, "the English catalogue does not parse");
        assert_eq!(ENGLISH.entries().count(), SPANISH.entries().count());
        for (key, english) in ENGLISH.entries() {
            let spanish = SPANISH.find(key).expect(key);
            assert_eq!(placeholders(&ENGLISH, key), placeholders(&SPANISH, key), "{key}");
            assert!(!english.is_empty() && !spanish.is_empty(), "{key}");
        }
    }

    /// Keys are literals wherever they can be; those that are put together stand in lists of their own.
    #[test]
    fn every_key_that_the_sources_name_is_in_the_catalogue() {
        let sources = [
            include_str!("request.rs"),
            include_str!("pages/sign_in.rs"),
            include_str!("pages/step_up.rs"),
            include_str!("pages/operator.rs"),
            include_str!("pages/people.rs"),
            include_str!("pages/overview.rs"),
            include_str!("pages/activity.rs"),
            include_str!("pages/details.rs"),
            include_str!("pages/account.rs"),
            include_str!("pages/plugin.rs"),
            include_str!("pages/forms.rs"),
        ];
        let has = |key: &str| ENGLISH.find(key).is_some();
        let mut named = 0;
        for source in sources {
            for opening in ["words.get(\"", "words.fill(\"", "words.count(\"", "words.find(\"", "words.parts(\""] {
                for rest in source.split(opening).skip(1) {
                    let key = rest.split('"').next().unwrap_or_default();
                    let known = has(key) || has(&format!("{key}.other"));
                    assert!(known, "{key}");
                    named += 1;
                }
            }
        }
        assert!(named > 40, "only {named} keys were found in the sources");
        for folk in crate::folk::Folk::ALL {
            for key in ["title", "empty", "empty-hint", "none-such"] {
                assert!(has(&format!("{}-{key}", folk.path())), "{folk:?} {key}");
            }
        }
        for kind in crate::people::Kind::ALL {
            assert!(has(&format!("role-{}", kind.name())), "{kind:?}");
        }
    }
}
