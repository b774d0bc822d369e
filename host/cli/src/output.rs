//! Output: plain words, a colour on the first one if the terminal shows colours, tables without boxes.

use std::io::{IsTerminal as _, Write as _};

use clap::ValueEnum;
use serde_json::Value;

/// When to colour; see the help of `--color`.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    Auto,
    Always,
    Never,
}

/// Indents each line of a finding after the first, which begins with the word of its tone.
const UNDER: &str = "       ";

/// Where and how results go.
pub struct Output {
    colour_out: bool,
    colour_err: bool,
    /// Columns of the terminal; none if piped: lines then stay whole.
    columns: Option<usize>,
    /// One JSON document instead of sentences.
    pub json: bool,
}

/// The first word's meaning.
#[derive(Clone, Copy)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Worth knowing.
    Note,
    /// Needs a fix.
    Wrong,
}

fn set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0")
}

/// Removes characters that would move a terminal's cursor or rename its window. The text may come from a form, from a mail
/// server, or from somebody who can write the database.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

impl Output {
    pub fn new(colour: Colour, json: bool) -> Self {
        let coloured = |terminal: bool| match colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto if set("NO_COLOR") => false,
            Colour::Auto if set("CLICOLOR_FORCE") => true,
            Colour::Auto => terminal && std::env::var_os("TERM").is_none_or(|term| term != "dumb"),
        };
        Self {
            colour_out: coloured(std::io::stdout().is_terminal()),
            colour_err: coloured(std::io::stderr().is_terminal()),
            columns: std::io::stdout().is_terminal().then(textwrap::termwidth),
            json,
        }
    }

    /// Prints a line on standard output. If the reader is gone, that isn't our error.
    pub fn line(&self, text: &str) {
        let _ = writeln!(std::io::stdout(), "{}", plain(text));
    }

    /// Prints lines, the first with a word of its tone; then how to fix it. People copy the fix, so it is never wrapped: a
    /// shell would take the break for the end.
    pub fn toned(&self, tone: Tone, text: &str, fix: Option<&str>) {
        let (word, code) = match tone {
            Tone::Good => ("good ", "32"),
            Tone::Note => ("note ", "33"),
            Tone::Wrong => ("wrong", "31"),
        };
        let word = if self.colour_out { format!("\x1b[1;{code}m{word}\x1b[0m") } else { word.to_owned() };
        let room = self.columns.map(|columns| columns.saturating_sub(UNDER.len()));
        let lines =
            text.lines().flat_map(|line| room.map_or_else(|| vec![line.to_owned()], |room| wrapped(line, room)));
        let fix = fix.map(|fix| format!("fix:  {fix}")).unwrap_or_default();
        for (at, line) in lines.chain(fix.lines().map(str::to_owned)).enumerate() {
            // The colour is ours; the rest is made plain.
            let before = if at == 0 { format!("{word}  ") } else { UNDER.to_owned() };
            let _ = writeln!(std::io::stdout(), "{before}{}", plain(&line));
        }
    }

    /// A JSON document.
    pub fn document(&self, value: &Value) {
        self.line(&serde_json::to_string_pretty(value).unwrap_or_default());
    }

    /// A remark on standard error.
    pub fn remark(&self, text: &str) {
        let _ = writeln!(std::io::stderr(), "{}", plain(text));
    }

    /// Prints what went wrong, and why.
    pub fn error(&self, error: &anyhow::Error) {
        let word = if self.colour_err { "\x1b[1;31merror:\x1b[0m" } else { "error:" };
        let _ = writeln!(std::io::stderr(), "{word} {}", plain(&error.to_string()));
        let mut said = error.to_string();
        for cause in error.chain().skip(1).map(ToString::to_string) {
            // Many errors name their cause themselves.
            if !said.contains(&cause) {
                self.remark(&format!("  because  {cause}"));
                said = cause;
            }
        }
    }

    /// A table: two spaces between columns, cut at the terminal's width, whole when piped; each row one line.
    pub fn table(&self, heads: &[&str], rows: &[Vec<String>]) {
        let width = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
            cells.chain([heads[column].chars().count()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..heads.len()).map(width).collect();
        let limit = self.columns.unwrap_or(usize::MAX);
        let draw = |cells: &[String]| {
            let mut line = String::new();
            for (cell, width) in cells.iter().zip(&widths) {
                line.push_str(&format!("{:<width$}  ", cell.replace('\n', "\u{fffd}")));
            }
            let line = line.trim_end();
            if line.chars().count() > limit {
                let cut: String = line.chars().take(limit.saturating_sub(1)).collect();
                self.line(&format!("{cut}…"));
            } else {
                self.line(line);
            }
        };
        draw(&heads.iter().map(|head| (*head).to_owned()).collect::<Vec<_>>());
        rows.iter().for_each(|row| draw(row));
    }
}

/// A line of a finding, broken between words. In a line with columns, the rest stands under the last column, unless less than
/// half of the width would remain.
fn wrapped(line: &str, room: usize) -> Vec<String> {
    let column = line.rfind("  ").map_or(0, |at| line[..at].chars().count() + 2);
    let indent = " ".repeat(if column <= room / 2 { column } else { 0 });
    let whole_words = textwrap::WordSplitter::NoHyphenation;
    let options = textwrap::Options::new(room).subsequent_indent(&indent).break_words(false).word_splitter(whole_words);
    textwrap::wrap(line, options).into_iter().map(String::from).collect()
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn a_line_that_is_too_long_goes_on_under_its_last_column() {
        let line = "Reset & mail password   link; not temporary, since the panel does not ask";
        assert_eq!(
            wrapped(line, 50),
            ["Reset & mail password   link; not temporary, since", "                        the panel does not ask",]
        );
    }

    #[test]
    fn a_line_without_columns_goes_on_at_its_beginning_and_no_word_is_broken() {
        assert_eq!(
            wrapped("hooks: password/request-reset, password/verify", 20),
            ["hooks:", "password/request-reset,", "password/verify"]
        );
    }
}
