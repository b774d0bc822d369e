//! `keyturn key`.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use keyturn_host::sqlite::lock::ServerLock;
use serde_json::json;

use super::{configuration, ended};
use crate::exit;
use crate::output::Output;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Go on with another key file where the former one is lost for good.
    #[command(long_about = "Go on with another key file where the former one is lost for good.\n\n\
        Void are: links, temporary passwords' ends and what must be changed, throttles, what was answered before, service keys, \
        and what was set on the page Email settings; every session ends. Passwords and the audit stay. Stop the server first.")]
    Replace {
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

pub fn run(config: &Path, command: &Command, output: &Output) -> anyhow::Result<ExitCode> {
    let Command::Replace { yes } = command;
    let config = configuration(config)?;
    if !yes {
        if !std::io::stdin().is_terminal() {
            return Err(ended(2, "this voids what the former key file has sealed; confirm it by --yes"));
        }
        eprint!("Every session, link and temporary password ends. Is the former key file lost for good? [y/N] ");
        std::io::stderr().flush()?;
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer)?;
        if !answer.trim().eq_ignore_ascii_case("y") {
            return Err(ended(1, "nothing was changed"));
        }
    }
    let _lock = ServerLock::take(&config.path(&config.database.sqlite))
        .map_err(|cause| ended(exit::LATER, cause.to_string()))?;
    config.replace_key()?;
    let key_file = config.path(&config.key_file);
    if output.json {
        output.document(&json!({ "key_file": key_file }));
    } else {
        output.line(&format!("The database goes on with {}. Keep it with the backup.", key_file.display()));
    }
    Ok(ExitCode::SUCCESS)
}
