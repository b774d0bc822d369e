//! `keyturn.toml`: one file that says where the panel's people are, how they are mapped, and what the host may use.
//! Paths in it are relative to it.

mod reload;

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
use crate::seal::{KeyError, Keys};
use crate::sqlite::{self, Found, Journal, Options};
use crate::storage::store::Keeps;
use crate::storage::{StorageError, Store};
use crate::view::Brand;
use crate::view::look::Asset;
use crate::view::theme::theme_css;
use crate::webhooks::{self, Destination, config::WebhookConfig};
use keyturn_core::masked::{self, without_passwords};
use keyturn_core::origin::leads_somewhere;
use keyturn_core::settings::must;
use keyturn_mail_settings::Stored;

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// What people see.
    pub brand: BrandConfig,
    /// Where the panel's people are.
    pub database: Database,
    /// The key file; made at the first start. It belongs in the backup, but not beside the database's.
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
    /// All but the webhooks, as it stands there.
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
    /// Where links lead: `https://panel.example`, without a path. If it is not set, the page Email settings says it.
    pub link_origin: Option<String>,
    /// IANA name; times for people.
    #[serde(default = "default_zone")]
    pub time_zone: String,
    /// Properties of the style sheet, without `--kt-`: see [`theme_css`].
    #[serde(default)]
    pub look: BTreeMap<String, String>,
}

/// Where the panel's people are.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Database {
    /// The panel's SQLite file. The host's own tables, `keyturnhost_*`, are in it too, or nothing would be atomic.
    pub sqlite: PathBuf,
    /// What becomes of its journal mode: `keep` or `wal`.
    #[serde(default)]
    pub journal: Journal,
}

/// How what the file names is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Opening {
    /// By a server: the only one on its database.
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
        /// The plugin that sign-in asks, by the name of its grants file. It keeps its hooks and link pages although another plugin
        /// wants them, and nobody else gets them while it is broken. Default: the first, by name, that has the hook.
        pub plugin: Option<String> = None,
        /// The hook that checks a password, `interface/function`.
        pub hook: String = "password/verify".to_owned(),
        /// The hook that sets another's password.
        pub set_hook: String = "password/set-password".to_owned(),
        /// The hook that makes a link to choose one.
        pub link_hook: String = "password/make-link".to_owned(),
        /// The hook that says what a stored hash is.
        pub recognise_hook: String = "password/recognise-hash".to_owned(),
        /// The hook that tells of a changed address.
        pub address_hook: String = "password/address-changed".to_owned(),
        /// Milliseconds of the time grid on which a check is answered; above the slowest hash that the panel has stored.
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
        /// Whose X-Forwarded-For is believed: addresses and ranges of the proxies in front, and of nobody else.
        pub proxies: Vec<Network> = Vec::new(),
        /// From where panels and other machines call, for many people: they have larger shares of connections and of memory. One
        /// that is a proxy too is the client itself where it does not say whose request it is.
        pub panel_addresses: Vec<Network> = Vec::new(),
        /// Where the panel is: the brand's name on link pages leads there. Default: the link origin.
        pub panel: Option<String> = None,
        /// Where people sign in. Default: where the panel is.
        pub sign_in: Option<String> = None,
        /// Where in the panel its pages are.
        pub pages: Pages = Pages::default(),
    }
}

/// Addresses of the panel's pages: a path from the panel's own origin; a path below the panel if it has no slash at its start;
/// or a whole address. `{id}` is replaced by an account's key, `{realm}` by its realm. Default: the panel's address.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Pages {
    /// The page on an account.
    pub overview: Option<String>,
    /// Where an account is edited.
    pub details: Option<String>,
    /// The reader's own account.
    pub account: Option<String>,
    /// The one page that shows pages of plugins, and the host's own, by its query.
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
    /// Where the panel is.
    #[must_use]
    pub fn panel(&self) -> &str {
        self.panel.as_deref().unwrap_or("/")
    }

    /// Where people sign in.
    #[must_use]
    pub fn sign_in(&self) -> &str {
        self.sign_in.as_deref().unwrap_or_else(|| self.panel())
    }

    /// An address of the panel's with its origin, where that is known: link pages may stand on another one. An address that begins
    /// with a slash is a path from the panel's origin; one that does not, and is no whole address, is below the panel.
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

/// What is wrong with a configuration or with what it names.
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
    /// It is not what it should be; with line and setting.
    #[error("{path}: {cause}")]
    Syntax {
        /// Which.
        path: String,
        /// What and where.
        cause: String,
    },
    /// A setting has a value that cannot be.
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
    /// The database is not there, and is not made: it is the panel's own.
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

/// Whether an address is one below another: `login`, `index.php?do=login`.
fn is_relative(address: &str) -> bool {
    let path = &address[..address.find(['?', '#']).unwrap_or(address.len())];
    !path.is_empty()
        && !path.starts_with('/')
        && !path.contains(':')
        && path.split('/').all(|segment| segment != "." && segment != "..")
        && address.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
}

impl ConfigError {
    /// Whether there is no such file at all.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::File { cause, .. } if cause.kind() == std::io::ErrorKind::NotFound)
    }
}

