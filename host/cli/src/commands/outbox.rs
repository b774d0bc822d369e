//! `keyturn outbox`: which mails wait or failed, why, and another try.

use std::borrow::Cow;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use keyturn_host::Host;
use keyturn_host::outbox::{OneMail, Retried};
use keyturn_host::storage::outbox::{ATTEMPTS, Mail, MailFilter, MailId, MailState};
use serde_json::{Value, json};

use super::mail::{milliseconds, step_document, step_name};
use super::queue::{self, Done, Listed, code};
use super::{SECONDS, Which, clock, configuration, console, ended, not_found};
use crate::exit;
use crate::output::Output;

#[derive(clap::Subcommand)]
pub enum Command {
    /// The newest mails first.
    #[command(after_help = "\
Examples:
  keyturn outbox list --state failed
  keyturn outbox list --to marta@estudiovidal.example")]
    List(List),
    /// One mail: its state, each step of its latest attempt, and its text with what is secret masked.
    Show {
        /// Its id.
        id: MailId,
    },
    /// Try mails again, each to the address now on file.
    #[command(after_help = "\
Examples:
  keyturn outbox retry --failed
  keyturn outbox retry 5f0c… --although-moved

Exit codes: 0 all are tried again · 1 none · 3 some · 4 no such mail · 5 another address is on file than the latest attempt went to")]
    Retry(Retry),
    /// End mails that have not gone, and wipe what they carry.
    #[command(after_help = "Exit codes: 0 all are withdrawn · 1 none · 3 some · 4 no such mail")]
    Withdraw {
        /// Their ids.
        #[arg(required = true)]
        ids: Vec<MailId>,
    },
}

#[derive(Args)]
pub struct List {
    /// Only these.
    #[arg(long, value_enum, default_value_t = Which::All)]
    state: Which,
    /// Only to accounts with this login or address.
    #[arg(long)]
    to: Option<String>,
    /// Only mails older than this number.
    #[arg(long)]
    before: Option<i64>,
    /// At most so many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
}

#[derive(Args)]
pub struct Retry {
    /// Their ids.
    #[arg(required_unless_present = "failed")]
    ids: Vec<MailId>,
    /// All that were refused or given up, at most 1,000, the newest first.
    #[arg(long, conflicts_with = "ids")]
    failed: bool,
    /// Also to another address than the latest attempt went to.
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
    let mails = host.mails(&MailFilter {
        states: arguments.state.shown().states().to_vec(),
        search: arguments.to.clone(),
        before: arguments.before,
        limit: arguments.limit,
        ..MailFilter::default()
    })?;
    let listed = Listed {
        heads: &["ID", "WHEN", "TO", "WHAT", "STATE", "ATTEMPTS", "LAST ANSWER"],
        none: "No mails.",
        limit: Some(arguments.limit),
    };
    Ok(listed.show(&mails, host, output, document, |mail, entry| {
        vec![to(mail).into_owned(), entry.what.clone(), entry.state.name().to_owned()]
    }))
}

fn show(host: &Host, id: &MailId, output: &Output) -> anyhow::Result<ExitCode> {
    let OneMail { mail, delivery, message_id, drawn } = host.mail(&console(), id)?.ok_or_else(|| no_such(id))?;
    if output.json {
        let mut shown = document(&mail);
        shown["message_id"] = json!(message_id);
        shown["address"] = json!(delivery.to);
        shown["moved"] = json!(delivery.moved);
        shown["subject"] = json!(drawn.as_ref().map(|drawn| &drawn.subject));
        shown["text"] = json!(drawn.as_ref().map(|drawn| drawn.text.as_str()));
        output.document(&shown);
        return Ok(ExitCode::SUCCESS);
    }
    let address = delivery.to.map(|address| format!(" ({address})")).unwrap_or_default();
    let mut facts = vec![
        ("mail", mail.id.to_string()),
        ("to", format!("{}{address}", to(&mail))),
        ("what", format!("{} of {}", mail.template, mail.plugin)),
        ("state", format!("{}, {} of {ATTEMPTS} attempts", mail.state.name(), mail.attempts)),
        ("asked", clock(mail.asked_at, host, SECONDS)),
    ];
    facts.extend(mail.due.filter(|_| mail.state == MailState::Delayed).map(|due| ("next", clock(due, host, SECONDS))));
    facts.extend(message_id.map(|id| ("id", format!("<{id}>"))));
    facts.extend(mail.obstacle.map(|obstacle| ("obstacle", obstacle.name().to_owned())));
    if delivery.moved && delivery.whole {
        facts.push(("address", "another one is on file than the latest attempt went to".to_owned()));
    }
    facts.iter().for_each(|(name, value)| output.line(&format!("{name:<9} {value}")));
    if let Some(told) = &mail.last {
        output.line(&format!("\n{}, {}", told.server, clock(told.at, host, SECONDS)));
        let steps = told.attempt.steps.iter();
        let rows: Vec<Vec<String>> = steps
            .map(|step| vec![step_name(step.kind).to_owned(), milliseconds(step.took), step.said.clone()])
            .collect();
        output.table(&["STEP", "TOOK", "SAID"], &rows);
    }
    match drawn {
        Some(drawn) => output.line(&format!("\nSubject: {}\n\n{}", drawn.subject, drawn.text.trim_end())),
        None => output.remark("Its text cannot be drawn any more."),
    }
    Ok(ExitCode::SUCCESS)
}

