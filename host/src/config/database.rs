//! `[database]`: where the panel's people are, on which engine, and how it is opened.

use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;

use super::tables::Login;
use super::{Config, ConfigError, Opening};
use crate::seal::{KeyError, Keys};
use crate::sqlite::{self, Journal};
use crate::storage::dialect::Dialect;
use crate::storage::store::Keeps;
use crate::storage::{StorageError, Store};
use crate::{mariadb, postgres};
use keyturn_core::settings::must;
use keyturn_store_server::Pooling;

/// The panel's database, by `sqlite` or by `url`. The host's own tables, `keyturnhost_*`, are in it too, or nothing would be atomic.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Database {
    /// A file of SQLite's.
    pub sqlite: Option<PathBuf>,
    /// What becomes of that file's journal mode: `keep` or `wal`.
    #[serde(default)]
    pub journal: Journal,
    /// A database on a server: `postgres://user@host:5432/database` or `mysql://user@host:3306/database`, without a password.
    pub url: Option<String>,
    /// The file that holds the password, and nothing else but a line break. Default: the variable `KEYTURN_DATABASE_PASSWORD`;
    /// without it, no password.
    pub password_file: Option<PathBuf>,
    /// CA certificates (PEM) that the server's is checked against. Default: the system's.
    pub ca_file: Option<PathBuf>,
    /// The schema of the host's own tables, which MariaDB calls a database. Default: the panel's.
    pub schema: Option<String>,
    /// Connections to a server at most, 1 to 100. Default: 10.
    #[serde(default = "connections")]
    pub connections: u32,
}

fn connections() -> u32 {
    Pooling::default().connections
}

/// The variable that holds the password, where no file is named.
pub(super) const PASSWORD: &str = "KEYTURN_DATABASE_PASSWORD";

const POSTGRES: &str = "postgres";
const POSTGRESQL: &str = "postgresql";

/// What was found in a database that was only looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The engine and, on a server, its version.
    pub engine: String,
    /// Whether it is a file in WAL mode; none: it is no file.
    pub wal: Option<bool>,
    /// The version of the host's tables in it; none: there are none.
    pub version: Option<usize>,
    /// The version that the next start makes of them.
    pub newest: usize,
    /// Settings of the server under which a commit can be lost after it was acknowledged: each with what follows, and what to do.
    pub risks: Vec<String>,
}

/// Where the database is.
pub(super) enum Place {
    File(PathBuf),
    Postgres(Box<postgres::Address>),
    MariaDb(Box<mariadb::Address>),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::File(path) => path.display().fmt(f),
            Place::Postgres(address) => address.fmt(f),
            Place::MariaDb(address) => address.fmt(f),
        }
    }
}

impl Database {
    /// Checks what can be seen without opening anything.
    pub(super) fn check(&self) -> Result<(), (String, String)> {
        let (file, server) = (self.sqlite.is_some(), self.url.is_some());
        must(file || server, "database", || "needs sqlite, a file, or url, a server")?;
        must(!(file && server), "database", || "has both sqlite and url; keep one")?;
        for (setting, there) in [
            ("database.password-file", self.password_file.is_some()),
            ("database.ca-file", self.ca_file.is_some()),
            ("database.schema", self.schema.is_some()),
        ] {
            must(!(file && there), setting, || "is for a server, and database.sqlite names a file")?;
        }
        let journal = self.journal == Journal::Keep;
        must(file || journal, "database.journal", || "is for a file, and database.url names a server")?;
        let few = (1..=100).contains(&self.connections);
        must(few, "database.connections", || format!("must be 1 to 100, not {}", self.connections))?;
        let named = self.schema.as_ref().is_none_or(|name| (1..=63).contains(&name.len()) && !name.contains('\0'));
        must(named, "database.schema", || "must be a name of 1 to 63 bytes")
    }

    pub(super) fn engine(&self) -> Option<&str> {
        self.url.as_deref().map(|url| url.split_once(':').map_or(url, |(scheme, _)| scheme))
    }
}

impl Config {
    /// The database as people know it: a file's path, or a database and its server. Never a password.
    #[must_use]
    pub fn database_name(&self) -> String {
        self.place(None).map_or_else(|_| "database.url".to_owned(), |place| place.to_string())
    }

    /// The database's file, if it is one.
    #[must_use]
    pub fn database_file(&self) -> Option<PathBuf> {
        self.database.sqlite.as_ref().map(|file| self.path(file))
    }

