//! Everything that calls need: the engine, the plugins, and the queues.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use keyturn_core::accounts::AccountId;
use keyturn_core::caller::OWN;
use keyturn_core::seal::Keys;
use keyturn_core::space::within_limits;
use keyturn_core::time::now;
use keyturn_mail_settings::MailSettings;
use keyturn_package::grants::Grants;
use keyturn_package::limits::HostLimits;
use keyturn_store::{Commit, Effect, Read, StorageError, Store};
use keyturn_ui::Brand;
use keyturn_webhooks::Destinations;
use parking_lot::{RwLock, RwLockReadGuard};
use wasmtime::component::types::Type;
use zeroize::Zeroizing;

use crate::admit::{AdmitError, Plugin, engine_error};
use crate::bell::Bell;
use crate::cache;
use crate::call::audit::Budget;
use crate::call::error::CallError;
use crate::call::lane::Lane;
use crate::call::told::Told;
use crate::capabilities::kdf::buffers::Buffers;
use crate::engine::{Machine, POOL_SLOTS};
use crate::roster::{Candidate, Memory, Roster, SignInPlugin};
use crate::surroundings::{Directory, Surroundings};
use crate::values;

keyturn_core::with_defaults! {
    /// How a runtime is made.
    pub struct Settings {
        /// Where events are sent, apart from the plugins that listen. Their names are all different.
        pub webhooks: Destinations = Destinations::default(),
        /// Which plugin wins if two want the same.
        pub sign_in: SignInPlugin = SignInPlugin::default(),
        /// Where compiled components are kept, for a start in milliseconds.
        pub cache: Option<cache::Folder> = None,
        /// Limits of the host as a whole.
        pub limits: HostLimits = HostLimits::default(),
        /// Whether the engine is made now, and not when the first plugin is admitted: a host that may admit none needs none of
        /// its address space. The memory of calls is then wiped in a slower way.
        pub engine_first: bool = true,
        /// The time grid on which operations with `answer = even` are answered; it should lie above the slowest hash that
        /// the panel has stored. Zero: at once.
        pub even_grid: Duration = Duration::from_millis(250),
    }
}

/// Wakes the workers for what calls leave behind.
#[derive(Default)]
pub struct Bells {
    /// Rings when a call has left a mail.
    pub mail: Bell,
    /// Rings when a call has left a job or an event.
    pub task: Bell,
    /// Rings when a call has left something for webhooks.
    pub webhook: Bell,
}

/// Everything that calls need. Every method may block on the disk or on a hash, so call it from a thread that may block.
pub struct Runtime {
    /// None until a plugin is admitted, which may be never.
    machine: OnceLock<Machine>,
    cache: Option<cache::Folder>,
    pub(crate) surroundings: Arc<Surroundings>,
    plugins: Arc<RwLock<Roster>>,
    /// Wakes workers.
    pub bells: Bells,
    pub(crate) even_grid: Duration,
    pub(crate) compute: Lane,
    pub(crate) calls: Lane,
    /// When the operator was told last that there is no room for more jobs.
    pub(crate) told_full: Told,
    /// And that an answer came later than evenly.
    pub(crate) told_uneven: Told,
    /// The room in the audit log for entries about calls that changed nothing.
    pub(crate) audited: Budget,
}

/// What a call can see beyond itself: its caller's host sees it too.
impl std::ops::Deref for Runtime {
    type Target = Surroundings;

    fn deref(&self) -> &Surroundings {
        &self.surroundings
    }
}

