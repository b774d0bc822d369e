//! `keyturn audit`.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use keyturn_host::Host;
use keyturn_host::accounts::AccountId;
use keyturn_host::accounts::sql::Severity;
use keyturn_host::config::Config;
use keyturn_host::storage::audit::chain::{Chain, Head};
use keyturn_host::storage::audit::verify::{Problem, Verified};
use keyturn_host::storage::{AuditEntry, AuditFilter};
use serde_json::json;

use super::{MINUTES, SECONDS, clock, configuration, console};
use crate::exit;
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
    /// Verify that no entry was changed, removed or added from outside.
    #[command(after_help = "\
It changes nothing, and works while the server is running. The server logs the ends of both chains at its start, each hour and every
1,000 entries. Keep these lines on another machine, and pass them with --head: they show whether the newest entries were removed.

Exit codes: 0 nothing was changed · 1 something was, or it can't be verified · 3 a head can't be compared: its entries were deleted as
old

Examples:
  keyturn audit verify
  keyturn audit verify --head entries:812:0123456789abcdef0123456789abcdef")]
    Verify(Verify),
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

#[derive(Args)]
pub struct Verify {
    /// An end of a chain as the server logged it, to compare with. Repeat it for several.
    #[arg(long, value_name = "CHAIN:SEQ:MAC")]
    head: Vec<Head>,
}

pub fn run(config: &Path, command: &Command, output: &Output) -> anyhow::Result<ExitCode> {
    let config = configuration(config)?;
    let config = if matches!(command, Command::Verify(_)) { config.to_look() } else { config };
    let host = config.empty_host()?;
    match command {
        Command::Verify(arguments) => verify(&host, arguments, output),
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

fn verify(host: &Host, arguments: &Verify, output: &Output) -> anyhow::Result<ExitCode> {
    let chains = host.storage.verify_audit(&arguments.head)?;
    let intact = chains.iter().all(|chain| chain.found == 0);
    let document = |chain: &Verified| {
        let heads: Vec<String> = chain.deleted_heads.iter().map(ToString::to_string).collect();
        json!({
            "chain": chain.chain, "began": chain.began, "taken": chain.taken, "rows": chain.rows, "deleted": chain.deleted,
            "head": chain.head.to_string(), "waiting": chain.waiting, "since": chain.since, "found": chain.found,
            "problems": chain.problems, "deleted_heads": heads,
        })
    };
    let document = json!({ "intact": intact, "chains": chains.iter().map(document).collect::<Vec<_>>() });
    output.answer(&document, |output| chains.iter().for_each(|chain| tell(chain, host, output)))?;
    let compared = chains.iter().all(|chain| chain.deleted_heads.is_empty());
    Ok(match (intact, compared) {
        (false, _) => ExitCode::FAILURE,
        (true, false) => ExitCode::from(exit::PART),
        (true, true) => ExitCode::SUCCESS,
    })
}

/// What was found of one chain.
fn tell(chain: &Verified, host: &Host, output: &Output) {
    let (one, many) = match chain.chain {
        Chain::Entries => ("entry", "entries"),
        Chain::Counts => ("line of counts", "lines of counts"),
    };
    let some = |count: u64| format!("{count} {}", if count == 1 { one } else { many });
    for problem in &chain.problems {
        let text = match problem {
            Problem::Missing { rows, after: Some(after) } => {
                format!("{} missing after number {after}", some(rows.unsigned_abs()))
            }
            Problem::Missing { rows, after: None } => format!("{} missing, the oldest", some(rows.unsigned_abs())),
            Problem::Changed { number } => format!("{one} {number} was changed"),
            Problem::Added { number } => format!("{one} {number} was added, or changed before it was chained"),
            Problem::Unchained { rows, since } => {
                let since = clock(*since, host, SECONDS);
                format!("{} not chained since {since}: no host with workers is running", some(*rows))
            }
            Problem::Cut { sequence } => {
                format!("{many}: the chain has nothing at {sequence}, where the logged head is")
            }
            Problem::Differs { sequence } => {
                format!("{many}: the chain is another one at {sequence} than the logged head")
            }
        };
        output.finding(Severity::Wrong, "wrong", &text);
    }
    let more = chain.found - chain.problems.len() as u64;
    if more > 0 {
        output.finding(Severity::Wrong, "wrong", &format!("{more} more of these"));
    }
    for head in &chain.deleted_heads {
        let text = format!("{head} can't be compared: what was there was deleted as old");
        output.finding(Severity::Note, "note", &text);
    }
    if let Some(since) = chain.since.filter(|_| chain.waiting > 0) {
        let (waiting, since) = (some(chain.waiting), clock(since, host, SECONDS));
        output.finding(Severity::Note, "note", &format!("{waiting} not chained yet, since {since}"));
    }
    let taken = match chain.taken {
        0 => String::new(),
        number => format!("; what was there by then, up to number {number}, was taken as it was"),
    };
    let (rows, began, head) = (some(chain.rows), clock(chain.began, host, MINUTES), &chain.head);
    let good = if chain.found == 0 { Severity::Good } else { Severity::Note };
    let text = format!("{rows} verified. The chain began {began}{taken}. It ends at\n{head}");
    output.finding(good, if chain.found == 0 { "good" } else { "note" }, &text);
}
