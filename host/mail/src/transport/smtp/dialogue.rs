//! The protocol itself (RFC 5321): send a command, get an answer. An answer is bytes. Its code decides; its words are for
//! people, and servers write them in any encoding.

use std::io;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use zeroize::Zeroizing;

use crate::transport::said::readable;
use keyturn_core::network::Wire;

/// Bytes of one answer, at most.
const LONGEST_ANSWER: u64 = 16 << 10;

/// Why a step failed.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The server refused.
    Answer {
        /// RFC 5321, 4.2.
        code: u16,
        /// The code and its words.
        said: String,
    },
    /// There was no answer, or no valid one; the connection can't be used any more.
    Lost(String),
}

impl Trouble {
    /// Whether the reason may be a connection that was used before: it is closed, or has sent enough.
    pub(super) fn may_be_the_connections(&self) -> bool {
        matches!(self, Trouble::Lost(_) | Trouble::Answer { code: 400..500, .. })
    }

    pub(super) fn said(self) -> String {
        match self {
            Trouble::Answer { said, .. } | Trouble::Lost(said) => said,
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Trouble::Lost(error.to_string())
    }
}

/// An answer with all its lines.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) code: u16,
    /// Without the codes.
    lines: Vec<Vec<u8>>,
}

impl Answer {
    /// The code and the words, in one line.
    pub(super) fn said(&self) -> String {
        let lines: Vec<String> = self.lines.iter().map(|line| readable(line)).collect();
        format!("{} {}", self.code, lines.join(" "))
    }

    /// This answer, if its code begins with `class`.
    fn of(self, class: u16) -> Result<Self, Trouble> {
        match self.code {
            code if code / 100 == class => Ok(self),
            code @ 400..600 => Err(Trouble::Answer { code, said: self.said() }),
            _ => Err(Trouble::Lost(format!("unexpected answer from the server: {}", self.said()))),
        }
    }
}

/// What a server offers in its answer to EHLO.
#[derive(Debug, Default)]
pub(super) struct Offers {
    /// Each keyword with its parameters, in capitals.
    keywords: Vec<(String, Vec<String>)>,
}

impl Offers {
    fn of(answer: &Answer) -> Self {
        // The first line is the server's name and greeting.
        let keyword = |line: &Vec<u8>| {
            let line = readable(line).to_ascii_uppercase();
            // "AUTH=PLAIN" is the form before RFC 2554; some servers still use it.
            let (keyword, parameters) = line.trim().split_once([' ', '\t', '=']).unwrap_or((line.trim(), ""));
            (keyword.to_owned(), parameters.split_whitespace().map(str::to_owned).collect())
        };
        Self { keywords: answer.lines.iter().skip(1).map(keyword).collect() }
    }

    /// `keyword` in capitals.
    pub(super) fn has(&self, keyword: &str) -> bool {
        self.keywords.iter().any(|(offered, _)| offered == keyword)
    }

    /// The ways to log in.
    pub(super) fn mechanisms(&self) -> Vec<&str> {
        let all = self.keywords.iter().filter(|(keyword, _)| keyword == "AUTH").flat_map(|(_, ways)| ways);
        let mut ways: Vec<&str> = Vec::new();
        for way in all {
            if !ways.contains(&way.as_str()) {
                ways.push(way);
            }
        }
        ways
    }
}

/// Our side of the protocol.
pub(super) struct Dialogue {
    stream: BufReader<Box<dyn Wire>>,
}

impl Dialogue {
    pub(super) fn new(stream: impl Wire + 'static) -> Self {
        Self { stream: BufReader::new(Box::new(stream)) }
    }

    /// Whether the server has sent anything unasked.
    pub(super) fn has_more(&self) -> bool {
        !self.stream.buffer().is_empty()
    }

    pub(super) fn into_stream(self) -> Box<dyn Wire> {
        self.stream.into_inner()
    }

    /// The server's first answer.
    pub(super) async fn greeting(&mut self) -> Result<Answer, Trouble> {
        self.answer().await?.of(2)
    }

    /// A command and its answer, if that is 2yz.
    pub(super) async fn ask(&mut self, command: &str) -> Result<Answer, Trouble> {
        self.ask_for(2, command).await
    }

    /// A command and its answer, if its code begins with `class`.
    pub(super) async fn ask_for(&mut self, class: u16, command: &str) -> Result<Answer, Trouble> {
        self.say(command).await?.of(class)
    }

    /// A command and its answer, whatever it is.
    pub(super) async fn say(&mut self, command: &str) -> Result<Answer, Trouble> {
        let line = Zeroizing::new(format!("{command}\r\n"));
        self.write(line.as_bytes()).await?;
        self.answer().await
    }

    /// EHLO.
    pub(super) async fn hello(&mut self, own_name: &str) -> Result<Offers, Trouble> {
        Ok(Offers::of(&self.ask(&format!("EHLO {own_name}")).await?))
    }

