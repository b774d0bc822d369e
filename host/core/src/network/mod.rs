//! Address ranges, as an operator writes them: `192.0.2.7`, `192.0.2.0/24`, `2001:db8::/32`; which addresses are not part of
//! the public network; and how our own connections are made.

pub mod dial;
pub mod special;
pub mod tls;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};

/// A connection, encrypted or not.
pub trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Wire for S {}

/// One range, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network(IpNet);

/// Neither an address nor a range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is neither an address, such as 192.0.2.7, nor a range, such as 192.0.2.0/24")]
pub struct NoNetwork(String);

/// Bits of an IPv4 address that count as one neighbourhood: a provider's customer may well have several of its addresses.
const AROUND_V4: u8 = 24;
/// The same for IPv6: the most that one customer gets (RFC 6177).
const AROUND_V6: u8 = 48;

impl Network {
    /// Everything that the holder of an address has: an IPv4 address, or 64 bits of IPv6, of which they may use any (RFC 4291,
    /// section 2.5.4).
    #[must_use]
    pub fn around(address: IpAddr) -> Self {
        Self::of(address, 32, 64)
    }

    /// Addresses that only this machine can have.
    #[must_use]
    pub fn loopback() -> [Self; 2] {
        let v4 = Ipv4Net::new_assert(Ipv4Addr::LOCALHOST, 8).trunc();
        [Self(v4.into()), Self(IpNet::from(IpAddr::V6(Ipv6Addr::LOCALHOST)))]
    }

    /// The network of an address, if addresses are too many to tell apart: whoever has one of them can easily have all.
    #[must_use]
    pub fn neighbourhood(address: IpAddr) -> Self {
        Self::of(address, AROUND_V4, AROUND_V6)
    }

    /// The network of so many bits that an address is in; an IPv4 address in IPv6 form is an IPv4 address.
    fn of(address: IpAddr, v4: u8, v6: u8) -> Self {
        let address = address.to_canonical();
        let bits = if address.is_ipv4() { v4 } else { v6 };
        Self(IpNet::new(address, bits).map_or_else(|_| IpNet::from(address), |net| net.trunc()))
    }

    /// Whether an address is in it. An IPv4 address is the same in its IPv6 form, as sockets show it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl FromStr for Network {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        let net = match text.parse::<IpAddr>() {
            Ok(address) => Ok(IpNet::from(address.to_canonical())),
            Err(_) => text.parse::<IpNet>(),
        };
        net.map(|net| Self(canonical(net).trunc())).map_err(|_| NoNetwork(text.to_owned()))
    }
}

/// A range of IPv4 addresses in IPv6 form is an IPv4 range: only such addresses are compared with it.
fn canonical(net: IpNet) -> IpNet {
    const MAPPED: u8 = 96;
    let IpAddr::V4(address) = net.addr().to_canonical() else { return net };
    let length = net.prefix_len().checked_sub(if net.addr().is_ipv6() { MAPPED } else { 0 });
    length.and_then(|length| IpNet::new(IpAddr::V4(address), length).ok()).unwrap_or(net)
}

impl TryFrom<String> for Network {
    type Error = NoNetwork;

    fn try_from(text: String) -> Result<Self, NoNetwork> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> String {
        network.to_string()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.prefix_len() == self.0.max_prefix_len() { self.0.addr().fmt(f) } else { self.0.fmt(f) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_and_a_range_are_read_and_shown_as_they_are_meant() {
        for (written, shown, inside, outside) in [
            ("192.0.2.7", "192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("192.0.2.99/24", "192.0.2.0/24", "::ffff:192.0.2.1", "192.0.3.1"),
            ("2001:db8::/32", "2001:db8::/32", "2001:db8:1::1", "192.0.2.1"),
            ("::ffff:192.0.2.7", "192.0.2.7", "192.0.2.7", "::1"),
            ("::ffff:192.0.2.99/120", "192.0.2.0/24", "192.0.2.1", "192.0.3.1"),
            ("::ffff:0:0/96", "0.0.0.0/0", "::ffff:198.51.100.1", "2001:db8::1"),
            ("2001:db8::1/0", "::/0", "2001:db8::1", "192.0.2.1"),
        ] {
            let network: Network = written.parse().expect("reads");
            assert_eq!(network.to_string(), shown);
            assert!(network.contains(inside.parse().expect("an address")), "{written} has {inside}");
            assert!(!network.contains(outside.parse().expect("an address")), "{written} lacks {outside}");
        }
        for (address, around, neighbourhood) in [
            ("192.0.2.7", "192.0.2.7", "192.0.2.0/24"),
            ("::ffff:192.0.2.7", "192.0.2.7", "192.0.2.0/24"),
            ("2001:db8:0:7:ffff::1", "2001:db8:0:7::/64", "2001:db8::/48"),
            ("2001:db8:1:2::3", "2001:db8:1:2::/64", "2001:db8:1::/48"),
        ] {
            let address = address.parse().expect("an address");
            assert_eq!(Network::around(address).to_string(), around);
            assert_eq!(Network::neighbourhood(address).to_string(), neighbourhood);
        }
        for nonsense in ["", "192.0.2", "192.0.2.0/33", "localhost", "192.0.2.0/-1"] {
            assert!(nonsense.parse::<Network>().is_err(), "{nonsense}");
        }
    }
}
