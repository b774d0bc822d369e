//! Client addresses behind proxies. The peer is then the proxy, and the client is in X-Forwarded-For, which anybody can write.
//! Only the part that configured proxies wrote is believed. A client's address is never a proxy's: if a proxy said nothing, or
//! nothing readable, there is no address.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::{HeaderMap, HeaderName};

use keyturn_core::network::Network;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The client's address, searched from the peer backwards: each proxy names the one before it. A proxy that names none counts
/// as a client only if it is one of `panels`, too. Otherwise the header may have been lost, and the client behind it must not
/// pass for the proxy.
pub fn client(peer: IpAddr, headers: &HeaderMap, proxies: &[Network], panels: &[Network]) -> Option<IpAddr> {
    let within = |networks: &[Network], address| networks.iter().any(|network| network.contains(address));
    let said: Vec<&[u8]> =
        headers.get_all(FORWARDED_FOR).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).collect();
    let mut said = said.into_iter().rev();
    let mut client = peer.to_canonical();
    while within(proxies, client) {
        match said.next() {
            Some(said) => client = address(said)?,
            None => return Some(client).filter(|client| within(panels, *client)),
        }
    }
    Some(client)
}

/// `192.0.2.7` or `2001:db8::7`, also with a port or a zone, as some proxies write them.
fn address(said: &[u8]) -> Option<IpAddr> {
    let said = std::str::from_utf8(said).ok()?.trim_matches([' ', '\t']);
    let said = said.strip_prefix('"').and_then(|said| said.strip_suffix('"')).unwrap_or(said);
    let unzoned = match said.split_once('%') {
        // Whatever zone a link's own address has, it is its proxy's.
        Some((address, zone)) if address.contains(':') => {
            format!("{address}{}", zone.find(']').map_or("", |end| &zone[end..]))
        }
        _ => said.to_owned(),
    };
    let bracketed = || unzoned.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::from);
    let with_port = || Some(unzoned.parse::<SocketAddr>().ok()?.ip());
    let address = unzoned.parse::<IpAddr>().ok().or_else(with_port).or_else(bracketed)?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn networks(of: &[&str]) -> Vec<Network> {
        of.iter().map(|network| network.parse().expect("reads")).collect()
    }

    fn found(peer: &str, said: &[&[u8]], panels: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        said.iter().for_each(|said| {
            headers.append(FORWARDED_FOR, HeaderValue::from_bytes(said).expect("header"));
        });
        let proxies = networks(&["127.0.0.1", "10.0.0.0/8"]);
        let client = client(peer.parse().expect("address"), &headers, &proxies, &networks(panels));
        client.map(|client| client.to_string())
    }

    #[test]
    fn a_client_is_who_the_last_proxy_of_ours_saw_and_nobody_that_he_names_himself() {
        for (peer, said, expected) in [
            ("198.51.100.9", &["203.0.113.1"][..], "198.51.100.9"),
            ("::ffff:198.51.100.9", &[], "198.51.100.9"),
            ("127.0.0.1", &["203.0.113.1"], "203.0.113.1"),
            ("::ffff:127.0.0.1", &["203.0.113.1"], "203.0.113.1"),
            ("127.0.0.1", &["192.0.2.66, 203.0.113.1"], "203.0.113.1"),
            ("127.0.0.1", &["192.0.2.66, 203.0.113.1, 10.1.2.3"], "203.0.113.1"),
            ("127.0.0.1", &["192.0.2.66", "203.0.113.1"], "203.0.113.1"),
            ("127.0.0.1", &["192.0.2.66", "203.0.113.1", "10.1.2.3"], "203.0.113.1"),
            ("127.0.0.1", &["203.0.113.1:4711"], "203.0.113.1"),
            ("127.0.0.1", &["[2001:db8::7]:4711"], "2001:db8::7"),
            ("127.0.0.1", &["[2001:db8::7]"], "2001:db8::7"),
            ("127.0.0.1", &["\"[2001:db8::7]:4711\""], "2001:db8::7"),
            ("127.0.0.1", &["fe80::7%eth0"], "fe80::7"),
            ("127.0.0.1", &["[fe80::7%eth0]:4711"], "fe80::7"),
            ("127.0.0.1", &["::ffff:203.0.113.1"], "203.0.113.1"),
            ("127.0.0.1", &["203.0.113.1,\t::ffff:10.1.2.3"], "203.0.113.1"),
            ("127.0.0.1", &["unknown, 203.0.113.1"], "203.0.113.1"),
        ] {
            let said: Vec<&[u8]> = said.iter().map(|said| said.as_bytes()).collect();
            assert_eq!(found(peer, &said, &[]).as_deref(), Some(expected), "{peer} {said:?}");
        }
    }

    #[test]
    fn what_stands_before_our_own_proxys_word_does_not_matter_be_it_no_text_at_all() {
        for before in [&b"\xe9"[..], b"\xff\xfe, \x80", b"caf\xc3\xa9", b", ,", b"\""] {
            let said = [before, b", 203.0.113.1"].concat();
            assert_eq!(found("127.0.0.1", &[&said], &[]).as_deref(), Some("203.0.113.1"), "{said:?}");
            assert_eq!(found("127.0.0.1", &[before, b"203.0.113.1"], &[]).as_deref(), Some("203.0.113.1"));
        }
    }

    #[test]
    fn what_a_proxy_of_ours_did_not_say_or_not_to_be_read_is_no_address_and_never_the_proxys() {
        for said in [
            &b"unknown"[..],
            b"203.0.113.1, unknown",
            b"203.0.113.1, _hidden",
            b"203.0.113.1, \xe9",
            b"203.0.113.1,",
            b"203.0.113.1, ",
            b"",
            b"203.0.113.1:",
            b"203.0.113.1:99999",
            b"203.0.113.1 198.51.100.1",
            b"203.0.113",
            b"203.0.113.01",
            b"0x7f000001",
            b"[2001:db8::7",
            b"[2001:db8::7]4711",
            b"[2001:db8::7]:x",
            b"[203.0.113.1]:80",
            b"\"203.0.113.1",
            b"localhost",
            b"for=203.0.113.1",
            b"203.0.113.1%eth0",
        ] {
            assert_eq!(found("127.0.0.1", &[said], &["127.0.0.1"]), None, "{:?}", String::from_utf8_lossy(said));
        }
        // Lost on the way, or a chain that ends at a proxy.
        assert_eq!(found("127.0.0.1", &[], &[]), None);
        assert_eq!(found("127.0.0.1", &[b"10.9.9.9"], &[]), None);
        assert_eq!(found("127.0.0.1", &[b"127.0.0.1"], &[]), None);
        // Where a panel is on the proxy's machine, or behind it, the operator has said so.
        assert_eq!(found("127.0.0.1", &[], &["127.0.0.1"]).as_deref(), Some("127.0.0.1"));
        assert_eq!(found("127.0.0.1", &[b"10.9.9.9"], &["10.9.9.9"]).as_deref(), Some("10.9.9.9"));
    }
}