    pub(super) fn dialect(&self) -> &'static dyn Dialect {
        match self.database.engine() {
            Some(POSTGRES | POSTGRESQL) => &postgres::Postgres,
            Some(_) => &mariadb::MariaDb,
            None => &sqlite::Sqlite,
        }
    }

    /// Where it is, for the configured user or for another one.
    pub(super) fn place(&self, login: Option<&Login>) -> Result<Place, ConfigError> {
        let Some(url) = &self.database.url else {
            return Ok(Place::File(self.database_file().unwrap_or_default()));
        };
        let wrong = |problem: String| self.wrong(("database.url", problem));
        let password = match login {
            Some(login) => self.password_of(login.password_file.as_ref(), "--password-file"),
            None => {
                let file = self.database.password_file.as_ref().map(|file| self.path(file));
                self.password_of(file.as_ref(), "database.password-file")
            }
        }?;
        let ca = self.database.ca_file.as_ref().map(|file| self.path(file));
        let user = login.map(|login| login.user.as_str());
        match self.database.engine() {
            Some(POSTGRES | POSTGRESQL) => {
                let address = postgres::Address::parse(url, password.as_ref(), ca.as_deref());
                let address = address.map_err(|cause| wrong(cause.to_string()))?;
                Ok(Place::Postgres(Box::new(match user {
                    Some(user) => address.for_user(user),
                    None => address,
                })))
            }
            Some("mysql" | "mariadb") => {
                let address = mariadb::Address::parse(url, password, ca.as_deref());
                let address = address.map_err(|mariadb::AddressError(problem)| wrong(problem))?;
                let address = address.with_own(self.database.schema.clone());
                Ok(Place::MariaDb(Box::new(match user {
                    Some(user) => address.for_user(user),
                    None => address,
                })))
            }
            _ => Err(wrong("must begin with postgres:// or mysql://".to_owned())),
        }
    }

    /// The same; a file must be there.
    pub(super) fn there(&self, login: Option<&Login>) -> Result<Place, ConfigError> {
        match self.place(login)? {
            Place::File(path) if !path.exists() => Err(ConfigError::NoDatabase(path.display().to_string())),
            place => Ok(place),
        }
    }

    fn keeps(&self) -> Keeps {
        Keeps { audit: self.audit.stays(), ..Keeps::default() }
    }

    fn pooling(&self) -> Pooling {
        Pooling { connections: self.database.connections, ..Pooling::default() }
    }

    pub(super) fn on_postgres(&self) -> postgres::Options {
        postgres::Options { schema: self.database.schema.clone(), pooling: self.pooling(), keeps: self.keeps() }
    }

    fn on_mariadb(&self) -> mariadb::Options {
        mariadb::Options { pooling: self.pooling(), keeps: self.keeps() }
    }

    /// The storage, with its key file made and its tables migrated where needed.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn storage(&self) -> Result<(Store, Arc<Keys>), ConfigError> {
        if self.opening == Opening::Look {
            return self.look_at_storage().map(|(storage, keys, _)| (storage, keys));
        }
        let place = self.there(None)?;
        let key_file = self.path(&self.key_file);
        if !key_file.exists() {
            // None is made in place of one that is lost.
            self.look_at_storage()?;
        }
        let (keys, provider) = (Arc::new(Keys::open(&key_file)?), Arc::new(self.provider()?));
        let storage = match &place {
            Place::File(path) => {
                let options = sqlite::Options {
                    journal: self.database.journal,
                    beside_server: self.opening == Opening::Beside,
                    keeps: self.keeps(),
                    ..sqlite::Options::default()
                };
                sqlite::open(path, Arc::clone(&keys), provider, options)
            }
            Place::Postgres(address) => postgres::open(address, Arc::clone(&keys), provider, self.on_postgres()),
            Place::MariaDb(address) => mariadb::open(address, Arc::clone(&keys), provider, self.on_mariadb()),
        };
        Ok((storage.map_err(|cause| failed(&place, cause))?, keys))
    }

    /// The storage as it is, and what was found; nothing is changed. Where there is no key file, as with a fresh one.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn look_at_storage(&self) -> Result<(Store, Arc<Keys>, Found), ConfigError> {
        let place = self.there(None)?;
        let file = self.path(&self.key_file);
        let keys = Keys::read(&file)?;
        let missing = keys.is_none();
        let (keys, provider) = (Arc::new(keys.unwrap_or_else(Keys::random)), Arc::new(self.provider()?));
        let on_server = |engine: &str, (storage, found): (Store, keyturn_store_server::Found)| {
            let keyturn_store_server::Found { server, version, newest, risks } = found;
            (storage, Found { engine: format!("{engine} {server}"), wal: None, version, newest, risks })
        };
        let looked = match &place {
            Place::File(path) => sqlite::look(path, Arc::clone(&keys), provider).map(|(storage, found)| {
                let sqlite::Found { wal, version, newest } = found;
                let engine = "SQLite".to_owned();
                (storage, Found { engine, wal: Some(wal), version, newest, risks: Vec::new() })
            }),
            Place::Postgres(address) => postgres::look(address, Arc::clone(&keys), provider, self.on_postgres())
                .map(|looked| on_server("PostgreSQL", looked)),
            Place::MariaDb(address) => mariadb::look(address, Arc::clone(&keys), provider, self.on_mariadb())
                .map(|looked| on_server("MariaDB", looked)),
        };
        match looked {
            Ok((storage, found)) => Ok((storage, keys, found)),
            Err(StorageError::OtherKey) if missing => Err(KeyError::missing(&file).into()),
            Err(cause) => Err(failed(&place, cause)),
        }
    }

    /// Goes on with the key file as it is now, where the one before is lost: whatever that has sealed is void, and every session
    /// ends. Passwords and the audit stay.
    ///
    /// # Errors
    /// [`ConfigError`]; also where a host serves the database.
    pub fn replace_key(&self) -> Result<(), ConfigError> {
        let keys = Keys::open(&self.path(&self.key_file))?;
        let place = self.place(None)?;
        let replaced = match &place {
            Place::File(path) => sqlite::lock::ServerLock::take(path)
                .map_err(|cause| StorageError::Served(cause.to_string()))
                .and_then(|_lock| sqlite::replace_key(path, &keys)),
            Place::Postgres(address) => postgres::replace_key(address, &keys, &self.on_postgres()),
            Place::MariaDb(address) => mariadb::replace_key(address, &keys),
        };
        replaced.map_err(|cause| failed(&place, cause))
    }
}

pub(super) fn failed(place: &Place, cause: StorageError) -> ConfigError {
    ConfigError::Database { path: place.to_string(), cause }
}
