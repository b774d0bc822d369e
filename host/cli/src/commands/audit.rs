//! `keyturn audit`.

use std::path::Path;
use std::process::ExitCode;

use keyturn_host::accounts::AccountId;
use keyturn_host::storage::AuditFilter;
use serde_json::json;

use super::{SECONDS, clock, configuration};
use crate::output::Output;

#[derive(clap::Subcommand)]
pub enum Command {
    /// The newest entries first.
    List {
        /// Only those that concern this account, such as customer:42.
        #[arg(long)]
        account: Option<AccountId>,
        /// Only this operation.
        #[arg(long)]
        operation: Option<String>,
        /// Only entries older than this number.
        #[arg(long)]
        before: Option<i64>,
        /// At most so many.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
    },
}

pub fn run(config: &Path, command: &Command, output: &Output) -> anyhow::Result<ExitCode> {
    let Command::List { account, operation, before, limit } = command;
    let host = configuration(config)?.empty_host()?;
    let filter = AuditFilter { subject: account.clone(), operation: operation.clone(), before: *before, limit: *limit };
    let entries = host.audit(&filter)?;
    if output.json {
        let entries = entries.iter().map(|(number, entry)| json!({ "number": number, "entry": entry }));
        output.document(&entries.collect());
        return Ok(ExitCode::SUCCESS);
    }
    if entries.is_empty() {
        output.remark("No entries.");
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<String>> = entries
        .iter()
        .map(|(number, entry)| {
            let mut subjects: Vec<&str> = entry.subjects.iter().map(|(id, _)| id.as_str()).collect();
            subjects.dedup();
            vec![
                number.to_string(),
                clock(entry.at, &host, SECONDS),
                entry.operation.clone(),
                entry.outcome.clone(),
                entry.actor.clone(),
                subjects.join(" "),
                entry.address.clone().unwrap_or_default(),
                entry.request.clone(),
            ]
        })
        .collect();
    output.table(&["NO", "WHEN", "WHAT", "OUTCOME", "WHO", "WHOM", "FROM", "REQUEST"], &rows);
    Ok(ExitCode::SUCCESS)
}