    /// An email's text after DATA, in one piece with its end: two pieces would wait for each other's acknowledgement.
    pub(super) async fn text(&mut self, text: &[u8]) -> Result<Answer, Trouble> {
        let mut stuffed = Zeroizing::new(Vec::with_capacity(text.len() + 64));
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            if line.starts_with(b".") {
                stuffed.push(b'.');
            }
            stuffed.extend_from_slice(line);
        }
        if !stuffed.ends_with(b"\r\n") {
            stuffed.extend_from_slice(b"\r\n");
        }
        stuffed.extend_from_slice(b".\r\n");
        self.write(&stuffed).await?;
        self.answer().await?.of(2)
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        self.stream.write_all(bytes).await?;
        Ok(self.stream.flush().await?)
    }

    async fn answer(&mut self) -> Result<Answer, Trouble> {
        let mut stream = (&mut self.stream).take(LONGEST_ANSWER);
        let mut lines = Vec::new();
        loop {
            let mut line = Vec::new();
            if stream.read_until(b'\n', &mut line).await? == 0 {
                let cause = if stream.limit() == 0 { "the answer is too long" } else { "the connection was closed" };
                return Err(Trouble::Lost(cause.to_owned()));
            }
            line.truncate(line.trim_ascii_end().len());
            match (code(&line), line.get(3)) {
                (Some(code), separator) => {
                    let ends = separator != Some(&b'-');
                    lines.push(line.split_off(line.len().min(4)));
                    if ends {
                        return Ok(Answer { code, lines });
                    }
                }
                // A long line that was broken in two.
                (None, _) if !lines.is_empty() => lines.push(line),
                (None, _) => {
                    let said = readable(&line);
                    return Err(Trouble::Lost(format!("this does not look like a mail server: {said}")));
                }
            }
        }
    }
}

fn code(line: &[u8]) -> Option<u16> {
    let digits = line.get(..3).filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A dialogue with a server that has already sent all this.
    fn with<T>(said: &[u8], work: impl AsyncFnOnce(&mut Dialogue) -> T) -> (T, Vec<u8>) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let (ours, mut theirs) = tokio::io::duplex(64 << 10);
            theirs.write_all(said).await.expect("written");
            theirs.shutdown().await.expect("no more");
            let mut dialogue = Dialogue::new(ours);
            let result = work(&mut dialogue).await;
            drop(dialogue);
            let mut heard = Vec::new();
            theirs.read_to_end(&mut heard).await.expect("read");
            (result, heard)
        })
    }

    fn answered(said: &[u8]) -> Result<Answer, Trouble> {
        with(said, async |dialogue| dialogue.ask("NOOP").await).0
    }

    #[test]
    fn the_code_counts_whatever_the_words_are_written_in() {
        for (said, shown) in [
            (
                &b"250 2.0.0 Nachricht f\xfcr Zustellung angenommen\r\n"[..],
                "250 2.0.0 Nachricht für Zustellung angenommen",
            ),
            ("250 2.0.0 für\r\n".as_bytes(), "250 2.0.0 für"),
            // UTF-8, cut in the middle of a letter.
            (b"250 f\xc3\xbcr Zustellung \xc3\r\n", "250 für Zustellung \u{fffd}"),
            (b"250-first\r\n250-sec\xf6nd\r\n250 third\r\n", "250 first secönd third"),
            (b"250-first\r\nbroken in two\r\n250 third\r\n", "250 first broken in two third"),
            (b"250\r\n", "250 "),
            (b"250\n", "250 "),
        ] {
            assert_eq!(answered(said).expect(shown).said(), shown);
        }
        for (said, number, shown) in [
            (&b"550 5.1.1 Empf\xe4nger unbekannt\r\n"[..], 550, "550 5.1.1 Empfänger unbekannt"),
            // GBK: its ASCII is readable all the same.
            (b"535 \xc7\xeb\xca\xb9 http://mail.example/help\r\n", 535, "535 ÇëÊ¹ http://mail.example/help"),
            (b"450-4.7.1 Grey\r\n450 later\r\n", 450, "450 4.7.1 Grey later"),
        ] {
            let Err(Trouble::Answer { code, said }) = answered(said) else { panic!("{shown}") };
            assert_eq!((code, said.as_str()), (number, shown));
        }
    }

    #[test]
    fn what_is_no_answer_is_none() {
        for (said, word) in [
            (&b""[..], "the connection was closed"),
            (b"250-and", "the connection was closed"),
            (b"SSH-2.0-OpenSSH_9.2\r\n", "this does not look like a mail server: SSH-2.0"),
            (b"\xff\xfb\x01\r\n", "this does not look like a mail server: \u{ff}"),
            (b"334 VXNlcm5hbWU6\r\n", "unexpected answer from the server: 334"),
            (b"999 x\r\n", "unexpected answer from the server: 999"),
            (&b"250-x\r\n".repeat(4_000), "the answer is too long"),
        ] {
            let Err(Trouble::Lost(cause)) = answered(said) else { panic!("{word}") };
            assert!(cause.contains(word), "{cause}");
        }
    }

    #[test]
    fn what_is_offered_is_known_by_its_keyword_in_any_case() {
        let said = b"250-mail.example sch\xf6nen Tag\r\n250-starttls\r\n250-8bitMIME\r\n250-AUTH=PLAIN cram-md5\r\n250-auth login PLAIN\r\n250 SIZE 1000\r\n";
        let (offers, heard) = with(said, async |dialogue| dialogue.hello("panel.example").await);
        let offers = offers.expect("an answer");
        assert_eq!(heard, b"EHLO panel.example\r\n");
        assert!(offers.has("STARTTLS") && offers.has("8BITMIME") && offers.has("SIZE"), "{offers:?}");
        assert!(!offers.has("MAIL.EXAMPLE") && !offers.has("SMTPUTF8"), "{offers:?}");
        assert_eq!(offers.mechanisms(), ["PLAIN", "CRAM-MD5", "LOGIN"]);
    }

    #[test]
    fn a_line_that_begins_with_a_dot_is_text() {
        for (text, sent) in
            [(&b"a\r\n.\r\n..b\r\n"[..], &b"a\r\n..\r\n...b\r\n.\r\n"[..]), (b".", b"..\r\n.\r\n"), (b"", b"\r\n.\r\n")]
        {
            let (answer, heard) = with(b"250 taken\r\n", async |dialogue| dialogue.text(text).await);
            assert_eq!(answer.expect("taken").said(), "250 taken");
            assert_eq!(heard, sent);
        }
    }
}
