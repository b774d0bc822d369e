//! Whether a password, without its disguise, is one that attackers try first.

use super::shape::{WEAK_TRIM, canon, trimmed, unit, weight};

/// Sorted stems, one a line, made by `build.rs`.
static STEMS: &str = include_str!(concat!(env!("OUT_DIR"), "/common-stems.txt"));

/// Well-known phrases in their canonical form, one a line, made by `build.rs`.
static PHRASES: &str = include_str!(concat!(env!("OUT_DIR"), "/common-phrases.txt"));

/// So many characters of a phrase's beginning count as the phrase.
const MIN_BEGINNING: usize = 12;

/// `folded`: without case and accents.
pub(crate) fn is_common(folded: &str) -> bool {
    parts(folded).map(canon).any(|key| is_known(&key) || is_phrase(&key))
}

/// Whether it only repeats a common password, with anything in between.
pub(crate) fn repeats_common(folded: &str) -> bool {
    [folded, unit(folded)].into_iter().flat_map(parts).any(|part| is_known(unit(&canon(part))))
}

/// The core of a password: without what was added before and after it.
pub(crate) fn parts(base: &str) -> impl Iterator<Item = &str> {
    let [end, core] = trimmed(base);
    [base, end, core].into_iter().filter(move |part| stands_out(base, part))
}

/// The part that was trimmed off must not be the actual password: eight random digits are worth something.
fn stands_out(base: &str, part: &str) -> bool {
    match base.split_once(part) {
        Some((before, after)) => weight(before) + weight(after) <= WEAK_TRIM,
        None => false,
    }
}

/// Whether it is little more than a phrase, or the beginning of one.
fn is_phrase(key: &str) -> bool {
    PHRASES.lines().any(|phrase| match phrase.len() <= key.len() {
        true => stands_out(key, phrase),
        false => key.len() >= MIN_BEGINNING && phrase.starts_with(key),
    })
}

fn is_known(key: &str) -> bool {
    key.len() >= 4 && is_stem(key)
}

/// Binary search over the lines, by bytes: an instance has nothing to build at start.
fn is_stem(key: &str) -> bool {
    let text = STEMS.as_bytes();
    let (mut low, mut high) = (0, text.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let start = text[..middle].iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
        let end = text[middle..].iter().position(|b| *b == b'\n').map_or(text.len(), |i| middle + i);
        match text[start..end].cmp(key.as_bytes()) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Less => low = end + 1,
            std::cmp::Ordering::Greater => high = start,
        }
    }
    false
}

#[cfg(test)]
pub(crate) fn stems() -> impl Iterator<Item = &'static str> {
    STEMS.lines()
}
