//! How things are said: calm words, a colour on the first one where a terminal shows colours, tables without boxes.

use std::io::{IsTerminal as _, Write as _};

use clap::ValueEnum;
use serde_json::Value;

/// When to colour.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    /// On a terminal, unless NO_COLOR or TERM=dumb says no.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Where and how results go.
pub struct Output {
    colour_out: bool,
    colour_err: bool,
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
    /// To be mended.
    Wrong,
}

fn set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0")
}

/// Nothing that would move a terminal's cursor or name its window: what is said may come from who filled in a form of the panel,
/// from a mail server, or from whoever writes the database.
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
            json,
        }
    }

    /// A line on standard output. A reader that has gone away is no error of ours.
    pub fn line(&self, text: &str) {
        let _ = writeln!(std::io::stdout(), "{}", plain(text));
    }

    /// A line that begins with a word of its tone.
    pub fn toned(&self, tone: Tone, text: &str) {
        let (word, code) = match tone {
            Tone::Good => ("good ", "32"),
            Tone::Note => ("note ", "33"),
            Tone::Wrong => ("wrong", "31"),
        };
        let word = if self.colour_out { format!("\x1b[1;{code}m{word}\x1b[0m") } else { word.to_owned() };
        let mut lines = text.lines();
        let _ = writeln!(std::io::stdout(), "{word}  {}", plain(lines.next().unwrap_or_default()));
        lines.for_each(|line| self.line(&format!("       {line}")));
    }

    /// A JSON document.
    pub fn document(&self, value: &Value) {
        self.line(&serde_json::to_string_pretty(value).unwrap_or_default());
    }

    /// A remark on standard error.
    pub fn remark(&self, text: &str) {
        let _ = writeln!(std::io::stderr(), "{}", plain(text));
    }

    /// What went wrong, and why.
    pub fn error(&self, error: &anyhow::Error) {
        let word = if self.colour_err { "\x1b[1;31merror:\x1b[0m" } else { "error:" };
        let _ = writeln!(std::io::stderr(), "{word} {}", plain(&error.to_string()));
        let mut said = error.to_string();
        for cause in error.chain().skip(1).map(ToString::to_string) {
            // Many errors tell their cause themselves.
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
        let terminal = std::io::stdout().is_terminal();
        let limit = if terminal {
            std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok()).unwrap_or(120)
        } else {
            usize::MAX
        };
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
