//! Addresses of webhooks.

use std::net::IpAddr;

use hyper::Uri;

use keyturn_core::origin::host_and_port;
use keyturn_core::text::line;

/// The most bytes.
const LONGEST: usize = 2_000;

/// Where a webhook is posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// A name or an address, without brackets.
    pub host: String,
    /// The port, given or usual.
    pub port: u16,
    /// Whether it uses TLS.
    pub encrypted: bool,
    /// The value of the header Host.
    pub authority: String,
    /// Path and query.
    pub path: String,
}

impl Url {
    /// From its text; without TLS only if private addresses are allowed.
    ///
    /// # Errors
    /// What is wrong with it; the text continues after the setting's name.
    pub fn read(text: &str, allow_private: bool) -> Result<Self, String> {
        let like = "must be like https://billing.example/hooks/keyturn";
        // A user name, password or query may be a secret, and this goes to a log.
        let wrong = || match text.contains('@') {
            true => format!("{like}, without a user name or password"),
            false => format!("{like}, not “{}”", line(&without_query(text), 80)),
        };
        let plain = text.len() <= LONGEST && text.bytes().all(|b| b.is_ascii_graphic()) && !text.contains(['#', '\\']);
        let uri: Uri = text.parse().ok().filter(|_| plain).ok_or_else(wrong)?;
        let encrypted = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if allow_private => false,
            Some("http") => {
                return Err("must begin with https://; http:// is for private networks, with allow-private".to_owned());
            }
            _ => return Err(wrong()),
        };
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(wrong)?;
        let (host, port) = host_and_port(authority.as_str()).ok_or_else(wrong)?;
        let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        if host.is_empty() || (host.parse::<IpAddr>().is_err() && !host.bytes().all(is_name)) {
            return Err(wrong());
        }
        Ok(Self {
            host: host.to_owned(),
            port: port.unwrap_or(if encrypted { 443 } else { 80 }),
            encrypted,
            authority: authority.as_str().to_owned(),
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        })
    }
}

/// Without its query, see [`without_query`].
impl std::fmt::Display for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = if self.encrypted { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, without_query(&self.path))
    }
}

/// An address to show and store: a query may contain a token.
pub fn without_query(address: &str) -> String {
    match address.split_once('?') {
        Some((path, _)) => format!("{path}?••••"),
        None => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_in_its_parts_and_shown_again() {
        for (text, host, port, path) in [
            ("https://billing.example", "billing.example", 443, "/"),
            ("https://billing.example:8443/hook?panel=7", "billing.example", 8443, "/hook?panel=7"),
            ("http://127.0.0.1:8080/x", "127.0.0.1", 8080, "/x"),
            ("https://[2001:db8::1]/x", "2001:db8::1", 443, "/x"),
        ] {
            let url = Url::read(text, true).expect(text);
            assert_eq!((url.host.as_str(), url.port, url.path.as_str()), (host, port, path), "{text}");
            let shown = text.replace("panel=7", "••••");
            assert_eq!(url.to_string().trim_end_matches('/'), shown.trim_end_matches('/'));
        }
    }

    #[test]
    fn what_is_no_address_of_a_web_server_is_refused() {
        for text in [
            "",
            "billing.example",
            "/hook",
            "ftp://billing.example/",
            "https://",
            "https://user:secret@billing.example/",
            "https://billing.example:0/?token=secret",
            "https://billing.example:/",
            "https://billing.example:99999/",
            "https://billing.example/#x",
            "https://billing.example\\@evil.example/",
            "https://bill ing.example/",
            "https://billing.example/\r\nX-Evil: 1",
            "https://[::1/",
            "https://[not an address]/",
            "https://bücher.example/",
        ] {
            let said = Url::read(text, true).expect_err(text);
            assert!(!said.contains("secret"), "{said}");
        }
        assert!(Url::read("http://billing.example/", false).is_err());
    }
}
