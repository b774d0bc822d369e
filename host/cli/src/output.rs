//! Output: plain words, a colour on the first one if the terminal shows colours, tables without boxes.

use std::io::{IsTerminal as _, Write as _};

use std::process::ExitCode;

use clap::ColorChoice;
use keyturn_host::accounts::sql::Severity;
use serde_json::Value;

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

fn set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0")
}

/// Removes characters that would move a terminal's cursor or rename its window. The text may come from a form, from a mail
/// server, or from somebody who can write the database.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

impl Output {
    pub fn new(colour: ColorChoice, json: bool) -> Self {
        let coloured = |terminal: bool| match colour {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto if set("NO_COLOR") => false,
            ColorChoice::Auto if set("CLICOLOR_FORCE") => true,
            ColorChoice::Auto => terminal && std::env::var_os("TERM").is_none_or(|term| term != "dumb"),
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

    /// A finding: lines, the first with the word of its severity.
    pub fn finding(&self, severity: Severity, word: &str, text: &str) {
        let code = match severity {
            Severity::Good => "32",
            Severity::Note => "33",
            Severity::Wrong => "31",
        };
        // The colour is ours; the rest is made plain.
        let word = format!("{word:<5}");
        let word = if self.colour_out { format!("\x1b[1;{code}m{word}\x1b[0m") } else { word };
        let room = self.columns.map_or(usize::MAX, |columns| columns.saturating_sub(UNDER.len()));
        for (at, line) in text.lines().flat_map(|line| wrapped(line, room)).enumerate() {
            let before = if at == 0 { format!("{word}  ") } else { UNDER.to_owned() };
            let _ = writeln!(std::io::stdout(), "{before}{}", plain(&line));
        }
    }

    /// How to fix it. People copy it, so it is never wrapped: a shell would take the break for an end.
    pub fn fix(&self, fix: &str) {
        format!("fix:  {fix}").lines().for_each(|line| self.line(&format!("{UNDER}{line}")));
    }

    /// A JSON document.
    pub fn document(&self, value: &Value) {
        self.line(&serde_json::to_string_pretty(value).unwrap_or_default());
    }

    /// What was done or asked for: as JSON, or in words.
    pub fn answer(&self, document: &Value, said: impl FnOnce(&Self)) -> anyhow::Result<ExitCode> {
        if self.json {
            self.document(document)
        } else {
            said(self)
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Things of one kind: as JSON, as a table, or that there are none. Answers whether there is a table, to remark on.
    pub fn list<T>(
        &self,
        all: &[T],
        none: &str,
        document: impl Fn(&T) -> Value,
        heads: &[&str],
        row: impl Fn(&T) -> Vec<String>,
    ) -> bool {
        if self.json {
            self.document(&all.iter().map(document).collect());
        } else if all.is_empty() {
            self.remark(none);
        } else {
            self.table(heads, all.iter().map(row));
        }
        !self.json && !all.is_empty()
    }

    /// What there is to know of one thing, one below the other.
    pub fn facts(&self, facts: &[(&str, String)]) {
        facts.iter().for_each(|(name, value)| self.line(&format!("{name:<9} {value}")));
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
    pub fn table(&self, heads: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
        let heads = heads.iter().map(|head| (*head).to_owned()).collect();
        let rows: Vec<Vec<String>> = std::iter::once(heads).chain(rows).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
        let limit = self.columns.unwrap_or(usize::MAX);
        for row in &rows {
            let cells =
                row.iter().zip(&widths).map(|(cell, width)| format!("{:<width$}  ", cell.replace('\n', "\u{fffd}")));
            self.line(&cut(cells.collect::<String>().trim_end(), limit));
        }
    }
}

/// As many characters of a text at most.
pub fn cut(text: &str, most: usize) -> String {
    match text.chars().count() > most {
        true => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
        false => text.to_owned(),
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
