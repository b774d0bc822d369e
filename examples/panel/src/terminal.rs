//! Text for terminals: numbers, and lines that are cut at the terminal's width and whole when piped.

use std::io::{IsTerminal as _, Write as _, stdout};

use console::{Alignment, Term, measure_text_width, pad_str, truncate_str};
use keyturn_host::view::words::Words;

/// With digit groups: `3,550`.
pub fn number(n: impl TryInto<i64>) -> String {
    Words::default().number(n.try_into().unwrap_or(i64::MAX))
}

/// The width of a text in columns.
pub fn width(text: &str) -> usize {
    measure_text_width(text)
}

pub fn left(text: &str, width: usize) -> String {
    pad_str(text, width, Alignment::Left, None).into_owned()
}

pub fn right(text: &str, width: usize) -> String {
    pad_str(text, width, Alignment::Right, None).into_owned()
}

pub struct Out {
    width: Option<usize>,
}

impl Out {
    pub fn new() -> Self {
        let size = stdout().is_terminal().then(|| Term::stdout().size().1);
        Self { width: size.map(usize::from) }
    }

    /// Prints one line. If the reader has gone away, that is not our error.
    pub fn line(&self, text: &str) {
        let text = text.trim_end();
        let text = self.width.map_or(text.into(), |width| truncate_str(text, width, "…"));
        let _ = writeln!(stdout(), "{text}");
    }
}

/// Removes everything that would move a terminal's cursor.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
