//! What follows from the mapping, the grants and the settings: which pages and ways to a new password each realm's people
//! have, and what is missing. This is about the shipped plugin's settings and operations; plugins without them are skipped.

use keyturn_host::accounts::sql::{Severity, Sql, Tally};
use keyturn_host::config::Config;
use keyturn_host::plugin::admit::Plugin;
use keyturn_host::plugin::manifest::SettingValue;
use keyturn_host::service_key::VIEWS;
use keyturn_host::storage::database::Connection;
use keyturn_host::storage::{self, Provider as _};
use keyturn_host::{CallError, Host};
use serde_json::{Value, json};

use super::Report;
use super::hashes::{SAMPLE, beside};
use crate::commands::console;

/// One realm, as its people see it.
struct Realm<'a> {
    name: &'a str,
    tally: Tally,
    plugin: &'a Plugin,
    mail: bool,
}

pub fn realms(config: &Config, host: &Host, provider: &Sql, mail: bool, report: &mut Report<'_>) {
    let hook = &config.sign_in.set_hook;
    let plugins = host.plugins();
    for name in config.accounts.keys() {
        let granted = plugins.iter().find(|plugin| {
            let has = plugin.manifest.operations.iter().any(|row| row.scope().as_ref() == Some(hook));
            has && plugin.authority.accounts.as_ref().is_some_and(|rights| rights.realms.contains(name))
        });
        let Some(plugin) = granted else {
            // A missing hook was already reported.
            if !host.has_hook(hook) {
                continue;
            }
            report
                .note(format!("{name}: no plugin with the hook {hook} has a grant for this realm, so it gets nothing"))
                .fix(format!("grants.accounts.realms = [\"{name}\"] in the plugin's grants file"));
            continue;
        };
        // A wrong mapping was already reported.
        let tally = config.storage().ok().and_then(|(storage, _)| storage.read(|sql| usable(provider, sql, name)).ok());
        if let Some(tally) = tally {
            let realm = Realm { name, tally, plugin, mail };
            let unfit = |hash: &str| {
                let (storage, _) = config.storage().ok()?;
                storage.read(|sql| provider.holds(sql, name, hash)).ok()?.err()
            };
            let stored = realm.storing(host, hook, (provider, &unfit), report);
            realm.offers(config.accounts[name].email.is_some(), stored, report);
        }
    }
}

/// How many accounts there are. Unusable addresses don't count.
fn usable(provider: &Sql, sql: &dyn Connection, name: &str) -> Result<Tally, storage::StorageError> {
    let tally = provider.tally(sql, name)?;
    let unusable = i64::try_from(provider.unusable_addresses(sql, name)?).unwrap_or(i64::MAX);
    Ok(Tally { addresses: tally.addresses - unusable, ..tally })
}

/// Why a column doesn't hold a hash.
type Unfit<'a> = dyn Fn(&str) -> Option<String> + 'a;

