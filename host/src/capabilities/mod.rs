//! What a plugin may import, one file per interface of `keyturn:panel`. Each works on the call's own state; nothing here
//! writes to a database. (`kdf` stands in [`crate::kdf`], beside the memory that it reuses.)

mod accounts;
mod call;
mod database;
mod events;
mod jobs;
mod keys;
mod mail;
mod settings;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::bindings::keyturn::panel::types;
use crate::bindings::keyturn::ui::nodes;
use crate::call::state::State;
use crate::mail::room::Room;
use crate::plugin::admit::Plugin;
use crate::webhooks::Destinations;

impl types::Host for State {}
impl nodes::Host for State {}

/// Seconds that a caller is told to wait when the database did not answer.
pub(crate) const RETRY_SECONDS: u32 = 5;

/// What of the host a call can see beyond itself.
pub(crate) struct Surroundings {
    /// How mail goes, and where links lead.
    pub(crate) room: Room,
    /// Whether the operators have an address.
    pub(crate) mails_operators: bool,
    /// Where events go beside the plugins that listen.
    pub(crate) webhooks: RwLock<Destinations>,
    /// All plugins, by name.
    pub(crate) plugins: RwLock<BTreeMap<String, Arc<Plugin>>>,
}

impl Surroundings {
    /// The absolute address of a link page.
    pub(crate) fn link(&self, page: &str, token: &str) -> String {
        format!("{}/{page}/{token}", self.room.post().origin)
    }

    /// Where events go at present.
    pub(crate) fn webhooks(&self) -> Destinations {
        Arc::clone(&self.webhooks.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Who listens to an event of that source.
    fn listeners(&self, source: &str, event: &str) -> Vec<String> {
        let plugins = self.plugins.read().unwrap_or_else(PoisonError::into_inner);
        let hears = |plugin: &Arc<Plugin>| plugin.authority.events && plugin.manifest.events.hears(source, event);
        plugins.values().filter(|plugin| plugin.name != source && hears(plugin)).map(|p| p.name.clone()).collect()
    }
}
