//! `keyturn webhooks`: destinations of events, their deliveries, and another try.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use keyturn_host::Host;
use keyturn_host::operator::Shown;
use keyturn_host::storage::deliveries::{ATTEMPTS, Delivery, DeliveryFilter, DeliveryId, DeliveryState, Tried};
use keyturn_host::webhooks::secret::Secret;
use keyturn_host::webhooks::send::Verdict;
use keyturn_host::webhooks::tended::{Held, OneDelivery, Tended};
use serde_json::{Value, json};

use super::queue::{self, Done, Listed};
use super::{SECONDS, clock, configuration, console, ended, not_found, shown};
use crate::exit;
use crate::output::Output;

/// How many deliveries `send-again --failed` takes at most.
const AT_ONCE: u32 = 1_000;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Create a secret that a destination and this panel share. It is not stored: put it into both places.
    #[command(after_help = "\
Examples:
  (umask 077; keyturn webhooks secret > billing.secret)
  (umask 077; { keyturn webhooks secret; cat billing.secret; } > both && mv both billing.secret)   (to change it)")]
    Secret,
    /// List the destinations with their state.
    Destinations,
    /// List deliveries, the newest first.
    #[command(after_help = "\
Examples:
  keyturn webhooks list --state failed
  keyturn webhooks list --to billing")]
    List(List),
    /// Show one delivery: its state, its attempts with their answers, and its body.
    Show {
        /// The delivery's id.
        id: DeliveryId,
    },
    /// Send deliveries again, each under the same id.
    #[command(after_help = "\
Examples:
  keyturn webhooks send-again --failed --to billing
  keyturn webhooks send-again msg_5f0c…

Exit codes: 0 all sent again · 1 none · 3 some · 4 no such delivery")]
    SendAgain(SendAgain),
    /// Send to a destination again that answered 410 Gone.
    Enable {
        /// The destination's name.
        name: String,
    },
    /// Post one event webhook.test to a destination now, and show the answer.
    #[command(
        after_help = "Exit codes: 0 accepted · 1 not accepted · 4 no such destination · 75 not known: no answer came"
    )]
    Test {
        /// The destination's name.
        name: String,
    },
}

#[derive(Args)]
pub struct List {
    /// Only deliveries in this state.
    #[arg(long, default_value = "all", value_parser = shown())]
    state: Shown,
    /// Only deliveries to this destination.
    #[arg(long)]
    to: Option<String>,
    /// Only deliveries with a lower number.
    #[arg(long)]
    before: Option<i64>,
    /// How many at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
}

#[derive(Args)]
pub struct SendAgain {
    /// Ids of the deliveries.
    #[arg(required_unless_present = "failed")]
    ids: Vec<DeliveryId>,
    /// All deliveries that were given up, at most 1,000, the newest first.
    #[arg(long, conflicts_with = "ids")]
    failed: bool,
    /// With --failed: only deliveries to this destination.
    #[arg(long, requires = "failed")]
    to: Option<String>,
}

pub fn run(config: &Path, command: &Command, output: &Output) -> anyhow::Result<ExitCode> {
    // People create a secret before a configuration can name its file.
    if matches!(command, Command::Secret) {
        let secret = Secret::made();
        return output.answer(&json!({ "secret": secret.as_str() }), |output| output.line(&secret));
    }
    let host = configuration(config)?.empty_host()?;
    match command {
        Command::Secret => Ok(ExitCode::SUCCESS),
        Command::Destinations => destinations(&host, output),
        Command::List(arguments) => list(&host, arguments, output),
        Command::Show { id } => show(&host, id, output),
        Command::SendAgain(arguments) => send_again(&host, arguments, output),
        Command::Enable { name } => enable(&host, name, output),
        Command::Test { name } => test(&host, name, output),
    }
}