impl Realm<'_> {
    fn setting(&self, name: &str) -> Option<&SettingValue> {
        self.plugin.settings.get(name)
    }

    /// How new passwords are stored, as their plugin shows it by a hash of no password; and whether the panel verifies that,
    /// by the mapping, and its column holds it. If not, what fixes it. `unfit`: why the column doesn't.
    fn storing(
        &self,
        host: &Host,
        hook: &str,
        (provider, unfit): (&Sql, &Unfit<'_>),
        report: &mut Report<'_>,
    ) -> Result<&str, String> {
        let Some(SettingValue::Text(output)) = self.setting("output") else {
            return Ok("its plugin decides");
        };
        let (name, plugin) = (self.name, &self.plugin.name);
        let (why, fix) = match host.call(&console(), &beside(hook, SAMPLE), &json!({}), None) {
            Ok(Value::String(hash)) => match provider.accepts(name, &hash) {
                Ok(()) => match unfit(&hash) {
                    None => return Ok(output),
                    Some(narrow) => {
                        let fix = format!("widen accounts.{name}.hash, to 255 characters");
                        (format!("{plugin} stores passwords as {output}, and {narrow}"), fix)
                    }
                },
                Err(cause) => {
                    let fix = format!(
                        "settings.output in {plugin}.toml, if the panel verifies another scheme; or accounts.{name}.accepts, if it \
                         verifies {output}"
                    );
                    (format!("{plugin} stores passwords as {output}, and {cause}"), fix)
                }
            },
            Ok(_) | Err(CallError::NoSuch(_)) => return Ok(output),
            Err(cause) => self.above_ceilings().unwrap_or((cause.to_string(), String::new())),
        };
        let wrong = report.wrong(format!("{name}: no password can be set: {why}"));
        if !fix.is_empty() {
            wrong.fix(&fix);
        }
        Err(fix)
    }

    /// Settings that ask for more than the host computes for this plugin, and how to fix it.
    fn above_ceilings(&self) -> Option<(String, String)> {
        let limits = &self.plugin.limits;
        let ceilings = [
            ("argon2-memory-kib", "kdf-memory-kib", limits.kdf_memory_kib),
            ("argon2-passes", "kdf-passes", limits.kdf_passes),
            ("argon2-lanes", "kdf-lanes", limits.kdf_lanes),
        ];
        let (mut above, mut lower, mut raise) = (Vec::new(), Vec::new(), Vec::new());
        for (setting, limit, most) in ceilings {
            if let Some(SettingValue::Number(is)) = self.setting(setting)
                && *is > i64::from(most)
            {
                above.push(format!("settings.{setting} is {is}, and limits.{limit} is {most}"));
                lower.push(format!("settings.{setting} = {most}"));
                raise.push(format!("limits.{limit} = {is}"));
            }
        }
        let fix = format!("{}, or {}, in {}.toml", lower.join(", "), raise.join(", "), self.plugin.name);
        (!above.is_empty()).then(|| (above.join("; "), fix))
    }

    fn offers(&self, mapped: bool, stored: Result<&str, String>, report: &mut Report<'_>) {
        let Some(SettingValue::Texts(chosen)) = self.setting("reset-modes") else { return };
        let (name, plugin, Tally { accounts, addresses, .. }) = (self.name, &self.plugin.name, self.tally);
        let asked = self.setting("asked-at-sign-in") != Some(&SettingValue::Truth(false));
        let may = self.plugin.authority.mail.as_ref().is_some_and(|rights| rights.recipients.contains(name));
        let grant = format!("grants.mail.recipients = [\"{name}\"] in {plugin}.toml");
        let (column, unset) = (format!("accounts.{name}.email"), stored.as_ref().err().cloned());
        let nobody = accounts > 0 && addresses == 0;
        let hindrances = [
            (unset.is_some(), "no password can be set", unset.unwrap_or_default()),
            (!mapped, "no address is mapped", column.clone()),
            (!may, "the plugin may not email this realm", grant),
            (!self.mail, "email can't be sent", "see mail, above".to_owned()),
            (nobody, "nobody has an address", format!("{column} = another column")),
        ];
        let hindrance = hindrances.into_iter().find(|(stands, ..)| *stands).map(|(_, why, fix)| (why, fix));
        let not_asked = "the panel does not ask at sign-in (asked-at-sign-in = false)";
        let offered: Vec<&str> =
            chosen.iter().map(String::as_str).filter(|mode| asked || *mode != "temporary").collect();
        let modes = ["temporary", "link", "permanent"].into_iter();
        let left_out = modes.filter(|mode| !offered.contains(mode) && (asked || *mode != "temporary"));
        let without = match (asked, left_out.collect::<Vec<_>>().join(", ").as_str()) {
            (true, "") => String::new(),
            (true, others) => format!("; not {others} (reset-modes)"),
            (false, "") => format!("; not temporary, because {not_asked}"),
            (false, others) => format!("; not temporary, because {not_asked}; nor {others}"),
        };
        let modes = if offered.is_empty() { "nothing".to_owned() } else { offered.join(", ") };
        let (forgotten, reset) = match &hindrance {
            Some((why, _)) => (format!("no, because {why}"), format!("no, because {why}")),
            None if accounts == 0 => ("yes, but there are no accounts yet".to_owned(), format!("{modes}{without}")),
            None => (format!("yes: {addresses} of {accounts} have an address"), format!("{modes}{without}")),
        };
        let must_change = match asked {
            true => "offered; the panel's sign-in must call the hook password/verify".to_owned(),
            false => format!("not offered, because {not_asked}"),
        };
        let by_hand = stored.map_or_else(|_| "no".to_owned(), |output| format!("yes, stored as {output}"));
        let text = format!(
            "{name}: what its people get\nForgotten password           {forgotten}\nReset & mail password        {reset}\n\
             New password by a manager    {by_hand}\nMust change at next sign-in  {must_change}"
        );
        let severity = if hindrance.is_some() || offered.is_empty() { Severity::Note } else { Severity::Good };
        report.say(severity, text);
        let (why, fix) = hindrance.unzip();
        fix.iter().for_each(|fix| report.fix(fix));
        report.realms.push(json!({
            "realm": name, "plugin": plugin, "accounts": accounts, "with_address": addresses,
            "with_password": self.tally.passwords, "forgotten_password": why.is_none(),
            "reset_modes": if why.is_none() { offered } else { Vec::new() }, "must_change": asked, "hindrance": why,
        }));
    }
}

/// Where Keyturn's pages link to in the panel. Only for panels that show views.
pub fn pages(config: &Config, host: &Host, report: &mut Report<'_>) {
    let pages = &config.server.pages;
    let shown = host.service_keys().unwrap_or_default().iter().any(|key| key.scopes.contains(VIEWS));
    let all = [
        ("overview", &pages.overview, "after a reset, people land on the panel's start page"),
        ("details", &pages.details, "“Add an address” leads to the panel's start page"),
        ("account", &pages.account, "after changing their own password, people land on the panel's start page"),
        ("plugin", &pages.plugin, "Forgotten password and Reset & mail password have no page to lead to"),
    ];
    let (set, unset): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, page, _)| page.is_some());
    if set.is_empty() && !shown {
        return;
    }
    let named =
        |rows: &[(&str, &Option<String>, &str)]| rows.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(", ");
    if unset.is_empty() {
        return report.good(format!("the panel's pages are set: {}", named(&set)));
    }
    let costs: Vec<String> = unset.iter().map(|(name, _, cost)| format!("\n{name:<9} {cost}")).collect();
    let fix: Vec<String> = unset.iter().map(|(name, ..)| format!("server.pages.{name}")).collect();
    report
        .note(format!("the panel's pages are not set: {}{}", named(&unset), costs.concat()))
        .fix(format!("{}   (docs/embedding.md)", fix.join(", ")));
}
