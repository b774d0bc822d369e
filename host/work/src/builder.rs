//! How a host is made.

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
use keyturn_runtime::{Runtime, Settings};
use keyturn_store::Store;
use keyturn_ui::Brand;
use keyturn_webhooks::Destination;

use crate::trials;
use crate::work::{Inner, Work};

/// How a host is made, or a layer of one.
pub struct HostBuilder<T = Work> {
    storage: Arc<Store>,
    keys: Arc<Keys>,
    brand: Brand,
    mail: Fixed,
    transport: Option<Arc<dyn Transport>>,
    settings: Settings,
    made: PhantomData<T>,
}

/// Why there is no host.
#[derive(Debug, thiserror::Error)]
#[error("the engine does not start: {0}")]
pub struct HostError(String);

impl<T: From<Work>> HostBuilder<T> {
    /// A host on this storage, sealing with these keys.
    #[must_use]
    pub fn new(storage: Arc<Store>, keys: Arc<Keys>) -> Self {
        Self {
            storage,
            keys,
            brand: Brand::default(),
            mail: Fixed::default(),
            transport: None,
            settings: Settings::default(),
            made: PhantomData,
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
        self.settings.webhooks = webhooks.into_iter().map(Arc::new).collect();
        self
    }

    /// Which plugin comes first where two want the same hooks or link page.
    #[must_use]
    pub fn sign_in(mut self, plugin: SignInPlugin) -> Self {
        self.settings.sign_in = plugin;
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
        self.settings.cache = Some(cache::Folder { path: folder.into(), keeps: true });
        self
    }

    /// The same with what is there already: nothing is put into the folder.
    #[must_use]
    pub fn cache_as_it_is(mut self, folder: impl Into<PathBuf>) -> Self {
        self.settings.cache = Some(cache::Folder { path: folder.into(), keeps: false });
        self
    }

    /// Makes the engine when the first plugin is admitted, for a host that may admit none: what only looks or tidies needs none
    /// of its address space. The memory of calls is then wiped in a slower way.
    #[must_use]
    pub fn engine_at_need(mut self) -> Self {
        self.settings.engine_first = false;
        self
    }

    /// Limits of the host as a whole.
    #[must_use]
    pub fn limits(mut self, limits: HostLimits) -> Self {
        self.settings.limits = limits;
        self
    }

    /// The time grid on which operations with `answer = even` are answered; it should lie above the slowest hash that
    /// the panel has stored. Zero: at once.
    #[must_use]
    pub fn even_grid(mut self, grid: Duration) -> Self {
        self.settings.even_grid = grid;
        self
    }

    /// The host, without plugins.
    ///
    /// From then on the process leaves no core dump and is closed to debuggers of its own user: its memory holds the keys,
    /// and passwords while they are checked.
    ///
    /// # Errors
    /// [`HostError`] if the engine cannot be made: no address space for its pool, for example.
    pub fn build(self) -> Result<T, HostError> {
        let Self { storage, keys, brand, mail, transport, settings, .. } = self;
        let mail = Arc::new(MailSettings::new(storage.clone(), keys.clone(), brand.clone(), mail, transport));
        let limits = settings.limits.clone();
        let runtime = Runtime::new(storage, keys, mail.clone(), brand.name.clone(), settings).map_err(HostError)?;
        let trials = Lane::new(trials::AT_ONCE, 0, Duration::ZERO);
        Ok(Work(Arc::new(Inner { runtime, mail, brand, limits, trials })).into())
    }
}

/// The name under which a grants file admits its plugin: the file's own, without `.toml`.
#[must_use]
pub fn plugin_name(grants: &Path) -> String {
    grants.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
}
