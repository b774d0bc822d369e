//! The host: what an embedder holds. It admits plugins and calls them; everything else is theirs or the panel's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use serde_json::Value;
use wasmtime::Engine;

use crate::accounts::{AccountId, Matched};
use crate::call::lane::Lane;
use crate::call::trace::Budget;
use crate::call::{self, CallError};
use crate::caller::Caller;
use crate::capabilities::Surroundings;
use crate::engine;
use crate::http::api::traffic::Traffic;
use crate::kdf::Buffers;
use crate::mail::Mailbox;
use crate::mail::room::{Post, Room, default_sender};
use crate::mail::setup::Fixed;
use crate::mail::transport::Transport;
use crate::operator::OWN;
use crate::plugin::admit::{AdmitError, Hook, Plugin};
use crate::plugin::grants::Grants;
use crate::plugin::limits::HostLimits;
use crate::seal::Keys;
use crate::storage::{AuditEntry, AuditFilter, Commit, Outdated, Storage, StorageError};
use crate::values;
use crate::view::look::Asset;
use crate::webhooks::{Destination, Destinations};
use crate::work::bell::Bell;

/// What pages and mails call the panel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brand {
    /// Its name.
    pub name: String,
    /// Whom to ask for help: a mail address or a sentence.
    pub contact: String,
    /// Where links lead: scheme, host and port, without a slash at the end. From configuration, never from a request. Where
    /// the page Email settings may say it, this holds until it does: see [`Host::origin`].
    pub origin: String,
    /// Time zone for people, an IANA name.
    pub zone: jiff::tz::TimeZone,
    /// The operator's own colours, see [`crate::view::theme::theme_css`]; none: those of the style sheet.
    pub look: Option<Arc<Asset>>,
}

impl Default for Brand {
    fn default() -> Self {
        Self {
            name: "Keyturn".to_owned(),
            contact: "your administrator".to_owned(),
            origin: "http://127.0.0.1:8080".to_owned(),
            zone: jiff::tz::TimeZone::UTC,
            look: None,
        }
    }
}

/// Lines of the audit that are removed in one transaction.
const PRUNED: u32 = 500;

/// How a host is made.
pub struct HostBuilder {
    storage: Arc<dyn Storage>,
    keys: Arc<Keys>,
    brand: Brand,
    cache: Option<PathBuf>,
    limits: HostLimits,
    even_grid: Duration,
    transport: Option<Arc<dyn Transport>>,
    sender: Option<(Mailbox, Option<Mailbox>)>,
    operators: Option<Mailbox>,
    connections: usize,
    mail: Option<Fixed>,
    webhooks: Destinations,
}

/// Why there is no host.
#[derive(Debug, thiserror::Error)]
#[error("the engine does not start: {0}")]
pub struct HostError(String);

impl HostBuilder {
    /// A host on this storage, sealing with these keys.
    #[must_use]
    pub fn new(storage: Arc<dyn Storage>, keys: Arc<Keys>) -> Self {
        Self {
            storage,
            keys,
            brand: Brand::default(),
            cache: None,
            limits: HostLimits::default(),
            even_grid: Duration::from_millis(250),
            transport: None,
            sender: None,
            operators: None,
            connections: 4,
            mail: None,
            webhooks: Destinations::default(),
        }
    }

    /// How mail goes: what this does not fix is set on the page Email settings. In place of [`HostBuilder::transport`],
    /// [`HostBuilder::sender`], [`HostBuilder::operators`] and [`HostBuilder::connections`].
    #[must_use]
    pub fn mail(mut self, fixed: Fixed) -> Self {
        self.connections = fixed.mail.connections;
        self.operators = fixed.mail.operators.clone().map(|address| Mailbox { name: String::new(), address });
        self.mail = Some(fixed);
        self
    }

    /// What carries mail away. Without one, plugins are told that mail is not configured.
    #[must_use]
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// In whose name mail goes, and where answers go if not there. Default: the brand, from `panel@` the host of its links.
    #[must_use]
    pub fn sender(mut self, from: Mailbox, reply_to: Option<Mailbox>) -> Self {
        self.sender = Some((from, reply_to));
        self
    }

    /// Where mail to the operators goes.
    #[must_use]
    pub fn operators(mut self, operators: Mailbox) -> Self {
        self.operators = Some(operators);
        self
    }

