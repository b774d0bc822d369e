//! Calls, and the work that they leave.

use std::sync::Arc;

use keyturn_core::accounts::Scope;
use keyturn_core::caller::{Actor, Caller};
use keyturn_core::seal::Keys;
use keyturn_core::time::now;
use keyturn_runtime::Runtime;
use keyturn_runtime::call::lane::Lane;
use keyturn_ui::Brand;

/// Calls, and the work that they leave. Cheap to clone; every method may block on the disk or on a hash, so call it from a
/// thread that may block.
#[derive(Clone)]
pub struct Work {
    pub(crate) runtime: Arc<Runtime>,
    /// The queue for tests that somebody waits for.
    pub trials: Arc<Lane>,
}

/// Plugins, hooks, accounts.
impl std::ops::Deref for Work {
    type Target = Runtime;

    fn deref(&self) -> &Runtime {
        &self.runtime
    }
}

impl Work {
    /// Where links lead now: scheme, host and port, without a slash at the end.
    #[must_use]
    pub fn origin(&self) -> String {
        self.mail.origin()
    }

    /// The panel's name.
    #[must_use]
    pub fn brand(&self) -> &Brand {
        &self.runtime.brand
    }

    /// The host's keys, for what an embedder seals itself, such as its own forms beside those of plugins.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Whether a caller may see and do what concerns everybody: only the console, and accounts with access to every realm.
    /// Emails carry other people's secrets, events are about anybody, and a service key may do what its creator may.
    #[must_use]
    pub fn reaches_everybody(&self, caller: &Caller) -> bool {
        match caller.actor {
            Actor::Console => true,
            Actor::Account(_) => {
                let realms = self.storage.realms();
                !realms.is_empty() && realms.iter().all(|realm| caller.reach.scope(realm) == Scope::All)
            }
            Actor::Anonymous | Actor::ServiceKey(_) | Actor::System => false,
        }
    }

    /// The time, Unix milliseconds.
    #[must_use]
    pub fn now(&self) -> i64 {
        now()
    }
}