impl Runtime {
    /// A runtime without plugins.
    ///
    /// # Errors
    /// Why the engine can't be created, such as too little address space for its pool.
    pub fn new(
        storage: Arc<Store>,
        keys: Arc<Keys>,
        mail: Arc<MailSettings>,
        brand: Brand,
        settings: Settings,
    ) -> Result<Self, String> {
        let Settings { webhooks, sign_in, cache, limits, engine_first, even_grid } = settings;
        let machine = OnceLock::new();
        let mut calls = limits.calls_at_once.min(POOL_SLOTS as usize);
        if engine_first {
            let made = Machine::new(limits.guest_memory).map_err(|cause| engine_problem(&cause))?;
            calls = made.calls_at_once(calls);
            let _ = machine.set(made);
        }
        // After the engine: if it came first, the engine would silently lose the fast way to wipe its pool.
        close_to_debuggers();
        let buffers = Buffers::start().map_err(within_limits)?;
        let patience = Duration::from_millis(limits.queue_ms);
        let compute = match limits.compute_at_once {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            set => set,
        };
        let compute = Lane::new(compute, limits.compute_queue, patience);
        let calls = Lane::new(calls, limits.calls_queue, patience);
        let plugins = Arc::new(RwLock::new(Roster::new(sign_in, remembered(&storage))));
        let surroundings = Surroundings {
            storage,
            keys,
            buffers,
            mail,
            brand,
            webhooks: RwLock::new(webhooks),
            plugins: plugins.clone(),
            limits,
            many_told: Told::default(),
        };
        Ok(Self {
            machine,
            cache,
            surroundings: Arc::new(surroundings),
            plugins,
            bells: Bells::default(),
            even_grid,
            compute,
            calls,
            told_full: Told::default(),
            told_uneven: Told::default(),
            audited: Budget::default(),
        })
    }

    /// The engine, created now at the latest.
    fn machine(&self) -> Result<&Machine, String> {
        if self.machine.get().is_none() {
            let made = Machine::new(self.limits.guest_memory).map_err(|cause| engine_problem(&cause))?;
            // If two threads create one, either is fine.
            let _ = self.machine.set(made);
        }
        self.machine.get().ok_or_else(|| "there is no engine".to_owned())
    }

