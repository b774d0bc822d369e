//! A message as bytes: headers, two parts that say the same, and a signature if the operator has a key.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use lettre::Address;
use lettre::message::dkim::{
    DkimCanonicalization, DkimCanonicalizationType, DkimConfig, DkimSigningAlgorithm, DkimSigningKey,
};
use lettre::message::header::{From, Header, HeaderName, HeaderValue, ReplyTo, To};
use lettre::message::{Mailbox as Shown, Mailboxes, MultiPart};
use zeroize::Zeroizing;

use super::address::{self, AddressError};
use super::transport::{Unsent, Verdict};
use super::{Mailbox, Message, line};

/// Characters of a shown name, and of a subject. lettre's DKIM canonicalizer recurses once a character, so both are limited.
const NAME: usize = 100;
const SUBJECT: usize = 200;

/// What a DKIM signature covers. Not `Content-Type`: lettre folds it after signing.
const SIGNED: [&str; 8] = ["From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Reply-To", "Auto-Submitted"];

/// Why there is no signature.
#[derive(Debug, thiserror::Error)]
#[error("the key is not an RSA key in PKCS#1 PEM, as `openssl genrsa -traditional 2048` writes it: {0}")]
pub struct KeyError(#[from] lettre::message::dkim::DkimSigningKeyError);

/// Writes messages as bytes.
#[derive(Debug, Clone, Default)]
pub struct Writer {
    dkim: Option<Arc<DkimConfig>>,
}

/// A message and its envelope.
pub(super) struct Wire {
    pub(super) from: Address,
    pub(super) to: Address,
    reply_to: Option<Address>,
    pub(super) bytes: Zeroizing<Vec<u8>>,
}

impl Wire {
    /// The first address that needs a server for letters beyond a-z, and the verdict if the server isn't one: final for the
    /// recipient's address; the operator can change ours.
    pub(super) fn international(&self) -> Option<(&Address, Verdict)> {
        let ours = [Some(&self.from), self.reply_to.as_ref()].into_iter().flatten();
        let all = [(&self.to, Verdict::Refused)].into_iter().chain(ours.map(|address| (address, Verdict::Delayed)));
        all.into_iter().find(|(address, _)| !AsRef::<str>::as_ref(*address).is_ascii())
    }
}

impl Writer {
    /// Signs each message for `domain`, whose TXT record at `selector._domainkey` has the public key. `key` is a private RSA
    /// key, PKCS#1 PEM.
    ///
    /// # Errors
    /// [`KeyError`] if it is anything else.
    pub fn signing(domain: &str, selector: &str, key: &str) -> Result<Self, KeyError> {
        // Relaxed headers: otherwise no verifier agrees with lettre.
        let canonicalization =
            DkimCanonicalization { header: DkimCanonicalizationType::Relaxed, body: DkimCanonicalizationType::Relaxed };
        let key = DkimSigningKey::new(key, DkimSigningAlgorithm::Rsa)?;
        let headers = SIGNED.map(HeaderName::new_from_ascii_str).to_vec();
        let dkim = DkimConfig::new(selector.to_owned(), domain.to_owned(), key, headers, canonicalization);
        Ok(Self { dkim: Some(Arc::new(dkim)) })
    }

    /// The message by RFC 5322; lines end with CRLF. ASCII, unless an address is international.
    ///
    /// # Errors
    /// [`Unsent`]: for good if it is the recipient's address; ours can be fixed.
    pub fn bytes(&self, message: &Message) -> Result<Zeroizing<Vec<u8>>, Unsent> {
        self.wire(message).map(|wire| wire.bytes)
    }

    pub(super) fn wire(&self, message: &Message) -> Result<Wire, Unsent> {
        let from = shown(&message.from).map_err(|cause| Unsent::ours("the sender", cause))?;
        let refused = |cause| Unsent { verdict: Verdict::Refused, said: format!("the recipient {cause}") };
        let to = shown(&message.to).map_err(refused)?;
        let reply_to = message.reply_to.as_ref().map(shown).transpose();
        let reply_to = reply_to.map_err(|cause| Unsent::ours("the reply address", cause))?;
        let (sender, recipient) = (from.email.clone(), to.email.clone());
        // lettre parses headers with addresses again, more strictly than mailboxes are. So it gets other addresses, which are
        // then replaced by the right ones.
        let other = Shown::new(None, Address::new_dangerous("nobody", "invalid"));
        let mut builder = lettre::Message::builder()
            .date(moment(message.date))
            .message_id(Some(id(&message.message_id)?))
            .from(other.clone())
            .to(other.clone())
            .subject(line(&message.drawn.subject, SUBJECT));
        if reply_to.is_some() {
            builder = builder.reply_to(other);
        }
        let body = MultiPart::alternative_plain_html::<String, String>(
            message.drawn.text.to_string(),
            message.drawn.html.to_string(),
        );
        let mut written =
            builder.multipart(body).map_err(|cause| Unsent::ours("the message can't be written:", cause))?;
        let headers = written.headers_mut();
        // RFC 3834: a program wrote it, so no other program should reply.
        let auto = HeaderName::new_from_ascii_str("Auto-Submitted");
        headers.insert_raw(HeaderValue::new(auto, "auto-generated".to_owned()));
        headers.insert_raw(header::<From>(&from));
        headers.insert_raw(header::<To>(&to));
        if let Some(reply_to) = &reply_to {
            headers.insert_raw(header::<ReplyTo>(reply_to));
        }
        if let Some(dkim) = &self.dkim {
            written.sign(dkim);
        }
        let bytes = Zeroizing::new(written.formatted());
        Ok(Wire { from: sender, to: recipient, reply_to: reply_to.map(|shown| shown.email), bytes })
    }
}

/// A header with one address.
fn header<H: Header + std::convert::From<Mailboxes>>(shown: &Shown) -> HeaderValue {
    let mailboxes = Mailboxes::from(shown.clone());
    // lettre writes names of letters, digits and - _ . as they are, but with a dot that is not a phrase: `.NET`, `Dr.` (RFC
    // 5322, 3.2.5.)
    let bare = |name: &&String| {
        name.contains('.') && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    match shown.name.as_ref().filter(bare) {
        None => H::from(mailboxes).display(),
        Some(name) => {
            let written = format!("\"{name}\"\r\n <{}>", shown.email);
            HeaderValue::dangerous_new_pre_encoded(H::name(), mailboxes.to_string(), written)
        }
    }
}

fn shown(mailbox: &Mailbox) -> Result<Shown, AddressError> {
    let name = line(&mailbox.name, NAME);
    Ok(Shown::new(Some(name).filter(|name| !name.is_empty()), address::parse(&mailbox.address)?))
}

fn id(id: &str) -> Result<String, Unsent> {
    let fits = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
    };
    match id.split_once('@') {
        Some((left, right)) if fits(left) && fits(right) && id.len() <= 200 => Ok(format!("<{id}>")),
        _ => Err(Unsent::ours("the message id", "must be like mail-id@host, with letters, digits, . - and _")),
    }
}

/// A date before 1970 or after 9999 becomes 1970: lettre uses HTTP's dates, which end there.
fn moment(at: i64) -> SystemTime {
    const YEAR_10000: u64 = 253_402_300_800_000;
    let at = u64::try_from(at).ok().filter(|at| *at < YEAR_10000).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_millis(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::Drawn;

    fn message() -> Message {
        let mailbox = |name: &str, address: &str| Mailbox { name: name.to_owned(), address: address.to_owned() };
        Message {
            message_id: "m-1@panel.example".to_owned(),
            from: mailbox("Northwind Hosting", "accounts@northwind.example"),
            reply_to: Some(mailbox("", "help@northwind.example")),
            to: mailbox("Marta Vidal", "marta@vidal.example"),
            date: 1_795_525_331_000,
            drawn: Drawn {
                subject: "Choose a new password".to_owned(),
                text: "Hello\n".to_owned().into(),
                html: "<p>Hello</p>\n".to_owned().into(),
            },
        }
    }

    fn written(message: &Message) -> String {
        String::from_utf8(Writer::default().bytes(message).expect("fits").to_vec()).expect("text")
    }

    /// Header lines, unfolded.
    fn headers(written: &str) -> Vec<String> {
        let (headers, _) = written.split_once("\r\n\r\n").expect("a body");
        headers.replace("\r\n ", " ").split("\r\n").map(str::to_owned).collect()
    }

    #[test]
    fn a_message_has_the_headers_that_it_needs_and_no_other() {
        let written = written(&message());
        let names: Vec<String> =
            headers(&written).iter().map(|line| line.split(':').next().unwrap_or_default().to_owned()).collect();
        assert_eq!(
            names,
            [
                "Date",
                "Message-ID",
                "From",
                "To",
                "Subject",
                "Reply-To",
                "MIME-Version",
                "Auto-Submitted",
                "Content-Type"
            ]
        );
        for line in [
            "Date: Tue, 24 Nov 2026 13:02:11 +0000",
            "Message-ID: <m-1@panel.example>",
            "From: \"Northwind Hosting\" <accounts@northwind.example>",
            "Reply-To: help@northwind.example",
            "To: \"Marta Vidal\" <marta@vidal.example>",
            "Auto-Submitted: auto-generated",
            "MIME-Version: 1.0",
        ] {
            assert!(headers(&written).iter().any(|header| header == line), "{line}\n{written}");
        }
        assert!(
            written.contains("multipart/alternative") && written.contains("text/plain; charset=utf-8"),
            "{written}"
        );
    }

    #[test]
    fn no_value_can_add_a_header_or_turn_the_reading_direction() {
        let clean = headers(&written(&message())).len();
        let mut bad = message();
        bad.drawn.subject = "Hello\r\nBcc: thief@else.example\n\nbody\u{2028}\u{202e}gnirts".to_owned();
        bad.to.name = "Marta\r\n\r\nX: y\u{202e}\u{2066}\u{0}".to_owned();
        bad.from.name = "\r\n\r\nNorthwind\u{7f}".to_owned();
        let written = written(&bad);
        assert_eq!(headers(&written).len(), clean, "{written}");
        assert!(written.contains("Subject: Hello Bcc: thief@else.example body gnirts\r\n"), "{written}");
        // "Marta X: y", encoded for its colon.
        assert!(written.contains("To: =?utf-8?b?TWFydGEgWDogeQ==?= <marta@vidal.example>\r\n"), "{written}");
        assert!(written.is_ascii());
        for bad_id in ["", "m-1", "m-1@", "m-1@x\r\nBcc: y@z", "a@b@c", "<a@b>"] {
            bad.message_id = bad_id.to_owned();
            let refused = Writer::default().bytes(&bad).expect_err(bad_id).said;
            assert!(refused.starts_with("the message id must be like"), "{refused}");
        }
        let mut bad = message();
        bad.to.address.push_str("\r\nBcc: thief@else.example");
        assert_eq!(Writer::default().bytes(&bad).expect_err("no address").verdict, Verdict::Refused);
    }

    #[test]
    fn a_name_that_is_no_phrase_stands_in_quotation_marks() {
        for (name, shown) in [
            (".NET", "\".NET\" <\"taro..yamada\"@docomo.example>"),
            ("Dr.", "\"Dr.\" <\"taro..yamada\"@docomo.example>"),
            ("Dr. Marta", "\"Dr. Marta\" <\"taro..yamada\"@docomo.example>"),
            ("a.b@c", "=?utf-8?b?YS5iQGM=?= <\"taro..yamada\"@docomo.example>"),
            ("Marta", "Marta <\"taro..yamada\"@docomo.example>"),
            ("", "\"taro..yamada\"@docomo.example"),
        ] {
            let mut mail = message();
            for mailbox in [&mut mail.from, &mut mail.to, mail.reply_to.as_mut().expect("there")] {
                *mailbox = Mailbox { name: name.to_owned(), address: "taro..yamada@docomo.example".to_owned() };
            }
            let written = written(&mail);
            for header in ["From", "To", "Reply-To"] {
                let line = format!("{header}: {shown}");
                assert_eq!(headers(&written).iter().filter(|found| **found == line).count(), 1, "{line}\n{written}");
            }
            assert!(!written.contains("nobody@invalid"), "{written}");
        }
    }

    #[test]
    fn a_long_international_subject_is_encoded_and_bounded() {
        let mut long = message();
        long.drawn.subject = "contraseña ".repeat(100);
        let written = written(&long);
        assert!(written.is_ascii() && written.lines().all(|line| line.len() <= 78), "{written}");
    }
}
