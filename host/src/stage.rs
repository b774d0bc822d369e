//! What tests of the host stand on: a panel's database in a folder of its own, opened as a host opens it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::HostBuilder;
use crate::accounts::sql::{Mapping, Sql};
use crate::seal::Keys;
use crate::sqlite::{self, Options};
use crate::storage::Store;
use crate::view::{Links, nodes::Target};

/// A panel's database, `panel.db` in its folder, and what seals it.
pub(crate) struct Ground {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) storage: Arc<Store>,
    pub(crate) keys: Arc<Keys>,
}

impl Ground {
    /// With these tables of the panel's, and their mapping: what stands under `[accounts]`.
    pub(crate) fn new(panel: &str, realms: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("panel.db");
        rusqlite::Connection::open(&path).expect("opened").execute_batch(panel).expect("a panel");
        let realms: BTreeMap<String, Mapping> = toml::from_str(realms).expect("realms");
        let provider = Arc::new(Sql::new(realms).expect("a provider"));
        let keys = Arc::new(Keys::random());
        let storage = sqlite::open(&path, Arc::clone(&keys), provider, Options::default()).expect("opened");
        Self { folder, storage: Arc::new(storage), keys }
    }

    /// A host on it.
    pub(crate) fn host(&self) -> HostBuilder {
        HostBuilder::new(Arc::clone(&self.storage), Arc::clone(&self.keys))
    }
}

/// A panel whose addresses say what they lead to.
pub(crate) struct Routes;

impl Links for Routes {
    fn url(&self, plugin: &str, target: &Target) -> String {
        match target {
            Target::Mail(id) => format!("/outbox/{id}"),
            other => format!("/{plugin}/{other:?}"),
        }
    }
}
