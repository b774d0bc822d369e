//! The plugin's texts, in the reader's language. They are in `words/en.toml` and `words/es.toml`; `build.rs` makes a table of
//! each, and the enum [`Word`] of their keys.

use crate::bindings::nodes::{Sentence, Value};
use crate::ports::Ports;

include!(concat!(env!("OUT_DIR"), "/words.rs"));

/// A text with placeholders such as `{n}`; with plural forms if it depends on the number `n` (CLDR: one, many, other).
pub(crate) enum Form {
    Plain(&'static str),
    Plural { one: &'static str, many: &'static str, other: &'static str },
}

/// One language.
#[derive(Clone, Copy)]
pub(crate) struct Words {
    table: &'static [Form],
    spanish: bool,
}

impl Words {
    /// The words for the call's reader.
    pub(crate) fn of(ports: &dyn Ports) -> Self {
        Words::in_locale(&ports.locale())
    }

    /// English if the language is unknown.
    pub(crate) fn in_locale(locale: &str) -> Self {
        let language = locale.split(['-', '_']).next().unwrap_or_default();
        let spanish = language.eq_ignore_ascii_case("es");
        Words { table: if spanish { &ES } else { &EN }, spanish }
    }

    /// Puts typed values in place of the placeholders. The host formats numbers and times.
    pub(crate) fn sentence(self, word: Word, arguments: &[(&str, Value)]) -> Sentence {
        let mut sentence = Vec::new();
        let mut rest = self.form(word, arguments);
        while let Some((before, placeholder, after)) = next_placeholder(rest) {
            if !before.is_empty() {
                sentence.push(Value::Text(before.to_owned()));
            }
            if let Some((_, value)) = arguments.iter().find(|(name, _)| *name == placeholder) {
                sentence.push(value.clone());
            }
            rest = after;
        }
        if !rest.is_empty() {
            sentence.push(Value::Text(rest.to_owned()));
        }
        sentence
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

    #[cfg(test)]
    pub(crate) fn table(self) -> &'static [Form] {
        self.table
    }

    fn form(self, word: Word, arguments: &[(&str, Value)]) -> &'static str {
        match self.table[word as usize] {
            Form::Plain(text) => text,
            Form::Plural { one, many, other } => {
                let n = arguments.iter().find_map(|(name, value)| match value {
                    Value::Number(n) if *name == "n" => Some(*n),
                    _ => None,
                });
                match n {
                    Some(1) => one,
                    Some(n) if self.spanish && n != 0 && n % 1_000_000 == 0 => many,
                    _ => other,
                }
            }
        }
    }
}

/// The text before a placeholder, its name, and the text after it.
fn next_placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('{')?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}
