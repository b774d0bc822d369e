//! What the tests share: the guests as they were built, packed; a host on a temporary database with a few people in it.

pub mod browser;
pub mod canary;
pub mod client;
pub mod mail_server;
pub mod signed;
pub mod sink;

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keyturn_host::accounts::Provider;
use keyturn_host::accounts::sql::{Mapping, Sql};
use keyturn_host::plugin::admit::Plugin;
use keyturn_host::plugin::cache::Folder;
use keyturn_host::plugin::grants::Grants;
use keyturn_host::plugin::manifest::{Accounts, Mail, Wants};
use keyturn_host::plugin::pack;
use keyturn_host::seal::Keys;
use keyturn_host::sqlite::{self, Options};
use keyturn_host::{Host, HostBuilder};

/// A guest: its component as the compiler wrote it, and its manifest.
#[derive(Clone, Copy)]
pub struct Guest {
    path: &'static str,
    /// `manifest.toml`.
    pub manifest: &'static str,
    /// The folder of the templates of its mails.
    mails: &'static str,
    /// The folders of its WIT, below the workspace, each after those that it uses.
    wit: &'static [&'static str],
}

/// The password plugin.
pub const PASSWORD: Guest = Guest {
    path: env!("PASSWORD_COMPONENT"),
    manifest: include_str!("../../plugin/manifest.toml"),
    mails: concat!(env!("CARGO_MANIFEST_DIR"), "/../plugin/mail"),
    wit: &["wit/panel", "wit/ui", "wit/password"],
};
/// A component that was not designed with this host.
pub const FOREIGN: Guest = Guest {
    path: env!("FOREIGN_COMPONENT"),
    manifest: include_str!("../guests/foreign/manifest.toml"),
    mails: "",
    wit: &["wit/panel", "wit/ui", "tests/guests/foreign/wit"],
};
/// One export for each attack.
pub const HOSTILE: Guest = Guest {
    path: env!("HOSTILE_COMPONENT"),
    manifest: include_str!("../guests/hostile/manifest.toml"),
    mails: "",
    wit: &[],
};
/// One that mails, leaves work for later and tells news.
pub const COURIER: Guest = Guest {
    path: env!("COURIER_COMPONENT"),
    manifest: include_str!("../guests/courier/manifest.toml"),
    mails: concat!(env!("CARGO_MANIFEST_DIR"), "/guests/courier/mail"),
    wit: &[],
};
/// The small plugin of `docs/plugins.md`.
pub const NOTES: Guest = Guest {
    path: env!("NOTES_COMPONENT"),
    manifest: include_str!("../../examples/notes-plugin/manifest.toml"),
    mails: "",
    wit: &["wit/panel", "wit/ui", "examples/notes-plugin/wit"],
};

impl Guest {
    /// As the compiler wrote it, without a manifest.
    ///
    /// # Panics
    /// If it was not built.
    #[must_use]
    pub fn component(&self) -> Vec<u8> {
        std::fs::read(self.path).unwrap_or_else(|cause| panic!("{}: {cause}", self.path))
    }

    /// With its manifest.
    ///
    /// # Panics
    /// If its manifest is wrong.
    #[must_use]
    pub fn packed(&self) -> Vec<u8> {
        self.packed_as(self.manifest)
    }

    /// With another manifest.
    ///
    /// # Panics
    /// If that is wrong.
    #[must_use]
    pub fn packed_as(&self, manifest: &str) -> Vec<u8> {
        let mails = pack::mails_in(Path::new(self.mails)).expect("templates");
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let wit = self.wit.iter().map(|folder| root.join(folder)).collect();
        pack::pack(&self.component(), manifest, &pack::Beside { mails, wit })
            .unwrap_or_else(|cause| panic!("{}: {cause}", self.path))
    }
}

/// Everything that there is to grant.
#[must_use]
pub fn all_grants() -> Wants {
    Wants {
        database: true,
        keys: true,
        kdf: true,
        input: true,
        passwords: true,
        speaks_for_panel: true,
        jobs: true,
        events: true,
        mail: Some(Mail {
            recipients: ["customer".to_owned(), "staff".to_owned()].into(),
            operators: true,
            text: true,
            per_minute: 1_000,
        }),
        accounts: Some(Accounts {
            realms: ["customer".to_owned(), "staff".to_owned()].into(),
            read: keyturn_host::accounts::Field::ALL.into(),
            credential: true,
        }),
    }
}

/// The tables of a panel of our tests'.
pub const SCHEMA: &str = "
    CREATE TABLE people (
        id INTEGER PRIMARY KEY, kind TEXT NOT NULL, login TEXT NOT NULL UNIQUE, email TEXT, name TEXT NOT NULL,
        locale TEXT NOT NULL DEFAULT 'en', state TEXT NOT NULL DEFAULT 'active', reseller_id INTEGER, password_hash TEXT
    );
    CREATE TABLE sessions (token TEXT PRIMARY KEY, person_id INTEGER NOT NULL);
    CREATE INDEX people_login ON people (lower(login));
    CREATE INDEX people_email ON people (lower(email));
