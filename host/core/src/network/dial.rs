//! Connects to a host that was looked up.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;

/// Tries one address after another; the remaining ones share the limit. Answers the stream and its address, or what was wrong
/// with each in one line.
pub async fn connect(limit: Duration, addresses: &[SocketAddr]) -> Result<(TcpStream, SocketAddr), String> {
    let end = Instant::now() + limit;
    let mut failures = Vec::new();
    for (tried, address) in addresses.iter().enumerate() {
        let left = u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
        let share = end.saturating_duration_since(Instant::now()) / left;
        let failure = match tokio::time::timeout(share, TcpStream::connect(address)).await {
            // Without this, the last segment waits 40 ms for the acknowledgement of the one before.
            Ok(Ok(stream)) => match stream.set_nodelay(true) {
                Ok(()) => return Ok((stream, *address)),
                Err(cause) => cause.to_string(),
            },
            Ok(Err(cause)) => cause.to_string(),
            Err(_) => silence(share),
        };
        failures.push(format!("{address}: {failure}"));
    }
    Err(failures.join("; "))
}

/// Says that nothing came within a limit.
pub fn silence(limit: Duration) -> String {
    if limit.is_zero() {
        return "the time was used up before".to_owned();
    }
    // Tenths are enough for the rest of a longer time.
    let tenths = (limit.as_secs_f32() * 10.0).round() / 10.0;
    format!("no answer within {tenths} s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_of_a_name_is_tried_and_each_failure_told() {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let open = listener.local_addr().expect("an address");
        let closed = {
            let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
            listener.local_addr().expect("an address")
        };
        // TEST-NET-1: nobody answers there, or there is no route.
        let silent = SocketAddr::from(([192, 0, 2, 1], 25));
        let limit = Duration::from_secs(2);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (stream, address) = runtime.block_on(connect(limit, &[closed, silent, open])).expect("the third is open");
        assert_eq!(address, open);
        assert!(stream.nodelay().expect("an option"));
        let said = runtime.block_on(connect(limit, &[closed, silent])).expect_err("nobody");
        assert!(said.contains(&closed.to_string()) && said.contains("192.0.2.1:25: "), "{said}");
    }
}
