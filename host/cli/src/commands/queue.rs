//! What `outbox`, `jobs` and `webhooks` have in common: each lists what waits or failed, and does something to some of it.

use std::fmt::Display;
use std::process::ExitCode;

use keyturn_host::Host;
use keyturn_host::storage::queue::Entry;
use serde_json::{Value, json};

use super::{SECONDS, clock};
use crate::exit;
use crate::output::Output;

/// A list, the newest first: as JSON, or as a table.
pub struct Listed<'a> {
    pub heads: &'a [&'a str],
    /// What is said where there is nothing.
    pub none: &'a str,
    /// So many were asked for, where older ones can be asked for too.
    pub limit: Option<u32>,
}

impl Listed<'_> {
    /// `columns` are those between when it was asked for and its attempts.
    pub fn show<T>(
        &self,
        all: &[T],
        host: &Host,
        output: &Output,
        document: impl Fn(&T) -> Value,
        columns: impl Fn(&T, &Entry) -> Vec<String>,
    ) -> ExitCode
    where
        Entry: for<'t> From<&'t T>,
    {
        let row = |one: &T| {
            let entry = Entry::from(one);
            let mut row = vec![entry.id.clone(), clock(entry.asked_at, host, SECONDS)];
            row.extend(columns(one, &entry));
            row.extend([format!("{} of {}", entry.attempts, entry.most), entry.said.unwrap_or_default()]);
            row
        };
        let listed = output.list(all, self.none, document, self.heads, row);
        if let Some(last) = all.last().filter(|_| listed && self.limit == u32::try_from(all.len()).ok()) {
            output.remark(&format!("Older ones: --before {}", Entry::from(last).number));
        }
        ExitCode::SUCCESS
    }
}

/// What was done by hand to some of these.
pub struct Done<'a> {
    /// In JSON, whether it was done.
    pub key: &'a str,
    /// What was done to so many of so many, with the full stop.
    pub done: &'a str,
    /// What is said where there was nothing to do it to.
    pub none: &'a str,
    /// Why it was not done to one.
    pub not: &'a str,
}

impl Done<'_> {
    pub fn tell<I: Display + PartialEq>(&self, ids: &[I], done: &[I], output: &Output) -> ExitCode {
        if output.json {
            let answer = |id: &I| {
                let mut answer = json!({ "id": id.to_string() });
                answer[self.key] = json!(done.contains(id));
                answer
            };
            output.document(&ids.iter().map(answer).collect());
        } else if ids.is_empty() {
            output.remark(self.none);
        } else {
            output.line(&format!("{} of {} {}", done.len(), ids.len(), self.done));
            for id in ids.iter().filter(|id| !done.contains(id)) {
                output.remark(&format!("  {id}  {}", self.not));
            }
        }
        code(done.len(), ids.len(), 1)
    }
}

/// Whether it was done to all, or to some, or to none of them.
pub fn code(done: usize, of: usize, none: u8) -> ExitCode {
    ExitCode::from(match done {
        _ if done == of => 0,
        0 => none,
        _ => exit::PART,
    })
}

/// Each once, all of which there are: one that is mistyped stops the command before it does anything.
pub fn there<I: Clone + PartialEq>(
    ids: &[I],
    mut look: impl FnMut(&I) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<I>> {
    let mut there: Vec<I> = Vec::new();
    for id in ids {
        look(id)?;
        if !there.contains(id) {
            there.push(id.clone());
        }
    }
    Ok(there)
}