    /// All plugins, as they are now.
    pub fn roster(&self) -> RwLockReadGuard<'_, Roster> {
        self.plugins.read()
    }

    /// The admitted plugins, by name.
    #[must_use]
    pub fn plugins(&self) -> Vec<Arc<Plugin>> {
        self.roster().admitted.values().cloned().collect()
    }

    /// Admits a component under `name`, and replaces the plugin with that name.
    ///
    /// # Errors
    /// [`AdmitError`]; then the earlier plugin stays.
    pub fn admit(&self, name: &str, component: &[u8], grants: &Grants) -> Result<Arc<Plugin>, AdmitError> {
        let plugin = self.prepare(name, component, grants)?;
        self.plugins.write().admit(&plugin)?;
        self.remember_plugins();
        Ok(plugin)
    }

    /// A plugin that isn't called yet.
    pub fn prepare(&self, name: &str, component: &[u8], grants: &Grants) -> Result<Arc<Plugin>, AdmitError> {
        let machine = self.machine().map_err(|cause| engine_error(name, cause))?;
        Ok(Arc::new(Plugin::admit(machine, &self.keys, self.cache.as_ref(), name, component, grants)?))
    }

    /// Replaces all plugins by these at once. Running calls finish with the earlier ones. Returns the refused ones.
    pub fn arrange(&self, candidates: Vec<Candidate>) -> Vec<(String, AdmitError)> {
        self.plugins.write().arrange(candidates)
    }

    /// Reserves these first segments of addresses for the panel's own pages. A plugin with a link page of such a name is left
    /// out and logged. Call it before you create the router of `keyturn-http`.
    pub fn reserve(&self, names: &[&str]) {
        let refused = self.plugins.write().reserve(names);
        for (plugin, cause) in refused {
            tracing::error!(plugin, "left out: {cause}");
        }
    }

    /// Stores which hooks and link pages each plugin has, so that they are kept for a plugin that is broken at the next start.
    pub fn remember_plugins(&self) {
        let memory = self.roster().memory.clone();
        if memory == remembered(&self.storage) {
            return;
        }
        let value = Zeroizing::new(serde_json::to_vec(&memory).unwrap_or_default());
        let effect = Effect::Put { key: MEMORY.to_owned(), value, expires: None };
        if let Err(cause) = self.storage.commit(Commit::bare(OWN, now(), vec![effect])) {
            tracing::warn!("can't store which plugin has which hooks and link pages: {cause}");
        }
    }

    /// Plugins that have a grants file and are not called, by its name, and why. They harm nobody else: `keyturn check` says what to do.
    #[must_use]
    pub fn left_out(&self) -> BTreeMap<String, String> {
        self.roster().left_out.clone()
    }

    /// Whether a plugin has this hook, `interface/function`.
    #[must_use]
    pub fn has_hook(&self, hook: &str) -> bool {
        self.plugins().iter().any(|plugin| plugin.hook(hook).is_some())
    }

    /// The parameters of a hook that hold a secret, as its JSON arguments name them, each with whether it is optional. None:
    /// there is no such hook.
    #[must_use]
    pub fn secrets(&self, hook: &str) -> Option<Vec<(String, bool)>> {
        let plugins = self.plugins();
        let hook = plugins.iter().find_map(|plugin| plugin.hook(hook))?;
        let secrets = hook.parameters.iter().filter(|(name, _)| hook.operation.secrets.contains(name));
        Some(secrets.map(|(name, ty)| (values::snake(name), matches!(ty, Type::Option(_)))).collect())
    }

    /// Why a hook can't be called: there is none, or its plugin is left out.
    pub fn no_hook(&self, hook: &str) -> CallError {
        let interface = hook.split_once('/').map_or("", |(interface, _)| interface);
        match self.roster().left_out_with(interface) {
            Some(plugin) => CallError::LeftOut { plugin: plugin.to_owned() },
            None => CallError::NoSuch(format!("hook {hook}")),
        }
    }

    /// The session epoch of an account, to compare with the one that a session began with. None if the account is gone.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn epoch(&self, account: &AccountId) -> Result<Option<String>, StorageError> {
        Ok(self.storage.account(account)?.map(|known| known.epoch))
    }

    /// Lets the host see an account's address on file. Call it before the panel writes another one, so that the holder of the
    /// current address can be told. Otherwise the host sees addresses only when something is done to an account.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn note_address(&self, account: &AccountId) -> Result<(), StorageError> {
        loop {
            let Some(known) = self.storage.account(account)? else { return Ok(()) };
            let seen = Read::Account { id: account.clone(), seen: Some(Box::new(known)) };
            match self.storage.commit(Commit { reads: vec![seen], ..Commit::bare(OWN, now(), Vec::new()) }) {
                Err(StorageError::Changed) => {}
                other => return other,
            }
        }
    }
}

/// The plugins, as calls see them.
impl Directory for RwLock<Roster> {
    fn listeners(&self, source: &str, event: &str) -> Vec<String> {
        self.read().listeners(source, event)
    }

    fn must_say_whose(&self, plugin: &str, page: &str) -> bool {
        self.read().must_say_whose(plugin, page)
    }
}

fn engine_problem(cause: &wasmtime::Error) -> String {
    within_limits(format_args!("{cause:#}"))
}

/// The key in the host's own data under which the plugins' hooks and link pages are stored.
const MEMORY: &str = "plugins";

fn remembered(storage: &Store) -> Memory {
    match storage.get(OWN, MEMORY, now()) {
        Ok(found) => found.and_then(|(value, _)| serde_json::from_slice(&value).ok()).unwrap_or_default(),
        Err(cause) => {
            tracing::warn!("can't read which plugin has which hooks and link pages: {cause}");
            Memory::default()
        }
    }
}

#[cfg(target_os = "linux")]
fn close_to_debuggers() {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    if let Err(cause) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!("can't switch off core dumps of this process: {cause}");
    }
}

#[cfg(not(target_os = "linux"))]
fn close_to_debuggers() {}
