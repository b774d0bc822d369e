//! What tests of webhooks stand on: web servers that answer as they are told, and destinations that lead to them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender as Tell, channel};
use std::sync::{Arc, Mutex};

use crate::config::WebhookConfig;
use crate::{Destination, config};

pub const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// A request as it came.
#[derive(Debug)]
pub struct Posted {
    pub head: String,
    pub body: String,
}

impl Posted {
    pub fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    }
}

pub fn read(stream: &mut TcpStream) -> Posted {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).is_ok_and(|read| read > 0) {}
    let mut posted = Posted { head, body: String::new() };
    let mut body = vec![0; posted.header("content-length").parse().unwrap_or(0)];
    reader.read_exact(&mut body).expect("the body");
    posted.body = String::from_utf8(body).expect("text");
    posted
}

/// A web server that hands each request to `answer`, and tells of it afterwards.
pub fn server(answer: impl Fn(&mut TcpStream, &Posted) + Send + Sync + 'static) -> (SocketAddr, Receiver<Posted>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    let (tell, told) = channel();
    let (answer, tell) = (Arc::new(answer), Mutex::new(tell));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let (answer, tell) = (Arc::clone(&answer), tell.lock().expect("whole").clone());
            std::thread::spawn(move || {
                let posted = read(&mut stream);
                answer(&mut stream, &posted);
                let _: Result<(), _> = Tell::send(&tell, posted);
            });
        }
    });
    (address, told)
}

pub fn answering(text: impl Into<String>) -> (SocketAddr, Receiver<Posted>) {
    let text = text.into();
    server(move |stream, _| drop(stream.write_all(text.as_bytes())))
}

pub fn secret_file(folder: &Path, name: &str, secrets: &[&str]) -> std::path::PathBuf {
    let path = folder.join(name);
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).expect("made");
    file.write_all(secrets.join("\n").as_bytes()).expect("written");
    path
}

pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

pub fn to(name: &str, url: &str, more: &str) -> Destination {
    let folder = tempfile::tempdir().expect("a folder");
    let file = secret_file(folder.path(), "secret", &[SECRET]);
    let text = format!(
        "name = \"{name}\"\nurl = \"{url}\"\nsecret-file = \"{}\"\nevents = [\"password.changed\"]\n{more}",
        file.display()
    );
    let config: WebhookConfig = toml::from_str(&text).expect("TOML");
    config::check(std::slice::from_ref(&config)).expect("fits");
    config.destination(Path::to_owned).expect("its files")
}

pub fn private(address: SocketAddr) -> Destination {
    to("here", &format!("http://{address}/hook?x=1"), "allow-private = true\ntimeout-seconds = 2")
}
