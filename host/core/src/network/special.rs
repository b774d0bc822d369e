//! Addresses outside the public network: this machine, private networks, and the machines of a cloud that hand out its keys.
//! Somebody who may name a host to connect to must not get there.
//!
//! From the registries of special-purpose addresses (RFC 6890, RFC 8190). In IPv6, everything that is not known to be public
//! counts as special.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

crate::named! {
    /// The purpose of an address.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Special {
        /// No address; many systems treat it as this machine.
        Unspecified = "no address",
        /// This machine.
        Loopback = "on this machine",
        /// A private network: RFC 1918, RFC 4193.
        Private = "in a private network",
        /// Between a provider and its customers: RFC 6598.
        Shared = "in a provider's own network",
        /// The link: RFC 3927, RFC 4291.
        LinkLocal = "link-local",
        /// Where a cloud's machines get their own keys.
        Metadata = "a cloud's metadata address",
        /// Many at once.
        Multicast = "a multicast address",
        /// For documentation, measurements, protocols, or nothing.
        Reserved = "reserved",
    }
}

impl Special {
    /// The purpose of this address; none: the public network. An IPv4 address inside an IPv6 one (mapped, NAT64, 6to4) counts
    /// as the IPv4 address.
    #[must_use]
    pub fn of(address: IpAddr) -> Option<Self> {
        match address {
            IpAddr::V4(address) => of_v4(address),
            IpAddr::V6(address) => of_v6(address),
        }
    }

    /// Whether an operator may allow connections there.
    #[must_use]
    pub fn can_be_meant(self) -> bool {
        !matches!(self, Special::Unspecified | Special::Metadata | Special::Multicast)
    }
}

fn of_v4(address: Ipv4Addr) -> Option<Special> {
    Some(match address.octets() {
        [0, 0, 0, 0] => Special::Unspecified,
        // AWS, Google, Azure, Oracle and others; Azure's other one; Alibaba's; Oracle's other one.
        [169, 254, 169, 254] | [168, 63, 129, 16] | [100, 100, 100, 200] | [192, 0, 0, 192] => Special::Metadata,
        [127, ..] => Special::Loopback,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Special::Private,
        [100, 64..=127, ..] => Special::Shared,
        [169, 254, ..] => Special::LinkLocal,
        [224..=239, ..] => Special::Multicast,
        [0, ..]
        | [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [198, 18 | 19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _]
        | [240..=255, ..] => Special::Reserved,
        _ => return None,
    })
}

fn of_v6(address: Ipv6Addr) -> Option<Special> {
    let segments = address.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        of_v4(Ipv4Addr::new(a, b, c, d))
    };
    Some(match segments {
        [0, 0, 0, 0, 0, 0, 0, 0] => Special::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => Special::Loopback,
        // Mapped; NAT64 (RFC 6052); 6to4.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            return v4(high, low);
        }
        // AWS's.
        [0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254] => Special::Metadata,
        [0xfc00..=0xfdff, ..] => Special::Private,
        [0xfe80..=0xfebf, ..] => Special::LinkLocal,
        [0xff00..=0xffff, ..] => Special::Multicast,
        // IETF's own (Teredo and others), and two for documents.
        [0x2001, 0..=0x01ff, ..] | [0x2001, 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] => Special::Reserved,
        [0x2000..=0x3fff, ..] => return None,
        _ => Special::Reserved,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_the_public_networks_is_known_in_each_of_its_forms() {
        use Special::*;
        for (address, special) in [
            ("0.0.0.0", Some(Unspecified)),
            ("0.1.2.3", Some(Reserved)),
            ("10.0.0.1", Some(Private)),
            ("100.63.255.255", None),
            ("100.64.0.1", Some(Shared)),
            ("100.100.100.200", Some(Metadata)),
            ("100.127.255.255", Some(Shared)),
            ("100.128.0.0", None),
            ("127.0.0.1", Some(Loopback)),
            ("127.255.255.254", Some(Loopback)),
            ("168.63.129.16", Some(Metadata)),
            ("169.254.1.1", Some(LinkLocal)),
            ("169.254.169.254", Some(Metadata)),
            ("172.15.255.255", None),
            ("172.16.0.1", Some(Private)),
            ("172.31.255.255", Some(Private)),
            ("172.32.0.0", None),
            ("192.0.0.192", Some(Metadata)),
            ("192.0.0.9", Some(Reserved)),
            ("192.0.2.1", Some(Reserved)),
            ("192.88.99.1", Some(Reserved)),
            ("192.168.1.1", Some(Private)),
            ("198.18.0.1", Some(Reserved)),
            ("198.19.255.255", Some(Reserved)),
            ("198.51.100.7", Some(Reserved)),
            ("203.0.113.7", Some(Reserved)),
            ("224.0.0.1", Some(Multicast)),
            ("239.255.255.255", Some(Multicast)),
            ("240.0.0.1", Some(Reserved)),
            ("255.255.255.255", Some(Reserved)),
            ("9.9.9.9", None),
            ("193.0.0.1", None),
            ("::", Some(Unspecified)),
            ("::1", Some(Loopback)),
            ("::127.0.0.1", Some(Reserved)),
            ("::ffff:127.0.0.1", Some(Loopback)),
            ("::ffff:10.0.0.1", Some(Private)),
            ("::ffff:169.254.169.254", Some(Metadata)),
            ("::ffff:9.9.9.9", None),
            ("::ffff:0:127.0.0.1", Some(Reserved)),
            ("64:ff9b::10.0.0.1", Some(Private)),
            ("64:ff9b::9.9.9.9", None),
            ("64:ff9b:1::9.9.9.9", Some(Reserved)),
            ("2002:7f00:1::", Some(Loopback)),
            ("2002:a9fe:a9fe::1", Some(Metadata)),
            ("2002:909:909::1", None),
            ("2001::1", Some(Reserved)),
            ("2001:0:7f00:1::", Some(Reserved)),
            ("5f00::1", Some(Reserved)),
            ("2001:db8::1", Some(Reserved)),
            ("3fff::1", Some(Reserved)),
            ("100::1", Some(Reserved)),
            ("fc00::1", Some(Private)),
            ("fd12:3456::1", Some(Private)),
            ("fd00:ec2::254", Some(Metadata)),
            ("fe80::1", Some(LinkLocal)),
            ("fec0::1", Some(Reserved)),
            ("ff02::1", Some(Multicast)),
            ("4000::1", Some(Reserved)),
            ("2620:fe::fe", None),
            ("2a00:1450:4001::1", None),
        ] {
            assert_eq!(Special::of(address.parse().expect("an address")), special, "{address}");
        }
    }
}
