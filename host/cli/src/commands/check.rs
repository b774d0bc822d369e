//! `keyturn check`: what was found, what is wrong, how to fix it, and what follows from it.

mod follows;
mod hashes;
mod hosts;

use std::fmt::Display;
use std::path::Path;
use std::process::ExitCode;

use anyhow::anyhow;
use keyturn_host::Host;
use keyturn_host::accounts::sql::{Finding, Severity};
use keyturn_host::config::Found;
use keyturn_host::config::{Config, ConfigError};
use keyturn_host::mail::setup::{SETTINGS, Setup};
use keyturn_host::mail::transport::Verdict;
use keyturn_host::plugin::admit::{AdmitError, Plugin};
use keyturn_host::plugin::manifest::{Operation, Role};
use keyturn_host::plugin::roster::Wanted;
use keyturn_host::sqlite::Journal;
use keyturn_host::storage::Store;
use keyturn_host::storage::tasks::TaskCount;
use keyturn_host::webhooks::tended::{Held, Tended};
use keyturn_host::work::Workers;
use serde_json::{Value, json};

use super::{SECONDS, clock, configuration, mail};
use crate::exit;
use crate::output::Output;

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
    fn good(&mut self, text: impl Display) {
        self.say(Severity::Good, text);
    }

    fn note(&mut self, text: impl Display) -> &mut Self {
        self.say(Severity::Note, text)
    }

    fn wrong(&mut self, text: impl Display) -> &mut Self {
        self.wrong += 1;
        self.say(Severity::Wrong, text)
    }

    fn say(&mut self, severity: Severity, text: impl Display) -> &mut Self {
        let (word, text) = (format!("{severity:?}").to_lowercase(), text.to_string());
        if !self.output.json {
            self.output.finding(severity, &word, &text);
        }
        self.findings.push(json!({ "severity": word, "text": text, "fix": null }));
        self
    }

    /// How to fix what was found last.
    fn fix(&mut self, fix: impl Display) {
        let fix = fix.to_string();
        if !self.output.json {
            self.output.fix(&fix);
        }
        if let Some(last) = self.findings.last_mut() {
            last["fix"] = fix.into();
        }
    }

    /// What `look` finds; where it fails, that is wrong.
    fn section<T>(&mut self, look: impl FnOnce(&mut Self) -> anyhow::Result<T>) -> Option<T> {
        look(self).inspect_err(|cause| _ = self.wrong(cause)).ok()
    }
}

pub fn run(path: &Path, output: &Output) -> anyhow::Result<ExitCode> {
    let config = configuration(path)?.to_look();
    let mut report = Report { output, findings: Vec::new(), settings: Vec::new(), realms: Vec::new(), wrong: 0 };
    report.good(format!("configuration {}", path.display()));
    report.section(|report| look(&config, report));
    let Report { wrong, findings, settings, realms, .. } = report;
    output.answer(&json!({ "wrong": wrong, "findings": findings, "mail": settings, "realms": realms }), |output| {
        output.line(&match wrong {
            0 => "\nNothing is wrong.".to_owned(),
            1 => "\n1 thing is wrong.".to_owned(),
            count => format!("\n{count} things are wrong."),
        });
    })?;
    Ok(if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::from(exit::CONFIGURATION) })
}

/// Without a database no plugin can be asked either.
fn look(config: &Config, report: &mut Report<'_>) -> anyhow::Result<()> {
    let provider = config.provider()?;
    let (storage, keys, found) = config.look_at_storage()?;
    report.good(format!("database {} ({})", config.database_name(), found.engine));
    opened(config, &found, report);
    rights(config, &storage, found.version.is_some(), report)?;
    let findings = storage.read(|sql| Ok(provider.check(sql, config.limits.accounts_per_address)));
    for Finding { severity, text, fix } in findings.map_err(|cause| anyhow!("database: {cause}"))? {
        report.wrong += usize::from(severity == Severity::Wrong);
        report.say(severity, text);
        fix.iter().for_each(|fix| report.fix(fix));
    }
    report.section(|report| hosts::running(config, &storage, &keys, report));
    let mail = report.section(|report| outgoing_mail(config, report)).unwrap_or(false);
    webhooks(config, report);
    if let Some(Some(host)) = report.section(|report| plugins(config, report)) {
        hashes::at_sign_in(config, &host, &provider, report);
        follows::realms(config, &host, &provider, mail, report);
        follows::pages(config, &host, report);
    }
    Ok(())
}

