//! `keyturn check`: what was found, what is wrong, how to fix it, and what follows from it.

mod follows;
mod hashes;

use std::path::Path;
use std::process::ExitCode;

use keyturn_host::Host;
use keyturn_host::accounts::sql::Severity;
use keyturn_host::config::Found;
use keyturn_host::config::{Config, ConfigError};
use keyturn_host::plugin::admit::{AdmitError, Plugin};
use keyturn_host::plugin::manifest::{Manifest, Operation, Role};
use keyturn_host::plugin::roster::Wanted;
use keyturn_host::sqlite::Journal;
use keyturn_host::storage::tasks::TaskCount;
use keyturn_host::work::Workers;
use serde_json::{Value, json};

use keyturn_host::mail::setup::{SETTINGS, Setup};
use keyturn_host::mail::transport::Verdict;
use keyturn_host::webhooks::tended::Held;

use super::{SECONDS, clock, configuration, mail};
use crate::exit;
use crate::output::{Output, Tone};

/// What was found so far.
struct Report<'a> {
    output: &'a Output,
    findings: Vec<Value>,
    /// How email is set up.
    settings: Vec<Value>,
    /// What each realm's people get.
    realms: Vec<Value>,
    wrong: usize,
}

impl Report<'_> {
    fn say(&mut self, tone: Tone, text: &str, fix: Option<&str>) {
        let word = match tone {
            Tone::Good => "good",
            Tone::Note => "note",
            Tone::Wrong => "wrong",
        };
        self.wrong += usize::from(matches!(tone, Tone::Wrong));
        self.findings.push(json!({ "severity": word, "text": text, "fix": fix }));
        if !self.output.json {
            self.output.toned(tone, text, fix);
        }
    }
}

pub fn run(path: &Path, output: &Output) -> anyhow::Result<ExitCode> {
    let config = configuration(path)?.to_look();
    let mut report = Report { output, findings: Vec::new(), settings: Vec::new(), realms: Vec::new(), wrong: 0 };
    report.say(Tone::Good, &format!("configuration {}", path.display()), None);
    look(&config, &mut report);
    if output.json {
        let Report { wrong, findings, settings, realms, .. } = report;
        output.document(&json!({ "wrong": wrong, "findings": findings, "mail": settings, "realms": realms }));
    } else {
        output.line(&match report.wrong {
            0 => "\nNothing is wrong.".to_owned(),
            1 => "\n1 thing is wrong.".to_owned(),
            count => format!("\n{count} things are wrong."),
        });
    }
    Ok(if report.wrong == 0 { ExitCode::SUCCESS } else { ExitCode::from(exit::CONFIGURATION) })
}

fn look(config: &Config, report: &mut Report<'_>) {
    let provider = match config.provider() {
        Ok(provider) => provider,
        Err(cause) => return report.say(Tone::Wrong, &cause.to_string(), None),
    };
    match config.look_at_storage() {
        // Without it, no plugin can be asked.
        Err(cause) => return report.say(Tone::Wrong, &cause.to_string(), None),
        Ok((storage, _, found)) => {
            report.say(Tone::Good, &format!("database {} ({})", config.database_name(), found.engine), None);
            opened(config, &found, report);
            let findings = match storage.read(|sql| Ok(provider.check(sql, config.limits.accounts_per_address))) {
                Ok(findings) => findings,
                Err(cause) => return report.say(Tone::Wrong, &format!("database: {cause}"), None),
            };
            for finding in findings {
                let tone = match finding.severity {
                    Severity::Good => Tone::Good,
                    Severity::Note => Tone::Note,
                    Severity::Wrong => Tone::Wrong,
                };
                report.say(tone, &finding.text, finding.fix.as_deref());
            }
        }
    }
    let mail = outgoing_mail(config, report);
    webhooks(config, report);
    if let Some(host) = plugins(config, report) {
        hashes::at_sign_in(config, &host, &provider, report);
        follows::realms(config, &host, &provider, mail, report);
        follows::pages(config, &host, report);
    }
}

