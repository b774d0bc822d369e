//! What tests of the host need: a panel's database in a folder of its own, opened as a host opens it.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keyturn_accounts::{Mapping, Sql};
use keyturn_core::seal::Keys;
use keyturn_store::{Provider, Store};
use keyturn_store_sqlite::Options;

use crate::builder::HostBuilder;
use crate::work::Work;
use crate::workers::Shutdown;

/// A panel's database, `panel.db` in its folder, and its keys.
pub struct Ground {
    pub folder: tempfile::TempDir,
    pub storage: Arc<Store>,
    pub keys: Arc<Keys>,
}

impl Ground {
    /// With these tables of the panel, and their mapping: what is under `[accounts]`.
    pub fn new(panel: &str, realms: &str) -> Self {
        let realms: BTreeMap<String, Mapping> = toml::from_str(realms).expect("realms");
        Self::on(panel, Arc::new(Sql::new(realms, &keyturn_store_sqlite::Sqlite).expect("a provider")))
    }

    /// With these tables of the panel, and the provider that reads its accounts there.
    pub fn on(panel: &str, provider: Arc<dyn Provider>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("panel.db");
        rusqlite::Connection::open(&path).expect("opened").execute_batch(panel).expect("a panel");
        let keys = Arc::new(Keys::random());
        let storage =
            keyturn_store_sqlite::open(&path, Arc::clone(&keys), provider, Options::default()).expect("opened");
        Self { folder, storage: Arc::new(storage), keys }
    }

    /// A host on it.
    pub fn host<T: From<Work>>(&self) -> HostBuilder<T> {
        HostBuilder::new(Arc::clone(&self.storage), Arc::clone(&self.keys))
    }
}

/// The value that `read` returns, as soon as it is the expected one.
///
/// # Panics
/// If it isn't within ten seconds.
#[track_caller]
pub fn comes_to<T: Debug>(read: impl Fn() -> T, is: impl Fn(&T) -> bool) -> T {
    let until = Instant::now() + Duration::from_secs(10);
    while Instant::now() < until {
        let found = read();
        if is(&found) {
            return found;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("it is {:?}", read());
}

/// Does something while workers run.
pub fn working(host: &Work, act: impl FnOnce()) {
    let shutdown = Shutdown::new();
    std::thread::scope(|scope| {
        scope.spawn(|| host.run_workers(&shutdown));
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(act));
        shutdown.stop();
        if let Err(cause) = ended {
            std::panic::resume_unwind(cause);
        }
    });
}
