//! `keyturn reset-password`: the way back in for people who are locked out. The configuration names the hook that sets a
//! password; the host itself knows nothing about passwords.

use std::io::{IsTerminal as _, Read as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use keyturn_host::accounts::{AccountId, Matched};
use keyturn_host::seal::without_mark;
use keyturn_host::{CallError, Failure, Host};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{clock, configuration, console, ended, not_found, without_end};
use crate::exit;
use crate::output::Output;

#[derive(clap::Args)]
pub struct Arguments {
    /// Login, email address, or account such as customer:42.
    login: String,
    /// Print a one-time link to choose a password instead of setting one.
    #[arg(long)]
    link: bool,
    /// The person must change the new password at the next sign-in.
    #[arg(long, conflicts_with = "link")]
    must_change: bool,
}

pub fn run(config: &Path, arguments: &Arguments, output: &Output) -> anyhow::Result<ExitCode> {
    let config = configuration(config)?;
    let host = config.host()?;
    let realms: Vec<&str> = config.accounts.keys().map(String::as_str).collect();
    let account = account(&host, &arguments.login, &realms)?;
    if arguments.link {
        let made = host.call(&console(), &config.sign_in.link_hook, &json!({ "account": account.as_str() }), None)?;
        return output.answer(&made, |output| {
            let until = made.get("until").and_then(Value::as_i64).unwrap_or_default();
            output.remark(&format!(
                "Link for {} ({account}). Anyone who has it can choose the password. It works once, until {}:",
                arguments.login,
                clock(until, &host, "%-d %b %Y, %H:%M %Z")
            ));
            output.line(made.get("link").and_then(Value::as_str).unwrap_or_default());
        });
    }
    let new = password()?;
    let call = json!({ "account": account.as_str(), "new": new.as_str(), "must_change": arguments.must_change });
    let changed = host.call(&console(), &config.sign_in.set_hook, &call, None).map_err(|error| match error {
        CallError::Failed(Failure::Unsupported) => ended(exit::REFUSED, format!("{error}; `keyturn check` says why")),
        error => error.into(),
    })?;
    output.answer(&changed, |output| {
        let ended = match changed.get("sessions_ended").and_then(Value::as_u64) {
            Some(1) => " 1 session was ended.".to_owned(),
            Some(count) => format!(" {count} sessions were ended."),
            None => String::new(),
        };
        output.line(&format!("The password of {} ({account}) has been changed.{ended}", arguments.login));
    })
}

/// One account, or the reason why not.
fn account(host: &Host, typed: &str, realms: &[&str]) -> anyhow::Result<AccountId> {
    if let Ok(id) = typed.parse::<AccountId>()
        && realms.contains(&id.realm())
        && host.epoch(&id)?.is_some()
    {
        return Ok(id);
    }
    let mut found = host.find(typed, realms)?;
    // A login outranks addresses, as at sign-in.
    if found.iter().any(|(_, by)| *by == Matched::Login) {
        found.retain(|(_, by)| *by == Matched::Login);
    }
    match found.as_slice() {
        [] => Err(not_found(format!("nobody has the login or email address “{typed}” in {}", realms.join(", ")))),
        [(id, _)] => Ok(id.clone()),
        several => {
            let names: Vec<&str> = several.iter().map(|(id, _)| id.as_str()).collect();
            let text = format!("“{typed}” belongs to several accounts: {}. Name one of them", names.join(", "));
            Err(ended(exit::REFUSED, text))
        }
    }
}

/// Asks twice on a terminal, without echo. Otherwise reads all of standard input, without the line's end.
fn password() -> anyhow::Result<Zeroizing<String>> {
    if std::io::stdin().is_terminal() {
        let ask = |prompt| rpassword::prompt_password(prompt).map(Zeroizing::new).context("can't read the password");
        let (new, again) = (ask("New password: ")?, ask("Repeat the new password: ")?);
        anyhow::ensure!(*new == *again, "the two passwords differ; nothing was changed");
        return Ok(new);
    }
    let mut text = Zeroizing::new(String::new());
    std::io::stdin().read_to_string(&mut text).context("can't read standard input")?;
    let marked = text.len() - without_mark(&text).len();
    text.drain(..marked);
    without_end(&mut text);
    if text.is_empty() {
        return Err(ended(2, "standard input is empty: write the password to it, or use --link"));
    }
    if text.contains(['\r', '\n']) {
        let several = "standard input has several lines, and sign-in pages accept only one; nothing was changed";
        return Err(ended(2, several));
    }
    Ok(text)
}
