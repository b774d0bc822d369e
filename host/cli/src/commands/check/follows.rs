//! What follows from the mapping, the grants and the settings: which pages and ways to a new password each realm's people
//! have, and what is missing. This is about the shipped plugin's settings and operations; plugins without them are skipped.

use keyturn_host::accounts::sql::{Sql, Tally};
use keyturn_host::config::Config;
use keyturn_host::plugin::admit::Plugin;
use keyturn_host::plugin::manifest::SettingValue;
use keyturn_host::service_key::VIEWS;
use keyturn_host::storage::database::Connection;
use keyturn_host::storage::{self, Provider as _};
use keyturn_host::{CallError, Host};
use serde_json::{Value, json};

use super::Report;
use crate::commands::console;
use crate::output::Tone;

/// The function beside the hook that sets passwords. It answers a hash in the form of new ones.
const SAMPLE: &str = "sample-hash";

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
            let text = format!("{name}: no plugin with the hook {hook} has a grant for this realm, so it gets nothing");
            let fix = format!("grants.accounts.realms = [\"{name}\"] in the plugin's grants file");
            report.say(Tone::Note, &text, Some(&fix));
            continue;
        };
        // A wrong mapping was already reported.
        let tally = config.storage().ok().and_then(|(storage, _)| storage.read(|sql| usable(provider, sql, name)).ok());
        if let Some(tally) = tally {
            let realm = Realm { name, tally, plugin, mail };
            let stored = realm.storing(host, hook, provider, report);
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

impl Realm<'_> {
    fn setting(&self, name: &str) -> Option<&SettingValue> {
        self.plugin.settings.get(name)
    }

    /// How new passwords are stored, as their plugin shows it by a hash of no password; and whether the panel verifies that,
    /// by the mapping. If not, what fixes it.
    fn storing(&self, host: &Host, hook: &str, provider: &Sql, report: &mut Report<'_>) -> Result<&str, String> {
        let Some(SettingValue::Text(output)) = self.setting("output") else {
            return Ok("its plugin decides");
        };
        let sample = hook.split_once('/').map(|(interface, _)| format!("{interface}/{SAMPLE}")).unwrap_or_default();
        let hash = match host.call(&console(), &sample, &json!({}), None) {
            Ok(Value::String(hash)) => hash,
            Ok(_) | Err(CallError::NoSuch(_)) => return Ok(output),
            Err(cause) => {
                let (above, fix) = self.above_ceilings().unwrap_or((cause.to_string(), String::new()));
                let text = format!("{}: no password can be set: {above}", self.name);
                report.say(Tone::Wrong, &text, (!fix.is_empty()).then_some(fix.as_str()));
                return Err(fix);
            }
        };
        provider.accepts(self.name, &hash).map(|()| output.as_str()).map_err(|cause| {
            let (name, plugin) = (self.name, &self.plugin.name);
            let text = format!("{name}: no password can be set: {plugin} stores passwords as {output}, and {cause}");
            let fix = format!(
                "settings.output in {plugin}.toml, if the panel verifies another scheme; or accounts.{name}.accepts, if it \
                 verifies {output}"
            );
            report.say(Tone::Wrong, &text, Some(&fix));
            fix
        })
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
        // The first obstacle, and its fix.
        let hindrance = if let Err(fix) = &stored {
            Some(("no password can be set", fix.clone()))
        } else if !mapped {
            Some(("no address is mapped", format!("accounts.{name}.email")))
        } else if !may {
            let fix = format!("grants.mail.recipients = [\"{name}\"] in {plugin}.toml");
            Some(("the plugin may not email this realm", fix))
        } else if !self.mail {
            Some(("email can't be sent", "see mail, above".to_owned()))
        } else if accounts > 0 && addresses == 0 {
            Some(("nobody has an address", format!("accounts.{name}.email = another column")))
        } else {
            None
        };
        let not_asked = "the panel does not ask at sign-in (asked-at-sign-in = false)";
        let offered: Vec<&str> =
            chosen.iter().map(String::as_str).filter(|mode| asked || *mode != "temporary").collect();
        let left_out: Vec<&str> =
            ["temporary", "link", "permanent"].into_iter().filter(|mode| !offered.contains(mode)).collect();
        let modes = if offered.is_empty() { "nothing".to_owned() } else { offered.join(", ") };
        let without = match left_out.as_slice() {
            [] => String::new(),
            left_out if !asked && left_out.contains(&"temporary") => {
                let others: Vec<&str> = left_out.iter().copied().filter(|mode| *mode != "temporary").collect();
                let others = if others.is_empty() { String::new() } else { format!("; nor {}", others.join(", ")) };
                format!("; not temporary, because {not_asked}{others}")
            }
            left_out => format!("; not {} (reset-modes)", left_out.join(", ")),
        };
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
        let tone = if hindrance.is_some() || offered.is_empty() { Tone::Note } else { Tone::Good };
        report.say(tone, &text, hindrance.as_ref().map(|(_, fix)| fix.as_str()));
        report.realms.push(json!({
            "realm": name,
            "plugin": plugin,
            "accounts": accounts,
            "with_address": addresses,
            "with_password": self.tally.passwords,
            "forgotten_password": hindrance.is_none(),
            "reset_modes": if hindrance.is_none() { offered } else { Vec::new() },
            "must_change": asked,
            "hindrance": hindrance.map_or(Value::Null, |(why, _)| json!(why)),
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
        return report.say(Tone::Good, &format!("the panel's pages are set: {}", named(&set)), None);
    }
    let costs: Vec<String> = unset.iter().map(|(name, _, cost)| format!("\n{name:<9} {cost}")).collect();
    let text = format!("the panel's pages are not set: {}{}", named(&unset), costs.concat());
    let fix: Vec<String> = unset.iter().map(|(name, ..)| format!("server.pages.{name}")).collect();
    report.say(Tone::Note, &text, Some(&format!("{}   (docs/embedding.md)", fix.join(", "))));
}
