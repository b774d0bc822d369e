//! `keyturn.toml`: one file with the panel's database and mapping, and everything that the host may use. Paths are relative to
//! it.

mod compared;
mod database;
mod reload;
mod tables;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use crate::accounts::OWN_REALMS;
use crate::accounts::sql::{Mapping, Sql};
use crate::host::{Host, HostBuilder, HostError, Settings};
use crate::http::serve::Manners;
use crate::mail::config::MailConfig;
use crate::mail::setup::{Fixed, Setup};
use crate::network::Network;
use crate::plugin::admit::AdmitError;
use crate::plugin::cache::Folder;
use crate::plugin::grants::GrantsError;
use crate::plugin::limits::{ACCOUNTS_PER_ADDRESS, HostLimits};
use crate::plugin::roster::SignInPlugin;
use crate::seal::KeyError;
use crate::storage::StorageError;
use crate::view::Brand;
use crate::view::look::Asset;
use crate::view::theme::theme_css;
use crate::webhooks::{self, Destination, config::WebhookConfig};
pub use database::{Database, Found};
use keyturn_core::masked::{self, without_passwords};
use keyturn_core::origin::leads_somewhere;
use keyturn_core::settings::must;
use keyturn_mail_settings::Stored;
pub use tables::Login;

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// What people see.
    pub brand: BrandConfig,
    /// Where the panel's people are.
    pub database: Database,
    /// The key file; created at the first start. Back it up, but apart from the database.
    #[serde(default = "default_key_file")]
    pub key_file: PathBuf,
    /// The folder of grants files.
    #[serde(default = "default_plugins")]
    pub plugins: PathBuf,
    /// The folder of compiled components.
    #[serde(default = "default_cache")]
    pub cache: PathBuf,
    /// Sign-in.
    #[serde(default)]
    pub sign_in: SignIn,
    /// How each realm's accounts are stored in the panel's tables.
    pub accounts: BTreeMap<String, Mapping>,
    /// Mail.
    #[serde(default)]
    pub mail: MailConfig,
    /// Where events are sent, apart from the plugins that listen.
    #[serde(default)]
    pub webhooks: Vec<WebhookConfig>,
    /// How it is served.
    #[serde(default)]
    pub server: Server,
    /// The audit log.
    #[serde(default)]
    pub audit: AuditConfig,
    /// Limits of the host as a whole.
    #[serde(default)]
    pub limits: HostLimits,
    #[serde(skip)]
    opening: Opening,
    #[serde(skip)]
    file: String,
    #[serde(skip)]
    folder: PathBuf,
    #[serde(skip)]
    lines: BTreeMap<String, usize>,
    /// As it stands there.
    #[serde(skip)]
    said: toml::Table,
}

/// What people see.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BrandConfig {
    /// The panel's name.
    pub name: String,
    /// Whom to ask for help: an email address or a sentence.
    pub contact: String,
    /// Where links lead: `https://panel.example`, without a path. If it is not set, the page Email settings has it.
    pub link_origin: Option<String>,
    /// The zone of times that people read: an IANA name.
    #[serde(default = "default_zone")]
    pub time_zone: String,
    /// Custom properties of the style sheet, without `--kt-`: see [`theme_css`].
    #[serde(default)]
    pub look: BTreeMap<String, String>,
}

/// How the database and the other files are opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Opening {
    /// By a server, the only one on its database.
    #[default]
    Serve,
    /// By a command, with or without a server.
    Beside,
    /// By a command that changes nothing.
    Look,
}

