//! The results of the rows. Reasons for rows that were not imported wait in a temporary table until the end: there may be as
//! many as rows.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use rusqlite::{Connection, Row, params};
use serde_json::{Value, json};

use super::row::Problem;
use crate::exit;
use crate::terminal::{Out, left, number, right, width};

const TABLE: &str = "CREATE TEMP TABLE import_problems \
     (line INTEGER NOT NULL, field TEXT NOT NULL, value TEXT, reason TEXT NOT NULL)";
const PROBLEMS: &str = "SELECT line, field, value, reason FROM import_problems ORDER BY rowid";

/// How many rows had which result.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Rows read.
    pub seen: u64,
    /// New customers.
    pub imported: u64,
    /// Customers who already existed.
    pub there: u64,
    pub bad: u64,
    /// New customers by the scheme of their hash; the empty name for those without one.
    pub schemes: BTreeMap<String, u64>,
}

pub enum End {
    /// After the last row.
    Done,
    /// By Ctrl-C.
    Interrupted,
    Stopped(anyhow::Error),
}

/// A finished run.
pub struct Report {
    /// Committed rows only.
    pub tally: Tally,
    pub rows: u64,
    /// Nothing was changed.
    pub dry: bool,
    pub took: Duration,
    pub end: End,
}

/// Creates the table for problems on this connection.
pub fn begin(db: &Connection) -> rusqlite::Result<()> {
    db.execute_batch(TABLE)
}

/// Stores why the row of `line` is not imported.
pub fn note(db: &Connection, line: i64, problem: &Problem) -> rusqlite::Result<()> {
    let sql = "INSERT INTO import_problems (line, field, value, reason) VALUES (?1, ?2, ?3, ?4)";
    db.prepare_cached(sql)?.execute(params![line, problem.field, problem.value, problem.reason])?;
    Ok(())
}

struct Noted {
    line: i64,
    field: String,
    value: Option<String>,
    reason: String,
}

impl Noted {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { line: row.get(0)?, field: row.get(1)?, value: row.get(2)?, reason: row.get(3)? })
    }

    fn what(&self) -> String {
        self.value.as_ref().map_or_else(|| self.field.clone(), |value| format!("{} \"{value}\"", self.field))
    }
}

impl Report {
    pub fn code(&self) -> ExitCode {
        ExitCode::from(match self.end {
            End::Interrupted => exit::INTERRUPTED,
            End::Done if self.tally.bad == 0 => return ExitCode::SUCCESS,
            End::Done | End::Stopped(_) if self.tally.imported + self.tally.there > 0 => exit::PART,
            End::Done | End::Stopped(_) => exit::FAILED,
        })
    }

    /// As sentences.
    pub fn print(&self, db: &Connection) -> rusqlite::Result<()> {
        let out = Out::new();
        out.line(&self.summary());
        let mut problems = db.prepare(PROBLEMS)?;
        let (mut numbers, mut whats) = (0, 0);
        for problem in problems.query_map([], Noted::of)? {
            let problem = problem?;
            numbers = numbers.max(width(&number(problem.line)));
            whats = whats.max(width(&problem.what()));
        }
        for problem in problems.query_map([], Noted::of)? {
            let problem = problem?;
            let (line, what) = (right(&number(problem.line), numbers), left(&problem.what(), whats));
            out.line(&format!("  line {line}  {what}  {}", problem.reason));
        }
        self.advice().iter().for_each(|line| out.line(line));
        Ok(())
    }

    fn summary(&self) -> String {
        let Tally { imported, there, bad, .. } = self.tally;
        let (done, were, was) = match self.dry {
            true => ("Would import", "would not be", "would not be"),
            false => ("Imported", "were not", "was not"),
        };
        let time = if self.dry { String::new() } else { format!(" in {:.1} s", self.took.as_secs_f64()) };
        let mut text = format!("{done} {} of {}{time}.", number(imported), rows(self.rows));
        match there {
            0 => {}
            1 => text.push_str(" 1 already existed."),
            there => text.push_str(&format!(" {} already existed.", number(there))),
        }
        match bad {
            0 => {}
            1 => text.push_str(&format!(" 1 row {was} imported:")),
            bad => text.push_str(&format!(" {} rows {were} imported:", number(bad))),
        }
        text
    }

    fn advice(&self) -> Vec<String> {
        let Tally { seen, imported, there, bad, .. } = self.tally;
        let unseen = rows(self.rows.saturating_sub(seen));
        let mut lines = Vec::new();
        match &self.end {
            End::Done if bad == 0 || self.dry => {}
            End::Done if imported + there > 0 => lines
                .push("Good rows are imported. Fix the others and run it again: imported rows are skipped.".to_owned()),
            End::Done => lines.push("Nothing was imported. Fix the rows and run it again.".to_owned()),
            End::Interrupted => lines.push(format!(
                "Interrupted, with {unseen} to go. Run it again to continue: imported rows are skipped."
            )),
            End::Stopped(_) => lines.push(format!(
                "Stopped, with {unseen} to go. Fix the error and run it again: imported rows are skipped."
            )),
        }
        if self.dry {
            lines.push("Nothing was changed.".to_owned());
        }
        lines
    }

    /// As one JSON document, written while it is read.
    pub fn print_json(&self, db: &Connection) -> rusqlite::Result<()> {
        let Tally { seen, imported, there, bad, schemes } = &self.tally;
        let end = match &self.end {
            End::Done => json!("done"),
            End::Interrupted => json!("interrupted"),
            End::Stopped(_) => json!("stopped"),
        };
        let seconds = (self.took.as_secs_f64() * 10.0).round() / 10.0;
        let members: [(&str, Value); 8] = [
            ("rows", json!(self.rows)),
            ("seen", json!(seen)),
            ("imported", json!(imported)),
            ("there", json!(there)),
            ("not_imported", json!(bad)),
            ("schemes", json!(schemes)),
            ("dry_run", json!(self.dry)),
            ("seconds", json!(seconds)),
        ];
        let mut out = std::io::stdout().lock();
        // If the reader has gone away, that is not our error.
        let mut say = |text: String| drop(out.write_all(text.as_bytes()));
        say("{\n".to_owned());
        for (name, value) in members {
            say(format!("  \"{name}\": {value},\n"));
        }
        say(format!("  \"end\": {end},\n  \"problems\": ["));
        let mut between = "\n";
        for problem in db.prepare(PROBLEMS)?.query_map([], Noted::of)? {
            let Noted { line, field, value, reason } = problem?;
            let problem = json!({ "line": line, "field": field, "value": value, "reason": reason });
            say(format!("{between}    {problem}"));
            between = ",\n";
        }
        say(if between == "\n" { "]\n}\n" } else { "\n  ]\n}\n" }.to_owned());
        Ok(())
    }
}

fn rows(n: u64) -> String {
    if n == 1 { "1 row".to_owned() } else { format!("{} rows", number(n)) }
}