    /// Mails that go at once, each on a connection of its own. Default: 4.
    #[must_use]
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = connections.max(1);
        self
    }

    /// Where events go beside the plugins that listen. Their names are all different.
    #[must_use]
    pub fn webhooks(mut self, webhooks: Vec<Destination>) -> Self {
        self.webhooks = webhooks.into_iter().map(Arc::new).collect();
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
        self.cache = Some(folder.into());
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
        let engine = engine::engine().map_err(|cause| HostError(format!("{cause:#}")))?;
        // After the engine: made in such a process, it would lose the quick way to wipe its pool without a word.
        close_to_debuggers();
        let buffers = Buffers::start().map_err(|cause| HostError(cause.to_string()))?;
        let patience = Duration::from_millis(self.limits.queue_ms);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let compute = match self.limits.compute_at_once {
            0 => cores,
            set => set,
        };
        let (storage, keys, brand) = (Arc::clone(&self.storage), Arc::clone(&self.keys), self.brand.clone());
        let room = match self.mail {
            Some(fixed) => Room::of_file(storage, keys, brand, fixed),
            None => {
                let origin = brand.origin.clone();
                let sender = self.sender.unwrap_or_else(|| (default_sender(&brand.name, &origin), None));
                Room::of_program(storage, keys, brand, Post::of_program(self.transport, sender, origin))
            }
        };
        let surroundings = Surroundings {
            room,
            mails_operators: self.operators.is_some(),
            webhooks: RwLock::new(self.webhooks),
            plugins: RwLock::default(),
        };
        let calls = self.limits.calls_at_once.min(engine::POOL_SLOTS as usize);
        Ok(Host(Arc::new(Inner {
            engine,
            storage: self.storage,
            keys: self.keys,
            buffers,
            brand: self.brand,
            cache: self.cache,
            even_grid: self.even_grid,
            compute: Lane::new(compute, self.limits.compute_queue, patience),
            calls: Lane::new(calls, self.limits.calls_queue, patience),
            surroundings: Arc::new(surroundings),
            mail_bell: Bell::default(),
            task_bell: Bell::default(),
            webhook_bell: Bell::default(),
            connections: self.connections,
            operators: self.operators,
            tasks_at_once: self.limits.tasks_at_once.max(1),
            requests_per_minute: self.limits.requests_per_minute,
            views_per_minute: self.limits.views_per_minute,
            traffic: Traffic::default(),
            trials: Lane::new(crate::email::TRIALS_AT_ONCE, 0, Duration::ZERO),
            full_told: AtomicI64::new(0),
            audited: Budget::default(),
        })))
    }
}

/// A host. Cheap to clone; every method may block on the disk or on a hash, so call it from a thread that may.
#[derive(Clone)]
pub struct Host(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) engine: Engine,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) keys: Arc<Keys>,
    pub(crate) buffers: Arc<Buffers>,
    pub(crate) brand: Brand,
    cache: Option<PathBuf>,
    pub(crate) even_grid: Duration,
    pub(crate) compute: Lane,
    pub(crate) calls: Lane,
    pub(crate) surroundings: Arc<Surroundings>,
    /// Rings when a call has left a mail.
    pub(crate) mail_bell: Bell,
    /// Rings when a call has left a job or an event.
    pub(crate) task_bell: Bell,
    /// Rings when a call has left something for webhooks.
    pub(crate) webhook_bell: Bell,
    /// Mails that go at once.
    pub(crate) connections: usize,
    /// Where mail to the operators goes.
    pub(crate) operators: Option<Mailbox>,
    /// Jobs and events that run at once.
    pub(crate) tasks_at_once: usize,
    /// Requests that each service key may make within a minute.
    pub(crate) requests_per_minute: u32,
    /// Of views, likewise.
    pub(crate) views_per_minute: u32,
    /// What machines have asked of late.
    pub(crate) traffic: Traffic,
    /// Test mails that somebody waits for.
    pub(crate) trials: Lane,
    /// When the log was told last that there is no room for more jobs, Unix milliseconds.
    pub(crate) full_told: AtomicI64,
    /// What the audit has room for of what changes nothing.
    pub(crate) audited: Budget,
}

impl Inner {
    /// The admitted plugins.
    pub(crate) fn plugins(&self) -> Vec<Arc<Plugin>> {
        self.surroundings.plugins.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// How mail goes at present.
    pub(crate) fn post(&self) -> Arc<Post> {
        self.surroundings.room.post()
    }
}

impl Host {
    /// Admits a component under `name`, in place of one that has it.
    ///
    /// # Errors
    /// [`AdmitError`]; what was admitted under that name before goes on then.
    pub fn admit(&self, name: &str, component: &[u8], grants: &Grants) -> Result<Arc<Plugin>, AdmitError> {
        let plugin = self.prepare(name, component, grants)?;
        let mut plugins = self.0.surroundings.plugins.write().unwrap_or_else(PoisonError::into_inner);
        insert(&mut plugins, &plugin)?;
        Ok(plugin)
    }

    /// A plugin that is not yet called.
    pub(crate) fn prepare(&self, name: &str, component: &[u8], grants: &Grants) -> Result<Arc<Plugin>, AdmitError> {
        let inner = &self.0;
        let plugin = Plugin::admit(&inner.engine, &inner.keys, inner.cache.as_deref(), name, component, grants)?;
        Ok(Arc::new(plugin))
    }

