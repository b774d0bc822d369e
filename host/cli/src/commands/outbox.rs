//! `keyturn outbox`: waiting and failed emails, the reasons, and another try.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use keyturn_host::Host;
use keyturn_host::operator::Shown;
use keyturn_host::outbox::{OneMail, Retried};
use keyturn_host::storage::outbox::{ATTEMPTS, Mail, MailFilter, MailId, MailState};
use serde_json::{Value, json};

use super::mail::{step_documents, steps};
use super::queue::{self, Done, Listed, code};
use super::{SECONDS, clock, configuration, console, ended, not_found, shown};
use crate::exit;
use crate::output::Output;

#[derive(clap::Subcommand)]
pub enum Command {
    /// List emails, the newest first.
    #[command(after_help = "\
Examples:
  keyturn outbox list --state failed
  keyturn outbox list --to marta@estudiovidal.example")]
    List(List),
    /// Show one email: its state, each step of the last attempt, and its text with secrets masked.
    Show {
        /// The email's id.
        id: MailId,
    },
    /// Retry emails, each to the address that is now on file.
    #[command(after_help = "\
Examples:
  keyturn outbox retry --failed
  keyturn outbox retry 5f0c… --although-moved

Exit codes: 0 all retried · 1 none · 3 some · 4 no such email · 5 the account's address has changed since the last attempt")]
    Retry(Retry),
    /// Withdraw emails that were not sent yet, and delete their contents.
    #[command(after_help = "Exit codes: 0 all withdrawn · 1 none · 3 some · 4 no such email")]
    Withdraw {
        /// Ids of the emails.
        #[arg(required = true)]
        ids: Vec<MailId>,
    },
}

#[derive(Args)]
pub struct List {
    /// Only emails in this state.
    #[arg(long, default_value = "all", value_parser = shown())]
    state: Shown,
    /// Only emails to accounts with this login or address.
    #[arg(long)]
    to: Option<String>,
    /// Only emails with a lower number.
    #[arg(long)]
    before: Option<i64>,
    /// How many at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
}

#[derive(Args)]
pub struct Retry {
    /// Ids of the emails.
    #[arg(required_unless_present = "failed")]
    ids: Vec<MailId>,
    /// All emails that were refused or given up, at most 1,000, the newest first.
    #[arg(long, conflicts_with = "ids")]
    failed: bool,
    /// Also if the account's address has changed since the last attempt.
    #[arg(long)]
    although_moved: bool,
}

pub fn run(config: &Path, command: &Command, output: &Output) -> anyhow::Result<ExitCode> {
    let host = configuration(config)?.empty_host()?;
    match command {
        Command::List(arguments) => list(&host, arguments, output),
        Command::Show { id } => show(&host, id, output),
        Command::Retry(arguments) => retry(&host, arguments, output),
        Command::Withdraw { ids } => withdraw(&host, ids, output),
    }
}

fn list(host: &Host, arguments: &List, output: &Output) -> anyhow::Result<ExitCode> {
    let mails = host.storage.mails(&MailFilter {
        states: arguments.state.states().to_vec(),
        search: arguments.to.clone(),
        before: arguments.before,
        limit: arguments.limit,
        ..MailFilter::default()
    })?;
    let listed = Listed {
        heads: &["ID", "WHEN", "TO", "WHAT", "STATE", "ATTEMPTS", "LAST ANSWER"],
        none: "No emails.",
        limit: Some(arguments.limit),
    };
    Ok(listed.show(&mails, host, output, document, |mail, entry| {
        vec![mail.to.text().into_owned(), entry.what.clone(), entry.state.name().to_owned()]
    }))
}