keyturn_core::with_defaults! {
    /// Sign-in.
    #[derive(Debug, Clone, Deserialize)]
    #[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
    pub struct SignIn {
        /// The plugin that sign-in asks, by the name of its grants file. It keeps its hooks and link pages even if another
        /// plugin wants them, and nobody else gets them while it is broken. Default: the first plugin, by name, that has the
        /// hook.
        pub plugin: Option<String> = None,
        /// The hook that checks a password, `interface/function`.
        pub hook: String = "password/verify".to_owned(),
        /// The hook that sets somebody else's password.
        pub set_hook: String = "password/set-password".to_owned(),
        /// The hook that creates a link to choose a password.
        pub link_hook: String = "password/make-link".to_owned(),
        /// The hook that identifies a stored hash.
        pub recognise_hook: String = "password/recognise-hash".to_owned(),
        /// The hook that notifies both holders of a changed address.
        pub address_hook: String = "password/address-changed".to_owned(),
        /// The time grid on which a check is answered, in milliseconds. It must be above the slowest hash that the panel has
        /// stored.
        pub even_ms: u64 = 250,
    }
}

keyturn_core::with_defaults! {
    /// How it is served.
    #[derive(Debug, Clone, Deserialize)]
    #[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
    pub struct Server {
        /// Where `keyturn serve` listens.
        pub listen: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 8089)),
        /// The proxies whose X-Forwarded-For is believed: addresses and ranges of your own proxies only.
        pub proxies: Vec<Network> = Vec::new(),
        /// Addresses from which panels and other machines call for many people: they have larger shares of connections and of
        /// memory. A request from an address that is a proxy's too counts as the machine's own if it has no X-Forwarded-For.
        pub panel_addresses: Vec<Network> = Vec::new(),
        /// The panel's address: the brand's name on link pages leads there. Default: the link origin.
        pub panel: Option<String> = None,
        /// Where people sign in. Default: the panel's address.
        pub sign_in: Option<String> = None,
        /// The panel's pages.
        pub pages: Pages = Pages::default(),
    }
}

/// Addresses of the panel's pages: a path from the panel's origin; a path below the panel, if it has no slash at its start; or
/// an absolute address. `{id}` stands for an account's key, `{realm}` for its realm. Default: the panel's address.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Pages {
    /// The page about an account.
    pub overview: Option<String>,
    /// Where an account is edited.
    pub details: Option<String>,
    /// The reader's own account.
    pub account: Option<String>,
    /// The page that shows plugins' pages and the host's own, by its query.
    pub plugin: Option<String>,
}

impl Pages {
    fn all(&self) -> [(&'static str, &Option<String>); 4] {
        [
            ("server.pages.overview", &self.overview),
            ("server.pages.details", &self.details),
            ("server.pages.account", &self.account),
            ("server.pages.plugin", &self.plugin),
        ]
    }
}

impl Server {
    /// The panel's address.
    #[must_use]
    pub fn panel(&self) -> &str {
        self.panel.as_deref().unwrap_or("/")
    }

    /// Where people sign in.
    #[must_use]
    pub fn sign_in(&self) -> &str {
        self.sign_in.as_deref().unwrap_or_else(|| self.panel())
    }

