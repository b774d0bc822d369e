//! What two builds' benches print, read and held against each other.

use std::fmt::Write as _;

/// The column where a line's figures begin.
const COLUMN: usize = 58;
/// Differences up to this part are the machine's as likely as the build's.
const NOISE: f64 = 0.03;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Seconds.
    Time,
    Bytes,
    /// A second; the more, the better.
    Rate,
    /// Times something else, or a bare number.
    Times,
}

/// One figure as it was printed.
#[derive(Debug, Clone, PartialEq)]
struct Figure {
    name: String,
    kind: Kind,
    value: f64,
    /// What its last digit is worth.
    step: f64,
}

/// Figures of the same name, one a round.
struct Row {
    name: String,
    kind: Kind,
    old: Vec<f64>,
    new: Vec<f64>,
    step: f64,
}

/// The figures of both builds, in the order in which they were printed first.
#[derive(Default)]
pub(super) struct Comparison(Vec<Row>);

/// Which build printed something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Old,
    New,
}

/// The figures of what a bench printed: a name, and from [`COLUMN`] on its figures. An indented name goes on with the one above.
fn read(printed: &str) -> Vec<Figure> {
    let mut figures = Vec::new();
    let mut above = "";
    for line in printed.lines() {
        let Some((at, ' ')) = line.char_indices().nth(COLUMN) else { continue };
        let (name, rest) = line.split_at(at);
        let name = match name.strip_prefix(' ') {
            Some(name) => format!("{above}: {}", name.trim()),
            None => {
                above = name.trim_end();
                above.to_owned()
            }
        };
        figures.extend(of_line(&name, rest));
    }
    figures
}

fn of_line(name: &str, text: &str) -> Vec<Figure> {
    let mut figures: Vec<Figure> = Vec::new();
    let mut words = Vec::new();
    let mut tokens = text.split_whitespace().map(|token| token.trim_matches(['(', ')', ','])).peekable();
    while let Some(token) = tokens.next() {
        let (digits, a_second) = token.strip_suffix("/s").map_or((token, false), |digits| (digits, true));
        let Ok(value) = digits.parse::<f64>() else {
            words.push(token);
            continue;
        };
        let unit = if a_second { "/s" } else { tokens.peek().copied().unwrap_or_default() };
        let (kind, factor) = match unit {
            "µs" => (Kind::Time, 1e-6),
            "ms" => (Kind::Time, 1e-3),
            "s" => (Kind::Time, 1.0),
            "bytes" => (Kind::Bytes, 1.0),
            "MiB" => (Kind::Bytes, 1024.0 * 1024.0),
            unit if unit.ends_with("/s") => (Kind::Rate, 1.0),
            _ if name.contains(" a second") => (Kind::Rate, 1.0),
            _ => (Kind::Times, 1.0),
        };
        let which = match (words.is_empty(), figures.len()) {
            (true, 0) => String::new(),
            (true, before) => format!(", figure {}", before + 1),
            (false, _) => format!(", {}", words.join(" ")),
        };
        words.clear();
        let decimals = digits.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        let step = factor * 10f64.powi(-i32::try_from(decimals).unwrap_or(0));
        figures.push(Figure { name: format!("{name}{which}"), kind, value: value * factor, step });
        tokens.next_if(|next| !a_second && *next == unit && (kind != Kind::Times || unit == "×"));
    }
    figures
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() % 2 {
        0 => (sorted[middle - 1] + sorted[middle]) / 2.0,
        _ => sorted[middle],
    }
}

impl Comparison {
    /// Takes what a bench of one side printed in one round.
    pub(super) fn take(&mut self, side: Side, printed: &str) {
        for figure in read(printed) {
            let known = self.0.iter().position(|row| row.name == figure.name && row.kind == figure.kind);
            let at = known.unwrap_or_else(|| {
                let Figure { name, kind, step, .. } = figure;
                self.0.push(Row { name, kind, old: Vec::new(), new: Vec::new(), step });
                self.0.len() - 1
            });
            let row = &mut self.0[at];
            row.step = row.step.max(figure.step);
            match side {
                Side::Old => row.old.push(figure.value),
                Side::New => row.new.push(figure.value),
            }
        }
    }

