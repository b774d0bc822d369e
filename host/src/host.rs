//! The host: what an embedder holds. It admits plugins and calls them; everything else is theirs or the panel's.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use keyturn_core::time::now;
use keyturn_runtime::call::lane::Lane;
use keyturn_runtime::{Parts, Runtime, Timing};

use crate::accounts::AccountId;
use crate::caller::{Caller, OWN};
use crate::http::api::traffic::Traffic;
use crate::mail::setup::Fixed;
use crate::mail::transport::Transport;
use crate::mail_settings::{MailSettings, Outgoing};
use crate::plugin::cache;
use crate::plugin::limits::HostLimits;
use crate::plugin::roster::SignInPlugin;
use crate::seal::Keys;
use crate::storage::{AuditEntry, AuditFilter, Commit, Outdated, Role, StorageError, Store};
use crate::view::Brand;
use crate::webhooks::{Destination, Destinations};

/// Lines of the audit that are removed in one transaction.
const PRUNED: u32 = 500;

/// How a host is made.
pub struct HostBuilder {
    storage: Arc<Store>,
    keys: Arc<Keys>,
    brand: Brand,
    cache: Option<cache::Folder>,
    engine_first: bool,
    limits: HostLimits,
    even_grid: Duration,
    mail: Fixed,
    transport: Option<Arc<dyn Transport>>,
    webhooks: Destinations,
    sign_in: SignInPlugin,
}

/// Why there is no host.
#[derive(Debug, thiserror::Error)]
#[error("the engine does not start: {0}")]
pub struct HostError(String);

impl HostBuilder {
    /// A host on this storage, sealing with these keys.
    #[must_use]
    pub fn new(storage: Arc<Store>, keys: Arc<Keys>) -> Self {
        Self {
            storage,
            keys,
            brand: Brand::default(),
            cache: None,
            engine_first: true,
            limits: HostLimits::default(),
            even_grid: Duration::from_millis(250),
            mail: Fixed::default(),
            transport: None,
            webhooks: Destinations::default(),
            sign_in: SignInPlugin::default(),
        }
    }

    /// What is fixed of how mail goes; the rest is set on the page Email settings. Default: nothing, so mail is off until then.
    #[must_use]
    pub fn mail(mut self, fixed: Fixed) -> Self {
        self.mail = fixed;
        self
    }

    /// Carries mail by this whatever the settings say, as tests want it.
    #[must_use]
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Where events are sent, apart from the plugins that listen. Their names are all different.
    #[must_use]
    pub fn webhooks(mut self, webhooks: Vec<Destination>) -> Self {
        self.webhooks = webhooks.into_iter().map(Arc::new).collect();
        self
    }

    /// Which plugin comes first where two want the same hooks or link page.
    #[must_use]
    pub fn sign_in(mut self, plugin: SignInPlugin) -> Self {
        self.sign_in = plugin;
        self
    }

    /// What the panel is called and where its links lead.
    #[must_use]
    pub fn brand(mut self, brand: Brand) -> Self {
        self.brand = brand;
        self
    }

    /// Keeps compiled components in this folder, for a start in milliseconds.
    #[must_use]
    pub fn cache(mut self, folder: impl Into<PathBuf>) -> Self {
        self.cache = Some(cache::Folder { path: folder.into(), keeps: true });
        self
    }

    /// The same with what is there already: nothing is put into the folder.
    #[must_use]
    pub fn cache_as_it_is(mut self, folder: impl Into<PathBuf>) -> Self {
        self.cache = Some(cache::Folder { path: folder.into(), keeps: false });
        self
    }

    /// Makes the engine when the first plugin is admitted, for a host that may admit none: what only looks or tidies needs none
    /// of its address space. The memory of calls is then wiped in a slower way.
    #[must_use]
    pub fn engine_at_need(mut self) -> Self {
        self.engine_first = false;
        self
    }

    /// Limits of the host as a whole.
    #[must_use]
    pub fn limits(mut self, limits: HostLimits) -> Self {
        self.limits = limits;
        self
    }

    /// The time grid on which operations with `answer = even` are answered; it should lie above the slowest hash that
    /// the panel has stored. Zero: at once.
    #[must_use]
    pub fn even_grid(mut self, grid: Duration) -> Self {
        self.even_grid = grid;
        self
    }

