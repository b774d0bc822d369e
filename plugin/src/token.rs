//! Secrets of one-time links.

use crate::ports::Ports;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

/// 192 bits: more than enough, and no padding in base64.
const BYTES: usize = 24;

/// The secret that opens a link page. Only its digest is stored.
pub(crate) struct Token(Zeroizing<String>);

/// HMAC of a token under a key that the plugin never sees: nobody can compute a token from the stored data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TokenDigest(pub(crate) Vec<u8>);

impl Token {
    pub(crate) fn random() -> Self {
        let mut bytes = Zeroizing::new([0; BYTES]);
        fill(bytes.as_mut());
        Token(Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(*bytes)))
    }

    /// None: it doesn't have the contract's shape, so it was never made here.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let shaped = (16..=128).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        shaped.then(|| Token(Zeroizing::new(text.to_owned())))
    }

    pub(crate) fn digest(&self, ports: &dyn Ports) -> TokenDigest {
        TokenDigest(ports.mac("link", self.0.as_bytes()))
    }

    pub(crate) fn reveal(&self) -> String {
        self.0.as_str().to_owned()
    }
}

/// Random bytes from the system.
///
/// # Panics
/// If there are none: nothing afterwards could be trusted, and a trap changes nothing.
pub(crate) fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the system has no random bytes");
}
