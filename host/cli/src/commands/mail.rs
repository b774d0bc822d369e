//! `keyturn mail`: tests whether email is sent, step by step.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use keyturn_host::config::Config;
use keyturn_host::mail::config::Way;
use keyturn_host::mail::draw::Context;
use keyturn_host::mail::setup::Setup;
use keyturn_host::mail::transport::{Attempt, Step, StepKind, Verdict};
use keyturn_host::mail::{address, trial};
use serde_json::{Value, json};

use super::{configuration, ended};
use crate::exit;
use crate::output::Output;

/// The deadline for everything together, while somebody waits at the console. The outbox has more, because nobody waits for it.
pub const PATIENCE: Duration = Duration::from_secs(60);

#[derive(clap::Subcommand)]
pub enum Command {
    /// Send a short email immediately, without the outbox, and show the result of each step.
    #[command(after_help = "\
Examples:
  keyturn mail test ana@northwind.example
  keyturn mail test ana@northwind.example --verbose

Exit codes: 0 the server accepted it · 1 the server refused it · 6 the configuration is wrong · 75 not now")]
    Test(Test),
}

#[derive(Args)]
pub struct Test {
    /// The recipient's address.
    address: String,
    /// Show each step, even if all succeeded.
    #[arg(long, short)]
    verbose: bool,
    /// The language of the email.
    #[arg(long, default_value = "en")]
    locale: String,
}

pub fn run(path: &Path, command: &Command, output: &Output) -> anyhow::Result<ExitCode> {
    let Command::Test(arguments) = command;
    test(&configuration(path)?, arguments, output)
}

fn test(config: &Config, arguments: &Test, output: &Output) -> anyhow::Result<ExitCode> {
    address::check(&arguments.address).map_err(|cause| ended(2, cause.to_string()))?;
    let setup = config.mail_setup()?;
    let zone = jiff::tz::TimeZone::get(&config.brand.time_zone)?;
    let sign_in = config.server.whole(config.server.sign_in());
    let context = Context {
        account: None,
        brand: &config.brand.name,
        contact: &config.brand.contact,
        sign_in: &sign_in,
        time: jiff::Timestamp::now().as_millisecond(),
        origin: "",
        locale: &arguments.locale,
        zone: &zone,
    };
    if setup.way() == Way::Off {
        let problem = "mail is off: set mail.transport to \"smtp\", \"sendmail\" or \"folder\", and mail.from; or use \
             the panel's page Email settings";
        return Err(ended(exit::CONFIGURATION, problem));
    }
    let trial = trial::send(&setup, &arguments.address, &context, Some(PATIENCE)).map_err(|(setting, problem)| {
        ended(exit::CONFIGURATION, format!("{setting} {problem}   ({})", place(&setup, &[setting])))
    })?;
    let (name, attempt) = (trial.server, trial.attempt);
    if output.json {
        output.document(&json!({
            "to": arguments.address, "transport": name, "message_id": trial.message_id, "verdict": attempt.verdict,
            "steps": step_documents(&attempt),
        }));
        return Ok(ExitCode::from(code(attempt.verdict)));
    }
    if arguments.verbose {
        steps(&attempt, output);
        output.line("");
    }
    if attempt.verdict == Verdict::Accepted {
        let said = attempt.steps.last().map(|step| step.said.as_str()).unwrap_or_default();
        output.line(&format!("{name} accepted the test email to {}: {said}", arguments.address));
        if setup.way() != Way::Folder {
            output.line("It may still be in a spam folder.");
        }
    } else {
        output.error(&anyhow::anyhow!("{}", failure(&setup, &name, &arguments.address, &attempt)));
    }
    Ok(ExitCode::from(code(attempt.verdict)))
}

fn code(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Accepted => 0,
        Verdict::Refused => 1,
        Verdict::Delayed => exit::LATER,
    }
}

pub(super) fn step_documents(attempt: &Attempt) -> Value {
    let took = |step: &Step| u64::try_from(step.took.as_millis()).unwrap_or(u64::MAX);
    attempt.steps.iter().map(|step| json!({ "step": step.kind, "took_ms": took(step), "said": step.said })).collect()
}

