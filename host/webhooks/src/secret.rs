//! The secret that a webhook's sender and receiver share, and the signature with it: `v1` of the Standard Webhooks
//! specification, HMAC-SHA-256 over id, time and body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use keyturn_core::seal;

const PREFIX: &str = "whsec_";
/// Bytes of a secret, within the specification's bounds (“192 bits, 512 maximum”).
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// Bytes of a secret that is created here.
const MADE: usize = 32;

/// A shared secret.
pub struct Secret(Zeroizing<Vec<u8>>);

/// It isn't a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be like whsec_… with 24 to 64 bytes in base64; `keyturn webhooks secret` creates one")]
pub struct BadSecret;

impl Secret {
    /// From its text.
    ///
    /// # Errors
    /// [`BadSecret`].
    pub fn read(text: &str) -> Result<Self, BadSecret> {
        let bytes = text.strip_prefix(PREFIX).and_then(|text| BASE64.decode(text).ok()).map(Zeroizing::new);
        bytes.filter(|bytes| BYTES.contains(&bytes.len())).map(Self).ok_or(BadSecret)
    }

    /// The text of a new secret.
    #[must_use]
    pub fn made() -> Zeroizing<String> {
        let bytes = Zeroizing::new(seal::random::<MADE>());
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + MADE.div_ceil(3) * 4));
        text.push_str(PREFIX);
        BASE64.encode_string(bytes.as_slice(), &mut text);
        text
    }

    /// The signature of a body under an id at a time, in seconds since 1970: `v1,` and base64. An id has no full stop.
    #[must_use]
    pub fn signature(&self, id: &str, seconds: i64, body: &[u8]) -> String {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
        mac.update(format!("{id}.{seconds}.").as_bytes());
        mac.update(body);
        format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_one_that_the_published_libraries_test_with() {
        let secret = Secret::read("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");
        let signature = secret.signature("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn only_what_is_long_enough_and_written_as_one_is_a_secret() {
        let of = |bytes: usize| format!("whsec_{}", BASE64.encode(vec![7; bytes]));
        for good in [of(24), of(64), Secret::made().to_string()] {
            assert!(Secret::read(&good).is_ok(), "{good}");
        }
        for bad in [of(23), of(65), BASE64.encode([7; 32]), "whsec_".to_owned(), format!("{}!", of(32)), String::new()]
        {
            assert!(Secret::read(&bad).is_err(), "{bad}");
        }
        assert_ne!(Secret::made(), Secret::made());
    }
}
