//! `keyturn jobs`: background jobs of plugins, and another try for failed ones.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use keyturn_host::Host;
use keyturn_host::storage::tasks::Task;
use serde_json::{Value, json};

use super::queue::{Done, Listed};
use super::{SECONDS, clock, configuration, console, ended};
use crate::output::Output;

#[derive(clap::Subcommand)]
pub enum Command {
    /// List waiting, running and failed jobs and events, the newest first.
    #[command(before_help = "\
Example:
  keyturn jobs list --failed")]
    List(List),
    /// Run failed jobs and events again, from the first attempt.
    #[command(
        before_help = "\
Example:
  keyturn jobs run-again --failed",
        after_help = "\
What a job needs is kept, sealed, for 7 days after it was queued, for the newest 1,000 failed jobs.

Exit codes: 0 all run again · 1 none · 3 some"
    )]
    RunAgain(RunAgain),
}

#[derive(Args)]
pub struct List {
    /// Only jobs that failed for good.
    #[arg(long)]
    failed: bool,
    /// How many at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
}

#[derive(Args)]
pub struct RunAgain {
    /// Ids of the jobs.
    #[arg(required_unless_present = "failed")]
    ids: Vec<String>,
    /// All failed jobs, at most 1,000, the newest first.
    #[arg(long, conflicts_with = "ids")]
    failed: bool,
}

pub fn run(config: &Path, command: &Command, output: &Output) -> anyhow::Result<ExitCode> {
    let host = configuration(config)?.empty_host()?;
    match command {
        Command::List(arguments) => list(&host, arguments, output),
        Command::RunAgain(arguments) => run_again(&host, arguments, output),
    }
}

fn list(host: &Host, arguments: &List, output: &Output) -> anyhow::Result<ExitCode> {
    let tasks = host.storage.tasks(arguments.failed, arguments.limit)?;
    let listed = Listed {
        heads: &["ID", "QUEUED", "KIND", "WHAT", "NEXT", "ATTEMPTS", "LAST OUTCOME"],
        none: if arguments.failed { "Nothing has failed." } else { "Nothing is waiting, and nothing has failed." },
        limit: None,
    };
    Ok(listed.show(&tasks, host, output, document, |task, entry| {
        let next = entry.due.map_or_else(|| "failed".to_owned(), |due| clock(due, host, SECONDS));
        vec![task.kind.name().to_owned(), format!("{} of {}", entry.what, entry.plugin), next]
    }))
}

fn run_again(host: &Host, arguments: &RunAgain, output: &Output) -> anyhow::Result<ExitCode> {
    let ids = if arguments.failed {
        host.storage.tasks(true, 1_000)?.into_iter().filter(|task| task.whole).map(|task| task.id).collect()
    } else {
        arguments.ids.clone()
    };
    if let Some(wrong) = ids.iter().find(|id| id.len() != 32 || !id.bytes().all(|b| b.is_ascii_hexdigit())) {
        return Err(ended(
            2,
            format!("{wrong} is not the id of a job; `keyturn jobs list` shows the ids. Nothing was done"),
        ));
    }
    let done = host.run_again(&console(), &ids)?;
    let said = Done {
        key: "run_again",
        done: "run again.",
        none: "There is no failed job to run again.",
        not: "doesn't exist, has not failed, or what it needs is gone",
    };
    Ok(said.tell(&ids, &done, output))
}

fn document(task: &Task) -> Value {
    json!({
        "id": task.id, "number": task.number, "kind": task.kind.name(), "plugin": task.plugin, "name": task.name,
        "attempts": task.attempts, "asked_at": task.asked_at, "due": task.due, "outcome": task.outcome, "whole": task.whole,
    })
}