pub(super) fn steps(attempt: &Attempt, output: &Output) {
    let took = |step: &Step| format!("{:.1} ms", step.took.as_secs_f64() * 1_000.0);
    let row = |step: &Step| vec![step_name(step.kind).to_owned(), took(step), step.said.clone()];
    output.table(&["STEP", "TOOK", "SAID"], attempt.steps.iter().map(row));
}

/// What failed, at which step, the server's answer, which settings to check, what to try.
fn failure(setup: &Setup, name: &str, address: &str, attempt: &Attempt) -> String {
    let outcome = if attempt.verdict == Verdict::Refused { "was refused by" } else { "was not accepted by" };
    let mut text = format!("the email {outcome} {name}");
    if let Some(step) = attempt.steps.last() {
        text.push_str(&format!("\n  step   {}\n  said   {}", how_far(&attempt.steps), step.said));
        let advice = match (step.kind, attempt.verdict) {
            (StepKind::Handover, Verdict::Delayed) => {
                "wait   it may accept it later, as servers do that don't know the sender yet".to_owned()
            }
            (StepKind::Handover, _) => {
                format!("check  whether {address} is right; otherwise set {}", settings(setup, step.kind))
            }
            (kind, _) => format!("set    {}", settings(setup, kind)),
        };
        text.push_str(&format!("\n  {advice}"));
    }
    text.push_str(&format!("\n  try    keyturn mail test {address} --verbose"));
    text
}

/// The step that failed, and those before it.
pub(super) fn how_far(steps: &[Step]) -> String {
    let Some((last, before)) = steps.split_last() else {
        return String::new();
    };
    let right: Vec<&str> = before.iter().map(|step| step_name(step.kind)).collect();
    match right.as_slice() {
        [] => step_name(last.kind).to_owned(),
        [one] => format!("{} ({one} worked)", step_name(last.kind)),
        [first @ .., end] => format!("{} ({} and {end} worked)", step_name(last.kind), first.join(", ")),
    }
}

fn step_name(kind: StepKind) -> &'static str {
    match kind {
        StepKind::Tls => "TLS",
        other => other.name(),
    }
}

/// The settings that a step depends on, and where they are.
pub(super) fn settings(setup: &Setup, kind: StepKind) -> String {
    let names = trial::depends_on(setup.way(), kind);
    // If the file names the server, the password is in a file.
    let in_file = setup.mail.smtp.as_ref().is_some_and(|server| server.password_file.is_some());
    let names: Vec<&str> =
        names.iter().map(|name| if in_file && *name == PASSWORD { PASSWORD_FILE } else { *name }).collect();
    let list = match names.as_slice() {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        names => names.concat(),
    };
    format!("{list}   ({})", place(setup, &names))
}

const PASSWORD: &str = "mail.smtp.password";
const PASSWORD_FILE: &str = "mail.smtp.password-file";

/// Where some settings are: in which lines of the file, or on the page.
pub(super) fn place(setup: &Setup, names: &[&str]) -> String {
    let fixed = &setup.fixed;
    if names.iter().any(|name| !fixed.fixes(name)) {
        return "the panel's page Email settings".to_owned();
    }
    let lines = || names.iter().filter_map(|name| fixed.lines.get(*name));
    match (lines().min(), lines().max()) {
        (Some(first), Some(last)) if first == last => format!("{}, line {first}", fixed.file),
        (Some(first), Some(last)) => format!("{}, lines {first}-{last}", fixed.file),
        _ => fixed.file.clone(),
    }
}

/// Where the value of a setting comes from.
pub(super) fn source(setup: &Setup, setting: &str) -> String {
    let fixed = &setup.fixed;
    match fixed.line(setting) {
        _ if !fixed.fixes(setting) => "page Email settings".to_owned(),
        Some(line) => format!("{}, line {line}", fixed.file),
        None => fixed.file.clone(),
    }
}
