//! What a server reloads while it runs: grants, components and webhooks.

use std::path::Path;
use std::sync::Arc;

use super::{Config, ConfigError};
use crate::host::{Host, plugin_name};
use crate::plugin::admit::Plugin;
use crate::plugin::grants::Grants;

impl Config {
    /// Reads the grants folder again: admits all plugins, and removes those whose file is gone, all at once, so that no request
    /// finds a gap. A plugin that can't be read or is refused stays as it was; a new one is left out (see [`Runtime::left_out`](crate::Runtime::left_out)).
    ///
    /// # Errors
    /// [`ConfigError`] if the folder can't be read. The answer has each plugin's result by its name.
    #[allow(clippy::type_complexity)]
    pub fn reload(&self, host: &Host) -> Result<Vec<(String, Result<Arc<Plugin>, ConfigError>)>, ConfigError> {
        let outcomes = self.look_at_plugins(host)?;
        host.remember_plugins();
        Ok(outcomes)
    }

    /// The same, but stores nothing.
    ///
    /// # Errors
    /// As [`Config::reload`].
    #[allow(clippy::type_complexity)]
    pub fn look_at_plugins(&self, host: &Host) -> Result<Vec<(String, Result<Arc<Plugin>, ConfigError>)>, ConfigError> {
        let before = host.plugins();
        let mut outcomes = Vec::new();
        let mut candidates = Vec::new();
        for path in self.grants()? {
            let name = plugin_name(&path);
            let plugin = Grants::read(&path)
                .map_err(ConfigError::from)
                .and_then(|(grants, component)| Ok(host.prepare(&name, &component, &grants)?));
            let candidate = plugin.as_ref().map(Arc::clone).or_else(|cause| {
                let as_before = before.iter().find(|plugin| plugin.name == name);
                as_before.cloned().ok_or_else(|| cause.to_string())
            });
            candidates.push((name.clone(), candidate));
            outcomes.push((name, plugin));
        }
        let refused = host.arrange(candidates.clone());
        let mut goes_on = false;
        for (name, cause) in refused {
            // A file that can't be read was already reported.
            if let Some((_, outcome @ Ok(_))) = outcomes.iter_mut().find(|(other, _)| *other == name) {
                *outcome = Err(cause.into());
            }
            let as_before = before.iter().find(|plugin| plugin.name == name);
            if let Some((candidate, as_before)) = candidates.iter_mut().find(|(other, _)| *other == name).zip(as_before)
            {
                candidate.1 = Ok(Arc::clone(as_before));
                goes_on = true;
            }
        }
        if goes_on {
            host.arrange(candidates);
        }
        Ok(outcomes)
    }

    /// Reads `[[webhooks]]` of the file again. If anything in the file is wrong, the earlier ones stay. Returns the other
    /// settings that have changed since this configuration was read: they apply from the next start.
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

/// The settings, by their full names, that differ between two files.
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
