//! What the plugin says, in the reader's language. The texts stand in `words/`, one catalogue a language; `build.rs` makes a
//! table of them, and the enum [`Word`] of their keys.

use keyturn_words::{Form, Language, Part, parts};

use crate::bindings::nodes::{Sentence, Value};
use crate::ports::Ports;

include!(concat!(env!("OUT_DIR"), "/words.rs"));

/// The words of one language.
#[derive(Clone, Copy)]
pub(crate) struct Words(Language);

impl Words {
    /// The words for the call's reader.
    pub(crate) fn of(ports: &dyn Ports) -> Self {
        Words::in_locale(&ports.locale())
    }

    /// In the language that fits a BCP 47 tag.
    pub(crate) fn in_locale(locale: &str) -> Self {
        Self(Language::of(locale))
    }

    /// Typed values in place of the placeholders; the host formats numbers and times. The number `n` decides the plural form.
    pub(crate) fn sentence(self, word: Word, arguments: &[(&str, Value)]) -> Sentence {
        let value = |wanted: &str| arguments.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value);
        let n = match value("n") {
            Some(Value::Number(n)) => u64::try_from(*n).ok(),
            _ => None,
        };
        let text = self.form(word).text(self.0, n);
        let piece = |part| match part {
            Part::Text(text) => Some(Value::Text(text.to_owned())),
            Part::Placeholder(name) => value(name).cloned(),
        };
        parts(text).filter_map(piece).collect()
    }

    /// For plain texts of the contract. Takes texts and numbers only: the host formats everything else.
    pub(crate) fn text(self, word: Word, arguments: &[(&str, Value)]) -> String {
        let mut text = String::new();
        for value in self.sentence(word, arguments) {
            match value {
                Value::Text(part) | Value::Code(part) => text.push_str(&part),
                Value::Number(n) => text.push_str(&n.to_string()),
                _ => debug_assert!(false, "{word:?} has a value that only the host can write"),
            }
        }
        text
    }

    pub(crate) fn form(self, word: Word) -> &'static Form {
        &TABLE[word as usize][self.0.index()]
    }
}
