//! Builds a host.

use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use keyturn_core::seal::Keys;
use keyturn_mail::setup::Fixed;
use keyturn_mail::transport::Transport;
use keyturn_mail_settings::MailSettings;
use keyturn_package::limits::HostLimits;
use keyturn_runtime::cache;
use keyturn_runtime::call::lane::Lane;
use keyturn_runtime::roster::SignInPlugin;
use keyturn_runtime::{Parts, Runtime};
use keyturn_store::Store;
use keyturn_ui::Brand;
use keyturn_webhooks::{Destination, Destinations};

use crate::trials;
use crate::work::{Inner, Work};

/// Builds a host, or a layer of one.
pub struct HostBuilder<T = Work> {
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
    made: PhantomData<T>,
}

/// Why there is no host.
#[derive(Debug, thiserror::Error)]
#[error("the engine does not start: {0}")]
pub struct HostError(String);

impl<T: From<Work>> HostBuilder<T> {
    /// A builder of a host with this storage and these keys.
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
            made: PhantomData,
        }
    }

    /// The email settings of the file; the page Email settings has the others. Default: none, so email is off until somebody
    /// sets it there.
    #[must_use]
    pub fn mail(mut self, fixed: Fixed) -> Self {
        self.mail = fixed;
        self
    }

    /// Sends email with this transport, whatever the settings say. For tests.
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

    /// The plugin that wins if two want the same hooks or link page.
    #[must_use]
    pub fn sign_in(mut self, plugin: SignInPlugin) -> Self {
        self.sign_in = plugin;
        self
    }

    /// The panel's name, and where its links lead.
    #[must_use]
    pub fn brand(mut self, brand: Brand) -> Self {
        self.brand = brand;
        self
    }

    /// Stores compiled components in this folder, so that the next start takes milliseconds.
    #[must_use]
    pub fn cache(mut self, folder: impl Into<PathBuf>) -> Self {
        self.cache = Some(cache::Folder { path: folder.into(), keeps: true });
        self
    }

    /// The same, but stores nothing new.
    #[must_use]
    pub fn cache_as_it_is(mut self, folder: impl Into<PathBuf>) -> Self {
        self.cache = Some(cache::Folder { path: folder.into(), keeps: false });
        self
    }

    /// Creates the engine when the first plugin is admitted, for a host that may admit none: a command that only reads or
    /// cleans up doesn't need its address space. The memory of calls is then wiped more slowly.
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
    /// From then on, the process leaves no core dump, and debuggers of its own user can't attach: its memory has the keys, and
    /// passwords while they are checked.
    ///
    /// # Errors
    /// [`HostError`] if the engine can't be created, for example because its pool gets too little address space.
    pub fn build(self) -> Result<T, HostError> {
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
            engine_first: self.engine_first,
            even_grid: self.even_grid,
        });
        let runtime = runtime.map_err(HostError)?;
        let trials = Lane::new(trials::AT_ONCE, 0, Duration::ZERO);
        let work = Inner { runtime, mail, brand: self.brand, limits: self.limits, trials };
        Ok(Work(Arc::new(work)).into())
    }
}

/// The name under which a grants file admits its plugin: the file's name without `.toml`.
#[must_use]
pub fn plugin_name(grants: &Path) -> String {
    grants.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
}