/// What the next start will create or change, and what the journal mode costs.
fn opened(config: &Config, found: &Found, report: &mut Report<'_>) {
    let key_file = config.path(&config.key_file);
    if !key_file.exists() {
        let text = format!("key file {}: it doesn't exist yet; the first start creates it", key_file.display());
        report.say(Tone::Note, &text, None);
    }
    match found.version {
        None => report.say(Tone::Note, "Keyturn's own tables don't exist yet; the first start creates them", None),
        Some(version) if version < found.newest => {
            let text = format!(
                "Keyturn's own tables have version {version}; the next start changes them to version {}",
                found.newest
            );
            report.say(Tone::Note, &text, None);
        }
        Some(_) => {}
    }
    for risk in &found.risks {
        report.say(Tone::Wrong, &format!("database server: {risk}"), None);
    }
    let Some(wal) = found.wal else { return };
    if wal {
        report.say(Tone::Good, "journal mode: WAL. Readers and writers don't wait for each other", None);
    } else if config.database.journal == Journal::Wal {
        let text = "journal mode: the next start changes the file to WAL, for good. A program that may only read the \
             file and its folder can then open it only while another program has it open";
        report.say(Tone::Note, text, None);
    } else {
        let text = "journal mode: the panel's own, without WAL; Keyturn keeps it. While Keyturn or the panel commits, all others \
             wait, and each commit waits for the disk several times";
        let fix = "database.journal = \"wal\", if each program that opens the file runs on this machine and may write to its \
             folder; the file then stays in WAL mode";
        report.say(Tone::Note, text, Some(fix));
    }
}

/// Checks as far as possible without sending anything. Answers whether email can be sent.
fn outgoing_mail(config: &Config, report: &mut Report<'_>) -> bool {
    let setup = match config.mail_setup() {
        Err(cause) => {
            report.say(Tone::Wrong, &cause.to_string(), None);
            return false;
        }
        Ok(setup) => setup,
    };
    let values = values(&setup);
    if setup.origin.is_none() {
        let fix = "set brand.link-origin, or “Links lead to” on the panel's page Email settings";
        report.say(Tone::Wrong, "brand.link-origin is not set, so links lead to this machine only", Some(fix));
    }
    report.settings = SETTINGS.iter().filter_map(|setting| setting_document(&setup, setting)).collect();
    let transport = match setup.transport(Some(mail::PATIENCE)) {
        Err((setting, problem)) => {
            let fix = format!("{setting}   ({})", mail::place(&setup, &[setting]));
            report.say(Tone::Wrong, &format!("mail: {setting} {problem}{values}"), Some(&fix));
            return false;
        }
        Ok(None) => {
            report.say(
                Tone::Note,
                &format!("mail is off: nothing can be sent{values}"),
                Some("set mail.transport and mail.from, or set it up on the panel's page Email settings"),
            );
            return false;
        }
        Ok(Some(transport)) => transport,
    };
    let attempt = transport.probe();
    let Some(last) = attempt.steps.last() else {
        report.say(Tone::Good, &format!("mail {}{values}", transport.name()), None);
        return true;
    };
    if attempt.verdict == Verdict::Accepted {
        report.say(Tone::Good, &format!("mail {}: {}{values}", transport.name(), last.said), None);
    } else {
        let (name, far) = (transport.name(), mail::how_far(&attempt.steps));
        let text = format!("mail {name}: {far}\nsaid: {}{values}", last.said);
        report.say(Tone::Wrong, &text, Some(&mail::settings(&setup, last.kind)));
    }
    attempt.verdict == Verdict::Accepted
}

