//! Reads a mail that the folder transport has written: as much of RFC 5322 and MIME as that writes, and no more. The file
//! may still be anybody's, so nothing of it is trusted: what does not fit is left out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// A mail as far as it can be read.
pub(super) struct Eml {
    pub to: String,
    pub from: String,
    pub subject: String,
    pub text: Zeroizing<String>,
    pub html: Zeroizing<String>,
}

/// None: it has no headers.
pub(super) fn read(file: &str) -> Option<Eml> {
    let (headers, body) = halves(file)?;
    let mut mail = Eml {
        to: words(&header(headers, "To").unwrap_or_default()),
        from: words(&header(headers, "From").unwrap_or_default()),
        subject: words(&header(headers, "Subject").unwrap_or_default()),
        text: String::new().into(),
        html: String::new().into(),
    };
    let kind = header(headers, "Content-Type").unwrap_or_default();
    match boundary(&kind) {
        Some(boundary) => {
            let mark = format!("--{boundary}");
            for part in body.split(mark.as_str()).skip(1).filter(|part| !part.starts_with("--")) {
                if let Some((headers, body)) = part.strip_prefix("\r\n").and_then(halves) {
                    mail.take(headers, body);
                }
            }
        }
        None => mail.take(headers, body),
    }
    Some(mail)
}

impl Eml {
    fn take(&mut self, headers: &str, body: &str) {
        let encoding = header(headers, "Content-Transfer-Encoding").unwrap_or_default().to_ascii_lowercase();
        let text = Zeroizing::new(match encoding.trim() {
            "base64" => {
                let packed: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
                lossy(STANDARD.decode(packed).unwrap_or_default())
            }
            "quoted-printable" => lossy(quoted(&body.replace("=\r\n", ""))),
            _ => body.to_owned(),
        });
        let kind = header(headers, "Content-Type").unwrap_or_else(|| "text/plain".to_owned()).to_ascii_lowercase();
        if kind.starts_with("text/html") {
            self.html = text;
        } else if kind.starts_with("text/plain") {
            self.text = text;
        }
    }
}

fn lossy(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn halves(text: &str) -> Option<(&str, &str)> {
    text.split_once("\r\n\r\n")
}

/// A header's value on one line.
fn header(headers: &str, wanted: &str) -> Option<String> {
    let mut lines = headers.split("\r\n").skip_while(|line| {
        let name = line.split_once(':').map_or("", |(name, _)| name);
        !name.eq_ignore_ascii_case(wanted)
    });
    let first = lines.next()?.split_once(':')?.1.trim();
    let folded = lines.take_while(|line| line.starts_with([' ', '\t'])).map(str::trim);
    Some([first].into_iter().chain(folded).collect::<Vec<_>>().join(" "))
}

fn boundary(kind: &str) -> Option<&str> {
    let (_, rest) = kind.split_once("boundary=")?;
    let boundary = match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next()?,
        None => rest.split([';', ' ']).next()?,
    };
    (!boundary.is_empty()).then_some(boundary)
}

/// `=41` and what stands for itself.
fn quoted(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.filter(|_| *first == b'=').and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    bytes
}

/// RFC 2047: `=?utf-8?b?…?=`. White space between two encoded words is not written.
fn words(value: &str) -> String {
    let mut written = String::new();
    let mut rest = value;
    let mut after_encoded = false;
    while let Some((before, encoded, after)) = encoded_word(rest) {
        if !after_encoded || !before.trim().is_empty() {
            written.push_str(before);
        }
        written.push_str(&encoded);
        rest = after;
        after_encoded = true;
    }
    written.push_str(rest);
    written
}

/// What stands before the first encoded word, the word, and what stands after it.
fn encoded_word(text: &str) -> Option<(&str, String, &str)> {
    let (before, rest) = text.split_once("=?")?;
    let mut parts = rest.splitn(3, '?');
    let (charset, encoding, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let (word, after) = rest.split_once("?=")?;
    let bytes = match encoding {
        "b" | "B" => STANDARD.decode(word).ok()?,
        "q" | "Q" => quoted(&word.replace('_', " ")),
        _ => return None,
    };
    charset.eq_ignore_ascii_case("utf-8").then(|| (before, lossy(bytes), after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::message::Writer;
    use crate::mail::{Mailbox, Message};

    #[test]
    fn what_our_own_writer_writes_is_read_back() {
        let mailbox = |name: &str, address: &str| Mailbox { name: name.to_owned(), address: address.to_owned() };
        let subject = "Elige una contraseña nueva para Northwind Hosting, S. L., que acaba de cambiar de dueño";
        let text = "Hola, Íñigo:\n\nhttps://panel.example/reset/7RkTqWx=a\n\nñ".to_owned();
        let message = Message {
            message_id: "m-1@panel.example".to_owned(),
            from: mailbox("Northwind", "accounts@northwind.example"),
            reply_to: None,
            to: mailbox("Íñigo", "inigo@panel.example"),
            date: 0,
            locale: "es".to_owned(),
            subject: subject.to_owned(),
            text: text.clone().into(),
            html: format!("<p>{text}</p>{}", "x".repeat(2_000)).into(),
        };
        let bytes = Writer::default().bytes(&message).expect("written");
        let read = read(std::str::from_utf8(&bytes).expect("ASCII")).expect("a mail");
        assert_eq!(read.subject, subject);
        assert!(read.to.contains("Íñigo") && read.to.contains("<inigo@panel.example>"), "{}", read.to);
        assert_eq!(read.text.replace("\r\n", "\n").trim_end(), text);
        assert!(read.html.starts_with("<p>Hola, Íñigo:") && read.html.trim_end().ends_with("xxx"), "{}", *read.html);
    }

    #[test]
    fn what_is_no_mail_is_none_and_what_is_cut_ends() {
        assert!(read("").is_none() && read("hello").is_none());
        for odd in ["Subject: =?utf-8?b?*?=\r\n\r\nx", "Content-Type: multipart/x; boundary=\r\n\r\n--", "=?\r\n\r\n=4"]
        {
            assert!(read(odd).is_some(), "{odd}");
        }
        assert_eq!(quoted("a=3Db=4=zz="), b"a=b=4=zz=");
    }
}