impl Config {
    /// Reads and checks a file; opens nothing that it names.
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
        config.said.remove("webhooks");
        if let Some(origin) = &mut config.brand.link_origin {
            origin.truncate(origin.trim_end_matches('/').len());
        }
        config.check().map_err(|wrong| config.wrong(wrong))?;
        config.look()?;
        Ok(config)
    }

    /// For a command, with or without a server on the same database. What is made of it takes no lock, so it must serve nobody:
    /// throttles and nonces are counted in the memory of the one server.
    #[must_use]
    pub fn beside_server(self) -> Self {
        Self { opening: Opening::Beside, ..self }
    }

    /// For a command that changes nothing: what is made of it makes no file, no table and no key, and its commits fail.
    #[must_use]
    pub fn to_look(self) -> Self {
        Self { opening: Opening::Look, ..self }
    }

    /// Checks the values. Opens nothing.
    fn check(&self) -> Result<(), (String, String)> {
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

    /// A path of the file, made absolute by the file's own folder.
    #[must_use]
    pub fn path(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    /// The file's name, without its folder.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.file.rsplit('/').next().unwrap_or_default()
    }

    /// What this file fixes of how mail goes.
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

    /// How mail is set up: by this file, and by what was set on the page Email settings. Where there is no database yet,
    /// nothing was, and none is made.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn mail_setup(&self) -> Result<Setup, ConfigError> {
        if !self.path(&self.database.sqlite).exists() {
            return Ok(Setup::new(self.fixed(), Default::default(), None));
        }
        // Only for a moment: a server that runs, or is about to, is not in the way.
        let beside = self.clone().beside_server();
        let (storage, keys) = if self.opening == Opening::Serve { beside.storage() } else { self.storage() }?;
        let stored = Stored::read(&storage).map_err(|cause| ConfigError::Database {
            path: self.path(&self.database.sqlite).display().to_string(),
            cause,
        })?;
        Ok(stored.setup(&self.fixed(), &keys))
    }

    /// How a server of this panel treats those who connect.
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
        Sql::new(self.accounts.clone())
            .map_err(|cause| self.wrong((format!("accounts.{}", cause.setting), cause.problem)))
    }

    /// The storage, with its key file made and its tables migrated where needed.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn storage(&self) -> Result<(Store, Arc<Keys>), ConfigError> {
        if self.opening == Opening::Look {
            return self.look_at_storage().map(|(storage, keys, _)| (storage, keys));
        }
        let path = self.database()?;
        let key_file = self.path(&self.key_file);
        if !key_file.exists() {
            // None is made in place of one that is lost.
            self.look_at_storage()?;
        }
        let keys = Arc::new(Keys::open(&key_file)?);
        let options = Options {
            journal: self.database.journal,
            beside_server: self.opening == Opening::Beside,
            keeps: Keeps { audit: self.audit.stays(), ..Keeps::default() },
            ..Options::default()
        };
        let storage = sqlite::open(&path, Arc::clone(&keys), Arc::new(self.provider()?), options)
            .map_err(|cause| ConfigError::Database { path: path.display().to_string(), cause })?;
        Ok((storage, keys))
    }

    /// The storage as it is, and what was found: see [`sqlite::look`]. Where there is no key file, as with a fresh one.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn look_at_storage(&self) -> Result<(Store, Arc<Keys>, Found), ConfigError> {
        let path = self.database()?;
        let file = self.path(&self.key_file);
        let keys = Keys::read(&file)?;
        let missing = keys.is_none();
        let keys = Arc::new(keys.unwrap_or_else(Keys::random));
        match sqlite::look(&path, Arc::clone(&keys), Arc::new(self.provider()?)) {
            Ok((storage, found)) => Ok((storage, keys, found)),
            Err(StorageError::OtherKey) if missing => Err(KeyError::missing(&file).into()),
            Err(cause) => Err(ConfigError::Database { path: path.display().to_string(), cause }),
        }
    }

    /// Where the database is, if it is there.
    fn database(&self) -> Result<PathBuf, ConfigError> {
        let path = self.path(&self.database.sqlite);
        if path.exists() { Ok(path) } else { Err(ConfigError::NoDatabase(path.display().to_string())) }
    }

    /// Goes on with the key file as it is now, where the one before is lost: see [`sqlite::replace_key`].
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn replace_key(&self) -> Result<(), ConfigError> {
        let keys = Keys::open(&self.path(&self.key_file))?;
        let path = self.path(&self.database.sqlite);
        sqlite::replace_key(&path, &keys)
            .map_err(|cause| ConfigError::Database { path: path.display().to_string(), cause })
    }

    /// A host with all plugins that the grants folder names: the one server of its database, unless the configuration is
    /// [`Config::beside_server`]. A plugin that is broken is left out, and logged: it must not keep the others from working, nor
    /// the commands that rescue somebody. See [`Host::left_out`].
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

    /// Where events go, with the files of each read.
    fn destinations(&self) -> Result<Vec<Destination>, ConfigError> {
        let all = self.webhooks.iter().map(|webhook| webhook.destination(|path| self.path(path)));
        all.map(|one| one.map_err(|wrong| self.wrong(wrong))).collect()
    }

    /// A host without plugins, and without an engine until the first one is admitted.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn empty_host(&self) -> Result<Host, ConfigError> {
        self.bare_host(false)
    }

    fn bare_host(&self, engine: bool) -> Result<Host, ConfigError> {
        let (storage, keys) = self.storage()?;
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

    /// The grants files, in the order of their names.
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

/// The line, from 1, of each key of a file that was read, by its whole name.
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