/// Checks each plugin on its own, so that one error hides no other.
fn webhooks(config: &Config, report: &mut Report<'_>) {
    for webhook in &config.webhooks {
        match webhook.destination(|path| config.path(path)) {
            Err((setting, problem)) => report.say(
                Tone::Wrong,
                &format!("{setting} {problem}"),
                problem.contains("can't be read").then_some(
                    "create one: (umask 077; keyturn webhooks secret > FILE), and give the destination the same secret",
                ),
            ),
            Ok(to) => {
                let secrets = match to.secrets() {
                    1 => String::new(),
                    several => format!(", signed with {several} secrets"),
                };
                let events: Vec<&str> = to.events.iter().map(String::as_str).collect();
                let text = format!("webhook {}: {} to {}{secrets}", to.name, events.join(", "), to.url);
                report.say(Tone::Good, &text, None);
                if !to.url.encrypted {
                    let text = format!("webhook {} is sent unencrypted, so only to private networks", to.name);
                    let fix = format!("webhooks.{}.url = \"https://…\"", to.name);
                    report.say(Tone::Note, &text, Some(&fix));
                }
            }
        }
    }
}

/// Events that no plugin emits, and reasons why events don't reach their destination.
fn destinations(host: &Host, report: &mut Report<'_>) {
    let plugins = host.plugins();
    for to in host.webhooks().iter() {
        for wanted in &to.events {
            let emitted = plugins.iter().any(|plugin| plugin.manifest.events.emits_as(&plugin.name, wanted));
            if !emitted {
                let emits = plugins.iter().flat_map(|plugin| &plugin.manifest.events.emits);
                let emits: Vec<&str> = emits.map(String::as_str).collect();
                let there = if emits.is_empty() { "none".to_owned() } else { emits.join(", ") };
                let text = format!("webhooks.{}.events names {wanted}, which no plugin emits", to.name);
                report.say(Tone::Wrong, &text, Some(&format!("plugins emit: {there}")));
            }
        }
    }
    let tended = match host.tended() {
        Ok(tended) => tended,
        Err(cause) => return report.say(Tone::Wrong, &format!("webhooks: {cause}"), None),
    };
    for one in tended {
        let name = &one.name;
        match one.held() {
            Some(Held::Disabled(_)) => report.say(
                Tone::Wrong,
                &format!("webhook {name} answered 410 Gone: nothing is sent there, and {} wait", one.waiting),
                Some(&format!("when it works again: keyturn webhooks enable {name}")),
            ),
            Some(Held::Removed) if one.waiting > 0 => report.say(
                Tone::Note,
                &format!("webhook {name} is no longer in the configuration; {} wait for it", one.waiting),
                Some("add it again; otherwise they are given up after 30 days"),
            ),
            Some(Held::Off) => {
                let text = format!("webhook {name} is disabled: nothing is sent there, and {} wait", one.waiting);
                report.say(Tone::Note, &text, Some(&format!("webhooks.{name}.enabled = true")));
            }
            _ => {}
        }
        if one.failed > 0 {
            let text = format!("webhook {name}: {} were given up", one.failed);
            let fix = format!("keyturn webhooks list --state failed --to {name}, then send-again --failed --to {name}");
            report.say(Tone::Note, &text, Some(&fix));
        }
        if one.noted.missed > 0 {
            let text =
                format!("webhook {name}: {} events were dropped, because too many were waiting", one.noted.missed);
            report.say(
                Tone::Wrong,
                &text,
                Some("raise limits.waiting-deliveries of the plugin, or make the destination faster"),
            );
        }
    }
}

/// Each setting with a value, and its source: the file or the page. Lines to put below others.
fn values(setup: &Setup) -> String {
    let rows: Vec<(&str, String)> =
        SETTINGS.into_iter().filter_map(|setting| Some((setting, setup.value(setting)?))).collect();
    let wide = |of: fn(&(&str, String)) -> usize| rows.iter().map(of).max().unwrap_or(0);
    let (names, values) = (wide(|(name, _)| name.len()), wide(|(_, value)| value.chars().count()));
    let line =
        |(name, value): &(&str, String)| format!("\n{name:<names$}  {value:<values$}  {}", mail::source(setup, name));
    rows.iter().map(line).collect()
}

