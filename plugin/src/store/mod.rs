//! Keys and records of the plugin's data.
//!
//! | key | value |
//! |---|---|
//! | `account/<account id>` | [`AccountRecord`]: state of the password, newest links, mails with a secret |
//! | `link/<digest of the token>` | [`LinkRecord`] |
//! | `attempts/<name, name-from, address, account, device or devices>/<digest>` | a counter of passwords tried |
//! | `requests/<name, address or account>/<digest>` | a counter of links asked for |
//!
//! Keys are not sealed, so what they must not show is a MAC.

mod record;

pub(crate) use record::{
    AccountRecord, AskedBy, Carries, LinkRecord, NewestLink, Origin, PasswordRecord, RecordError, SecretMail, State,
};

use crate::bindings::types::Failure;
use crate::failure;
use crate::ports::Ports;
use crate::token::TokenDigest;
use crate::words::{Word, Words};

/// How long a link's record is kept after it was used or expired, in milliseconds, so that the page can say which.
pub(crate) const LINK_MEMORY: i64 = 30 * 24 * 60 * 60 * 1000;

/// The same for a link from a sign-in, in milliseconds.
pub(crate) const MUST_CHANGE_MEMORY: i64 = 60 * 60 * 1000;

pub(crate) fn account(ports: &dyn Ports, account: &str) -> Result<AccountRecord, Failure> {
    let key = account_key(account);
    match ports.get(&key)? {
        Some(bytes) => AccountRecord::decode(&bytes).map_err(|error| unreadable(ports, &key, error)),
        None => Ok(AccountRecord::default()),
    }
}

/// For callers that replace it: an unreadable record is logged, and doesn't prevent a new password.
pub(crate) fn account_if_readable(ports: &dyn Ports, account: &str) -> Result<AccountRecord, Failure> {
    let key = account_key(account);
    let record = ports.get(&key)?.map(|bytes| AccountRecord::decode(&bytes)).transpose();
    Ok(record
        .unwrap_or_else(|error| {
            failure::log(format_args!("record {key} is replaced: {error}"));
            None
        })
        .unwrap_or_default())
}

pub(crate) fn put_account(ports: &dyn Ports, account: &str, record: &AccountRecord) -> Result<(), Failure> {
    Ok(ports.put(&account_key(account), &record.encode(), None)?)
}

pub(crate) fn link(ports: &dyn Ports, digest: &TokenDigest) -> Result<Option<LinkRecord>, Failure> {
    let key = link_key(digest);
    match ports.get(&key)? {
        Some(bytes) => LinkRecord::decode(&bytes).map(Some).map_err(|error| unreadable(ports, &key, error)),
        None => Ok(None),
    }
}

pub(crate) fn put_link(ports: &dyn Ports, digest: &TokenDigest, record: &LinkRecord) -> Result<(), Failure> {
    let end = record.used.unwrap_or(record.until);
    let memory = match record.origin {
        Origin::Asked | Origin::Mailed | Origin::HandedOn => LINK_MEMORY,
        // Each right sign-in makes one. It is never emailed: people who lose it sign in again.
        Origin::SignIn => MUST_CHANGE_MEMORY,
    };
    Ok(ports.put(&link_key(digest), &record.encode(), Some(end + memory))?)
}

/// `of`: what is counted; `kind`: by what.
pub(crate) fn counter_key(of: &str, kind: &str, digest: &[u8]) -> String {
    format!("{of}/{kind}/{}", hex(digest))
}

pub(crate) fn account_key(account: &str) -> String {
    format!("account/{account}")
}

pub(crate) fn link_key(digest: &TokenDigest) -> String {
    format!("link/{}", hex(&digest.0))
}

/// Not a trap: the reader learns what is wrong, and the operator which record it is.
fn unreadable(ports: &dyn Ports, key: &str, error: RecordError) -> Failure {
    failure::log(format_args!("record {key}: {error}"));
    let words = Words::of(ports);
    match error {
        RecordError::Version(_) => failure::refused(words, "data-too-new", Word::DataTooNew),
        RecordError::Damaged(_) => failure::refused(words, "data-damaged", Word::DataDamaged),
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|b| [b >> 4, b & 15]).map(|n| DIGITS[usize::from(n)] as char).collect()
}
