//! `keyturn call`.

use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use keyturn_host::values::read_json;
use serde_json::Value;

use super::{configuration, console};
use crate::output::Output;

#[derive(clap::Args)]
pub struct Arguments {
    /// INTERFACE/FUNCTION, such as password/account-status.
    hook: String,
    /// Arguments as a JSON object; `-` reads it from standard input.
    #[arg(default_value = "-")]
    arguments: String,
    /// Idempotency key: the same call under it is done once and answered the same.
    #[arg(long)]
    key: Option<String>,
}

pub fn run(config: &Path, arguments: &Arguments, output: &Output) -> anyhow::Result<ExitCode> {
    let mut text = arguments.arguments.clone();
    if text == "-" {
        text.clear();
        std::io::stdin().read_to_string(&mut text).context("standard input could not be read")?;
    }
    let json: Value = read_json(&text)
        .map_err(|cause| super::ended(2, format!("the arguments are no JSON that can be read: {cause}")))?;
    let host = configuration(config)?.host()?;
    let answer = host.call(&console(), &arguments.hook, &json, arguments.key.as_deref())?;
    output.document(&answer);
    Ok(ExitCode::SUCCESS)
}
