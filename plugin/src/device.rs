//! Devices that have signed in before. Strangers can use up all attempts for a name; the owner's own browser has attempts of
//! its own.
//!
//! A browser sends a text that it got when it signed in. It is not stored here. Each of its parts, one for each account that
//! has signed in with it, is a random id, the time, and a MAC over both and the account. So nobody can forge one, and one
//! account's part is worthless for another. It proves no identity and opens nothing: only the password does. So it outlives a
//! change of the password, which is what people do when they are locked out.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::hash::same;
use crate::ports::Ports;
use crate::token;

/// How long it is valid after the last sign-in with it, in milliseconds: 180 days.
const LIFE: i64 = 180 * 24 * 60 * 60 * 1000;
/// How many accounts one browser is known to, at most: the latest ones.
const ACCOUNTS: usize = 4;

const ID: usize = 16;
const TIME: usize = 8;
const MAC: usize = 32;
/// Separates the parts.
const SEPARATOR: char = '.';

/// A device that has signed in to an account before.
pub(crate) struct Device {
    pub(crate) id: [u8; ID],
}

/// What a browser sent. Whether it was made here is checked when the account is known.
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
    /// Malformed or old parts are ignored.
    pub(crate) fn read(ports: &dyn Ports, text: Option<&str>) -> Self {
        let parts = text.unwrap_or_default().split(SEPARATOR).take(ACCOUNTS).filter_map(Part::read);
        Shown { parts: parts.filter(|part| ports.now().saturating_sub(part.made) < LIFE).collect() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The device of this account, if it has signed in to it before. None for an unknown account, after the same work.
    pub(crate) fn of(&self, ports: &dyn Ports, account: Option<&str>) -> Option<Device> {
        let account = account.unwrap_or_default();
        let own: Vec<&Part> = self.parts.iter().filter(|part| part.is_of(ports, account)).collect();
        own.first().filter(|_| !account.is_empty()).map(|part| Device { id: part.id })
    }

    /// The text that the browser keeps after signing in to this account. It stays the same device, and the parts of other
    /// accounts stay.
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
        // Anything longer than our own is not decoded.
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