    /// A panel's address with its origin, if that is known, because link pages may be on another one. An address that begins
    /// with a slash is a path from the panel's origin; another relative one is below the panel.
    #[must_use]
    pub fn whole(&self, address: &str) -> String {
        let panel = self.panel();
        let panel = &panel[..panel.find(['?', '#']).unwrap_or(panel.len())];
        let host = panel.find("://").map_or(0, |at| at + 3);
        let origin = match host {
            0 => "",
            _ => &panel[..panel[host..].find('/').map_or(panel.len(), |at| host + at)],
        };
        match (address.starts_with('/'), is_relative(address)) {
            (true, _) => format!("{origin}{address}"),
            (false, true) => format!("{}/{address}", panel.trim_end_matches('/')),
            (false, false) => address.to_owned(),
        }
    }
}

keyturn_core::with_defaults! {
    /// The audit log.
    #[derive(Debug, Clone, Deserialize)]
    #[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
    pub struct AuditConfig {
        /// How many days its entries stay: 1 to 36,500.
        pub keep_days: u32 = 730,
    }
}

impl AuditConfig {
    /// How long its entries stay.
    #[must_use]
    pub fn stays(&self) -> Duration {
        Duration::from_secs(u64::from(self.keep_days) * 24 * 3600)
    }
}

fn default_key_file() -> PathBuf {
    "keyturn.key".into()
}

fn default_plugins() -> PathBuf {
    "plugins.d".into()
}

fn default_cache() -> PathBuf {
    "cache".into()
}

fn default_zone() -> String {
    "UTC".to_owned()
}

/// What is wrong with a configuration, or with a file that it names.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("{path}: {cause}")]
    File {
        /// Which.
        path: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// It isn't valid; with line and setting.
    #[error("{path}: {cause}")]
    Syntax {
        /// Which.
        path: String,
        /// What and where.
        cause: String,
    },
    /// A setting has an invalid value.
    #[error("{path}: {setting} {}", without_passwords(.problem))]
    Setting {
        /// Which file.
        path: String,
        /// Which setting.
        setting: String,
        /// What is wrong.
        problem: String,
    },
    /// The key file.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The database doesn't exist. None is created, because it must be the panel's own.
    #[error(
        "database.sqlite names {0}, which doesn't exist. It must be the panel's own database with its accounts, so none was created"
    )]
    NoDatabase(String),
    /// The database.
    #[error("database {path}: {cause}")]
    Database {
        /// Which file.
        path: String,
        /// What is wrong.
        cause: StorageError,
    },
    /// The engine.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A grants file or its component.
    #[error(transparent)]
    Grants(#[from] GrantsError),
    /// A plugin was refused.
    #[error(transparent)]
    Admit(#[from] AdmitError),
}

/// Whether an address is relative: `login`, `index.php?do=login`.
fn is_relative(address: &str) -> bool {
    let path = &address[..address.find(['?', '#']).unwrap_or(address.len())];
    !path.is_empty()
        && !path.starts_with('/')
        && !path.contains(':')
        && path.split('/').all(|segment| segment != "." && segment != "..")
        && address.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
}

impl ConfigError {
    /// Whether the file doesn't exist.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::File { cause, .. } if cause.kind() == std::io::ErrorKind::NotFound)
    }
}

