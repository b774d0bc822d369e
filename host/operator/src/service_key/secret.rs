//! A machine's token: `kt_`, the key's id, `_`, and 256 bits. The form is fixed, so that one pattern finds a key that leaked
//! into a repository or a log: `kt_[a-z2-7]{12}_[a-z2-7]{52}`.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use keyturn_core::seal::{self, Keys};

const PREFIX: &str = "kt_";
const ID: usize = 12;
const SECRET: usize = 52;
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// A new id of a key.
pub(super) fn new_id() -> String {
    characters::<ID>()
}

/// A new secret for the key with this id: its machine gets it once.
pub(super) fn new_token(id: &str) -> Zeroizing<String> {
    Zeroizing::new(format!("{PREFIX}{id}_{}", Zeroizing::new(characters::<SECRET>()).as_str()))
}

/// Characters of five bits each.
fn characters<const N: usize>() -> String {
    let bytes = Zeroizing::new(seal::random::<N>());
    bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 31)])).collect()
}

/// The id in a token; none if it has another form.
pub fn id_of(token: &str) -> Option<&str> {
    let (id, secret) = token.strip_prefix(PREFIX)?.split_once('_')?;
    let ours = |text: &str| text.bytes().all(|byte| ALPHABET.contains(&byte));
    (id.len() == ID && secret.len() == SECRET && ours(id) && ours(secret)).then_some(id)
}

/// The stored part of a token: enough to recognise it and to check its signatures, too little to send it.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Secret {
    digest: [u8; 32],
    signing: Zeroizing<[u8; 32]>,
    /// When it expires, Unix milliseconds; none: with the key.
    pub(super) until: Option<i64>,
}

impl Secret {
    pub(super) fn of(token: &str, keys: &Keys) -> Self {
        Self { digest: digest(token, keys), signing: Zeroizing::new(signing_key(token)), until: None }
    }

    /// Whether it is of this token. Every wrong token takes the same time.
    pub(super) fn is(&self, token: &str, keys: &Keys) -> bool {
        self.digest.ct_eq(&digest(token, keys)).into()
    }

    /// Whether these bytes are the signature of a message.
    pub(super) fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        mac(&*self.signing, message).ct_eq(signature).into()
    }
}

fn digest(token: &str, keys: &Keys) -> [u8; 32] {
    keys.mac("service key", &[token.as_bytes()])
}

/// The signing key of a machine. It is made from the token, so that the host need not store the token itself.
fn signing_key(token: &str) -> [u8; 32] {
    mac(token.as_bytes(), b"keyturn request signing")
}

fn mac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_by_its_form_and_by_nothing_like_it() {
        let token = new_token(&new_id());
        let id = id_of(&token).expect("its id");
        assert_eq!(id, &token[3..15]);
        for other in
            [token[1..].to_owned(), token[..token.len() - 1].to_owned(), token.to_uppercase(), format!("{}a", *token)]
        {
            assert_eq!(id_of(&other), None, "{other}");
        }
        assert_ne!(*new_token(id), *token);
    }

    #[test]
    fn what_is_kept_knows_its_own_token_and_its_signatures_only() {
        let keys = Keys::random();
        let (token, other) = (new_token("abcdefghijkl"), new_token("abcdefghijkl"));
        let secret = Secret::of(&token, &keys);
        assert!(secret.is(&token, &keys) && !secret.is(&other, &keys) && !secret.is(&token, &Keys::random()));
        let signature = mac(&signing_key(&token), b"message");
        assert!(secret.signed(b"message", &signature));
        assert!(!secret.signed(b"messagf", &signature) && !secret.signed(b"message", &signature[..31]));
        assert!(
            !secret.signed(b"message", &mac(token.as_bytes(), b"message")),
            "it is not signed with the token itself"
        );
    }
}
