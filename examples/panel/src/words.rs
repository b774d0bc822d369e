//! The panel's own words. The host and each plugin have theirs.

use keyturn_host::view::words::{Language, Words as HostWords};

include!(concat!(env!("OUT_DIR"), "/words.rs"));

/// The words of one language. The host writes numbers and times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    pub host: HostWords,
}

impl Words {
    /// In the language that fits a BCP 47 tag.
    pub fn of(locale: &str) -> Self {
        Self { host: HostWords(Language::of(locale)) }
    }

    /// An entry without placeholders.
    pub fn get(self, key: &str) -> &str {
        self.find(key).unwrap_or(key)
    }

    pub fn find(self, key: &str) -> Option<&'static str> {
        CATALOGUE.find(self.host.0, key)
    }

    /// An entry with its placeholders filled.
    pub fn fill(self, key: &str, values: &[(&str, &str)]) -> String {
        CATALOGUE.fill(self.host.0, key, values)
    }

    /// `n` of something, in the plural form of this language.
    pub fn count(self, key: &str, n: u64) -> String {
        CATALOGUE.count(self.host.0, key, n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys are literals if possible; composed keys have lists of their own.
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
        let has = |key: &str| Words::of("en").find(key).is_some();
        let mut named = 0;
        for source in sources {
            for opening in ["words.get(\"", "words.fill(\"", "words.count(\"", "words.find(\"", "words.parts(\""] {
                for rest in source.split(opening).skip(1) {
                    let key = rest.split('"').next().unwrap_or_default();
                    assert!(has(key), "{key}");
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