fn setting_document(setup: &Setup, setting: &str) -> Option<Value> {
    let value = setup.value(setting)?;
    let (from, line) = match setup.fixed.fixes(setting) {
        true => ("file", setup.fixed.line(setting)),
        false => ("page", None),
    };
    Some(json!({ "setting": setting, "value": value, "from": from, "line": line }))
}

/// The host with the admitted plugins.
fn plugins(config: &Config, report: &mut Report<'_>) -> Option<Host> {
    let host = match config.empty_host() {
        Ok(host) => host,
        Err(cause) => {
            report.say(Tone::Wrong, &cause.to_string(), None);
            return None;
        }
    };
    let files = match config.grants() {
        Ok(files) => files,
        Err(cause) => {
            let fix = "create the folder, with a grants file for each plugin";
            report.say(Tone::Wrong, &format!("plugins: {cause}"), Some(fix));
            return None;
        }
    };
    if files.is_empty() {
        let folder = config.path(&config.plugins);
        report.say(Tone::Wrong, &format!("plugins: no grants file in {}", folder.display()), None);
    }
    let outcomes = match config.look_at_plugins(&host) {
        Ok(outcomes) => outcomes,
        Err(cause) => {
            report.say(Tone::Wrong, &format!("plugins: {cause}"), None);
            return None;
        }
    };
    let interface = config.sign_in.hook.split_once('/').map_or("", |(interface, _)| interface);
    let rivals = outcomes.values().any(|outcome| {
        let taken = |what: &Wanted| *what == Wanted::Hooks(interface.to_owned());
        matches!(outcome, Err(ConfigError::Admit(AdmitError::Taken { what, .. })) if taken(what))
    });
    for (name, outcome) in outcomes {
        match outcome {
            Ok(plugin) => {
                let hooks = plugin.manifest.operations.iter().filter(|operation| operation.hook.is_some()).count();
                let text = format!(
                    "plugin {name} {}: {hooks} hooks, sha256 {}…",
                    plugin.manifest.version,
                    &plugin.sha256[..12]
                );
                report.say(Tone::Good, &text, None);
                realms_of(config, &plugin, report);
                let (served, others) = hooks_of(&plugin.manifest);
                let others = if others.is_empty() {
                    String::new()
                } else {
                    format!("\nnot for machines: {}", others.join(", "))
                };
                if !served.is_empty() {
                    let text = format!("hooks of {name}, under /v1/hooks/: {}{others}", served.join(", "));
                    report.say(Tone::Good, &text, None);
                }
            }
            Err(cause) => {
                let text = format!("plugin {name} is left out; the others work without it: {cause}");
                report.say(Tone::Wrong, &text, None);
            }
        }
    }
    asked_at_sign_in(config, &host, rivals, report);
    background(&host, report);
    destinations(&host, report);
    match host.service_keys() {
        Ok(keys) => {
            let working = keys.iter().filter(|key| key.works(host.now())).count();
            let text = match keys.len() {
                0 => "service keys: none".to_owned(),
                several => format!("service keys: {working} of {several} work"),
            };
            let fix =
                (working == 0).then_some("keyturn keys add, if a billing system or another machine should call hooks");
            report.say(if working == 0 { Tone::Note } else { Tone::Good }, &text, fix);
        }
        Err(cause) => report.say(Tone::Wrong, &format!("service keys: {cause}"), None),
    }
    // A missing plugin was already reported.
    let plugins = host.plugins();
    for (setting, hook) in [
        ("sign-in.hook", &config.sign_in.hook),
        ("sign-in.set-hook", &config.sign_in.set_hook),
        ("sign-in.link-hook", &config.sign_in.link_hook),
        ("sign-in.recognise-hook", &config.sign_in.recognise_hook),
    ] {
        if !plugins.is_empty() && !host.has_hook(hook) {
            report.say(Tone::Wrong, &format!("{setting} names {hook}, which no plugin has"), None);
        }
    }
    Some(host)
}

