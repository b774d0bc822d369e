//! What stands on a terminal: numbers, and lines that are cut at its width and whole when they are piped.

use std::io::{IsTerminal as _, Write as _, stdout};

use console::{Alignment, Term, measure_text_width, pad_str, truncate_str};
use keyturn_host::view::words::Words;

/// With its groups: `3,550`.
pub fn number(n: impl TryInto<i64>) -> String {
    Words::default().number(n.try_into().unwrap_or(i64::MAX))
}

/// How wide a text is drawn.
pub fn width(text: &str) -> usize {
    measure_text_width(text)
}

/// A text at the left of its column.
pub fn left(text: &str, width: usize) -> String {
    pad_str(text, width, Alignment::Left, None).into_owned()
}

/// A number at the right of its column.
pub fn right(text: &str, width: usize) -> String {
    pad_str(text, width, Alignment::Right, None).into_owned()
}

/// Lines on standard output.
pub struct Out {
    width: Option<usize>,
}

impl Out {
    /// As wide as the terminal, if it is one.
    pub fn new() -> Self {
        let size = stdout().is_terminal().then(|| Term::stdout().size().1);
        Self { width: size.map(usize::from) }
    }

    /// One line. A reader that has gone away is no error of ours.
    pub fn line(&self, text: &str) {
        let text = text.trim_end();
        let text = self.width.map_or(text.into(), |width| truncate_str(text, width, "…"));
        let _ = writeln!(stdout(), "{text}");
    }
}

/// Nothing that would move a terminal's cursor.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
