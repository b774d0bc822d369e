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

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use crate::accounts::{AccountId, Matched};
use crate::bindings::keyturn::panel::types;
use crate::bindings::keyturn::ui::nodes;
use crate::call::now;
use crate::call::state::State;
use crate::call::told::Told;
use crate::mail::room::Room;
use crate::plugin::roster::Roster;
use crate::storage::{StorageError, Store};
use crate::webhooks::Destinations;

impl types::Host for State {}
impl nodes::Host for State {}

/// Seconds that a caller is told to wait when the database did not answer.
pub(crate) const RETRY_SECONDS: u32 = 5;

/// In the query of a link: whose it is.
pub(crate) const LINK_OF: &str = "of";

/// What of the host a call can see beyond itself.
pub(crate) struct Surroundings {
    /// How mail goes, and where links lead.
    pub(crate) room: Room,
    /// Whether the operators have an address.
    pub(crate) mails_operators: bool,
    /// Where events go beside the plugins that listen.
    pub(crate) webhooks: RwLock<Destinations>,
    /// All plugins.
    pub(crate) plugins: RwLock<Roster>,
    /// How many accounts of one login or address are found at most.
    pub(crate) accounts_per_address: usize,
    /// That there were more.
    pub(crate) many_told: Told,
}

impl Surroundings {
    /// All plugins, as they are now.
    pub(crate) fn roster(&self) -> RwLockReadGuard<'_, Roster> {
        self.plugins.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Accounts with that login or address, logins and then older ones first. That there are more than are found is logged,
    /// without the name.
    pub(crate) fn find(
        &self,
        storage: &Store,
        typed: &str,
        realms: &[&str],
    ) -> Result<Vec<(AccountId, Matched)>, StorageError> {
        let most = self.accounts_per_address;
        let mut found = storage.find(typed, realms, most.saturating_add(1))?;
        if found.len() > most {
            found.truncate(most);
            if self.many_told.is_due(now()) {
                tracing::warn!(
                    most,
                    "one login or address belongs to more accounts than limits.accounts-per-address: the others are not \
                     found by it, and get no mail"
                );
            }
        }
        Ok(found)
    }

    /// The absolute address of a plugin's link page. If another plugin had a page of that name before, it says whose it is: a
    /// link belongs to the plugin that made it, whatever is admitted later.
    pub(crate) fn link(&self, plugin: &str, page: &str, token: &str) -> String {
        let address = format!("{}/{page}/{token}", self.room.post().origin);
        if self.roster().must_say_whose(plugin, page) { format!("{address}?{LINK_OF}={plugin}") } else { address }
    }

    /// Where events go at present.
    pub(crate) fn webhooks(&self) -> Destinations {
        Arc::clone(&self.webhooks.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Who listens to an event of that source.
    fn listeners(&self, source: &str, event: &str) -> Vec<String> {
        self.roster().listeners(source, event)
    }
}
