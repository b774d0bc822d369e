//! Behind a proxy the peer is the proxy, and who asks stands in X-Forwarded-For, which anybody can write: it is believed as
//! far as configured proxies have written it, and no further.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderMap, HeaderName};

use crate::network::Network;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The same router, told the client's address instead of a proxy's.
pub fn behind(router: Router, proxies: Vec<Network>) -> Router {
    if proxies.is_empty() {
        return router;
    }
    let proxies: Arc<[Network]> = proxies.into();
    router.layer(axum::middleware::map_request(move |mut request: Request| {
        let proxies = Arc::clone(&proxies);
        async move {
            if let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>().copied() {
                let client = client(peer.ip(), request.headers(), &proxies);
                if client != peer.ip() {
                    request.extensions_mut().insert(ConnectInfo(SocketAddr::new(client, 0)));
                }
            }
            request
        }
    }))
}

/// From the peer backwards: each proxy of ours says who came to it.
fn client(peer: IpAddr, headers: &HeaderMap, proxies: &[Network]) -> IpAddr {
    let ours = |address: IpAddr| proxies.iter().any(|proxy| proxy.contains(address));
    let said: Vec<&str> = headers
        .get_all(FORWARDED_FOR)
        .iter()
        .flat_map(|value| value.to_str().unwrap_or("unreadable").split(','))
        .map(str::trim)
        .collect();
    let mut client = peer;
    for said in said.into_iter().rev() {
        if !ours(client) {
            break;
        }
        match address(said) {
            Some(address) => client = address,
            // A proxy of ours did not say who: then it is all that is known.
            None => break,
        }
    }
    client
}

/// `192.0.2.7`, `2001:db8::7`, and both with a port, as some proxies write them.
fn address(said: &str) -> Option<IpAddr> {
    let said = said.trim_matches('"');
    said.parse().ok().or_else(|| said.parse::<SocketAddr>().ok().map(|address| address.ip())).or_else(|| {
        said.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).and_then(|address| address.parse().ok())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_who_the_last_proxy_of_ours_saw_and_nobody_that_he_names_himself() {
        let proxies: Vec<Network> = ["127.0.0.1", "10.0.0.0/8"].iter().map(|net| net.parse().expect("reads")).collect();
        for (peer, said, expected) in [
            ("198.51.100.9", &["203.0.113.1"][..], "198.51.100.9"),
            ("127.0.0.1", &[], "127.0.0.1"),
            ("127.0.0.1", &["203.0.113.1"], "203.0.113.1"),
            ("::ffff:127.0.0.1", &["203.0.113.1"], "203.0.113.1"),
            ("127.0.0.1", &["192.0.2.66, 203.0.113.1"], "203.0.113.1"),
            ("127.0.0.1", &["192.0.2.66, 203.0.113.1, 10.1.2.3"], "203.0.113.1"),
            ("127.0.0.1", &["192.0.2.66", "203.0.113.1"], "203.0.113.1"),
            ("127.0.0.1", &["203.0.113.1:4711"], "203.0.113.1"),
            ("127.0.0.1", &["[2001:db8::7]:4711"], "2001:db8::7"),
            ("127.0.0.1", &["203.0.113.1, unknown"], "127.0.0.1"),
            ("127.0.0.1", &["10.9.9.9"], "10.9.9.9"),
        ] {
            let mut headers = HeaderMap::new();
            said.iter().for_each(|said| {
                headers.append(FORWARDED_FOR, said.parse().expect("header"));
            });
            let found = client(peer.parse().expect("address"), &headers, &proxies);
            assert_eq!(found, expected.parse::<IpAddr>().expect("address"), "{peer} {said:?}");
        }
    }
}
