//! Prepares at build time what an instance, which lives for one call, must not build each time: the sorted stems of common
//! passwords, well-known phrases, and the two catalogues of words as tables.

#[path = "src/policy/shape.rs"]
#[allow(dead_code)]
mod shape;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    for path in ["data", "words", "src/policy/shape.rs", "build.rs"] {
        println!("cargo::rerun-if-changed={path}");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    write(&out.join("common-stems.txt"), &common_stems());
    write(&out.join("common-phrases.txt"), &common_phrases());
    write(&out.join("words.rs"), &words());
}

/// The list begins with the most used passwords; this many are worth their bytes in the component.
const MOST_USED: usize = 8_000;

/// Of the rest, only those that long passwords are made from: with a few digits more, they have 15 characters.
const LONG: usize = 10;

fn common_stems() -> String {
    let list = read("data/common-passwords.txt");
    let worth = list.lines().enumerate().filter(|(rank, entry)| *rank < MOST_USED || entry.len() >= LONG);
    let stems: BTreeSet<String> = worth.filter_map(|(_, entry)| shape::stem(entry)).collect();
    stems.into_iter().collect::<Vec<_>>().join("\n")
}

/// Phrases are written as people write them, with plain letters in place of accented ones.
fn common_phrases() -> String {
    let list = read("data/common-phrases.txt");
    let phrases = list.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let canonical: BTreeSet<String> = phrases.map(|phrase| shape::canon(&phrase.to_lowercase())).collect();
    canonical.into_iter().collect::<Vec<_>>().join("\n")
}

/// One enum of keys and one table for each language. A missing key stops the build.
fn words() -> String {
    let en = catalogue("words/en.toml");
    let es = catalogue("words/es.toml");
    for (one, other, path) in [(&en, &es, "words/es.toml"), (&es, &en, "words/en.toml")] {
        if let Some(key) = one.keys().find(|key| !other.contains_key(*key)) {
            panic!("{path} has no `{key}`; both catalogues must have every key");
        }
    }
    let mut out = String::from(
        "/// A key of the catalogues `words/*.toml`. Each stands with its English text.\n\
         #[derive(Clone, Copy, Debug, PartialEq, Eq)]\npub(crate) enum Word {\n",
    );
    for (key, form) in &en {
        writeln!(out, "    /// `{key}`: {}\n    {},", form.other(), camel(key)).expect("a String takes all");
    }
    out.push_str("}\n\n");
    let keys: Vec<String> = en.keys().map(|key| format!("(\"{key}\", Word::{})", camel(key))).collect();
    writeln!(out, "#[cfg(test)]\npub(crate) const ALL: [(&str, Word); {}] = [{}];", en.len(), keys.join(", "))
        .expect("a String takes all");
    for (name, catalogue) in [("EN", &en), ("ES", &es)] {
        writeln!(out, "static {name}: [Form; {}] = [", catalogue.len()).expect("a String takes all");
        for form in catalogue.values() {
            writeln!(out, "    {},", form.source()).expect("a String takes all");
        }
        out.push_str("];\n");
    }
    out
}

enum Form {
    Plain(String),
    Plural { one: String, many: String, other: String },
}

impl Form {
    fn other(&self) -> &str {
        match self {
            Form::Plain(text) => text,
            Form::Plural { other, .. } => other,
        }
    }

    fn source(&self) -> String {
        match self {
            Form::Plain(text) => format!("Form::Plain({text:?})"),
            Form::Plural { one, many, other } => {
                format!("Form::Plural {{ one: {one:?}, many: {many:?}, other: {other:?} }}")
            }
        }
    }
}

fn catalogue(path: &str) -> BTreeMap<String, Form> {
    let table: toml::Table = read(path).parse().unwrap_or_else(|e| panic!("{path}: {e}"));
    let form = |key: &str, value: &toml::Value| match value {
        toml::Value::String(text) => Form::Plain(text.clone()),
        toml::Value::Table(forms) => {
            let of = |name: &str| forms.get(name).and_then(|text| text.as_str()).map(str::to_owned);
            let other = of("other").unwrap_or_else(|| panic!("{path}: `{key}` has no form `other`"));
            Form::Plural {
                one: of("one").unwrap_or_else(|| panic!("{path}: `{key}` has no form `one`")),
                many: of("many").unwrap_or_else(|| other.clone()),
                other,
            }
        }
        _ => panic!("{path}: `{key}` is neither a text nor a table of plural forms"),
    };
    table.iter().map(|(key, value)| (key.clone(), form(key, value))).collect()
}

fn camel(key: &str) -> String {
    key.split('-')
        .flat_map(|part| part[..1].to_uppercase().chars().chain(part[1..].chars()).collect::<Vec<_>>())
        .collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
}