/// What the next start will create or change, and what the journal mode costs.
fn opened(config: &Config, found: &Found, report: &mut Report<'_>) {
    let key_file = config.path(&config.key_file);
    if !key_file.exists() {
        report.note(format!("key file {}: it doesn't exist yet; the first start creates it", key_file.display()));
    }
    let newest = found.newest;
    match found.version {
        None => _ = report.note("Keyturn's own tables don't exist yet; the first start creates them"),
        Some(version) if version < newest => {
            let change = format!("have version {version}; the next start changes them to version {newest}");
            report.note(format!("Keyturn's own tables {change}"));
        }
        Some(_) => {}
    }
    for risk in &found.risks {
        report.wrong(format!("database server: {risk}"));
    }
    let Some(wal) = found.wal else { return };
    if wal {
        report.good("journal mode: WAL. Readers and writers don't wait for each other");
    } else if config.database.journal == Journal::Wal {
        report.note(
            "journal mode: the next start changes the file to WAL, for good. A program that may only read the \
             file and its folder can then open it only while another program has it open",
        );
    } else {
        let text = "journal mode: the panel's own, without WAL; Keyturn keeps it. While Keyturn or the panel commits, all others \
             wait, and each commit waits for the disk several times";
        report.note(text).fix(
            "database.journal = \"wal\", if each program that opens the file runs on this machine and may write to its \
             folder; the file then stays in WAL mode",
        );
    }
}

/// On a server: rights that are missing, and those that nothing needs.
fn rights(config: &Config, storage: &Store, made: bool, report: &mut Report<'_>) -> anyhow::Result<()> {
    let Some(guarded) = config.guarded() else { return Ok(()) };
    let needs = config.needs(made)?;
    let rights = storage.read(|db| guarded.rights(db, &needs)).map_err(|cause| anyhow!("database: {cause}"))?;
    let said = |right: &str| right.replace('"', "");
    let user = said(&rights.user);
    for right in &rights.missing {
        let grant = format!("GRANT {right} TO {};", rights.user);
        report.wrong(format!("database: {user} lacks the right {}", said(right))).fix(config.for_a_session(grant));
    }
    if !rights.wide.is_empty() {
        let (most, all) = (10, rights.wide.len());
        let lines: Vec<String> = rights.wide.iter().take(most).map(|right| format!("\n{right}")).collect();
        let more = if all > most { format!("\nand {} more", all - most) } else { String::new() };
        report
            .note(format!("database: {user} has rights that Keyturn doesn't need:{}{more}", lines.concat()))
            .fix("revoke them; keyturn database grants prints the rights that it needs");
    } else if rights.missing.is_empty() {
        report.good(format!("database: {user} has the rights that Keyturn needs, and no others"));
    }
    Ok(())
}

/// Checks as far as possible without sending anything. Answers whether email can be sent.
fn outgoing_mail(config: &Config, report: &mut Report<'_>) -> anyhow::Result<bool> {
    let setup = config.mail_setup()?;
    let values = values(&setup);
    if setup.origin.is_none() {
        report
            .wrong("brand.link-origin is not set, so links lead to this machine only")
            .fix("set brand.link-origin, or “Links lead to” on the panel's page Email settings");
    }
    report.settings = SETTINGS.iter().filter_map(|setting| setting_document(&setup, setting)).collect();
    let transport = match setup.transport(Some(mail::PATIENCE)) {
        Err((setting, problem)) => {
            let place = mail::place(&setup, &[setting]);
            report.wrong(format!("mail: {setting} {problem}{values}")).fix(format!("{setting}   ({place})"));
            return Ok(false);
        }
        Ok(None) => {
            report
                .note(format!("mail is off: nothing can be sent{values}"))
                .fix("set mail.transport and mail.from, or set it up on the panel's page Email settings");
            return Ok(false);
        }
        Ok(Some(transport)) => transport,
    };
    let (name, attempt) = (transport.name(), transport.probe());
    let accepted = attempt.verdict == Verdict::Accepted;
    match attempt.steps.last() {
        None => report.good(format!("mail {name}{values}")),
        Some(last) if accepted => report.good(format!("mail {name}: {}{values}", last.said)),
        Some(last) => report
            .wrong(format!("mail {name}: {}\nsaid: {}{values}", mail::how_far(&attempt.steps), last.said))
            .fix(mail::settings(&setup, last.kind)),
    }
    Ok(accepted || attempt.steps.is_empty())
}

