//! The host: what an embedder holds. It admits plugins and calls them; everything else is theirs or the panel's.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use serde_json::Value;
use wasmtime::component::types::Type;
use zeroize::Zeroizing;

use crate::accounts::{AccountId, Matched};
use crate::call::lane::Lane;
use crate::call::told::Told;
use crate::call::trace::Budget;
use crate::call::{self, CallError};
use crate::caller::Caller;
use crate::capabilities::Surroundings;
use crate::engine::{Machine, POOL_SLOTS};
use crate::http::api::traffic::Traffic;
use crate::kdf::Buffers;
use crate::mail::Mailbox;
use crate::mail::room::{Post, Room, default_sender};
use crate::mail::setup::Fixed;
use crate::mail::transport::Transport;
use crate::operator::OWN;
use crate::plugin::admit::{AdmitError, Plugin};
use crate::plugin::cache;
use crate::plugin::grants::Grants;
use crate::plugin::limits::{GuestMemory, HostLimits};
use crate::plugin::roster::{Candidate, LeftOut, Memory, Roster, SignInPlugin};
use crate::seal::Keys;
use crate::space::within_limits;
use crate::storage::{AuditEntry, AuditFilter, Commit, Effect, Outdated, Read, Role, StorageError, Store};
use crate::values;
use crate::view::Brand;
use crate::webhooks::{Destination, Destinations};
use crate::work::bell::Bell;

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
    transport: Option<Arc<dyn Transport>>,
    sender: Option<(Mailbox, Option<Mailbox>)>,
    operators: Option<Mailbox>,
    connections: usize,
    mail: Option<Fixed>,
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
            transport: None,
            sender: None,
            operators: None,
            connections: 4,
            mail: None,
            webhooks: Destinations::default(),
            sign_in: SignInPlugin::default(),
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
        let machine = OnceLock::new();
        let mut calls = self.limits.calls_at_once.min(POOL_SLOTS as usize);
        if self.engine_first {
            let made = Machine::new(self.limits.guest_memory).map_err(|cause| HostError(engine_problem(&cause)))?;
            calls = made.calls_at_once(calls);
            let _ = machine.set(made);
        }
        // After the engine: made in such a process, it would lose the quick way to wipe its pool without a word.
        close_to_debuggers();
        let buffers = Buffers::start().map_err(|cause| HostError(within_limits(cause)))?;
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
            plugins: RwLock::new(Roster::new(self.sign_in, remembered(&*self.storage))),
            accounts_per_address: self.limits.accounts_per_address,
            many_told: Told::default(),
        };
        Ok(Host(Arc::new(Inner {
            machine,
            guest_memory: self.limits.guest_memory,
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
            full_told: Told::default(),
            uneven_told: Told::default(),
            audited: Budget::default(),
        })))
    }
}

/// A host. Cheap to clone; every method may block on the disk or on a hash, so call it from a thread that may.
#[derive(Clone)]
pub struct Host(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    /// None until a plugin is admitted, where that may never be.
    machine: OnceLock<Machine>,
    guest_memory: GuestMemory,
    pub(crate) storage: Arc<Store>,
    pub(crate) keys: Arc<Keys>,
    pub(crate) buffers: Arc<Buffers>,
    pub(crate) brand: Brand,
    cache: Option<cache::Folder>,
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
    /// That there is no room for more jobs.
    pub(crate) full_told: Told,
    /// That an answer came later than evenly.
    pub(crate) uneven_told: Told,
    /// What the audit has room for of what changes nothing.
    pub(crate) audited: Budget,
}

fn engine_problem(cause: &wasmtime::Error) -> String {
    within_limits(format_args!("{cause:#}"))
}

impl Inner {
    /// The engine, made now at the latest.
    fn machine(&self) -> Result<&Machine, String> {
        if self.machine.get().is_none() {
            let made = Machine::new(self.guest_memory).map_err(|cause| engine_problem(&cause))?;
            // Of two at once, the other's is as good.
            let _ = self.machine.set(made);
        }
        self.machine.get().ok_or_else(|| "there is no engine".to_owned())
    }

    /// The admitted plugins.
    pub(crate) fn plugins(&self) -> Vec<Arc<Plugin>> {
        self.surroundings.roster().admitted().cloned().collect()
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
        self.change_roster(|roster| roster.admit(&plugin))?;
        self.remember_plugins();
        Ok(plugin)
    }

    /// A plugin that is not yet called.
    pub(crate) fn prepare(&self, name: &str, component: &[u8], grants: &Grants) -> Result<Arc<Plugin>, AdmitError> {
        let inner = &self.0;
        let machine = inner.machine().map_err(|cause| AdmitError::Engine { plugin: name.to_owned(), cause })?;
        Ok(Arc::new(Plugin::admit(machine, &inner.keys, inner.cache.as_ref(), name, component, grants)?))
    }

    /// Replaces all plugins by these, in one moment. Calls that have begun end as they would have. Answers which were refused.
    pub(crate) fn arrange(&self, candidates: Vec<Candidate>) -> Vec<(String, AdmitError)> {
        self.change_roster(|roster| roster.arrange(candidates))
    }