fn show(host: &Host, id: &MailId, output: &Output) -> anyhow::Result<ExitCode> {
    let OneMail { mail, delivery, message_id, drawn } = host.mail(&console(), id)?.ok_or_else(|| no_such(id))?;
    let mut shown = document(&mail);
    shown["message_id"] = json!(message_id);
    shown["address"] = json!(delivery.to);
    shown["moved"] = json!(delivery.moved);
    shown["subject"] = json!(drawn.as_ref().map(|drawn| &drawn.subject));
    shown["text"] = json!(drawn.as_ref().map(|drawn| drawn.text.as_str()));
    let address = delivery.to.map(|address| format!(" ({address})")).unwrap_or_default();
    let mut facts = vec![
        ("mail", mail.id.to_string()),
        ("to", format!("{}{address}", mail.to.text())),
        ("what", format!("{} of {}", mail.template, mail.plugin)),
        ("state", format!("{}, {} of {ATTEMPTS} attempts", mail.state.name(), mail.attempts)),
        ("asked", clock(mail.asked_at, host, SECONDS)),
    ];
    facts.extend(mail.due.filter(|_| mail.state == MailState::Delayed).map(|due| ("next", clock(due, host, SECONDS))));
    facts.extend(message_id.map(|id| ("id", format!("<{id}>"))));
    facts.extend(mail.obstacle.map(|obstacle| ("obstacle", obstacle.name().to_owned())));
    if delivery.moved && delivery.whole {
        facts.push(("address", "changed since the last attempt".to_owned()));
    }
    output.answer(&shown, |output| {
        output.facts(&facts);
        if let Some(told) = &mail.last {
            output.line(&format!("\n{}, {}", told.server, clock(told.at, host, SECONDS)));
            steps(&told.attempt, output);
        }
        match drawn {
            Some(drawn) => output.line(&format!("\nSubject: {}\n\n{}", drawn.subject, drawn.text.trim_end())),
            None => output.remark("Its text can no longer be shown."),
        }
    })
}

fn retry(host: &Host, arguments: &Retry, output: &Output) -> anyhow::Result<ExitCode> {
    let ids = if arguments.failed {
        let states = vec![MailState::Refused, MailState::GaveUp];
        let failed = host.storage.mails(&MailFilter { states, limit: 1_000, ..MailFilter::default() })?;
        failed.into_iter().filter(|mail| mail.whole).map(|mail| mail.id).collect()
    } else {
        there(host, &arguments.ids)?
    };
    let retried = host.retry(&console(), &ids, arguments.although_moved)?;
    let told = |(id, retried): &(MailId, Retried)| match retried {
        Retried::Queued { .. } => ("queued", None),
        Retried::Moved => {
            let moved = "the account's address has changed since the last attempt; to send it to the new one";
            ("moved", Some(format!("{moved}: keyturn outbox retry {id} --although-moved")))
        }
        Retried::Not => ("not", Some("is being sent right now, or has nothing left to send".to_owned())),
    };
    let queued = retried.iter().filter(|one| told(one).0 == "queued").count();
    if output.json {
        output.document(&retried.iter().map(|one| json!({ "id": one.0, "retried": told(one).0 })).collect());
    } else if ids.is_empty() {
        output.remark("There is no failed email to retry.");
    } else {
        output.line(&format!("{queued} of {} retried.", ids.len()));
        for (id, why) in retried.iter().filter_map(|one| Some((&one.0, told(one).1?))) {
            output.remark(&format!("  {id}  {why}"));
        }
    }
    let refused = if retried.iter().any(|one| told(one).0 == "moved") { exit::REFUSED } else { 1 };
    Ok(code(queued, ids.len(), refused))
}

fn withdraw(host: &Host, ids: &[MailId], output: &Output) -> anyhow::Result<ExitCode> {
    let ids = there(host, ids)?;
    let done = host.withdraw(&console(), &ids)?;
    let said = Done {
        key: "withdrawn",
        done: "withdrawn.",
        none: "",
        not: "is being sent right now, or was already sent or ended",
    };
    Ok(said.tell(&ids, &done, output))
}

fn there(host: &Host, ids: &[MailId]) -> anyhow::Result<Vec<MailId>> {
    let there = queue::there(ids, |id| host.mail(&console(), id)?.map(drop).ok_or_else(|| no_such(id)))?;
    if there.is_empty() { Err(ended(2, "name at least one email")) } else { Ok(there) }
}

fn no_such(id: &MailId) -> anyhow::Error {
    not_found(format!("there is no email {id}; nothing was done. `keyturn outbox list` shows the ids"))
}

fn document(mail: &Mail) -> Value {
    let last = mail.last.as_ref().map(|told| {
        let verdict = told.attempt.verdict;
        json!({ "at": told.at, "server": told.server, "verdict": verdict, "steps": step_documents(&told.attempt) })
    });
    json!({
        "id": mail.id, "number": mail.number, "plugin": mail.plugin, "to": mail.to.text(), "template": mail.template,
        "state": mail.state, "attempts": mail.attempts, "asked_at": mail.asked_at, "changed_at": mail.changed_at,
        "due": mail.due, "expires": mail.expires, "obstacle": mail.obstacle.map(|obstacle| obstacle.name()),
        "whole": mail.whole, "last": last,
    })
}