/// Checks each plugin on its own, so that one error hides no other.
fn webhooks(config: &Config, report: &mut Report<'_>) {
    for webhook in &config.webhooks {
        let to = match webhook.destination(|path| config.path(path)) {
            Ok(to) => to,
            Err((setting, problem)) => {
                let wrong = report.wrong(format!("{setting} {problem}"));
                if problem.contains("can't be read") {
                    wrong.fix(
                        "create one: (umask 077; keyturn webhooks secret > FILE), and give the destination the same secret",
                    );
                }
                continue;
            }
        };
        let (name, url) = (&to.name, &to.url);
        let secrets = match to.secrets.len() {
            1 => String::new(),
            several => format!(", signed with {several} secrets"),
        };
        let events: Vec<&str> = to.events.iter().map(String::as_str).collect();
        report.good(format!("webhook {name}: {} to {url}{secrets}", events.join(", ")));
        if !url.encrypted {
            report
                .note(format!("webhook {name} is sent unencrypted, so only to private networks"))
                .fix(format!("webhooks.{name}.url = \"https://…\""));
        }
    }
}

/// Events that no plugin emits, and reasons why events don't reach their destination.
fn destinations(host: &Host, report: &mut Report<'_>) -> anyhow::Result<()> {
    let plugins = host.plugins();
    for to in host.webhooks().iter() {
        let emitted = |event: &&String| plugins.iter().any(|one| one.manifest.events.emits_as(&one.name, event));
        for wanted in to.events.iter().filter(|event| !emitted(event)) {
            let emits: Vec<&str> =
                plugins.iter().flat_map(|plugin| &plugin.manifest.events.emits).map(String::as_str).collect();
            let there = if emits.is_empty() { "none".to_owned() } else { emits.join(", ") };
            report
                .wrong(format!("webhooks.{}.events names {wanted}, which no plugin emits", to.name))
                .fix(format!("plugins emit: {there}"));
        }
    }
    for one in host.tended().map_err(|cause| anyhow!("webhooks: {cause}"))? {
        let Tended { name, waiting, failed, noted, .. } = &one;
        match one.held() {
            Some(Held::Disabled(_)) => report
                .wrong(format!("webhook {name} answered 410 Gone: nothing is sent there, and {waiting} wait"))
                .fix(format!("when it works again: keyturn webhooks enable {name}")),
            Some(Held::Removed) if *waiting > 0 => report
                .note(format!("webhook {name} is no longer in the configuration; {waiting} wait for it"))
                .fix("add it again; otherwise they are given up after 30 days"),
            Some(Held::Off) => report
                .note(format!("webhook {name} is disabled: nothing is sent there, and {waiting} wait"))
                .fix(format!("webhooks.{name}.enabled = true")),
            _ => {}
        }
        if *failed > 0 {
            report
                .note(format!("webhook {name}: {failed} were given up"))
                .fix(format!("keyturn webhooks list --state failed --to {name}, then send-again --failed --to {name}"));
        }
        if noted.missed > 0 {
            report
                .wrong(format!("webhook {name}: {} events were dropped, because too many were waiting", noted.missed))
                .fix("raise limits.waiting-deliveries of the plugin, or make the destination faster");
        }
    }
    Ok(())
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
fn plugins(config: &Config, report: &mut Report<'_>) -> anyhow::Result<Option<Host>> {
    let host = config.empty_host()?;
    let files = match config.grants() {
        Ok(files) => files,
        Err(cause) => {
            report.wrong(format!("plugins: {cause}")).fix("create the folder, with a grants file for each plugin");
            return Ok(None);
        }
    };
    if files.is_empty() {
        report.wrong(format!("plugins: no grants file in {}", config.path(&config.plugins).display()));
    }
    let outcomes = config.look_at_plugins(&host).map_err(|cause| anyhow!("plugins: {cause}"))?;
    let interface = config.sign_in.hook.split_once('/').map_or("", |(interface, _)| interface);
    let rivals = outcomes.values().any(|outcome| {
        let taken = |what: &Wanted| *what == Wanted::Hooks(interface.to_owned());
        matches!(outcome, Err(ConfigError::Admit(AdmitError::Taken { what, .. })) if taken(what))
    });
    for (name, outcome) in outcomes {
        match outcome {
            Ok(plugin) => admitted(config, &plugin, report),
            Err(cause) => {
                report.wrong(format!("plugin {name} is left out; the others work without it: {cause}"));
            }
        }
    }
    asked_at_sign_in(config, &host, rivals, report);
    report.section(|report| background(&host, report));
    report.section(|report| destinations(&host, report));
    report.section(|report| {
        let keys = host.service_keys().map_err(|cause| anyhow!("service keys: {cause}"))?;
        let working = keys.iter().filter(|key| key.works(host.now())).count();
        let text = match keys.len() {
            0 => "service keys: none".to_owned(),
            several => format!("service keys: {working} of {several} work"),
        };
        match working {
            0 => report.note(text).fix("keyturn keys add, if a billing system or another machine should call hooks"),
            _ => report.good(text),
        }
        Ok(())
    });
    // A missing plugin was already reported.
    let plugins = host.plugins();
    for (setting, hook) in [
        ("sign-in.hook", &config.sign_in.hook),
        ("sign-in.set-hook", &config.sign_in.set_hook),
        ("sign-in.link-hook", &config.sign_in.link_hook),
        ("sign-in.recognise-hook", &config.sign_in.recognise_hook),
    ] {
        if !plugins.is_empty() && !host.has_hook(hook) {
            report.wrong(format!("{setting} names {hook}, which no plugin has"));
        }
    }
    Ok(Some(host))
}

/// What a plugin is, and what it offers to machines. A grant for an unmapped realm is a typo and has no effect.
fn admitted(config: &Config, plugin: &Plugin, report: &mut Report<'_>) {
    let (name, manifest, sha256) = (&plugin.name, &plugin.manifest, &plugin.sha256);
    let hooks: Vec<&Operation> = manifest.operations.iter().filter(|row| row.hook.is_some()).collect();
    report.good(format!("plugin {name} {}: {} hooks, sha256 {}…", manifest.version, hooks.len(), &sha256[..12]));
    let read = plugin.authority.accounts.iter().flat_map(|rights| &rights.realms);
    let mailed = plugin.authority.mail.iter().flat_map(|rights| &rights.recipients);
    let granted = read.map(|realm| ("accounts.realms", realm)).chain(mailed.map(|realm| ("mail.recipients", realm)));
    for (grant, realm) in granted.filter(|(_, realm)| !config.accounts.contains_key(*realm)) {
        let realms: Vec<&str> = config.accounts.keys().map(String::as_str).collect();
        report
            .wrong(format!("plugin {name}: grants.{grant} names {realm}, which is not mapped"))
            .fix(format!("mapped realms: {}", realms.join(", ")));
    }
    let (served, others): (Vec<_>, Vec<_>) = hooks.into_iter().partition(|row| row.actors.contains(&Role::ServiceKey));
    let named = |rows: Vec<&Operation>| rows.into_iter().filter_map(Operation::scope).collect::<Vec<_>>().join(", ");
    let (served, others) = (named(served), named(others));
    if !served.is_empty() {
        let others = if others.is_empty() { others } else { format!("\nnot for machines: {others}") };
        report.good(format!("hooks of {name}, under /v1/hooks/: {served}{others}"));
    }
}

/// Which plugin gets the passwords must not depend on which one is broken. `rivals`: one plugin is left out because another has
/// the hook.
fn asked_at_sign_in(config: &Config, host: &Host, rivals: bool, report: &mut Report<'_>) {
    match &config.sign_in.plugin {
        Some(name) if host.plugins().iter().all(|plugin| plugin.name != *name) => {
            let known = host.left_out().contains_key(name);
            let why = if known { "which is left out" } else { "and there is no grants file of that name" };
            report.wrong(format!("sign-in.plugin names {name}, {why}: nobody can sign in"));
        }
        None if rivals => report
            .wrong(format!("two plugins have {}, and sign-in.plugin names neither", config.sign_in.hook))
            .fix("set sign-in.plugin to the one that gets the passwords"),
        Some(_) | None => {}
    }
}

/// Background jobs: whether there is room for more, and what failed.
fn background(host: &Host, report: &mut Report<'_>) -> anyhow::Result<()> {
    let counts = host.storage.task_counts().map_err(|cause| anyhow!("jobs: {cause}"))?;
    let idle = match host.workers().map_err(|cause| anyhow!("jobs: {cause}"))? {
        Workers::Running => String::new(),
        Workers::Stopped { since: None } => "\nno worker has run on this database yet".to_owned(),
        Workers::Stopped { since: Some(at) } => format!("\nno worker has run since {}", clock(at, host, SECONDS)),
    };
    for TaskCount { plugin, waiting, failed } in counts {
        let most = host.plugins().iter().find(|one| one.name == plugin).map(|one| one.limits.waiting_jobs);
        if most.is_some_and(|most| waiting >= most) {
            let full = report.wrong(format!(
                "jobs of {plugin}: {waiting} are waiting, which is the limit; new ones are refused for now{idle}"
            ));
            match idle.as_str() {
                "" => full.fix(format!(
                    "see why they don't finish: keyturn jobs list; or raise limits.waiting-jobs in {plugin}.toml"
                )),
                _ => full.fix("start a worker: keyturn serve, or the panel's server"),
            }
        } else if waiting > 0 {
            report.note(format!("jobs of {plugin}: {waiting} are waiting{idle}"));
        }
        if failed > 0 {
            report.note(format!("jobs of {plugin}: {failed} failed for good within the last 30 days")).fix(
                "keyturn jobs list --failed shows the reasons; when they are fixed: keyturn jobs run-again --failed",
            );
        }
    }
    Ok(())
}