";

const MAPPING: &str = r#"
    table = "people"
    id = "id"
    login = "login"
    email = "email"
    name = "name"
    locale = "locale"
    state = { column = "state", active = ["active"] }
    manager = "reseller_id"
    hash = "password_hash"
    accepts = [{ prefix = "$argon2id$", max-length = 200 }, { prefix = "$2y$", max-length = 60 }]
    sessions = { table = "sessions", account = "person_id" }
"#;

/// A host on a database of its own.
pub struct Bench {
    /// The folder of the database; gone with this.
    pub folder: tempfile::TempDir,
    /// The host.
    pub host: Host,
}

/// The provider of the tests' panel.
///
/// # Panics
/// If the mapping is wrong.
#[must_use]
pub fn provider() -> Sql {
    let mapping =
        |kinds: &str| -> Mapping { toml_mapping(&format!("{MAPPING}\nonly = {{ column = \"kind\", is = {kinds} }}")) };
    Sql::new(
        [("customer".to_owned(), mapping(r#"["customer"]"#)), ("staff".to_owned(), mapping(r#"["administrator"]"#))]
            .into(),
        &keyturn_host::sqlite::Sqlite,
    )
    .expect("the mapping is right")
}

fn toml_mapping(text: &str) -> Mapping {
    toml::from_str(text).expect("the mapping is right")
}

impl Bench {
    /// A fresh panel with these rows: SQL of `INSERT` statements.
    ///
    /// # Panics
    /// If anything does not work.
    #[must_use]
    pub fn new(rows: &str) -> Self {
        Self::with(rows, |host| host.settings.even_grid = Duration::ZERO)
    }

    /// The same, with the host built otherwise.
    ///
    /// # Panics
    /// If anything does not work.
    #[must_use]
    pub fn with(rows: &str, set: impl FnOnce(&mut HostBuilder)) -> Self {
        Self::of(rows, Arc::new(provider()), set)
    }

    /// The same, with another provider.
    ///
    /// # Panics
    /// If anything does not work.
    #[must_use]
    pub fn of(rows: &str, provider: Arc<dyn Provider>, set: impl FnOnce(&mut HostBuilder)) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("panel.db");
        let database = rusqlite::Connection::open(&path).expect("a database");
        database.execute_batch(SCHEMA).and_then(|()| database.execute_batch(rows)).expect("the rows are right");
        // The same keys for all, so that they share what is compiled.
        let keys = Arc::new(Keys::new([7; 32]));
        let storage = sqlite::open(&path, Arc::clone(&keys), provider, Options::default()).expect("opens");
        let compiled = Folder { path: concat!(env!("OUT_DIR"), "/compiled").into(), keeps: true };
        let builder = HostBuilder::new(Arc::new(storage), keys).with(|host| host.settings.cache = Some(compiled));
        let host = builder.with(set).build().expect("an engine");
        Self { folder, host }
    }

    /// Admits a guest with these grants.
    ///
    /// # Panics
    /// If it is refused.
    pub fn admit(&self, name: &str, guest: Guest, grants: Wants) -> Arc<Plugin> {
        let component = guest.packed();
        self.host.admit(name, &component, &Grants::of(&component, grants)).unwrap_or_else(|cause| panic!("{cause}"))
    }

    /// The panel's own connection to its database.
    ///
    /// # Panics
    /// If it does not open.
    #[must_use]
    pub fn panel(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.database()).expect("opens")
    }

    /// The database's file.
    #[must_use]
    pub fn database(&self) -> std::path::PathBuf {
        Path::new(self.folder.path()).join("panel.db")
    }
}

/// Lays the demo's folder: its configuration and grants, and the packed plugin. Answers the configuration's path.
///
/// # Panics
/// If anything cannot be written.
pub fn demo_folder(folder: &Path, origin: &str) -> std::path::PathBuf {
    let component = PASSWORD.packed();
    let grants = include_str!("../../examples/panel/demo/plugins.d/keyturn-password.toml")
        .replace("@SHA256@", &Grants::of(&component, Wants::default()).sha256);
    let config = include_str!("../../examples/panel/demo/keyturn.toml").replace("@ORIGIN@", origin);
    std::fs::create_dir_all(folder.join("plugins.d")).expect("a folder");
    std::fs::write(folder.join("plugins.d/keyturn-password.wasm"), component).expect("written");
    std::fs::write(folder.join("plugins.d/keyturn-password.toml"), grants).expect("written");
    let path = folder.join("keyturn.toml");
    std::fs::write(&path, config).expect("written");
    path
}

/// A loopback port that was free a moment ago.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Waits until a program that was started takes connections.
///
/// # Panics
/// If it does not within a minute.
pub fn listening(address: SocketAddr) {
    let until = Instant::now() + Duration::from_secs(60);
    while TcpStream::connect(address).is_err() {
        assert!(Instant::now() < until, "nothing listens on {address}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A server that is stopped when the test ends, however it ends.
pub struct Stopped(pub std::process::Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
