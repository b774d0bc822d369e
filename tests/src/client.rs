//! A client of plain sockets, which keeps its connection and its cookies: as quick as a client can be, so that what is
//! measured with it is the server.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers in their order, names as they came.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The first header of a name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        headers.next().map(|(_, value)| value.as_str())
    }

    /// The value of the first hidden input whose name ends so.
    ///
    /// # Panics
    /// If the page has none.
    #[must_use]
    pub fn hidden(&self, name: &str) -> &str {
        let at = self.body.find(&format!("{name}\" value=\""));
        let rest = &self.body[at.unwrap_or_else(|| panic!("no {name} in {} {}", self.status, self.body))..];
        rest.split('"').nth(2).expect("a value")
    }
}

struct Cookie {
    name: String,
    value: String,
    path: String,
}

/// The client of one person or machine.
pub struct Client {
    address: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
    cookies: Vec<Cookie>,
    /// Headers of each request.
    pub headers: Vec<(String, String)>,
}

impl Client {
    /// Connects at its first request.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self { address, stream: None, cookies: Vec::new(), headers: Vec::new() }
    }

    /// Bears a service key.
    #[must_use]
    pub fn bearing(address: SocketAddr, token: &str) -> Self {
        let mut client = Self::new(address);
        client.headers.push(("Authorization".to_owned(), format!("Bearer {token}")));
        client
    }

    /// GET.
    pub fn get(&mut self, path: &str) -> Answer {
        let request = self.request("GET", path, "", "");
        self.send(&request)
    }

    /// POST of a form.
    pub fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Answer {
        let request = self.posting(path, form);
        self.send(&request)
    }

    /// POST of JSON.
    pub fn json(&mut self, path: &str, body: &serde_json::Value) -> Answer {
        let request = self.request("POST", path, "application/json", &body.to_string());
        self.send(&request)
    }

    /// The request of [`Client::post`], not yet sent.
    #[must_use]
    pub fn posting(&self, path: &str, form: &[(&str, &str)]) -> Vec<u8> {
        let pairs: Vec<String> =
            form.iter().map(|(name, value)| format!("{}={}", percent(name), percent(value))).collect();
        self.request("POST", path, "application/x-www-form-urlencoded", &pairs.join("&"))
    }

    /// A request with this client's headers and cookies, not yet sent.
    #[must_use]
    pub fn request(&self, method: &str, path: &str, kind: &str, body: &str) -> Vec<u8> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.address);
        self.headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .filter(|cookie| path.starts_with(&cookie.path))
            .map(|cookie| format!("{}={}", cookie.name, cookie.value))
            .collect();
        if !cookies.is_empty() {
            head.push_str(&format!("Cookie: {}\r\n", cookies.join("; ")));
        }
        if method == "POST" {
            head.push_str(&format!("Content-Type: {kind}\r\nContent-Length: {}\r\n", body.len()));
        }
        [head.as_bytes(), b"\r\n", body.as_bytes()].concat()
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Panics
    /// If the server gives none.
    pub fn send(&mut self, request: &[u8]) -> Answer {
        let stream = self.stream.get_or_insert_with(|| {
            let stream = TcpStream::connect(self.address).expect("connects");
            stream.set_nodelay(true).expect("set");
            stream.set_read_timeout(Some(Duration::from_secs(60))).expect("set");
            BufReader::new(stream)
        });
        stream.get_mut().write_all(request).expect("sent");
        let answer = read(stream);
        if answer.header("connection").is_some_and(|said| said.eq_ignore_ascii_case("close")) {
            self.stream = None;
        }
        for (_, set) in answer.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie")) {
            self.keep(set);
        }
        answer
    }

    /// Keeps a cookie, or forgets it (RFC 6265, section 5.2), as far as tests need that.
    fn keep(&mut self, set: &str) {
        let mut parts = set.split(';').map(str::trim);
        let (name, value) = parts.next().and_then(|pair| pair.split_once('=')).expect("a cookie");
        let (mut path, mut gone) = ("/".to_owned(), value.is_empty());
        for part in parts {
            match part.split_once('=') {
                Some(("Path", of)) => of.clone_into(&mut path),
                Some(("Max-Age", "0")) => gone = true,
                _ => {}
            }
        }
        self.cookies.retain(|known| known.name != name || known.path != path);
        if !gone {
            self.cookies.push(Cookie { name: name.to_owned(), value: value.to_owned(), path });
        }
    }
}

fn read(stream: &mut BufReader<TcpStream>) -> Answer {
    let mut line = String::new();
    let mut next = |stream: &mut BufReader<TcpStream>| {
        line.clear();
        let read = stream.read_line(&mut line).expect("an answer comes");
        assert!(read > 0, "the server ended the connection");
        line.trim_end().to_owned()
    };
    let status = next(stream);
    let status = status.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("HTTP");
    let mut headers = Vec::new();
    loop {
        let line = next(stream);
        match line.split_once(": ") {
            Some((name, value)) => headers.push((name.to_owned(), value.to_owned())),
            None if line.is_empty() => break,
            None => headers.push((line.trim_end_matches(':').to_owned(), String::new())),
        }
    }
    let mut answer = Answer { status, headers, body: String::new() };
    assert!(answer.header("transfer-encoding").is_none(), "this client reads whole bodies only");
    let length = answer.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).expect("the whole body");
    answer.body = String::from_utf8(body).expect("UTF-8");
    answer
}

/// As a form writes it, but for the space: RFC 3986, section 2.1.
#[must_use]
pub fn percent(text: &str) -> String {
    text.bytes().fold(String::new(), |mut written, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => written.push(char::from(byte)),
            _ => written.push_str(&format!("%{byte:02X}")),
        }
        written
    })
}