/// Which plugin gets the passwords must not depend on which one is broken. `rivals`: one plugin is left out because another has
/// the hook.
fn asked_at_sign_in(config: &Config, host: &Host, rivals: bool, report: &mut Report<'_>) {
    match &config.sign_in.plugin {
        Some(name) if host.plugins().iter().all(|plugin| plugin.name != *name) => {
            let known = host.left_out().contains_key(name);
            let why = if known { "which is left out" } else { "and there is no grants file of that name" };
            report.say(Tone::Wrong, &format!("sign-in.plugin names {name}, {why}: nobody can sign in"), None);
        }
        None if rivals => {
            let text = format!("two plugins have {}, and sign-in.plugin names neither", config.sign_in.hook);
            report.say(Tone::Wrong, &text, Some("set sign-in.plugin to the one that gets the passwords"));
        }
        Some(_) | None => {}
    }
}

/// A grant for an unmapped realm is a typo and has no effect.
fn realms_of(config: &Config, plugin: &Plugin, report: &mut Report<'_>) {
    let read = plugin.authority.accounts.iter().flat_map(|rights| &rights.realms);
    let mailed = plugin.authority.mail.iter().flat_map(|rights| &rights.recipients);
    let granted = read.map(|realm| ("accounts.realms", realm)).chain(mailed.map(|realm| ("mail.recipients", realm)));
    for (grant, realm) in granted.filter(|(_, realm)| !config.accounts.contains_key(*realm)) {
        let text = format!("plugin {}: grants.{grant} names {realm}, which is not mapped", plugin.name);
        let realms: Vec<&str> = config.accounts.keys().map(String::as_str).collect();
        report.say(Tone::Wrong, &text, Some(&format!("mapped realms: {}", realms.join(", "))));
    }
}

/// Background jobs: whether there is room for more, and what failed.
fn background(host: &Host, report: &mut Report<'_>) {
    let (counts, workers) = match (host.storage.task_counts(), host.workers()) {
        (Ok(counts), Ok(workers)) => (counts, workers),
        (Err(cause), _) | (_, Err(cause)) => return report.say(Tone::Wrong, &format!("jobs: {cause}"), None),
    };
    let idle = match workers {
        Workers::Running => String::new(),
        Workers::Stopped { since: None } => "\nno worker has run on this database yet".to_owned(),
        Workers::Stopped { since: Some(at) } => format!("\nno worker has run since {}", clock(at, host, SECONDS)),
    };
    for TaskCount { plugin, waiting, failed } in counts {
        let most = host.plugins().iter().find(|one| one.name == plugin).map(|one| one.limits.waiting_jobs);
        if most.is_some_and(|most| waiting >= most) {
            let fix = if idle.is_empty() {
                format!("see why they don't finish: keyturn jobs list; or raise limits.waiting-jobs in {plugin}.toml")
            } else {
                "start a worker: keyturn serve, or the panel's server".to_owned()
            };
            let text = format!(
                "jobs of {plugin}: {waiting} are waiting, which is the limit; new ones are refused for now{idle}"
            );
            report.say(Tone::Wrong, &text, Some(&fix));
        } else if waiting > 0 {
            report.say(Tone::Note, &format!("jobs of {plugin}: {waiting} are waiting{idle}"), None);
        }
        if failed > 0 {
            let fix =
                "keyturn jobs list --failed shows the reasons; when they are fixed: keyturn jobs run-again --failed";
            let text = format!("jobs of {plugin}: {failed} failed for good within the last 30 days");
            report.say(Tone::Note, &text, Some(fix));
        }
    }
}

/// The hooks that machines may call, and the others.
fn hooks_of(manifest: &Manifest) -> (Vec<String>, Vec<String>) {
    let hooks = manifest.operations.iter().filter(|row| row.hook.is_some());
    let (served, others): (Vec<&Operation>, Vec<&Operation>) =
        hooks.partition(|row| row.actors.contains(&Role::ServiceKey));
    let names = |rows: Vec<&Operation>| rows.into_iter().filter_map(Operation::scope).collect();
    (names(served), names(others))
}
