//! Notifies the holders of the old and the new address when an account's address changed. The panel changes addresses itself
//! and names only the account; the host knows both addresses.

use crate::bindings::database::{Counted, Counter};
use crate::bindings::mail::{Error, Recipient};
use crate::bindings::password::Notices;
use crate::bindings::types::Failure;
use crate::failure;
use crate::letter::{self, Letter};
use crate::ports::Ports;
use crate::store;
use crate::words::Words;

/// How often one account's addresses are notified within [`DAY`]: whoever has the account must not be able to flood others.
const A_DAY: u64 = 6;

/// In seconds.
const DAY: u32 = 24 * 60 * 60;

/// Emails the old address and the new one. Neither, if the address has not changed since the last notice.
///
/// # Errors
/// `not-found` for an account that doesn't exist or is out of reach; `refused` with `mail-not-configured`; `throttled`.
pub fn address_changed(ports: &dyn Ports, account: &str) -> Result<Notices, Failure> {
    let of_mail = |error| failure::of_mail(Words::of(ports), error);
    let new = match letter::ready(ports, account) {
        Ok(()) => true,
        // If the new address can't get email, the old one is notified all the same.
        Err(Error::NoAddress | Error::UnusableAddress(_)) => false,
        Err(error) => return Err(of_mail(error)),
    };
    let old = match ports.ready(Some(&Recipient::PreviousAddressOf(account.to_owned()))) {
        Ok(()) => true,
        // The host has never seen an old address: only the new one is notified.
        Err(Error::NotFound) => false,
        Err(Error::NoAddress) => return Ok(Notices { old: None, new: None }),
        Err(error) => return Err(of_mail(error)),
    };
    let key = store::counter_key("address-changed", "account", &ports.mac("address-changed", account.as_bytes()));
    if let Counted::Full(seconds) = ports.count(&[Counter { key, window: DAY, limit: A_DAY }])? {
        return Err(Failure::Throttled(seconds));
    }
    let at = ports.now();
    let send = |letter: &Letter| letter::send(ports, account, letter).map_err(of_mail);
    Ok(Notices {
        old: old.then(|| send(&Letter::AddressLeft { at })).transpose()?,
        new: new.then(|| send(&Letter::AddressTaken { at })).transpose()?,
    })
}
