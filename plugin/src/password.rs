//! A password as somebody typed it.

use crate::unicode;
use zeroize::Zeroizing;

/// Bytes of UTF-8 that a password may have.
const MAX_BYTES: usize = 4_096;

/// Wiped when dropped; has no `Debug` and no `Display`, so it cannot slip into a log.
pub struct PlainPassword(Zeroizing<String>);

impl PlainPassword {
    /// Takes the text as it is.
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

    /// Composed (NFC); none when it is so already. Another keyboard may send the same letters taken apart.
    pub(crate) fn composed(&self) -> Option<PlainPassword> {
        if self.0.is_ascii() {
            return None;
        }
        let composed = unicode::composed(&self.0);
        (composed != self.0).then_some(PlainPassword(composed))
    }
}
