//! `keyturn hosts`: the hosts on this database.

use std::path::Path;
use std::process::ExitCode;

use keyturn_host::storage::hosts::{About, Host, State, is_off};
use serde_json::{Value, json};

use super::{SECONDS, clock, configuration};
use crate::output::Output;

#[derive(clap::Subcommand)]
pub enum Command {
    /// List the hosts on this database: since when they run, whether they work queues, and how they differ from these files.
    #[command(after_help = "\
DIFFERS names settings and grants in which a host differs from the files of this configuration, as they stand now: also
what you have changed since the host started. CLOCK is at least the difference from the database's clock. A host that is
off by more than 5 s is not ready and claims no work. Hosts that are gone are listed for a day.")]
    List,
}

pub fn run(path: &Path, command: &Command, output: &Output) -> anyhow::Result<ExitCode> {
    let Command::List = command;
    let config = configuration(path)?;
    let host = config.empty_host()?;
    let (hosts, own) = (host.storage.hosts()?, config.compared(&host.keys));
    let at = |at: i64| clock(at, &host, SECONDS);
    let row = |one: &Host| {
        let differs = one.about.as_ref().map(|about| own.differences(about));
        vec![
            one.name().to_owned(),
            one.about.as_ref().map_or_else(|| "?".to_owned(), |about| about.version.clone()),
            state(one).to_owned(),
            at(one.started),
            at(one.seen),
            if one.works { "yes" } else { "no" }.to_owned(),
            seconds(one.ahead) + if is_off(one.ahead) { " (off)" } else { "" },
            match differs {
                None => "unknown".to_owned(),
                Some(none) if none.is_empty() => "in nothing".to_owned(),
                Some(names) => names.join(", "),
            },
        ]
    };
    let heads = ["NAME", "VERSION", "STATE", "STARTED", "LAST SEEN", "WORKS QUEUES", "CLOCK", "DIFFERS"];
    output.list(&hosts, "No host has served this database lately.", |one| document(one, &own), &heads, row);
    Ok(ExitCode::SUCCESS)
}

fn state(host: &Host) -> &'static str {
    match host.state {
        State::Running => "running",
        State::Stopped => "stopped",
        State::Silent => "silent",
    }
}

/// `+12.3 s`.
fn seconds(ahead: i64) -> String {
    let sign = if ahead < 0 { '-' } else { '+' };
    let tenths = ahead.unsigned_abs() / 100;
    format!("{sign}{}.{} s", tenths / 10, tenths % 10)
}

fn document(host: &Host, own: &About) -> Value {
    let about = host.about.as_ref();
    json!({
        "id": host.id, "name": about.map(|about| &about.name), "version": about.map(|about| &about.version),
        "state": state(host), "started": host.started, "seen": host.seen, "works_queues": host.works,
        "clock_ms": host.ahead, "clock_is_off": is_off(host.ahead), "differs": about.map(|about| own.differences(about)),
    })
}
