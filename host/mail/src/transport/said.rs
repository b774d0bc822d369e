//! The other side's answer, fit to be stored and shown.

use base64::Engine as _;
use zeroize::Zeroizing;

use crate::{Message, line};

/// The most characters.
const LONGEST: usize = 400;
/// Shorter words of an email are not hidden: that would hide half of each sentence.
const SHORTEST_WORD: usize = 6;
const MASK: &str = "••••";

/// What must not be repeated, whoever says it: a server may quote the password or the email's link.
#[derive(Default)]
pub(super) struct Secrets {
    words: Vec<Zeroizing<String>>,
    /// Addresses are hidden from this beginning to their end, because a server may quote half of one.
    beginnings: Vec<String>,
}

impl Secrets {
    /// The secrets of a login, plain and as AUTH PLAIN and LOGIN send them.
    pub(super) fn of_login(username: &str, password: &str) -> Self {
        let encoded = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
        // How it reads if it is quoted in text that is not UTF-8.
        let misread = line(&latin_1(password.as_bytes()), usize::MAX);
        let words = [password.to_owned(), misread, encoded(password), encoded(&format!("\0{username}\0{password}"))];
        let words = words.into_iter().filter(|word| !word.is_empty()).map(Zeroizing::new).collect();
        Self { words, beginnings: Vec::new() }
    }

    /// Also the secrets of an email: links and passwords are alone on their lines.
    pub(super) fn and_of(&self, message: &Message) -> Self {
        let mut all = Self { words: self.words.clone(), beginnings: self.beginnings.clone() };
        for word in message.drawn.text.lines().map(str::trim) {
            // An address can be alone on its line by chance, after a wrapped line.
            let is_known =
                [&message.to.address, &message.from.address].into_iter().any(|known| word.starts_with(known.as_str()));
            if is_known || word.chars().count() < SHORTEST_WORD || word.contains(char::is_whitespace) {
                continue;
            }
            match word.match_indices('/').nth(2) {
                Some((end, _)) if word.contains("://") => all.beginnings.push(word[..=end].to_owned()),
                _ => all.words.push(Zeroizing::new(word.to_owned())),
            }
        }
        all
    }

    /// `words` in one line of at most 400 characters, without control characters and without these secrets.
    pub(super) fn hidden_in(&self, words: &str) -> String {
        let mut said = line(words, usize::MAX);
        for secret in &self.words {
            said = said.replace(secret.as_str(), MASK);
        }
        for beginning in &self.beginnings {
            said = said
                .split(' ')
                .map(|word| match word.find(beginning.as_str()) {
                    Some(at) => format!("{}{MASK}", &word[..at + beginning.len()]),
                    None => word.to_owned(),
                })
                .collect::<Vec<_>>()
                .join(" ");
        }
        line(&said, LONGEST)
    }
}

/// A line in any encoding: UTF-8 if it is that, even if it was cut in the middle of a letter; otherwise Latin-1. ASCII reads
/// correctly in any case: codes, addresses, links to help.
pub(super) fn readable(line: &[u8]) -> String {
    match std::str::from_utf8(line) {
        Ok(line) => line.to_owned(),
        Err(cause) if cause.error_len().is_none() && !line[..cause.valid_up_to()].is_ascii() => {
            String::from_utf8_lossy(line).into_owned()
        }
        Err(_) => latin_1(line),
    }
}

fn latin_1(line: &[u8]) -> String {
    line.iter().map(|byte| char::from(*byte)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::tests::message;

    #[test]
    fn what_a_server_says_is_one_short_line() {
        assert_eq!(Secrets::default().hidden_in("550 no\r\n\x1b[31m such\tuser\u{202e}"), "550 no [31m such user");
        assert_eq!(Secrets::default().hidden_in(&"x".repeat(1_000)).chars().count(), 400);
    }

    #[test]
    fn a_password_that_is_quoted_in_another_encoding_is_hidden_too() {
        let secrets = Secrets::of_login("panel", "gehÄïm-wörter");
        for said in
            [&b"535 ung\xfcltig: geh\xc3\x84\xc3\xafm-w\xc3\xb6rter"[..], "535 ungültig: gehÄïm-wörter".as_bytes()]
        {
            assert_eq!(secrets.hidden_in(&readable(said)), "535 ungültig: ••••");
        }
    }

    #[test]
    fn no_secret_is_repeated_however_a_server_quotes_it() {
        let mut mail = message("marta@vidal.example");
        mail.drawn.text = "Hello\n\nhttps://panel.example/reset/7RkTqWx\n\ntavo-meki-rusa-94\n\nmarta@vidal.example\n"
            .to_owned()
            .into();
        let secrets = Secrets::of_login("panel", "hush-hush").and_of(&mail);
        for (said, kept) in [
            ("535 hush-hush is wrong", "535 •••• is wrong"),
            ("535 AHBhbmVsAGh1c2gtaHVzaA==", "535 ••••"),
            ("334 aHVzaC1odXNo", "334 ••••"),
            ("554 tavo-meki-rusa-94 looks like spam", "554 •••• looks like spam"),
            ("554 URL <https://panel.example/reset/7RkT is listed", "554 URL <https://panel.example/•••• is listed"),
            ("550 see https://help.example/x", "550 see https://help.example/x"),
            ("550 <marta@vidal.example> unknown", "550 <marta@vidal.example> unknown"),
        ] {
            assert_eq!(secrets.hidden_in(said), kept);
        }
    }
}
