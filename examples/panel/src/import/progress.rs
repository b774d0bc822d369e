//! Progress, on standard error: a bar on a terminal, otherwise a line every five seconds, because a bar hides itself there.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{HumanCount, ProgressBar, ProgressState, ProgressStyle};

use crate::terminal::number;

const EVERY: Duration = Duration::from_secs(5);
const TEMPLATE: &str = "  {prefix}  {bar:28}  {percent} %  {human_pos} of {human_len} rows  {rate}  {left}";

pub struct Progress {
    bar: Option<ProgressBar>,
    lines: Lines,
}

impl Progress {
    /// For the rows of a file.
    pub fn new(file: &str, rows: u64) -> Self {
        let drawn = std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let bar = drawn.then(|| ProgressBar::new(rows).with_style(style()).with_prefix(file.to_owned()));
        Self { bar, lines: Lines { file: file.to_owned(), rows, began: Instant::now(), said: Instant::now() } }
    }

    /// So many rows have been read.
    pub fn at(&mut self, row: u64) {
        match &self.bar {
            Some(bar) => bar.set_position(row),
            None => {
                if let Some(line) = self.lines.at(row, Instant::now()) {
                    eprintln!("{line}");
                }
            }
        }
    }

    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Replaces the bar.
struct Lines {
    file: String,
    rows: u64,
    began: Instant,
    said: Instant,
}

impl Lines {
    fn at(&mut self, row: u64, now: Instant) -> Option<String> {
        if now.duration_since(self.said) < EVERY {
            return None;
        }
        self.said = now;
        let seconds = now.duration_since(self.began).as_secs_f64();
        let rate = row as f64 / seconds;
        let left = (self.rows.saturating_sub(row)) as f64 / rate.max(0.001);
        let percent = (row * 100).checked_div(self.rows).unwrap_or(100);
        let (row, rows, rate) = (number(row), number(self.rows), number(rate as u64));
        Some(format!(
            "{}  {percent} %  {row} of {rows} rows  {rate}/s  {} s left",
            self.file,
            number(left.ceil() as u64)
        ))
    }
}

fn style() -> ProgressStyle {
    let rate = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let _ = write!(out, "{}/s", HumanCount(state.per_sec() as u64));
    };
    let left = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let _ = write!(out, "{} s left", HumanCount(state.eta().as_secs()));
    };
    ProgressStyle::with_template(TEMPLATE)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("█░")
        .with_key("rate", rate)
        .with_key("left", left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn off_a_terminal_a_line_takes_the_bars_place_every_five_seconds() {
        let began = Instant::now();
        let mut lines = Lines { file: "customers.csv".to_owned(), rows: 5_000, began, said: began };
        let mut at = |row, millis| lines.at(row, began + Duration::from_millis(millis));
        assert_eq!(at(100, 4_999), None);
        assert_eq!(at(3_550, 5_000).as_deref(), Some("customers.csv  71 %  3,550 of 5,000 rows  710/s  3 s left"));
        assert_eq!(at(3_600, 9_999), None);
        assert!(at(3_600, 10_000).is_some());
    }

    #[test]
    fn the_bar_is_drawn_as_it_is_written_down() {
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
    }
}
