//! What a call can see besides its own data.

use std::sync::Arc;

use keyturn_core::accounts::{AccountId, Matched};
use keyturn_core::seal::Keys;
use keyturn_core::time::now;
use keyturn_mail_settings::MailSettings;
use keyturn_package::limits::HostLimits;
use keyturn_store::{StorageError, Store};
use keyturn_ui::Brand;
use keyturn_webhooks::Destinations;
use parking_lot::RwLock;

use crate::call::told::Told;
use crate::capabilities::kdf::buffers::Buffers;

/// The parameter of a link that names its plugin.
pub const LINK_OF: &str = "of";

/// Which plugin has what, as far as a call must know it.
pub trait Directory: Send + Sync {
    /// The plugins that listen to an event of that source.
    fn listeners(&self, source: &str, event: &str) -> Vec<String>;

    /// Whether a link to that page must say which plugin made it.
    fn must_say_whose(&self, plugin: &str, page: &str) -> bool;
}

/// What a call can see besides its own data.
pub struct Surroundings {
    /// Where everything is kept.
    pub storage: Arc<Store>,
    /// What seals it.
    pub keys: Arc<Keys>,
    /// Memory for slow hashes.
    pub buffers: Arc<Buffers>,
    /// How email is sent, and where links lead.
    pub mail: Arc<MailSettings>,
    /// What people see of the panel.
    pub brand: Brand,
    /// Where events are sent, apart from the plugins that listen.
    pub webhooks: RwLock<Destinations>,
    /// Which plugin has what.
    pub plugins: Arc<dyn Directory>,
    /// Limits of the host as a whole.
    pub limits: HostLimits,
    /// When the log last said that there were more.
    pub many_told: Told,
}

impl Surroundings {
    /// Accounts with that login or address: matches by login first, then in the order of [`Store::find`]. If there are more than the
    /// limit, the log says so, without the name.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn find(&self, typed: &str, realms: &[&str]) -> Result<Vec<(AccountId, Matched)>, StorageError> {
        let most = self.limits.accounts_per_address;
        let mut found = self.storage.find(typed, realms, most.saturating_add(1))?;
        if found.len() > most {
            found.truncate(most);
            if self.many_told.is_due(now()) {
                tracing::warn!(
                    most,
                    "a login or address belongs to more accounts than limits.accounts-per-address: the others are not \
                     found by it, and get no email"
                );
            }
        }
        Ok(found)
    }

    /// The absolute address of a plugin's link page. If another plugin had a page of that name before, the address names the
    /// plugin: a link belongs to the plugin that made it, whatever is admitted later.
    #[must_use]
    pub fn link(&self, plugin: &str, page: &str, token: &str) -> String {
        let address = format!("{}/{page}/{token}", self.mail.origin());
        if self.plugins.must_say_whose(plugin, page) { format!("{address}?{LINK_OF}={plugin}") } else { address }
    }

    /// Where events are sent now.
    #[must_use]
    pub fn webhooks(&self) -> Destinations {
        Arc::clone(&self.webhooks.read())
    }
}
