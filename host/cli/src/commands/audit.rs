//! `keyturn audit`.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use keyturn_host::Host;
use keyturn_host::accounts::AccountId;
use keyturn_host::config::Config;
use keyturn_host::storage::{AuditEntry, AuditFilter};
use serde_json::json;

use super::{MINUTES, SECONDS, clock, configuration, console};
use crate::output::Output;

/// Milliseconds.
const DAY: i64 = 24 * 3600 * 1000;

#[derive(clap::Subcommand)]
pub enum Command {
    /// List entries, the newest first. Attempts that were only counted have a line for each minute: how often, from which network.
    List(List),
    /// Delete old entries.
    #[command(after_help = "\
A running server does this itself, in small steps. Use this command to delete more, or to see what would be deleted.

Examples:
  keyturn audit prune --dry-run
  keyturn audit prune --older-than 90")]
    Prune(Prune),
}

#[derive(Args)]
pub struct List {
    /// Only entries about this account, such as customer:42.
    #[arg(long)]
    account: Option<AccountId>,
    /// Only entries of this operation.
    #[arg(long)]
    operation: Option<String>,
    /// Only entries with a lower number.
    #[arg(long)]
    before: Option<i64>,
    /// How many at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
}

#[derive(Args)]
pub struct Prune {
    /// Delete entries older than this many days. Default: `keep-days` under `[audit]` in keyturn.toml.
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    older_than: Option<u32>,
    /// Only show what would be deleted.
    #[arg(long)]
    dry_run: bool,
}

pub fn run(config: &Path, command: &Command, output: &Output) -> anyhow::Result<ExitCode> {
    let config = configuration(config)?;
    let host = config.empty_host()?;
    match command {
        Command::List(arguments) => list(&host, arguments, output),
        Command::Prune(arguments) => prune(&host, &config, arguments, output),
    }
}

fn list(host: &Host, arguments: &List, output: &Output) -> anyhow::Result<ExitCode> {
    let entries = host.audit(&AuditFilter {
        subject: arguments.account.clone(),
        operation: arguments.operation.clone(),
        before: arguments.before,
        limit: arguments.limit,
        counted: true,
    })?;
    let row = |(number, entry): &(i64, AuditEntry)| {
        let mut subjects: Vec<&str> = entry.subjects.iter().map(|(id, _)| id.as_str()).collect();
        subjects.dedup();
        vec![
            number.to_string(),
            clock(entry.at, host, if entry.times.is_some() { MINUTES } else { SECONDS }),
            entry.operation.clone(),
            outcome(entry),
            entry.actor.clone(),
            entry.key.clone().unwrap_or_default(),
            subjects.join(" "),
            entry.address.clone().unwrap_or_default(),
            entry.request.clone(),
        ]
    };
    let heads = ["NO", "WHEN", "WHAT", "OUTCOME", "WHO", "KEY", "WHOM", "FROM", "REQUEST"];
    output.list(&entries, "No entries.", |(number, entry)| json!({ "number": number, "entry": entry }), &heads, row);
    Ok(ExitCode::SUCCESS)
}

/// How it ended; of what was only counted: `412 times throttled from 192.0.2.0/24 within the minute`.
fn outcome(entry: &AuditEntry) -> String {
    let Some(times) = entry.times else { return entry.outcome.clone() };
    let times = if times == 1 { "once".to_owned() } else { format!("{times} times") };
    let from = entry.address.as_ref().map(|network| format!(" from {network}")).unwrap_or_default();
    format!("{times} {}{from} within the minute", entry.outcome)
}

fn prune(host: &Host, config: &Config, arguments: &Prune, output: &Output) -> anyhow::Result<ExitCode> {
    let days = arguments.older_than.unwrap_or(config.audit.keep_days);
    let before = host.now() - i64::from(days) * DAY;
    let outdated = host.storage.audit_before(before)?;
    let gone = if arguments.dry_run { 0 } else { host.prune_audit(&console(), before)? };
    let document = json!({
        "older_than_days": days, "before": before, "entries": outdated.entries, "counted": outdated.counted,
        "oldest": outdated.oldest, "deleted": gone,
    });
    output.answer(&document, |output| {
        let Some(oldest) = outdated.oldest else {
            return output.line(&format!("No entry is older than {days} days."));
        };
        let count = |count: u64, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
        output.line(&format!(
            "{} older than {days} days: {} and {}, the oldest from {}.",
            if arguments.dry_run { "Would delete entries" } else { "Deleted entries" },
            count(outdated.entries, "entry", "entries"),
            count(outdated.counted, "line of counts", "lines of counts"),
            clock(oldest, host, MINUTES)
        ));
        if arguments.dry_run {
            output.remark("Nothing was deleted. To delete them, run it without --dry-run.");
        }
    })
}