impl Config {
    /// Reads and checks a file. Opens nothing that it names.
    ///
    /// # Errors
    /// [`ConfigError`], naming line and setting.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|cause| ConfigError::File { path: name.clone(), cause })?;
        let mut config: Self = toml::from_str(&text)
            .map_err(|cause| ConfigError::Syntax { path: name.clone(), cause: masked::syntax(&text, &cause) })?;
        config.folder = path.parent().map(Path::to_owned).unwrap_or_default();
        config.file.clone_from(&name);
        config.lines = lines(&text);
        config.said = toml::from_str(&text).unwrap_or_default();
        if let Some(origin) = &mut config.brand.link_origin {
            origin.truncate(origin.trim_end_matches('/').len());
        }
        config.check().map_err(|wrong| config.wrong(wrong))?;
        config.look()?;
        Ok(config)
    }

    /// For a command, with or without a server on the same database. A host made from it takes no lock, so it must serve
    /// nobody: throttles and nonces are counted in the memory of the one server.
    #[must_use]
    pub fn beside_server(self) -> Self {
        Self { opening: Opening::Beside, ..self }
    }

    /// For a read-only command: what is made from it creates no file, table or key, and its commits fail.
    #[must_use]
    pub fn to_look(self) -> Self {
        Self { opening: Opening::Look, ..self }
    }

    /// Checks the values. Opens nothing.
    fn check(&self) -> Result<(), (String, String)> {
        self.database.check()?;
        if let Some(origin) = &self.brand.link_origin {
            let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            let fits = host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', ' ']));
            must(fits, "brand.link-origin", || format!("must be like https://panel.example, not “{origin}”"))?;
        }
        let zone = |cause| format!("must be an IANA name such as Europe/Madrid: {cause}");
        jiff::tz::TimeZone::get(&self.brand.time_zone).map_err(|cause| ("brand.time-zone".to_owned(), zone(cause)))?;
        let some = !self.accounts.is_empty();
        must(some, "accounts", || "must map at least one realm, such as [accounts.customer]")?;
        for realm in self.accounts.keys() {
            let setting = format!("accounts.{realm}");
            let named = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            let fits = !realm.is_empty() && realm.bytes().all(named);
            must(fits, &setting, || "must have a name of a-z, 0-9 and -")?;
            let free = !OWN_REALMS.contains(&realm.as_str());
            must(free, &setting, || "must have another name: the host uses this one")?;
        }
        let (most, even, days) = (self.limits.accounts_per_address, self.sign_in.even_ms, self.audit.keep_days);
        let few = ACCOUNTS_PER_ADDRESS.contains(&most);
        must(few, "limits.accounts-per-address", || format!("must be 1 to 500, not {most}"))?;
        must(even <= 10_000, "sign-in.even-ms", || format!("must be 0 to 10000, not {even}"))?;
        must((1..=36_500).contains(&days), "audit.keep-days", || format!("must be 1 to 36500, not {days}"))?;
        if let Some(panel) = &self.server.panel {
            let like = || format!("must be like https://panel.example/, not “{panel}”");
            must(leads_somewhere(panel), "server.panel", like)?;
        }
        for (setting, address) in [("server.sign-in", &self.server.sign_in)].into_iter().chain(self.server.pages.all())
        {
            let Some(address) = address else { continue };
            let like = || format!("must be like https://panel.example/login, /login or login, not “{address}”");
            must(leads_somewhere(address) || is_relative(address), setting, like)?;
        }
        let named = |(setting, problem): (&str, String)| (setting.to_owned(), problem);
        self.limits.check().map_err(named)?;
        self.mail.check().map_err(named)?;
        webhooks::config::check(&self.webhooks)
    }

    fn wrong(&self, (setting, problem): (impl Into<String>, String)) -> ConfigError {
        ConfigError::Setting { path: self.file.clone(), setting: setting.into(), problem }
    }

    /// A path in the file, made absolute by the file's own folder.
    #[must_use]
    pub fn path(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    /// The file's name, without its folder.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.file.rsplit('/').next().unwrap_or_default()
    }

    /// The email settings of this file.
    #[must_use]
    pub fn fixed(&self) -> Fixed {
        Fixed {
            mail: self.mail.clone(),
            origin: self.brand.link_origin.clone(),
            file: self.file_name().to_owned(),
            folder: self.folder.clone(),
            lines: self.lines.clone(),
        }
    }

    /// The email settings: of this file, and of the page Email settings. If there is no database yet, the page has none, and
    /// none is created.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn mail_setup(&self) -> Result<Setup, ConfigError> {
        if self.database_file().is_some_and(|file| !file.exists()) {
            return Ok(Setup::new(self.fixed(), Default::default(), None));
        }
        // Open only for a moment, and without the lock: a server may run, or be about to start.
        let beside = self.clone().beside_server();
        let (storage, keys) = if self.opening == Opening::Serve { beside.storage() } else { self.storage() }?;
        let stored =
            Stored::read(&storage).map_err(|cause| ConfigError::Database { path: self.database_name(), cause })?;
        Ok(stored.setup(&self.fixed(), &keys))
    }

    /// The limits of a server of this panel.
    #[must_use]
    pub fn manners(&self) -> Manners {
        Manners {
            connections: self.limits.connections(),
            bodies: self.limits.bodies(),
            proxies: self.server.proxies.clone(),
            panels: self.server.panel_addresses.clone(),
            ..Manners::default()
        }
    }

    /// The mapping as a provider.
    ///
    /// # Errors
    /// [`ConfigError::Setting`].
    pub fn provider(&self) -> Result<Sql, ConfigError> {
        Sql::new(self.accounts.clone(), self.dialect())
            .map_err(|cause| self.wrong((format!("accounts.{}", cause.setting), cause.problem)))
    }

    /// A host with all plugins in the grants folder: the one server of its database, unless the configuration is
    /// [`Config::beside_server`]. A broken plugin is left out and logged: it must not stop the others, nor the commands that
    /// help people who are locked out. See [`Runtime::left_out`](crate::Runtime::left_out).
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn host(&self) -> Result<Host, ConfigError> {
        let host = self.bare_host(true)?;
        self.reload(&host)?;
        for (name, cause) in host.left_out() {
            tracing::error!(plugin = name, "left out: {cause}");
        }
        Ok(host)
    }

    /// The operator's own colours.
    fn look(&self) -> Result<Option<Arc<Asset>>, ConfigError> {
        let css = (!self.brand.look.is_empty()).then(|| theme_css(&self.brand.look)).transpose();
        let css = css.map_err(|cause| self.wrong(("brand.look", cause.to_string())))?;
        Ok(css.map(|css| Arc::new(Asset::new(css, "theme.css"))))
    }

    /// The destinations of events, with their files read.
    fn destinations(&self) -> Result<Vec<Destination>, ConfigError> {
        let all = self.webhooks.iter().map(|webhook| webhook.destination(|path| self.path(path)));
        all.map(|one| one.map_err(|wrong| self.wrong(wrong))).collect()
    }

    /// A host without plugins. It creates its engine when the first one is admitted.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn empty_host(&self) -> Result<Host, ConfigError> {
        self.bare_host(false)
    }

    fn bare_host(&self, engine: bool) -> Result<Host, ConfigError> {
        let (storage, keys) = self.storage()?;
        if self.opening == Opening::Serve {
            storage.join().map_err(|cause| ConfigError::Database { path: self.database_name(), cause })?;
        }
        let brand = Brand {
            name: self.brand.name.clone(),
            contact: self.brand.contact.clone(),
            sign_in: self.server.whole(self.server.sign_in()),
            zone: jiff::tz::TimeZone::get(&self.brand.time_zone).unwrap_or(jiff::tz::TimeZone::UTC),
            look: self.look()?,
        };
        let settings = Settings {
            webhooks: self.destinations()?.into_iter().map(Arc::new).collect(),
            sign_in: SignInPlugin { name: self.sign_in.plugin.clone(), hook: self.sign_in.hook.clone() },
            // A command that changes nothing puts nothing there.
            cache: Some(Folder { path: self.path(&self.cache), keeps: self.opening != Opening::Look }),
            limits: self.limits.clone(),
            engine_first: engine,
            even_grid: Duration::from_millis(self.sign_in.even_ms),
        };
        let set = |host: &mut HostBuilder| (host.brand, host.mail, host.settings) = (brand, self.fixed(), settings);
        let host = HostBuilder::new(Arc::new(storage), keys).with(set).build()?;
        // Errors in the file are fixed there; errors on the page must not keep anybody from the page.
        match host.mail_problem() {
            Some(wrong) if self.fixed().fixes(wrong.0) => Err(self.wrong(wrong)),
            _ => Ok(host),
        }
    }

    /// The grants files, sorted by name.
    ///
    /// # Errors
    /// [`ConfigError::File`] if the folder cannot be read.
    pub fn grants(&self) -> Result<Vec<PathBuf>, ConfigError> {
        let folder = self.path(&self.plugins);
        let entries = std::fs::read_dir(&folder)
            .map_err(|cause| ConfigError::File { path: folder.display().to_string(), cause })?;
        let mut files: Vec<PathBuf> = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|e| e == "toml"))
            .collect();
        files.sort();
        Ok(files)
    }
}

/// The line, from 1, of each setting in a file, by its full name.
fn lines(text: &str) -> BTreeMap<String, usize> {
    fn note(table: &toml::de::DeTable<'_>, above: &str, text: &str, lines: &mut BTreeMap<String, usize>) {
        for (key, value) in table {
            let name = format!("{above}{}", key.get_ref());
            let before = text.get(..key.span().start).unwrap_or_default();
            if let Some(table) = value.get_ref().as_table() {
                note(table, &format!("{name}."), text, lines);
            }
            lines.insert(name, before.matches('\n').count() + 1);
        }
    }
    let mut lines = BTreeMap::new();
    if let Ok(table) = toml::de::DeTable::parse(text) {
        note(table.get_ref(), "", text, &mut lines);
    }
    lines
}
