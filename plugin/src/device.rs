//! Devices that have signed in before. Strangers who guess at a name use up what there is for it from everywhere; the owner's
//! own browser passes them, with a budget of its own.
//!
//! A browser shows a text that it got when it signed in. Nothing of it is stored here: each of its parts, one for each account
//! that has signed in with it, is a random id, the time, and a MAC over both and the account. So nobody can make one, and one
//! account's is worth nothing for another. It proves no identity and opens nothing: only the password does. So it outlives
//! a change of the password, which is what people do when they are locked out.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::hash::same;
use crate::ports::Ports;
use crate::token;

/// How long it is remembered after the latest sign-in with it, in milliseconds: 180 days.
const LIFE: i64 = 180 * 24 * 60 * 60 * 1000;
/// Accounts that one browser is known to, at most: the latest.
const ACCOUNTS: usize = 4;

const ID: usize = 16;
const TIME: usize = 8;
const MAC: usize = 32;
/// Stands between the parts.
const SEPARATOR: char = '.';

/// One that has signed in to an account before.
pub(crate) struct Device {
    pub(crate) id: [u8; ID],
}

/// What a browser shows. Whether it was made here is seen when the account is known.
pub(crate) struct Shown {
    parts: Vec<Part>,
}

#[derive(Clone)]
struct Part {
    id: [u8; ID],
    /// Milliseconds since 1970.
    made: i64,
    mac: Vec<u8>,
}

impl Shown {
    /// What is not of its form, or too old, is left out: it says nothing, and is no mistake of anybody's.
    pub(crate) fn read(ports: &dyn Ports, text: Option<&str>) -> Self {
        let parts = text.unwrap_or_default().split(SEPARATOR).take(ACCOUNTS).filter_map(Part::read);
        Shown { parts: parts.filter(|part| ports.now().saturating_sub(part.made) < LIFE).collect() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The device as this account's, if it has signed in to it before. None for nobody, after the same work.
    pub(crate) fn of(&self, ports: &dyn Ports, account: Option<&str>) -> Option<Device> {
        let account = account.unwrap_or_default();
        let own: Vec<&Part> = self.parts.iter().filter(|part| part.is_of(ports, account)).collect();
        own.first().filter(|_| !account.is_empty()).map(|part| Device { id: part.id })
    }

    /// What the browser is to keep now that it has signed in to this account: it stays the device that it was, and what others
    /// have of it stays theirs.
    pub(crate) fn after_sign_in(&self, ports: &dyn Ports, account: &str) -> String {
        let id = self.of(ports, Some(account)).map_or_else(random, |device| device.id);
        let others = self.parts.iter().filter(|part| !part.is_of(ports, account)).cloned();
        let parts = std::iter::once(Part::of(ports, account, id)).chain(others).take(ACCOUNTS);
        parts.map(|part| part.text()).collect::<Vec<_>>().join(&SEPARATOR.to_string())
    }
}

impl Part {
    fn of(ports: &dyn Ports, account: &str, id: [u8; ID]) -> Self {
        let made = ports.now();
        let mut part = Part { id, made, mac: Vec::new() };
        part.mac = part.mac_for(ports, account);
        part
    }

    fn read(text: &str) -> Option<Self> {
        // Longer than any of ours is not decoded.
        let bytes = Some(text).filter(|text| text.len() <= 2 * (ID + TIME + MAC))?;
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(bytes).ok()?;
        let (id, rest) = bytes.split_first_chunk::<ID>()?;
        let (made, mac) = rest.split_first_chunk::<TIME>()?;
        (mac.len() == MAC).then(|| Part { id: *id, made: i64::from_be_bytes(*made), mac: mac.to_vec() })
    }

    fn text(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode([&self.id[..], &self.made.to_be_bytes(), &self.mac].concat())
    }

    fn mac_for(&self, ports: &dyn Ports, account: &str) -> Vec<u8> {
        ports.mac("device", &[&self.id[..], &self.made.to_be_bytes(), account.as_bytes()].concat())
    }

    fn is_of(&self, ports: &dyn Ports, account: &str) -> bool {
        same(&self.mac_for(ports, account), &self.mac)
    }
}

fn random() -> [u8; ID] {
    let mut id = [0; ID];
    token::fill(&mut id);
    id
}