    /// Lets go of all plugins but those of these names, and puts the ready ones in their places, in one moment. Calls that
    /// have begun end as they would have.
    pub(crate) fn replace(
        &self,
        names: &[String],
        ready: Vec<Arc<Plugin>>,
    ) -> Vec<(String, Result<Arc<Plugin>, AdmitError>)> {
        let mut plugins = self.0.surroundings.plugins.write().unwrap_or_else(PoisonError::into_inner);
        plugins.retain(|name, _| names.contains(name));
        let inserted =
            ready.into_iter().map(|plugin| (plugin.name.clone(), insert(&mut plugins, &plugin).map(|()| plugin)));
        inserted.collect()
    }

    /// Lets go of a plugin. Calls that have begun end as they would have; what it has left in the database stays.
    pub fn dismiss(&self, name: &str) {
        self.0.surroundings.plugins.write().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// The plugins, by name.
    #[must_use]
    pub fn plugins(&self) -> Vec<Arc<Plugin>> {
        self.0.plugins()
    }

    /// Whether a plugin has this hook, `interface/function`.
    #[must_use]
    pub fn has_hook(&self, hook: &str) -> bool {
        let (interface, function) = hook.split_once('/').unwrap_or_default();
        self.plugins().iter().any(|plugin| plugin.hook(interface, function).is_some())
    }

    /// The parameters of a hook that hold a secret, as its JSON arguments name them; none: there is no such hook.
    #[must_use]
    pub fn secrets(&self, hook: &str) -> Option<Vec<String>> {
        let (interface, function) = hook.split_once('/')?;
        let plugins = self.plugins();
        let hook = plugins.iter().find_map(|plugin| plugin.hook(interface, function))?;
        let names = hook.parameters.iter().map(|(name, _)| name);
        Some(names.filter(|name| hook.operation.secrets.contains(*name)).map(|name| values::snake(name)).collect())
    }

    /// Calls a hook: `interface/function`, arguments as a JSON object, an idempotency key or none.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn call(&self, caller: &Caller, hook: &str, arguments: &Value, key: Option<&str>) -> Result<Value, CallError> {
        let no_such = || CallError::NoSuch(format!("hook {hook}"));
        let (interface, function) = hook.split_once('/').ok_or_else(no_such)?;
        let plugins = self.plugins();
        let plugin = plugins.iter().find(|plugin| plugin.hook(interface, function).is_some()).ok_or_else(no_such)?;
        self.0.hook(plugin, interface, function, caller, arguments, key)
    }

    /// Accounts with that login or address, in these realms.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn find(&self, login_or_email: &str, realms: &[&str]) -> Result<Vec<(AccountId, Matched)>, StorageError> {
        self.0.storage.find(login_or_email, realms, 10)
    }

    /// The session epoch of an account, to be compared with the one that a session began under; none if the account is
    /// gone.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn epoch(&self, account: &AccountId) -> Result<Option<String>, StorageError> {
        Ok(self.0.storage.account(account)?.map(|known| known.epoch))
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

    /// Removes what of the audit is older than `before`, Unix milliseconds, and writes down who did it. In small steps, so that
    /// nobody's commit waits for it. Answers how many lines went.
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

    /// Where links lead at present: scheme, host and port, without a slash at the end.
    #[must_use]
    pub fn origin(&self) -> String {
        self.0.post().origin.clone()
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

    /// The absolute address of a link page.
    #[must_use]
    pub fn link(&self, page: &str, token: &str) -> String {
        self.0.surroundings.link(page, token)
    }

    /// Unix milliseconds, as calls have them.
    #[must_use]
    pub fn now(&self) -> i64 {
        call::now()
    }
}

/// Puts a plugin in its place, unless another has hooks of an interface of its.
fn insert(plugins: &mut BTreeMap<String, Arc<Plugin>>, plugin: &Arc<Plugin>) -> Result<(), AdmitError> {
    for other in plugins.values().filter(|other| other.name != plugin.name) {
        let both = |hook: &&Hook| plugin.hooks.iter().any(|own| own.interface == hook.interface);
        if let Some(hook) = other.hooks.iter().find(both) {
            let (interface, other) = (hook.interface.clone(), other.name.clone());
            return Err(AdmitError::Taken { plugin: plugin.name.clone(), interface, other });
        }
    }
    plugins.insert(plugin.name.clone(), Arc::clone(plugin));
    Ok(())
}

#[cfg(target_os = "linux")]
fn close_to_debuggers() {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    if let Err(cause) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!("core dumps of this process cannot be switched off: {cause}");
    }
}

#[cfg(not(target_os = "linux"))]
fn close_to_debuggers() {}

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
