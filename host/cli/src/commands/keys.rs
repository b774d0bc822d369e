//! `keyturn keys`: service keys, with which machines identify themselves.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use keyturn_host::Host;
use keyturn_host::config::Config;
use keyturn_host::network::Network;
use keyturn_host::service_key::{KeyProblem, NewKey, ServiceKey};
use serde_json::{Value, json};

use super::{MINUTES, clock, configuration, console, ended};
use crate::exit;
use crate::output::Output;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Create a key. Its token is shown only once.
    #[command(after_help = "\
Examples:
  keyturn keys add whmcs --may password/reset-and-mail,password/account-status,without-step-up --accounts customer
  keyturn keys add reseller-7 --may password/make-link,without-step-up --accounts customer --managed-by 7 \
    --from 192.0.2.0/24 --days 365

`keyturn check` lists the hooks for --may. Other scopes:
  accounts         look up which accounts have a login or an address
  mails            read the state of an email
  views            show plugins' pages to everyone in the panel. The key speaks for all of them: it is for the panel only
  client-address   pass on the address of the person who signs in, in the header Keyturn-Client-Address. It is for the
                   program that calls password/verify
  without-step-up  do what people confirm with their own password: set somebody's password, or create or email a link")]
    Add(Add),
    /// List all keys, also revoked ones: what each may do, and its last use.
    List,
    /// Revoke a key. The next request with it is refused.
    Revoke {
        /// The key's name.
        name: String,
    },
    /// Create a new token for a key, shown only once. The old token works for a while.
    Rotate {
        /// The key's name.
        name: String,
        /// How many minutes the old token still works; 0: it stops working at once.
        #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(..=10_080))]
        old_works_for: u32,
    },
}

#[derive(clap::Args)]
pub struct Add {
    /// The key's name, as the audit log shows it: a-z, 0-9, -.
    name: String,
    /// Hooks that it may call, as INTERFACE/FUNCTION, and scopes: accounts, mails, views, client-address, without-step-up.
    #[arg(long, value_delimiter = ',', required = true)]
    may: Vec<String>,
    /// Realms whose accounts it may use, such as customer.
    #[arg(long, value_delimiter = ',', required = true)]
    accounts: Vec<String>,
    /// Only accounts of one manager, such as a reseller: the value in the mapped manager column.
    #[arg(long)]
    managed_by: Option<String>,
    /// Addresses and ranges that it may be used from. Default: anywhere.
    #[arg(long, value_delimiter = ',')]
    from: Vec<Network>,
    /// Days until it expires. Default: it works until it is revoked.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: Option<u32>,
}

pub fn run(path: &Path, command: &Command, output: &Output) -> anyhow::Result<ExitCode> {
    let config = configuration(path)?;
    match command {
        Command::Add(arguments) => add(&config, arguments, output),
        Command::List => list(&config.empty_host()?, output),
        Command::Revoke { name } => {
            let done = config.empty_host()?.revoke_service_key(&console(), name).map_err(problem)?;
            output.answer(&json!({ "name": name, "revoked": true, "was_revoked_before": !done }), |output| {
                output.line(&match done {
                    true => format!("{name} has been revoked. The next request with it is refused."),
                    false => format!("{name} was already revoked."),
                });
            })
        }
        Command::Rotate { name, old_works_for } => {
            let host = config.empty_host()?;
            let token =
                host.rotate_service_key(&console(), name, i64::from(*old_works_for) * 60_000, None).map_err(problem)?;
            output.answer(&json!({ "name": name, "token": token.as_str() }), |output| {
                let old = match old_works_for {
                    0 => "no longer works".to_owned(),
                    minutes => format!("works for {minutes} more minutes"),
                };
                output.remark(&format!("The old token of {name} {old}. The new one is shown only once:"));
                output.line(&token);
            })
        }
    }
}

fn problem(cause: KeyProblem) -> anyhow::Error {
    match cause {
        KeyProblem::Storage(cause) => cause.into(),
        KeyProblem::NoSuch(_) | KeyProblem::Realm { .. } => ended(exit::NOT_FOUND, cause.to_string()),
        KeyProblem::Unmanaged(_) => ended(exit::CONFIGURATION, cause.to_string()),
        KeyProblem::Raced(_) => ended(exit::LATER, cause.to_string()),
        _ => ended(exit::REFUSED, cause.to_string()),
    }
}

fn add(config: &Config, arguments: &Add, output: &Output) -> anyhow::Result<ExitCode> {
    let host = config.host()?;
    let new = NewKey {
        name: arguments.name.clone(),
        scopes: arguments.may.iter().cloned().collect(),
        realms: arguments.accounts.iter().cloned().collect(),
        managed_by: arguments.managed_by.clone(),
        addresses: arguments.from.clone(),
        expires: arguments.days.map(|days| host.now() + i64::from(days) * 86_400_000),
    };
    let (key, token) = host.add_service_key(&console(), new).map_err(problem)?;
    let mut document = document(&key, host.now());
    document["token"] = token.as_str().into();
    output.answer(&document, |output| {
        output.remark(&format!("{} may {}. Its token is shown only once:", key.name, in_words(&key)));
        output.line(&token);
    })
}

/// What a key may do, for whom, from where.
fn in_words(key: &ServiceKey) -> String {
    let listed = |names: &BTreeSet<String>| names.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let of = key.managed_by.as_ref().map(|manager| format!(" of {manager}")).unwrap_or_default();
    let from: Vec<String> = key.addresses.iter().map(ToString::to_string).collect();
    let from = if from.is_empty() { "anywhere".to_owned() } else { from.join(", ") };
    format!("do {} for every {}{of}, from {from}", listed(&key.scopes), listed(&key.realms))
}

fn state(key: &ServiceKey, now: i64) -> &'static str {
    match key.revoked {
        Some(_) => "revoked",
        None if key.works(now) => "works",
        None => "expired",
    }
}

fn document(key: &ServiceKey, now: i64) -> Value {
    json!({
        "id": key.id, "name": key.name, "state": state(key, now), "may": key.scopes, "accounts": key.realms,
        "managed_by": key.managed_by, "from": key.addresses, "made": key.made, "expires": key.expires,
        "revoked": key.revoked, "last_used": key.last_used.as_ref().map(|(at, from)| json!({ "at": at, "from": from })),
    })
}

fn list(host: &Host, output: &Output) -> anyhow::Result<ExitCode> {
    let (keys, now) = (host.service_keys()?, host.now());
    let never = || "never".to_owned();
    let row = |key: &ServiceKey| {
        let used = key.last_used.as_ref().map(|(at, from)| match from {
            Some(from) => format!("{} from {from}", clock(*at, host, MINUTES)),
            None => clock(*at, host, MINUTES),
        });
        vec![
            key.name.clone(),
            key.id.clone(),
            state(key, now).to_owned(),
            used.unwrap_or_else(never),
            key.expires.map_or_else(never, |end| clock(end, host, MINUTES)),
            in_words(key),
        ]
    };
    let none = "No keys. Create one with `keyturn keys add`.";
    let heads = ["NAME", "ID", "STATE", "LAST USED", "EXPIRES", "MAY"];
    output.list(&keys, none, |key| document(key, now), &heads, row);
    Ok(ExitCode::SUCCESS)
}