fn destinations(host: &Host, output: &Output) -> anyhow::Result<ExitCode> {
    let tended = host.tended()?;
    let row = |one: &Tended| {
        let (url, events) = one.leads.clone().unwrap_or_default();
        let state = one.held().map_or_else(|| "sends".to_owned(), |held| held_in_words(held, host));
        let counts = [one.waiting, one.failed, one.accepted, one.noted.missed].map(|count| count.to_string());
        [one.name.clone(), state].into_iter().chain(counts).chain([events.join(", "), url]).collect()
    };
    let none = "No webhooks. Add them to keyturn.toml, under [[webhooks]].";
    let heads = ["NAME", "STATE", "WAITING", "FAILED", "ACCEPTED", "MISSED", "EVENTS", "URL"];
    if output.list(&tended, none, destination_document, &heads, row) {
        for Tended { name, noted, .. } in tended.iter().filter(|one| one.noted.missed > 0) {
            let last = noted.missed_at.map(|at| format!(", the last at {}", clock(at, host, SECONDS)));
            let (n, last) = (noted.missed, last.unwrap_or_default());
            output.remark(&format!("{n} events for {name} were dropped, because too many were waiting{last}"));
        }
        for Tended { name, .. } in tended.iter().filter(|one| matches!(one.held(), Some(Held::Disabled(_)))) {
            output.remark(&format!("{name} answered 410 Gone. When it works again: keyturn webhooks enable {name}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn held_in_words(held: Held, host: &Host) -> String {
    match held {
        Held::Disabled(at) => format!("gone since {}", clock(at, host, SECONDS)),
        Held::Off => "off".to_owned(),
        Held::Removed => "not in the configuration".to_owned(),
    }
}

fn destination_document(one: &Tended) -> Value {
    let (url, events) = one.leads.clone().unzip();
    json!({
        "name": one.name, "url": url, "events": events, "removed": one.leads.is_none(), "off": one.off,
        "disabled_at": one.noted.disabled_at, "waiting": one.waiting, "failed": one.failed, "accepted": one.accepted,
        "missed": one.noted.missed, "missed_at": one.noted.missed_at,
    })
}

fn list(host: &Host, arguments: &List, output: &Output) -> anyhow::Result<ExitCode> {
    let deliveries = host.storage.deliveries(&DeliveryFilter {
        states: arguments.state.states().to_vec(),
        destination: arguments.to.clone(),
        before: arguments.before,
        limit: arguments.limit,
    })?;
    let tended = host.tended()?;
    let listed = Listed {
        heads: &["ID", "WHEN", "TO", "EVENT", "ACCOUNT", "STATE", "ATTEMPTS", "LAST ANSWER"],
        none: "No deliveries.",
        limit: Some(arguments.limit),
    };
    Ok(listed.show(&deliveries, host, output, document, |one, entry| {
        let held = tended.iter().find(|to| one.waits() && to.name == one.destination).and_then(Tended::held);
        let state = match held {
            None => one.state.name().to_owned(),
            Some(held) => format!("{}: {}", one.state.name(), held_in_words(held, host)),
        };
        let account = one.account.as_ref().map(ToString::to_string).unwrap_or_default();
        vec![one.destination.clone(), entry.what.clone(), account, state]
    }))
}

fn show(host: &Host, id: &DeliveryId, output: &Output) -> anyhow::Result<ExitCode> {
    let OneDelivery { delivery, body, held } = host.one_delivery(id)?.ok_or_else(|| no_such(id))?;
    let mut shown = document(&delivery);
    shown["body"] = json!(body.as_deref().and_then(|body| serde_json::from_str::<Value>(body).ok()));
    shown["removed"] = json!(held == Some(Held::Removed));
    let mut facts = vec![
        ("id", delivery.id.to_string()),
        ("to", delivery.destination.clone()),
        ("event", format!("{} of {}", delivery.event, delivery.plugin)),
    ];
    facts.extend(delivery.account.as_ref().map(|account| ("account", account.to_string())));
    facts.push(("when", clock(delivery.asked_at, host, SECONDS)));
    facts.push(("state", format!("{}, since {}", delivery.state.name(), clock(delivery.changed_at, host, SECONDS))));
    facts.push(("attempts", format!("{} of {ATTEMPTS}", delivery.attempts)));
    match (held, delivery.state, delivery.due) {
        (Some(held), ..) => facts.push(("held", held_in_words(held, host))),
        (None, DeliveryState::Delayed, Some(due)) => facts.push(("next", clock(due, host, SECONDS))),
        _ => {}
    }
    output.answer(&shown, |output| {
        output.facts(&facts);
        if !delivery.tried.is_empty() {
            output.line("");
            let row = |tried: &Tried| {
                vec![clock(tried.at, host, SECONDS), format!("{} ms", tried.took_ms), tried.said.clone()]
            };
            output.table(&["WHEN", "TOOK", "ANSWER"], delivery.tried.iter().map(row));
        }
        match body {
            Some(body) => output.line(&format!("\n{body}")),
            None => output.remark("This panel did not write its contents, so it is not sent."),
        }
    })
}

fn send_again(host: &Host, arguments: &SendAgain, output: &Output) -> anyhow::Result<ExitCode> {
    let ids: Vec<DeliveryId> = if arguments.failed {
        if let Some(name) = &arguments.to {
            known(host, name)?;
        }
        let filter = DeliveryFilter {
            states: Shown::Failed.states().to_vec(),
            destination: arguments.to.clone(),
            limit: AT_ONCE,
            ..DeliveryFilter::default()
        };
        host.storage.deliveries(&filter)?.into_iter().map(|delivery| delivery.id).collect()
    } else {
        queue::there(&arguments.ids, |id| host.one_delivery(id)?.map(drop).ok_or_else(|| no_such(id)))?
    };
    let done = host.send_again(&console(), &ids)?;
    let said = Done {
        key: "sent_again",
        done: "are sent again.",
        none: "No delivery was given up. Delayed ones are retried automatically; to retry one now: send-again ID",
        not: "is being sent right now",
    };
    let code = said.tell(&ids, &done, output);
    if !output.json && !ids.is_empty() {
        for one in host.tended()?.iter().filter(|one| one.waiting > 0) {
            if let Some(held) = one.held() {
                let why = held_in_words(held, host);
                output.remark(&format!("{} is {why}: waiting events are sent when it works again", one.name));
            }
        }
    }
    Ok(code)
}

/// Checks that there is or was such a destination.
fn known(host: &Host, name: &str) -> anyhow::Result<Tended> {
    let tended = host.tended()?;
    let names: Vec<&str> = tended.iter().map(|one| one.name.as_str()).collect();
    let there = if names.is_empty() { "there is none".to_owned() } else { format!("there are {}", names.join(", ")) };
    let missing = || not_found(format!("there is no webhook {name}; {there}"));
    tended.iter().find(|one| one.name == name).cloned().ok_or_else(missing)
}

fn enable(host: &Host, name: &str, output: &Output) -> anyhow::Result<ExitCode> {
    let tended = known(host, name)?;
    let was = host.enable_destination(&console(), name)?;
    output.answer(&json!({ "name": name, "was_disabled": was }), |output| {
        output.line(&match was {
            true => format!("{name} is enabled again; {} are waiting.", tended.waiting),
            false => format!("{name} was already enabled."),
        });
    })
}

fn test(host: &Host, name: &str, output: &Output) -> anyhow::Result<ExitCode> {
    known(host, name)?;
    let Some(to) = host.destination(name) else {
        return Err(ended(exit::NOT_FOUND, format!("webhook {name} is no longer in the configuration")));
    };
    let (verdict, tried) = host.test_webhook(&console(), &to, Duration::MAX)?;
    let (accepted, code, outcome) = match verdict {
        Verdict::Accepted => (Some(true), 0, ""),
        Verdict::Unknown => (None, exit::LATER, "gave no answer: it is not known whether it accepted the test"),
        Verdict::Failed { .. } | Verdict::Gone => (Some(false), 1, "did not accept the test"),
    };
    if output.json {
        let mut shown = tried_document(&tried);
        shown["accepted"] = json!(accepted);
        output.document(&shown);
    } else if code == 0 {
        output.line(&format!("{name} accepted the test in {} ms: {}", tried.took_ms, tried.said));
    } else {
        let (url, Tried { said, took_ms, .. }) = (&to.url, tried);
        return Err(ended(
            code,
            format!(
                "webhook {name} {outcome}\n  url    {url}\n  said   {said}\n  took   {took_ms} ms\n  set    webhooks.{name}"
            ),
        ));
    }
    Ok(ExitCode::from(code))
}

fn no_such(id: &DeliveryId) -> anyhow::Error {
    not_found(format!("there is no delivery {id}; nothing was done. `keyturn webhooks list` shows the ids"))
}

fn tried_document(tried: &Tried) -> Value {
    json!({ "at": tried.at, "took_ms": tried.took_ms, "status": tried.status, "said": tried.said })
}

fn document(one: &Delivery) -> Value {
    json!({
        "id": one.id, "number": one.number, "to": one.destination, "plugin": one.plugin, "event": one.event,
        "account": one.account, "state": one.state, "attempts": one.attempts, "asked_at": one.asked_at,
        "changed_at": one.changed_at, "due": one.due,
        "tried": one.tried.iter().map(tried_document).collect::<Vec<_>>(),
    })
}
