//! For build scripts: the catalogues of a folder, `en.toml` and so on, as Rust source. An entry is a text, or a table of plural
//! forms: `one`, `other`, and `many` where that is none of `other`'s. What a language lacks stops the build.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use crate::{Language, Part, parts};

/// An entry in one language: its texts, one or three.
type Texts = Vec<String>;

/// Writes `words.rs` into `OUT_DIR`: a static `CATALOGUE`, for texts that are found by their keys.
///
/// # Panics
/// If a catalogue is not there or not like the others: the build is to stop.
pub fn catalogue(folder: &str) {
    let mut out = String::from("static CATALOGUE: keyturn_words::Catalogue = keyturn_words::Catalogue(&[\n");
    for (key, languages) in &catalogues(folder) {
        let _ = writeln!(out, "    ({key:?}, {}),", forms(languages));
    }
    out.push_str("]);\n");
    write(&out);
}

/// Writes `words.rs` into `OUT_DIR`: an enum `Word` of the keys, and a static `TABLE` of what each is in every language, for
/// texts that are found without their keys, which are then not in the program.
///
/// # Panics
/// If a catalogue is not there or not like the others: the build is to stop.
pub fn enumerated(folder: &str) {
    let entries = catalogues(folder);
    let mut out = String::from(
        "/// A key of the catalogues. Each stands with its English text.\n\
         #[derive(Clone, Copy, Debug, PartialEq, Eq)]\npub(crate) enum Word {\n",
    );
    let (mut table, mut all) = (String::new(), String::new());
    for (key, languages) in &entries {
        let name = camel(key);
        let _ = writeln!(out, "    /// `{key}`: {}\n    {name},", languages[0].last().map_or("", String::as_str));
        let _ = writeln!(table, "    {},", forms(languages));
        let _ = write!(all, "({key:?}, Word::{name}), ");
    }
    let count = entries.len();
    let _ = writeln!(out, "}}\n\nstatic TABLE: [keyturn_words::Forms; {count}] = [\n{table}];");
    let _ = writeln!(out, "\n#[cfg(test)]\npub(crate) const ALL: [(&str, Word); {count}] = [{all}];");
    write(&out);
}

fn catalogues(folder: &str) -> BTreeMap<String, Vec<Texts>> {
    println!("cargo::rerun-if-changed={folder}");
    read(Path::new(folder), &Language::ALL.map(Language::tag)).unwrap_or_else(|wrong| panic!("{wrong}"))
}

fn write(source: &str) {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("words.rs");
    fs::write(&out, source).unwrap_or_else(|cause| panic!("{}: {cause}", out.display()));
}

fn forms(languages: &[Texts]) -> String {
    let forms = languages.iter().map(|texts| match texts.as_slice() {
        [text] => format!("keyturn_words::Form::Plain({text:?})"),
        texts => format!("keyturn_words::Form::Plural({texts:?})"),
    });
    format!("[{}]", forms.collect::<Vec<_>>().join(", "))
}

fn camel(key: &str) -> String {
    let part = |part: &str| part[..1].to_uppercase() + &part[1..];
    key.split('-').map(part).collect()
}

/// Each key with its texts in every language.
fn read(folder: &Path, tags: &[&str]) -> Result<BTreeMap<String, Vec<Texts>>, String> {
    let listed = fs::read_dir(folder).map_err(|cause| format!("{}: {cause}", folder.display()))?;
    for path in listed.flatten().map(|entry| entry.path()) {
        let tag = path.file_stem().unwrap_or_default().to_string_lossy();
        if path.extension().is_some_and(|end| end == "toml") && !tags.contains(&&*tag) {
            return Err(format!("{}: the crate keyturn-words has no language {tag}", path.display()));
        }
    }
    let mut entries: BTreeMap<String, Vec<Texts>> = BTreeMap::new();
    for (at, tag) in tags.iter().enumerate() {
        let path = folder.join(tag).with_extension("toml");
        let shown = path.display();
        let text = fs::read_to_string(&path).map_err(|cause| format!("{shown}: {cause}"))?;
        let table: toml::Table = text.parse().map_err(|cause| format!("{shown}: {cause}"))?;
        if at > 0
            && let Some(key) = entries.keys().find(|key| !table.contains_key(*key))
        {
            return Err(format!("{shown} lacks `{key}`"));
        }
        for (key, value) in table {
            let texts =
                texts(&value).ok_or_else(|| format!("{shown}: `{key}` is no text, nor the forms one and other"))?;
            if texts.iter().any(|text| text.trim().is_empty()) {
                return Err(format!("{shown}: `{key}` is empty"));
            }
            let known = entries.entry(key.clone()).or_default();
            if known.len() != at {
                return Err(format!("{shown} has `{key}`, which {}.toml lacks", tags[0]));
            }
            known.push(texts);
            if !alike(known) {
                return Err(format!("{shown}: `{key}` has other placeholders or forms than in {}.toml", tags[0]));
            }
        }
    }
    Ok(entries)
}