    /// Lets go of a plugin. Calls that have begun end as they would have; what it has left in the database stays.
    pub fn dismiss(&self, name: &str) {
        self.change_roster(|roster| roster.dismiss(name));
        self.remember_plugins();
    }

    /// Keeps these first segments of addresses for the panel's own pages: a plugin whose link page has such a name is left out,
    /// and is logged. Call it before [`crate::http::router`].
    pub fn reserve(&self, names: &[&str]) {
        for (plugin, cause) in self.change_roster(|roster| roster.reserve(names)) {
            tracing::error!(plugin, "left out: {cause}");
        }
    }

    fn change_roster<T>(&self, change: impl FnOnce(&mut Roster) -> T) -> T {
        change(&mut self.0.surroundings.plugins.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes down what the plugins have, so that it is kept for one that is broken at the next start.
    pub(crate) fn remember_plugins(&self) {
        let memory = self.0.surroundings.roster().memory().clone();
        if memory == remembered(&*self.0.storage) {
            return;
        }
        let value = Zeroizing::new(serde_json::to_vec(&memory).unwrap_or_default());
        let effect = Effect::Put { key: MEMORY.to_owned(), value, expires: None };
        if let Err(cause) = self.0.storage.commit(Commit::bare(OWN, call::now(), vec![effect])) {
            tracing::warn!("which plugin has which hooks and link pages could not be written down: {cause}");
        }
    }

    /// Plugins that have a grants file and are not called, and why. They harm nobody else: `keyturn check` says what to do.
    #[must_use]
    pub fn left_out(&self) -> Vec<LeftOut> {
        self.0.surroundings.roster().left_out()
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

    /// The parameters of a hook that hold a secret, as its JSON arguments name them, each with whether it can be left out; none:
    /// there is no such hook.
    #[must_use]
    pub fn secrets(&self, hook: &str) -> Option<Vec<(String, bool)>> {
        let (interface, function) = hook.split_once('/')?;
        let plugins = self.plugins();
        let hook = plugins.iter().find_map(|plugin| plugin.hook(interface, function))?;
        let secrets = hook.parameters.iter().filter(|(name, _)| hook.operation.secrets.contains(name));
        Some(secrets.map(|(name, ty)| (values::snake(name), matches!(ty, Type::Option(_)))).collect())
    }

    /// Calls a hook: `interface/function`, arguments as a JSON object, an idempotency key or none.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn call(&self, caller: &Caller, hook: &str, arguments: &Value, key: Option<&str>) -> Result<Value, CallError> {
        let (interface, function) = hook.split_once('/').ok_or_else(|| CallError::NoSuch(format!("hook {hook}")))?;
        let plugins = self.plugins();
        let plugin = plugins
            .iter()
            .find(|plugin| plugin.hook(interface, function).is_some())
            .ok_or_else(|| self.no_hook(interface, function))?;
        self.0.hook(plugin, interface, function, caller, arguments, key)
    }

    /// Why a hook can't be called: there is none, or its plugin is left out.
    pub(crate) fn no_hook(&self, interface: &str, function: &str) -> CallError {
        match self.0.surroundings.roster().left_out_with(interface) {
            Some(plugin) => CallError::LeftOut { plugin: plugin.to_owned() },
            None => CallError::NoSuch(format!("hook {interface}/{function}")),
        }
    }

    /// Accounts with that login or address, in these realms; at most `accounts-per-address`.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn find(&self, login_or_email: &str, realms: &[&str]) -> Result<Vec<(AccountId, Matched)>, StorageError> {
        self.0.surroundings.find(&*self.0.storage, login_or_email, realms)
    }

    /// The session epoch of an account, to be compared with the one that a session began under; none if the account is
    /// gone.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn epoch(&self, account: &AccountId) -> Result<Option<String>, StorageError> {
        Ok(self.0.storage.account(account)?.map(|known| known.epoch))
    }

    /// Has the host see the address on file of an account. A panel that is about to write another one calls this before, so that
    /// whoever has the address now can be told: the host sees addresses otherwise only when something is done to an account.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn note_address(&self, account: &AccountId) -> Result<(), StorageError> {
        loop {
            let Some(known) = self.0.storage.account(account)? else { return Ok(()) };
            let seen = Read::Account { id: account.clone(), seen: Some(Box::new(known)) };
            match self.0.storage.commit(Commit { reads: vec![seen], ..Commit::bare(OWN, self.now(), Vec::new()) }) {
                Err(StorageError::Changed) => {}
                other => return other,
            }
        }
    }

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

    /// The absolute address of a plugin's link page.
    #[must_use]
    pub fn link(&self, plugin: &str, page: &str, token: &str) -> String {
        self.0.surroundings.link(plugin, page, token)
    }

    /// Unix milliseconds, as calls have them.
    #[must_use]
    pub fn now(&self) -> i64 {
        call::now()
    }
}

/// The key, in the host's own data, of what plugins have.
const MEMORY: &str = "plugins";

fn remembered(storage: &Store) -> Memory {
    match storage.get(OWN, MEMORY, call::now()) {
        Ok(found) => found.and_then(|(value, _)| serde_json::from_slice(&value).ok()).unwrap_or_default(),
        Err(cause) => {
            tracing::warn!("which plugin has which hooks and link pages could not be read: {cause}");
            Memory::default()
        }
    }
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
