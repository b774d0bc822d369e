//! Where links lead: scheme, host and port, such as `https://panel.example`.

use std::net::{Ipv4Addr, Ipv6Addr};

/// The host of an origin, without its port.
pub fn host(origin: &str) -> Option<&str> {
    let (_, place) = origin.split_once("://")?;
    match place.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map(|(host, _)| host),
        None => place.split(':').next(),
    }
}

/// Whether links with secrets may lead there: https, or http to this machine; only host and port.
pub fn may_bear_secrets(origin: &str) -> bool {
    let Some((scheme, place)) = origin.split_once("://") else { return false };
    let Some((name, _)) = host_and_port(place) else { return false };
    let private = scheme == "https" || (scheme == "http" && names_this_machine(name));
    private && (place.starts_with('[') || is_name(name))
}

/// A host, without the brackets of an IPv6 address, and a port, if there is one. None: the brackets or the port are wrong.
#[must_use]
pub fn host_and_port(place: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (place, None),
    };
    let port = match port {
        Some(port) => Some(port.parse().ok().filter(|number| *number > 0 && !port.starts_with('+'))?),
        None => None,
    };
    match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').filter(|v6| v6.parse::<Ipv6Addr>().is_ok()).map(|v6| (v6, port)),
        None => Some((host, port)),
    }
}

/// Whether a host name is this machine's own, whatever a name server says.
#[must_use]
pub fn names_this_machine(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
        || host.parse::<Ipv6Addr>().is_ok_and(|ip| ip.is_loopback())
}

/// An address with an extended query.
pub fn with_query(address: &str, query: &str) -> String {
    match (query.is_empty(), address.contains('?')) {
        (true, _) => address.to_owned(),
        (false, true) => format!("{address}&{query}"),
        (false, false) => format!("{address}?{query}"),
    }
}

/// An address that a link may have: nothing that a browser would run.
pub fn leads_somewhere(address: &str) -> bool {
    let host = address.strip_prefix("https://").or_else(|| address.strip_prefix("http://"));
    let named = host.is_some_and(|host| !host.is_empty() && !host.starts_with('/'));
    (named || (address.starts_with('/') && !address.starts_with("//")))
        && address.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
}

/// A DNS name of plain letters, or an IPv4 address.
fn is_name(name: &str) -> bool {
    let digits = name.split('.').next_back().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    is_domain(name, "")
        && !name.bytes().any(|b| b.is_ascii_uppercase())
        && (!digits || name.parse::<Ipv4Addr>().is_ok())
}

/// Whether a text has a domain name's form: labels of ASCII letters, digits, hyphens inside, and what `more` allows.
#[must_use]
pub fn is_domain(name: &str, more: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || more.contains(c))
    };
    name.len() <= 253 && name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_by_https_or_to_this_machine() {
        for good in [
            "https://panel.example",
            "https://panel.example:8443",
            "https://192.0.2.7",
            "https://[2001:db8::1]:8443",
            "https://xn--bcher-kva.example",
            "http://127.0.0.1:8080",
            "http://localhost",
            "http://[::1]:80",
        ] {
            assert!(may_bear_secrets(good), "{good}");
        }
        for bad in [
            "",
            "panel.example",
            "http://panel.example",
            "http://127.0.0.1.panel.example",
            "http://localhost@panel.example",
            "https://",
            "https://a@panel.example",
            "https://panel.example/",
            "https://panel.example/path",
            "https://panel.example?x",
            "https://panel.example#x",
            "https://panel.example:0",
            "https://panel.example:+1",
            "https://panel.example:65536",
            "https://panel.example:",
            "https://pan el.example",
            "https://-panel.example",
            "https://bücher.example",
            "https://300.1.2.3",
            "https://[::1",
            "https://[::1]x",
            "https://[panel.example]",
            "javascript://panel.example",
            "ftp://127.0.0.1",
        ] {
            assert!(!may_bear_secrets(bad), "{bad}");
        }
    }

    #[test]
    fn the_host_of_an_origin_has_no_port() {
        assert_eq!(host("https://panel.example:8443"), Some("panel.example"));
        assert_eq!(host("http://[::1]:80"), Some("::1"));
        assert_eq!(host("panel.example"), None);
    }
}