    /// A line for each figure that both builds have, then the names of the others.
    pub(super) fn drawn(&self) -> String {
        let (paired, alone): (Vec<&Row>, Vec<&Row>) =
            self.0.iter().partition(|row| !row.old.is_empty() && !row.new.is_empty());
        let width = paired.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
        let mut text = format!("{:<width$}  {:>10}  {:>10}   new costs\n", "", "older", "new");
        for row in paired {
            let (old, new) = (shown(median(&row.old), row.kind), shown(median(&row.new), row.kind));
            let _ = writeln!(text, "{:<width$}  {old:>10}  {new:>10}   {}", row.name, row.verdict());
        }
        for row in alone {
            let whose = if row.old.is_empty() { "new" } else { "older" };
            let _ = writeln!(text, "only in the {whose} build: {}", row.name);
        }
        text
    }
}

impl Row {
    /// How many times the older build's cost the new one's is; of rates the older by the new.
    fn costs(&self, old: f64, new: f64) -> f64 {
        let (above, below) = if self.kind == Kind::Rate { (old, new) } else { (new, old) };
        if above == below { 1.0 } else { above / below }
    }

    fn verdict(&self) -> String {
        let (old, new) = (median(&self.old), median(&self.new));
        let ratio = self.costs(old, new);
        let rounds: Vec<f64> = self.old.iter().zip(&self.new).map(|(old, new)| self.costs(*old, *new)).collect();
        let least = rounds.iter().copied().fold(f64::INFINITY, f64::min);
        let most = rounds.iter().copied().fold(0.0, f64::max);
        let mut text = format!("{ratio:.3} ×  ({least:.3} to {most:.3})");
        // Half of the last digit of both, as a part of the smaller.
        let rounded = self.step / old.min(new);
        if rounded > NOISE / 3.0 {
            let _ = write!(text, "  printed to {:.0} %", 100.0 * rounded);
        }
        if (ratio - 1.0).abs() > NOISE + if rounded > NOISE / 3.0 { rounded } else { 0.0 } {
            text.push_str(match ratio > 1.0 {
                true if least > 1.0 => "  MORE",
                false if most < 1.0 => "  less",
                // In one round it was the other way round.
                _ => "  unsure",
            });
        }
        text
    }
}

