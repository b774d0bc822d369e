//! Canonical composition and folding, on the lookups of `unicode-normalization`.
//!
//! Its iterators would put the compatibility tables into the component, 60 kB that nothing here needs; its lookups don't.

use unicode_normalization::char::{canonical_combining_class, compose, decompose_canonical};
use zeroize::Zeroizing;

/// No character decomposes into more.
const MOST_PARTS: usize = 4;

/// NFC.
pub(crate) fn composed(text: &str) -> Zeroizing<String> {
    // Reserves all the room at once, here and below: a growing buffer leaves copies that nobody wipes.
    let mut parts = Zeroizing::new(Vec::with_capacity(text.chars().count() * MOST_PARTS));
    text.chars().for_each(|c| decompose_canonical(c, |part| parts.push(part)));
    for marks in parts.chunk_by_mut(|_, next| canonical_combining_class(*next) != 0) {
        marks.sort_by_key(|c| canonical_combining_class(*c));
    }
    let mut composed = Zeroizing::new(String::with_capacity(parts.len() * MOST_PARTS));
    composed.extend(recomposed(&parts).iter());
    composed
}

/// The canonical composition algorithm (Unicode, section 3.11): each character joins the last starter, unless one of the same
/// or a higher class is between them.
fn recomposed(parts: &[char]) -> Zeroizing<Vec<char>> {
    let mut out: Zeroizing<Vec<char>> = Zeroizing::new(Vec::with_capacity(parts.len()));
    let mut starter = None;
    let mut last_class = 0;
    for &c in parts {
        let class = canonical_combining_class(c);
        if let Some(at) = starter {
            let blocked = at + 1 < out.len() && last_class >= class;
            if !blocked && let Some(joined) = compose(out[at], c) {
                out[at] = joined;
                continue;
            }
        }
        if class == 0 {
            starter = Some(out.len());
        }
        last_class = class;
        out.push(c);
    }
    out
}

/// Without case and accents: `José` is `jose`. For comparing with words, never for hashing.
pub(crate) fn fold(text: &str) -> Zeroizing<String> {
    let mut folded = Zeroizing::new(String::with_capacity(text.len() * MOST_PARTS));
    for c in text.chars() {
        decompose_canonical(c, |part| {
            if canonical_combining_class(part) == 0 {
                folded.extend(part.to_lowercase());
            }
        });
    }
    folded
}
