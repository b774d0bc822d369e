//! Requests signed with a service key: HTTP Message Signatures (RFC 9421), as `docs/hooks.md` says, from the client's side.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

/// HMAC-SHA-256.
#[must_use]
pub fn mac(key: &[u8], message: &str) -> Vec<u8> {
    // A key may have any length.
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// Unix seconds.
#[must_use]
pub fn seconds() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    i64::try_from(now).expect("small")
}

/// The header Content-Digest of a body.
#[must_use]
pub fn digest(body: &[u8]) -> String {
    format!("sha-256=:{}:", BASE64.encode(Sha256::digest(body)))
}

/// The headers Signature-Input and Signature, over these components in their order.
#[must_use]
pub fn sign(token: &str, components: &[(&str, String)], created: i64, nonce: &str) -> [(&'static str, String); 2] {
    let names: Vec<String> = components.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    let id = &token[3..15];
    let parameters = format!("({});created={created};nonce=\"{nonce}\";keyid=\"{id}\"", names.join(" "));
    let lines: String = components.iter().map(|(name, value)| format!("\"{name}\": {value}\n")).collect();
    let base = format!("{lines}\"@signature-params\": {parameters}");
    let signature = BASE64.encode(mac(&mac(token.as_bytes(), "keyturn request signing"), &base));
    [("Signature-Input", format!("sig={parameters}")), ("Signature", format!("sig=:{signature}:"))]
}
