//! Mail: templates that plugins bring, messages drawn from them, and the transports that carry these away.

pub mod address;
pub mod config;
pub mod draw;
pub mod message;
pub mod setup;
pub mod template;
pub mod transport;
pub mod trial;

/// One person or desk with a mail address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// Shown name; empty: none.
    pub name: String,
    /// The address, as it stands in the envelope.
    pub address: String,
}

/// A mail, drawn and ready to go. Its body may hold secrets.
#[derive(Clone)]
pub struct Message {
    /// Without brackets: `mail-id@host`. The same in every attempt.
    pub message_id: String,
    /// The brand's sender.
    pub from: Mailbox,
    /// Where answers go; none: to the sender.
    pub reply_to: Option<Mailbox>,
    /// To whom.
    pub to: Mailbox,
    /// When it was asked for, Unix milliseconds.
    pub date: i64,
    /// BCP 47.
    pub locale: String,
    /// One line.
    pub subject: String,
    /// Plain text, lines ended by `\n`.
    pub text: zeroize::Zeroizing<String>,
    /// The same as HTML.
    pub html: zeroize::Zeroizing<String>,
}

/// Whether a character shows nothing of itself, or turns around what stands beside it: controls, line and paragraph
/// separators, direction marks, invisible spaces, noncharacters. The two joiners stay: Persian and Hindi names need them.
fn invisible(c: char) -> bool {
    crate::view::html::dropped(c)
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}'
        )
        || matches!(c, '\u{2060}'..='\u{2064}' | '\u{206a}'..='\u{206f}' | '\u{fdd0}'..='\u{fdef}' | '\u{e0000}'..='\u{e007f}')
}

/// `text` as one line of at most `most` characters: white space is one space, what is invisible is left out.
pub(crate) fn line(text: &str, most: usize) -> String {
    let mut line = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        let mut seen = word.chars().filter(|c| !invisible(*c)).peekable();
        if seen.peek().is_some() && !line.is_empty() {
            line.push(' ');
        }
        line.extend(seen);
    }
    match line.char_indices().nth(most) {
        None => line,
        Some(_) => line.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_line_has_no_break_no_turn_and_an_end() {
        assert_eq!(super::line(" a\r\nBcc:\tb\u{202e}c \u{200b} \u{2028}d\0e ", 80), "a Bcc: bc d e");
        assert_eq!(super::line("abcdef", 6), "abcdef");
        assert_eq!(super::line("abcdefg", 6), "abcde…");
    }
}
