//! What a server takes anew while it runs: grants, components and webhooks.

use std::path::Path;
use std::sync::Arc;

use super::{Config, ConfigError};
use crate::host::{Host, plugin_name};
use crate::plugin::admit::Plugin;
use crate::plugin::grants::Grants;

impl Config {
    /// Takes the grants folder as it is now: plugins are admitted anew, new ones too, and those whose file is gone are let go
    /// of, all in one moment, so that no request finds a gap. One that cannot be read or is refused goes on as it was.
    ///
    /// # Errors
    /// [`ConfigError`] if the folder cannot be read. What became of each plugin is answered by its name.
    #[allow(clippy::type_complexity)]
    pub fn reload(&self, host: &Host) -> Result<Vec<(String, Result<Arc<Plugin>, ConfigError>)>, ConfigError> {
        let mut outcomes = Vec::new();
        let mut wanted = Vec::new();
        for path in self.grants()? {
            let name = plugin_name(&path);
            let plugin = Grants::read(&path)
                .map_err(ConfigError::from)
                .and_then(|(grants, component)| Ok(host.prepare(&name, &component, &grants)?));
            wanted.push((name, plugin));
        }
        let names: Vec<String> = wanted.iter().map(|(name, _)| name.clone()).collect();
        let ready = wanted.into_iter().filter_map(|(name, plugin)| match plugin {
            Ok(plugin) => Some(plugin),
            Err(cause) => {
                outcomes.push((name, Err(cause)));
                None
            }
        });
        let ready: Vec<_> = ready.collect();
        let replaced = host.replace(&names, ready).into_iter();
        outcomes.extend(replaced.map(|(name, plugin)| (name, plugin.map_err(ConfigError::from))));
        Ok(outcomes)
    }

    /// Takes `[[webhooks]]` of the file as it is now; if anything in the file is wrong, those before stay. Answers which other
    /// settings are not as they were when this was read: they hold from the next start on.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn reload_webhooks(&self, host: &Host) -> Result<Vec<String>, ConfigError> {
        let now = Self::read(Path::new(&self.file))?;
        host.replace_destinations(now.destinations()?);
        let mut others = Vec::new();
        differences(&self.said, &now.said, "", &mut others);
        Ok(others)
    }
}

/// The settings, by their whole names, that two files have not alike.
fn differences(one: &toml::Table, other: &toml::Table, above: &str, found: &mut Vec<String>) {
    let added = other.keys().filter(|key| !one.contains_key(*key));
    for key in one.keys().chain(added) {
        match (one.get(key), other.get(key)) {
            (Some(toml::Value::Table(one)), Some(toml::Value::Table(other))) => {
                differences(one, other, &format!("{above}{key}."), found);
            }
            (one, other) if one != other => found.push(format!("{above}{key}")),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_that_is_not_as_it_was_is_named_whole() {
        let table = |text: &str| toml::from_str::<toml::Table>(text).expect("TOML");
        let one =
            table("plugins = 'a'\nkey-file = 'k'\n[mail]\nfrom = 'x'\n[mail.smtp]\nport = 25\n[limits]\nqueue-ms = 1");
        let other = table("plugins = 'b'\nkey-file = 'k'\n[mail]\nfrom = 'x'\n[mail.smtp]\nport = 26\nhost = 'h'");
        let mut found = Vec::new();
        differences(&one, &other, "", &mut found);
        found.sort();
        assert_eq!(found, ["limits", "mail.smtp.host", "mail.smtp.port", "plugins"]);
        differences(&one, &one, "", &mut found);
        assert_eq!(found.len(), 4);
    }
}
