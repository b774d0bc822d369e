//! A typed password.

use crate::generate;
use crate::unicode;
use zeroize::Zeroizing;

/// Bytes of UTF-8 that a password may have.
const MAX_BYTES: usize = 4_096;

/// Invisible characters that programs put around copied text.
const UNSEEN: [char; 3] = ['\u{200b}', '\u{2060}', '\u{feff}'];

/// Wiped when dropped. It has no `Debug` and no `Display`, so it can't get into a log.
pub struct PlainPassword(Zeroizing<String>);

impl PlainPassword {
    /// Takes the text unchanged.
    pub fn new(text: String) -> Self {
        PlainPassword(Zeroizing::new(text))
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn is_too_long(&self) -> bool {
        self.0.len() > MAX_BYTES
    }

    /// The forms to try, in order: as typed, and at most one more, whatever the hash is. White space around a generated
    /// password was copied from an email, so it is removed; other passwords keep theirs and are composed.
    pub(crate) fn forms(&self) -> impl Iterator<Item = PlainPassword> {
        let as_typed = PlainPassword::new(self.text().to_owned());
        std::iter::once(as_typed).chain(self.without_space_around().or_else(|| self.composed()))
    }

    /// None: there is no white space, or the rest is not a generated password.
    fn without_space_around(&self) -> Option<PlainPassword> {
        let core = self.0.trim_matches(|c: char| c.is_whitespace() || UNSEEN.contains(&c));
        (core.len() < self.0.len() && generate::may_have_made(core)).then(|| PlainPassword::new(core.to_owned()))
    }

    /// Composed (NFC); none if it already is. Another keyboard may send the same letters decomposed.
    pub(crate) fn composed(&self) -> Option<PlainPassword> {
        if self.0.is_ascii() {
            return None;
        }
        let composed = unicode::composed(&self.0);
        (composed != self.0).then_some(PlainPassword(composed))
    }
}