fn retry(host: &Host, arguments: &Retry, output: &Output) -> anyhow::Result<ExitCode> {
    let ids = if arguments.failed {
        let states = vec![MailState::Refused, MailState::GaveUp];
        let failed = host.mails(&MailFilter { states, limit: 1_000, ..MailFilter::default() })?;
        failed.into_iter().filter(|mail| mail.whole).map(|mail| mail.id).collect()
    } else {
        there(host, &arguments.ids)?
    };
    let retried = host.retry(&console(), &ids, arguments.although_moved)?;
    let count = |wanted: fn(&Retried) -> bool| retried.iter().filter(|(_, retried)| wanted(retried)).count();
    let queued = count(|retried| matches!(retried, Retried::Queued { .. }));
    let moved = count(|retried| *retried == Retried::Moved);
    let word = |retried: &Retried| match retried {
        Retried::Queued { .. } => "queued",
        Retried::Moved => "moved",
        Retried::Not => "not",
    };
    if output.json {
        let answers = retried.iter().map(|(id, retried)| json!({ "id": id, "retried": word(retried) }));
        output.document(&answers.collect());
    } else if ids.is_empty() {
        output.remark("No mail has failed that could be tried again.");
    } else {
        output.line(&format!("{queued} of {} tried again.", ids.len()));
        for (id, retried) in &retried {
            match retried {
                Retried::Queued { .. } => {}
                Retried::Moved => output.remark(&format!(
                    "  {id}  another address is on file than the latest attempt went to; to send it there: \
                     keyturn outbox retry {id} --although-moved"
                )),
                Retried::Not => {
                    output.remark(&format!("  {id}  is being sent just now, or there is nothing left to send"));
                }
            }
        }
    }
    let refused = if moved > 0 { exit::REFUSED } else { 1 };
    Ok(code(queued, ids.len(), refused))
}

fn withdraw(host: &Host, ids: &[MailId], output: &Output) -> anyhow::Result<ExitCode> {
    let ids = there(host, ids)?;
    let done = host.withdraw(&console(), &ids)?;
    let said = Done {
        key: "withdrawn",
        done: "withdrawn.",
        none: "",
        not: "is being sent just now, or has gone or ended already",
    };
    Ok(said.tell(&ids, &done, output))
}

fn there(host: &Host, ids: &[MailId]) -> anyhow::Result<Vec<MailId>> {
    let there = queue::there(ids, |id| host.mail(&console(), id)?.map(drop).ok_or_else(|| no_such(id)))?;
    if there.is_empty() { Err(ended(2, "name at least one mail")) } else { Ok(there) }
}

fn no_such(id: &MailId) -> anyhow::Error {
    not_found(format!("there is no mail {id}; nothing was done. `keyturn outbox list` shows their ids"))
}

fn document(mail: &Mail) -> Value {
    let last = mail.last.as_ref().map(|told| {
        let steps: Vec<Value> = told.attempt.steps.iter().map(step_document).collect();
        json!({ "at": told.at, "server": told.server, "verdict": told.attempt.verdict, "steps": steps })
    });
    json!({
        "id": mail.id, "number": mail.number, "plugin": mail.plugin, "to": to(mail), "template": mail.template,
        "state": mail.state, "attempts": mail.attempts, "asked_at": mail.asked_at, "changed_at": mail.changed_at,
        "due": mail.due, "expires": mail.expires, "obstacle": mail.obstacle.map(|obstacle| obstacle.name()),
        "whole": mail.whole, "last": last,
    })
}

fn to(mail: &Mail) -> Cow<'_, str> {
    mail.to.text()
}