fn shown(value: f64, kind: Kind) -> String {
    match kind {
        Kind::Time if value < 1e-3 => format!("{:.1} µs", value * 1e6),
        Kind::Time => format!("{:.2} ms", value * 1e3),
        Kind::Bytes if value < 10_000_000.0 => format!("{value:.0} B"),
        Kind::Bytes => format!("{:.1} MiB", value / 1024.0 / 1024.0),
        Kind::Rate => format!("{value:.0}/s"),
        Kind::Times => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "\
keyturn bench, 2 cores

style sheet and script                                     45123 and 9876 bytes
component, packed                                          723456 bytes
  imports keyturn:panel/accounts@1.0.0
          wasi:io/poll@0.2.0

no-op call                                                 7.9 µs
sign-in                                                    12.13 ms   1.102 × the native hash
commits a second, 8 callers, group commit                  5400
idle memory after 1,000 calls and 20 sign-ins, PSS         13.1 MiB   (40.1 MiB at once after them)
Forgotten password, 8 clients, half known                     4800/s   p50   1.50 ms   p99   4.00 ms
  CPU a request: until answered, with all work behind      0.21 ms, 0.31 ms   12 mails/s meanwhile
hook verify, 1 callers                                       80/s   p50  12.00 ms   p99  13.00 ms   CPU a call 11.90 ms   40 MiB
";

    #[test]
    fn every_figure_is_read_with_its_name_and_unit() {
        let read: Vec<_> = read(PRINTED).into_iter().map(|figure| (figure.name, figure.kind, figure.value)).collect();
        let expected = [
            ("style sheet and script", Kind::Times, 45_123.0),
            ("style sheet and script, and", Kind::Bytes, 9_876.0),
            ("component, packed", Kind::Bytes, 723_456.0),
            ("no-op call", Kind::Time, 7.9 * 1e-6),
            ("sign-in", Kind::Time, 12.13 * 1e-3),
            ("sign-in, figure 2", Kind::Times, 1.102),
            ("commits a second, 8 callers, group commit", Kind::Rate, 5_400.0),
            ("idle memory after 1,000 calls and 20 sign-ins, PSS", Kind::Bytes, 13.1 * 1_048_576.0),
            ("idle memory after 1,000 calls and 20 sign-ins, PSS, figure 2", Kind::Bytes, 40.1 * 1_048_576.0),
            ("Forgotten password, 8 clients, half known", Kind::Rate, 4_800.0),
            ("Forgotten password, 8 clients, half known, p50", Kind::Time, 1.5 * 1e-3),
            ("Forgotten password, 8 clients, half known, p99", Kind::Time, 4.0 * 1e-3),
        ];
        for (found, (name, kind, value)) in read.iter().zip(expected) {
            assert_eq!(*found, (name.to_owned(), kind, value));
        }
        let cpu = "Forgotten password, 8 clients, half known: CPU a request: until answered, with all work behind";
        let of =
            |name: &str| read.iter().filter(|(found, ..)| found == name).map(|(.., value)| *value).collect::<Vec<_>>();
        assert_eq!(of(cpu), [0.21 * 1e-3]);
        assert_eq!(of(&format!("{cpu}, figure 2")), [0.31 * 1e-3]);
        assert_eq!(of(&format!("{cpu}, figure 3")), [12.0]);
        assert_eq!(of("hook verify, 1 callers, CPU a call"), [11.9 * 1e-3]);
        assert_eq!(of("hook verify, 1 callers, figure 5"), [40.0 * 1_048_576.0]);
    }

    fn drawn(old: &[&str], new: &[&str]) -> String {
        let mut both = Comparison::default();
        for (side, rounds) in [(Side::Old, old), (Side::New, new)] {
            for figure in rounds {
                both.take(side, &format!("{:<COLUMN$} {figure}\n", "measured"));
            }
        }
        both.drawn()
    }

    #[test]
    fn the_ratio_is_of_the_medians_and_its_range_of_the_rounds() {
        let text = drawn(&["10.0 µs", "12.0 µs", "11.0 µs"], &["12.0 µs", "12.1 µs", "12.2 µs"]);
        assert!(text.contains("11.0 µs     12.1 µs   1.100 ×  (1.008 to 1.200)  MORE"), "{text}");
    }

    #[test]
    fn where_the_rounds_disagree_nothing_is_said_for_sure() {
        let text = drawn(&["10.0 µs", "12.0 µs", "14.0 µs"], &["13.0 µs", "13.0 µs", "13.0 µs"]);
        assert!(text.contains("1.083 ×  (0.929 to 1.300)  unsure"), "{text}");
    }

    #[test]
    fn a_greater_rate_costs_less() {
        let text = drawn(&["100/s"], &["200/s"]);
        assert!(text.contains("100/s       200/s   0.500 ×  (0.500 to 0.500)  less"), "{text}");
    }

    #[test]
    fn what_the_last_digit_may_have_made_is_not_held_against_a_build() {
        let text = drawn(&["0.14 ms"], &["0.15 ms"]);
        assert!(text.contains("1.071 ×  (1.071 to 1.071)  printed to 7 %\n"), "{text}");
        assert!(drawn(&["1.400 ms"], &["1.500 ms"]).contains("MORE"));
        assert!(drawn(&["0.00 ms"], &["0.00 ms"]).contains("1.000 ×"));
    }

    #[test]
    fn units_are_one_and_what_only_one_build_measures_is_named() {
        assert!(drawn(&["0.900 ms"], &["900.0 µs"]).contains("1.000 ×"));
        let mut both = Comparison::default();
        both.take(Side::New, &format!("{:<COLUMN$} 5 bytes\n", "new thing"));
        both.take(Side::Old, &format!("{:<COLUMN$} 5 bytes\n", "old thing"));
        let text = both.drawn();
        assert!(text.contains("only in the new build: new thing\nonly in the older build: old thing"), "{text}");
    }
}
