//! Session epochs: when a session, a link or a state of an account is void. The same on every engine.
//!
//! The host keeps an epoch for each account whose password it has set, with a MAC of the hash that it wrote. A hash that
//! somebody else wrote since does not fit the MAC, and so is a new epoch, which is computed from what is there: nothing
//! is written when an account is read. The one change that does not show is a hash put back exactly as it was, salt and
//! all, as from a backup: with it, its epoch is back.

use keyturn_core::accounts::AccountId;
use keyturn_core::seal::{Keys, hex};

/// What the host keeps of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The epoch that held when the host last wrote the hash.
    pub epoch: String,
    /// [`fit`] of that epoch and hash.
    pub fit: Vec<u8>,
}

/// What shows later that `epoch` belongs to the hash that is there. Neither can be changed alone.
#[must_use]
pub fn fit(keys: &Keys, id: &AccountId, epoch: &str, hash: Option<&str>) -> [u8; 32] {
    keys.mac("hash", &[id.as_str().as_bytes(), epoch.as_bytes(), hash.unwrap_or_default().as_bytes()])
}

/// The epoch of an account that has `hash` in the panel's table.
#[must_use]
pub fn effective(keys: &Keys, id: &AccountId, hash: Option<&str>, kept: Option<&Kept>) -> String {
    let (account, stored) = (id.as_str().as_bytes(), hash.unwrap_or_default().as_bytes());
    match kept {
        None => shortened(keys.mac("epoch", &[account, stored])),
        Some(kept) if kept.fit == fit(keys, id, &kept.epoch, hash) => kept.epoch.clone(),
        Some(kept) => shortened(keys.mac("epoch", &[account, kept.epoch.as_bytes(), stored])),
    }
}

/// 128 bits are enough for what nobody can try offline.
fn shortened(mac: [u8; 32]) -> String {
    hex(&mac[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(keys: &Keys, id: &AccountId, epoch: &str, hash: &str) -> Kept {
        Kept { epoch: epoch.to_owned(), fit: fit(keys, id, epoch, Some(hash)).to_vec() }
    }

    #[test]
    fn an_epoch_holds_as_long_as_the_hash_it_was_kept_with() {
        let (keys, id) = (Keys::random(), AccountId::new("customer", "1").expect("id"));
        let own = kept(&keys, &id, "e1", "h1");
        assert_eq!(effective(&keys, &id, Some("h1"), Some(&own)), "e1");
        let foreign = effective(&keys, &id, Some("h2"), Some(&own));
        assert_ne!(foreign, "e1");
        assert_eq!(effective(&keys, &id, Some("h2"), Some(&own)), foreign, "reading twice says the same");
        assert_ne!(effective(&keys, &id, Some("h3"), Some(&own)), foreign);
        assert_ne!(effective(&keys, &id, None, Some(&own)), "e1");
    }

    #[test]
    fn an_account_that_the_host_never_wrote_changes_its_epoch_with_its_hash() {
        let (keys, id) = (Keys::random(), AccountId::new("customer", "1").expect("id"));
        let other = AccountId::new("customer", "2").expect("id");
        let first = effective(&keys, &id, Some("h1"), None);
        assert_eq!(first, effective(&keys, &id, Some("h1"), None));
        assert_eq!(first.len(), 32);
        assert_ne!(first, effective(&keys, &id, Some("h2"), None));
        assert_ne!(first, effective(&keys, &other, Some("h1"), None));
    }

    #[test]
    fn an_epoch_put_into_a_row_by_hand_does_not_hold() {
        let (keys, id) = (Keys::random(), AccountId::new("customer", "1").expect("id"));
        let forged = Kept { epoch: "old".to_owned(), ..kept(&keys, &id, "new", "h1") };
        assert_ne!(effective(&keys, &id, Some("h1"), Some(&forged)), "old");
    }
}
