//! Calls, and the work that they leave.

use std::sync::Arc;

use keyturn_core::accounts::Scope;
use keyturn_core::caller::{Actor, Caller};
use keyturn_core::seal::Keys;
use keyturn_core::time::now;
use keyturn_mail_settings::{MailSettings, Outgoing};
use keyturn_runtime::Runtime;
use keyturn_runtime::call::lane::Lane;
use keyturn_ui::Brand;

/// Calls, and the work that they leave. Cheap to clone; every method may block on the disk or on a hash, so call it from a
/// thread that may block.
#[derive(Clone)]
pub struct Work(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) runtime: Runtime,
    /// The queue for tests that somebody waits for.
    pub(crate) trials: Lane,
}

/// Plugins, hooks, accounts.
impl std::ops::Deref for Work {
    type Target = Runtime;

    fn deref(&self) -> &Runtime {
        &self.0.runtime
    }
}

impl Work {
    /// How email is sent now.
    #[must_use]
    pub fn outgoing(&self) -> Arc<Outgoing> {
        self.mail.outgoing()
    }

    /// The email settings.
    #[must_use]
    pub fn mail_settings(&self) -> &MailSettings {
        &self.mail
    }

    /// Where links lead now: scheme, host and port, without a slash at the end.
    #[must_use]
    pub fn origin(&self) -> String {
        self.mail.origin()
    }

    /// The panel's name.
    #[must_use]
    pub fn brand(&self) -> &Brand {
        &self.0.runtime.brand
    }

    /// The queue for tests that somebody waits for.
    #[must_use]
    pub fn trials(&self) -> &Lane {
        &self.0.trials
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
