//! Lays out at build time what an instance, which lives for one call, must not build again: the stems of common passwords,
//! sorted, well-known phrases, and the catalogues of words as a table.

#[path = "src/policy/shape.rs"]
#[allow(dead_code)]
mod shape;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    for path in ["data", "src/policy/shape.rs", "build.rs"] {
        println!("cargo::rerun-if-changed={path}");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    write(&out.join("common-stems.txt"), &common_stems());
    write(&out.join("common-phrases.txt"), &common_phrases());
    keyturn_words::build::enumerated("words");
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

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
}