fn texts(value: &toml::Value) -> Option<Texts> {
    if let Some(text) = value.as_str() {
        return Some([text.to_owned()].into());
    }
    let forms =
        value.as_table().filter(|forms| forms.keys().all(|key| ["one", "many", "other"].contains(&key.as_str())))?;
    let of = |name: &str| forms.get(name).and_then(toml::Value::as_str).map(str::to_owned);
    let other = of("other")?;
    Some([of("one")?, of("many").unwrap_or_else(|| other.clone()), other].into())
}

/// Whether an entry has as many forms in each language, and all of them the same placeholders.
fn alike(languages: &[Texts]) -> bool {
    let placeholders = |text: &String| {
        let mut found: Vec<_> =
            parts(text).filter(|part| matches!(part, Part::Placeholder(_))).map(|part| format!("{part:?}")).collect();
        found.sort_unstable();
        found
    };
    let expected = placeholders(&languages[0][0]);
    languages
        .iter()
        .all(|texts| texts.len() == languages[0].len() && texts.iter().all(|text| placeholders(text) == expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(en: &str, es: Option<&str>) -> Result<BTreeMap<String, Vec<Texts>>, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("written");
        write("en.toml", en);
        if let Some(es) = es {
            write("es.toml", es);
        }
        read(folder.path(), &["en", "es"])
    }

    #[test]
    fn catalogues_that_agree_are_one_table() {
        let read = tried(
            "b = 'Since {at}'\na-c = { one = '{n} day', other = '{n} days' }",
            Some("b = 'Desde {at}'\na-c = { one = '{n} día', many = '{n} de días', other = '{n} días' }"),
        );
        let read = read.expect("they agree");
        assert_eq!(read["a-c"], [["{n} day", "{n} days", "{n} days"], ["{n} día", "{n} de días", "{n} días"]]);
        assert_eq!(
            forms(&read["b"]),
            r#"[keyturn_words::Form::Plain("Since {at}"), keyturn_words::Form::Plain("Desde {at}")]"#
        );
        assert_eq!(camel("a-c"), "AC");
    }

    #[test]
    fn what_a_language_lacks_or_has_alone_is_named() {
        for (en, es, said) in [
            ("a = 'x'", None, "es.toml: "),
            ("a = 'x'\nb = 'y'", Some("a = 'x'"), "es.toml lacks `b`"),
            ("a = 'x'", Some("a = 'x'\nb = 'y'"), "es.toml has `b`, which en.toml lacks"),
            ("a = '{n} x'", Some("a = '{m} x'"), "`a` has other placeholders"),
            (
                "a = { one = 'x', other = '{n}' }",
                Some("a = { one = 'x', other = '{n}' }"),
                "`a` has other placeholders",
            ),
            ("a = 'x'", Some("a = { one = 'x', other = 'x' }"), "`a` has other placeholders or forms"),
            ("a = { one = 'x' }", Some(""), "`a` is no text"),
            ("a = { one = 'x', other = 'y', few = 'z' }", Some(""), "`a` is no text"),
            ("a = 7", Some(""), "`a` is no text"),
            ("a = ' '", Some(""), "empty"),
            ("a", Some(""), "en.toml: TOML"),
        ] {
            let refused = tried(en, es).expect_err(en);
            assert!(refused.contains(said), "{said}: {refused}");
        }
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("xx.toml"), "").expect("written");
        assert!(read(folder.path(), &["en", "es"]).expect_err("unknown").contains("no language xx"));
    }
}
