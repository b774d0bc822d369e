//! One file for each command.

pub mod audit;
pub mod call;
pub mod check;
pub mod database;
pub mod hosts;
pub mod jobs;
pub mod key;
pub mod keys;
pub mod mail;
pub mod outbox;
pub mod plugin;
mod queue;
pub mod reset_password;
pub mod serve;
pub mod webhooks;

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::Context as _;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use keyturn_host::Host;
use keyturn_host::accounts::Reach;
use keyturn_host::caller::{Actor, Caller};
use keyturn_host::config::Config;
use keyturn_host::operator::Shown;
use nix::unistd::{Gid, Uid, setgid, setgroups, setuid};

use crate::exit::{self, Ended};

/// The configuration, for a command that may work beside a server.
fn configuration(path: &Path) -> anyhow::Result<Config> {
    Ok(own_configuration(path)?.beside_server())
}

/// The configuration. Started by root, a command continues as the user who owns the database: files that root creates there
/// would lock the server out.
fn own_configuration(path: &Path) -> anyhow::Result<Config> {
    let config = Config::read(path).map_err(|cause| if cause.is_missing() { missing(path) } else { cause.into() })?;
    if Uid::effective().is_root()
        && let Some(Ok(database)) = config.database_file().map(std::fs::metadata)
        && database.uid() != 0
    {
        let become_owner = || {
            setgroups(&[Gid::from_raw(database.gid())])?;
            setgid(Gid::from_raw(database.gid()))?;
            setuid(Uid::from_raw(database.uid()))
        };
        become_owner().context("the database belongs to another user, and this command can't become that user")?;
    }
    Ok(config)
}

/// Says where the file was looked for, and how to name it.
fn missing(path: &Path) -> anyhow::Error {
    let here = std::env::current_dir().ok().filter(|_| path.is_relative());
    let place = here.map(|here| format!(" in {}", here.display())).unwrap_or_default();
    let text = format!(
        "there is no configuration {}{place}\n  set    --config FILE, or the variable KEYTURN_CONFIG\n  try    keyturn --config \
         /srv/panel/keyturn.toml check",
        path.display()
    );
    ended(exit::CONFIGURATION, text)
}

/// Reads a filter, named as on the pages.
fn shown() -> impl TypedValueParser<Value = Shown> {
    PossibleValuesParser::new(["all", "waiting", "failed", "accepted"])
        .map(|name| Shown::named(&name).unwrap_or_default())
}

/// Removes the end of a line of standard input.
fn without_end(line: &mut String) {
    let length = line.strip_suffix('\n').map_or(line.len(), |line| line.strip_suffix('\r').unwrap_or(line).len());
    line.truncate(length);
}

/// To the second, with the zone: the machine's own may differ.
const SECONDS: &str = "%Y-%m-%d %H:%M:%S %Z";
/// To the minute.
const MINUTES: &str = "%Y-%m-%d %H:%M %Z";

/// An instant, Unix milliseconds, in the brand's zone.
fn clock(at: i64, host: &Host, format: &str) -> String {
    jiff::Timestamp::from_millisecond(at)
        .map_or_else(|_| "?".to_owned(), |at| at.to_zoned(host.brand().zone.clone()).strftime(format).to_string())
}

/// The operator at the machine.
fn console() -> Caller {
    Caller::new(Actor::Console, Reach::none())
}

fn ended(code: u8, text: impl Into<String>) -> anyhow::Error {
    Ended { code, text: text.into() }.into()
}

fn not_found(text: impl Into<String>) -> anyhow::Error {
    ended(exit::NOT_FOUND, text)
}