    /// The host, without plugins.
    ///
    /// From then on the process leaves no core dump and is closed to debuggers of its own user: its memory holds the keys,
    /// and passwords while they are checked.
    ///
    /// # Errors
    /// [`HostError`] if the engine cannot be made: no address space for its pool, for example.
    pub fn build(self) -> Result<Host, HostError> {
        let (storage, keys, brand) = (Arc::clone(&self.storage), Arc::clone(&self.keys), self.brand.clone());
        let mail = Arc::new(MailSettings::new(storage, keys, brand, self.mail, self.transport));
        let runtime = Runtime::new(Parts {
            storage: self.storage,
            keys: self.keys,
            mail: mail.clone(),
            brand: self.brand.name.clone(),
            webhooks: self.webhooks,
            sign_in: self.sign_in,
            cache: self.cache,
            limits: self.limits.clone(),
            timing: Timing { engine_first: self.engine_first, even_grid: self.even_grid },
        });
        Ok(Host(Arc::new(Inner {
            runtime: runtime.map_err(HostError)?,
            mail,
            brand: self.brand,
            tasks_at_once: self.limits.tasks_at_once.max(1),
            requests_per_minute: self.limits.requests_per_minute,
            views_per_minute: self.limits.views_per_minute,
            traffic: Traffic::default(),
            trials: Lane::new(crate::trials::AT_ONCE, 0, Duration::ZERO),
        })))
    }
}

/// A host. Cheap to clone; every method may block on the disk or on a hash, so call it from a thread that may.
#[derive(Clone)]
pub struct Host(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) runtime: Runtime,
    /// How mail goes.
    pub(crate) mail: Arc<MailSettings>,
    pub(crate) brand: Brand,
    /// Jobs and events that run at once.
    pub(crate) tasks_at_once: usize,
    /// Requests that each service key may make within a minute.
    pub(crate) requests_per_minute: u32,
    /// Of views, likewise.
    pub(crate) views_per_minute: u32,
    /// Recent requests of machines.
    pub(crate) traffic: Traffic,
    /// Tests that somebody waits for.
    pub(crate) trials: Lane,
}

impl std::ops::Deref for Inner {
    type Target = Runtime;

    fn deref(&self) -> &Runtime {
        &self.runtime
    }
}

/// What calls go through: plugins, hooks, accounts.
impl std::ops::Deref for Host {
    type Target = Runtime;

    fn deref(&self) -> &Runtime {
        &self.0.runtime
    }
}

impl Inner {
    /// How email is sent now.
    pub(crate) fn outgoing(&self) -> Arc<Outgoing> {
        self.mail.outgoing()
    }
}

impl Host {
    /// Writes into the audit what the embedder itself has done about an account, such as to end its sessions. `operation` is one
    /// word of a-z and -, which no plugin's operation has.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn write_down(&self, caller: &Caller, operation: &str, account: &AccountId) -> Result<(), StorageError> {
        let entry = AuditEntry::of(caller, self.now(), OWN, operation, "done".to_owned());
        let audit = Some(AuditEntry { subjects: vec![(account.clone(), Role::Subject)], ..entry });
        self.0.storage.commit(Commit { audit, ..Commit::bare(OWN, self.now(), Vec::new()) })
    }

    /// Audit entries, newest first.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn audit(&self, filter: &AuditFilter) -> Result<Vec<(i64, AuditEntry)>, StorageError> {
        self.0.storage.audit(filter)
    }

    /// What of the audit is older than `before`, Unix milliseconds.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn audit_before(&self, before: i64) -> Result<Outdated, StorageError> {
        self.0.storage.audit_before(before)
    }

    /// Deletes audit entries older than `before`, Unix milliseconds, and records who did it. In small steps, so that no commit
    /// waits for it. Returns the number of deleted entries.
    ///
    /// # Errors
    /// [`StorageError`]; what went before it is gone.
    pub fn prune_audit(&self, caller: &Caller, before: i64) -> Result<u64, StorageError> {
        let mut gone = 0;
        loop {
            let step = self.0.storage.prune_audit(before, PRUNED)?;
            gone += step;
            if step < u64::from(PRUNED) {
                break;
            }
        }
        if gone > 0 {
            let outcome =
                format!("done: {gone} before {}", jiff::Timestamp::from_millisecond(before).unwrap_or_default());
            let audit = Some(AuditEntry::of(caller, self.now(), OWN, "audit-prune", outcome));
            self.0.storage.commit(Commit { audit, ..Commit::bare(OWN, self.now(), Vec::new()) })?;
        }
        Ok(gone)
    }

    /// Where links lead now: scheme, host and port, without a slash at the end.
    #[must_use]
    pub fn origin(&self) -> String {
        self.0.outgoing().origin.clone()
    }

    /// What the panel is called.
    #[must_use]
    pub fn brand(&self) -> &Brand {
        &self.0.brand
    }

    /// The host's keys, for what an embedder seals itself: its own forms, drawn beside those of plugins.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.0.keys
    }

    /// Unix milliseconds, as calls have them.
    #[must_use]
    pub fn now(&self) -> i64 {
        now()
    }
}

/// The name under which a grants file admits its plugin: the file's own, without `.toml`.
#[must_use]
pub fn plugin_name(grants: &Path) -> String {
    grants.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {

    use rustix::process::{DumpableBehavior, dumpable_behavior};

    #[test]
    fn a_process_with_a_host_leaves_no_core_dump() {
        let _host = crate::stage::Ground::new("", "").host().build().expect("a host");
        assert_eq!(dumpable_behavior().expect("asked"), DumpableBehavior::NotDumpable);
    }
}
