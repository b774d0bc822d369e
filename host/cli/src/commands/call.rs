//! `keyturn call`.

use std::io::{IsTerminal as _, Read as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use keyturn_host::seal::without_mark;
use keyturn_host::values::read_json;
use serde_json::Value;
use zeroize::Zeroizing;

use super::{configuration, console, ended, without_end};
use crate::output::Output;

#[derive(clap::Args)]
pub struct Arguments {
    /// The hook, as INTERFACE/FUNCTION, such as password/account-status.
    hook: String,
    /// Arguments as a JSON object; `-` reads them from standard input.
    #[arg(default_value = "-")]
    arguments: String,
    /// Idempotency key: the same call with the same key is done once and gets the same answer.
    #[arg(long)]
    key: Option<String>,
}

pub fn run(config: &Path, arguments: &Arguments, output: &Output) -> anyhow::Result<ExitCode> {
    let hook = &arguments.hook;
    let (host, json) = match arguments.arguments.as_str() {
        "-" => {
            let mut text = Zeroizing::new(String::new());
            std::io::stdin().read_to_string(&mut text).context("can't read standard input")?;
            let json = read(without_mark(&text))?;
            (configuration(config)?.host()?, json)
        }
        text => {
            let json = read(text)?;
            let host = configuration(config)?.host()?;
            let secrets = host.secrets(hook).unwrap_or_default();
            (host, with_secrets(hook, json, &secrets)?)
        }
    };
    let answer = host.call(&console(), hook, &json, arguments.key.as_deref())?;
    output.document(&answer);
    Ok(ExitCode::SUCCESS)
}

fn read(text: &str) -> anyhow::Result<Value> {
    read_json(text).map_err(|cause| ended(2, format!("the arguments are not valid JSON: {cause}")))
}

/// Adds the secrets to the arguments of the command line, which every user of the machine can list. Asks for them on a terminal,
/// otherwise reads a line of standard input for each. Optional secrets are left out.
fn with_secrets(hook: &str, mut json: Value, secrets: &[(String, bool)]) -> anyhow::Result<Value> {
    // If it isn't an object, the host refuses it with its own error.
    let Value::Object(object) = &mut json else { return Ok(json) };
    if let Some(shown) = secrets.iter().map(|(name, _)| name).find(|name| object.contains_key(*name)) {
        let text = format!(
            "“{shown}” is a secret, and every user of this machine can list a command's arguments: consider the value \
             leaked. Nothing was done\n  try    the same without {shown}; the command asks for it\n  \
             or     keyturn call {hook} - < FILE"
        );
        return Err(ended(2, text));
    }
    for (name, _) in secrets.iter().filter(|(_, optional)| !optional) {
        let secret = if std::io::stdin().is_terminal() {
            rpassword::prompt_password(format!("{name}: ")).context("can't read the secret")?
        } else {
            line(name)?
        };
        object.insert(name.clone(), Value::String(secret));
    }
    Ok(json)
}

/// The next line of standard input, without its end.
fn line(name: &str) -> anyhow::Result<String> {
    let mut text = String::new();
    let read = std::io::stdin().read_line(&mut text).context("can't read standard input")?;
    if read == 0 {
        return Err(ended(2, format!("“{name}” is a secret, and standard input has no line for it. Nothing was done")));
    }
    without_end(&mut text);
    Ok(text)
}
