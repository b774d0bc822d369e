//! What hosts on one database should have in common: their settings and grants, of which each host tells the others names and
//! MACs.

use std::collections::BTreeMap;
use std::path::Path;

use toml::{Table, Value};

use super::Config;
use crate::host::Host;
use crate::storage::hosts::About;
use keyturn_core::seal::{Keys, hex};

/// Settings about the machine that a host runs on.
const LOCAL: [&str; 5] = ["cache", "database", "key-file", "plugins", "server.listen"];
/// Characters of a host's name at most.
const NAME: usize = 100;

impl Config {
    /// What this host tells others. Of plugins that are not `admitted` it tells what it told before.
    pub(super) fn about(&self, host: &Host, admitted: impl Fn(&str) -> bool) -> About {
        let before = host.storage.about().unwrap_or_default().settings;
        let mut about = self.compared(&host.keys);
        about.settings.retain(|name, _| plugin_of(name).is_none_or(&admitted));
        let as_before = |name: &str| plugin_of(name).is_some_and(|plugin| !admitted(plugin));
        about.settings.extend(before.into_iter().filter(|(name, _)| as_before(name)));
        about
    }

    /// What a host with these files tells others, if it admits each plugin.
    #[must_use]
    pub fn compared(&self, keys: &Keys) -> About {
        // Webhooks are as they stand in the file by now.
        let mut settings = self.settings();
        if let Ok(now) = Self::read(Path::new(&self.file)) {
            settings.retain(|name, _| !name.starts_with("webhooks."));
            settings.extend(now.settings().into_iter().filter(|(name, _)| name.starts_with("webhooks.")));
        }
        settings.retain(|name, _| !LOCAL.iter().any(|local| name == local || name.starts_with(&format!("{local}."))));
        for file in self.grants().unwrap_or_default() {
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            let mut grants: Table = toml::from_str(&text).unwrap_or_default();
            grants.remove("component");
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            note(&grants, &format!("{name}: "), &mut settings);
        }
        let mac = |name: &str, value: &Value| {
            let value = self.content(name, value).unwrap_or_else(|| value.to_string().into_bytes());
            hex(&keys.mac("a host's setting", &[name.as_bytes(), &value])[..8])
        };
        let settings = settings.iter().map(|(name, value)| (name.clone(), mac(name, value))).collect();
        About { name: name(), version: env!("CARGO_PKG_VERSION").to_owned(), settings }
    }

    /// The settings in the file, by their full names.
    pub(super) fn settings(&self) -> BTreeMap<String, Value> {
        let mut found = BTreeMap::new();
        note(&self.said, "", &mut found);
        found
    }

    /// What a file holds that a setting names: where it lies is a machine's own matter.
    fn content(&self, name: &str, value: &Value) -> Option<Vec<u8>> {
        let file = name.ends_with("-file").then(|| value.as_str()).flatten()?;
        std::fs::read(self.path(Path::new(file))).ok()
    }
}

/// The plugin that a name of a setting in a grants file is about.
fn plugin_of(setting: &str) -> Option<&str> {
    setting.split_once(".toml: ").map(|(plugin, _)| plugin)
}

/// Each value below, by its full name. Tables in a list go by their own names, as `[[webhooks]]` do.
fn note(table: &Table, above: &str, found: &mut BTreeMap<String, Value>) {
    for (key, value) in table {
        let name = format!("{above}{key}");
        match value {
            Value::Table(table) => note(table, &format!("{name}."), found),
            Value::Array(all) if all.iter().any(Value::is_table) => {
                for table in all.iter().filter_map(Value::as_table) {
                    let own = table.get("name").and_then(Value::as_str).unwrap_or_default();
                    note(table, &format!("{name}.{own}."), found);
                }
            }
            value => _ = found.insert(name, value.clone()),
        }
    }
}

/// This machine and process.
fn name() -> String {
    let machine = nix::unistd::gethostname().unwrap_or_default();
    let machine: String = machine.to_string_lossy().chars().filter(char::is_ascii_graphic).take(NAME).collect();
    format!("{machine}/{}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::hosts::differing;

    fn settings(text: &str) -> BTreeMap<String, Value> {
        let mut found = BTreeMap::new();
        note(&toml::from_str(text).expect("TOML"), "", &mut found);
        found
    }

    #[test]
    fn each_setting_that_is_not_as_it_was_is_named_whole() {
        let one = settings(
            "plugins = 'a'\nkey-file = 'k'\n[mail]\nfrom = 'x'\n[mail.smtp]\nport = 25\n[limits]\nqueue-ms = 1
             [[webhooks]]\nname = 'a'\nurl = 'u'\n[[webhooks]]\nname = 'b'\nevents = ['e']",
        );
        let other = settings(
            "plugins = 'b'\nkey-file = 'k'\n[mail]\nfrom = 'x'\n[mail.smtp]\nport = 26\nhost = 'h'
             [[webhooks]]\nname = 'b'\nevents = ['e', 'f']\n[[webhooks]]\nname = 'a'\nurl = 'u'",
        );
        let differ = ["limits.queue-ms", "mail.smtp.host", "mail.smtp.port", "plugins", "webhooks.b.events"];
        assert_eq!(differing(&one, &other), differ);
        assert_eq!(differing(&one, &one), <[&str; 0]>::default());
    }
}
