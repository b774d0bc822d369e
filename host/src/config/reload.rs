//! What a server reloads while it runs: grants, components and webhooks.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::{Config, ConfigError};
use crate::host::Host;
use crate::plugin::admit::Plugin;
use crate::plugin::grants::Grants;
use crate::storage::hosts::differing;

/// What became of each plugin, by its name.
pub type Outcomes = BTreeMap<String, Result<Arc<Plugin>, ConfigError>>;

impl Config {
    /// Reads the grants folder again: admits all plugins, and removes those whose file is gone, all at once, so that no request
    /// finds a gap. A plugin that can't be read or is refused stays as it was; a new one is left out (see [`Runtime::left_out`](crate::Runtime::left_out)).
    ///
    /// # Errors
    /// [`ConfigError`] if the folder cannot be read.
    pub fn reload(&self, host: &Host) -> Result<Outcomes, ConfigError> {
        let outcomes = self.look_at_plugins(host)?;
        host.remember_plugins();
        let admitted = |plugin: &str| outcomes.get(plugin).is_some_and(Result::is_ok);
        if let Err(cause) = host.storage.introduce(self.about(host, admitted)) {
            tracing::warn!("can't compare settings and grants with other hosts: {cause}");
        }
        Ok(outcomes)
    }

    /// The same, but stores nothing.
    ///
    /// # Errors
    /// As [`Config::reload`].
    pub fn look_at_plugins(&self, host: &Host) -> Result<Outcomes, ConfigError> {
        let before = host.roster().admitted.clone();
        let (mut outcomes, mut candidates) = (Outcomes::new(), BTreeMap::new());
        for path in self.grants()? {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let plugin = Grants::read(&path)
                .map_err(ConfigError::from)
                .and_then(|(grants, component)| Ok(host.prepare(&name, &component, &grants)?));
            let as_before = |cause: &ConfigError| before.get(&name).cloned().ok_or_else(|| cause.to_string());
            candidates.insert(name.clone(), plugin.as_ref().map(Arc::clone).or_else(as_before));
            outcomes.insert(name, plugin);
        }
        let mut goes_on = false;
        for (name, cause) in host.arrange(candidates.clone().into_iter().collect()) {
            // A file that can't be read was already reported.
            if let Some(outcome @ Ok(_)) = outcomes.get_mut(&name) {
                *outcome = Err(cause.into());
            }
            if let Some(as_before) = before.get(&name) {
                candidates.insert(name, Ok(Arc::clone(as_before)));
                goes_on = true;
            }
        }
        if goes_on {
            host.arrange(candidates.into_iter().collect());
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
        let mut others = differing(&self.settings(), &now.settings());
        others.retain(|setting| !setting.starts_with("webhooks."));
        Ok(others)
    }
}
