//! `keyturn key`.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use keyturn_host::config::ConfigError;
use keyturn_host::storage::StorageError;
use serde_json::json;

use super::{configuration, ended};
use crate::exit;
use crate::output::Output;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Start with a new key file after the old one is lost for good.
    #[command(long_about = "Start with a new key file after the old one is lost for good.\n\n\
        This voids links, the expiry of temporary passwords, passwords that must be changed, throttles, stored answers, service \
        keys, and the page Email settings. Every session ends. Passwords and the audit log stay; its chain begins again, so verify it \
        first if you still have the old key file. Stop the server first.")]
    Replace {
        /// Don't ask for confirmation.
        #[arg(long)]
        yes: bool,
    },
}

pub fn run(config: &Path, command: &Command, output: &Output) -> anyhow::Result<ExitCode> {
    let Command::Replace { yes } = command;
    let config = configuration(config)?;
    if !yes {
        if !std::io::stdin().is_terminal() {
            return Err(ended(2, "this voids what the old key file has sealed; confirm with --yes"));
        }
        eprint!("This ends every session, link and temporary password. Is the old key file lost for good? [y/N] ");
        std::io::stderr().flush()?;
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer)?;
        if !answer.trim().eq_ignore_ascii_case("y") {
            return Err(ended(1, "nothing was changed"));
        }
    }
    config.replace_key().map_err(|cause| match cause {
        ConfigError::Database { cause: served @ StorageError::Served(_), .. } => ended(exit::LATER, served.to_string()),
        cause => cause.into(),
    })?;
    let key_file = config.path(&config.key_file);
    output.answer(&json!({ "key_file": key_file }), |output| {
        output.line(&format!("The database now uses {}. Keep it with the backup.", key_file.display()));
    })
}
