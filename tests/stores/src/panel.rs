//! A panel's database on one engine.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use keyturn_accounts::Sql;
use keyturn_core::seal::Keys;
use keyturn_servers::{POOLING, bouncer, galera};
use keyturn_store::moves::Side;
use keyturn_store::store::Keeps;
use keyturn_store::{Provider, StorageError, Store, tables};
use keyturn_store_server::Pooling;

use crate::{Engine, Raw};

/// Two people, each with a session.
const CUSTOMERS: &str = "
    CREATE TABLE customers (id NUMBER, login NAME, password TEXT);
    CREATE TABLE sessions (token TEXT, customer INTEGER);
    INSERT INTO customers VALUES (1, 'ana', 'h0'), (2, 'ben', 'h0');
    INSERT INTO sessions VALUES ('a', 1), ('b', 2);
";

thread_local! {
    static APART: Cell<bool> = const { Cell::new(false) };
}

/// Runs a test whose panels have the host's own tables in a database of their own.
pub fn apart(test: impl FnOnce()) {
    APART.set(true);
    test();
}

/// A panel's database, made for one test.
pub struct Panel {
    /// What it is on.
    pub engine: Engine,
    /// The host's keys.
    pub keys: Arc<Keys>,
    address: String,
    /// Where hosts connect, one after the other: to a pooler, or each to another node of a cluster.
    ways: Vec<String>,
    next: AtomicUsize,
    /// The database of the host's own tables, if it is another one.
    own: Option<String>,
    raw: Mutex<Raw>,
    /// Whether its database goes with it.
    made: bool,
    _folder: Option<tempfile::TempDir>,
}

/// How a host opens it.
#[derive(Debug, Clone, Copy)]
pub struct Opening<'a> {
    /// The mapped tables, as in `[accounts]`.
    pub realms: &'a str,
    /// How long what is the host's own stays, and how much of it.
    pub keeps: Keeps,
    /// How long a call waits for others.
    pub patience: Duration,
}

impl Default for Opening<'_> {
    fn default() -> Self {
        Self {
            realms: "customer = { table = 'customers', id = 'id', login = 'login', hash = 'password',
                                  sessions = { table = 'sessions', account = 'customer' } }",
            keeps: Keeps::default(),
            // Longer than a host's own, since tests share a small machine.
            patience: Duration::from_secs(60),
        }
    }
}

/// The address itself, if the tests are not run on something else.
fn ways(engine: Engine, address: &str) -> Vec<String> {
    static BOUNCER: OnceLock<u16> = OnceLock::new();
    let database = address.rsplit('/').next().unwrap_or_default();
    match engine {
        Engine::Postgres if std::env::var_os(POOLING).is_some() => {
            let server = keyturn_servers::postgres();
            let port = BOUNCER.get_or_init(|| bouncer(server, keyturn_servers::Pooling::Transaction));
            vec![address.replace(&format!(":{}/", server.port), &format!(":{port}/"))]
        }
        Engine::MariaDb if let Some(nodes) = galera() => nodes.iter().map(|node| node.url(database)).collect(),
        _ => vec![address.to_owned()],
    }
}

impl Panel {
    /// With two customers, and a session of each.
    #[must_use]
    pub fn new(engine: Engine) -> Self {
        Self::of(engine, CUSTOMERS)
    }

    /// With these tables, in [`Engine::words`].
    #[must_use]
    pub fn of(engine: Engine, tables: &str) -> Self {
        let (address, folder) = match engine {
            Engine::Sqlite => {
                let folder = tempfile::tempdir().expect("a folder");
                (folder.path().join("panel.db").display().to_string(), Some(folder))
            }
            Engine::Postgres => (keyturn_servers::postgres().database().url, None),
            Engine::MariaDb => (keyturn_servers::mariadb().database().url, None),
        };
        let mut panel = Self::at(engine, address);
        (panel.made, panel._folder) = (true, folder);
        panel.ways = ways(engine, &panel.address);
        let name = || panel.address.rsplit_once('/').map(|(_, name)| format!("own-{name}"));
        panel.own = (engine == Engine::MariaDb && APART.get()).then(name).flatten();
        panel.create(tables);
        panel
    }

    /// One that is there already, for another process.
    #[must_use]
    pub fn at(engine: Engine, address: String) -> Self {
        let raw = Mutex::new(Raw::connect(engine, &address));
        let (ways, next) = (vec![address.clone()], AtomicUsize::new(0));
        Self {
            engine,
            keys: Arc::new(Keys::new([7; 32])),
            address,
            own: None,
            ways,
            next,
            raw,
            made: false,
            _folder: None,
        }
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Whether hosts are on different nodes.
    #[must_use]
    pub fn is_on_a_cluster(&self) -> bool {
        self.ways.len() > 1
    }

    /// A host's store on it. Several may be open at once, as several hosts on one server have them.
    #[must_use]
    pub fn open(&self) -> Store {
        self.open_with(Opening::default())
    }

    /// Likewise.
    #[must_use]
    pub fn open_with(&self, opening: Opening<'_>) -> Store {
        self.opened(self.keys.clone(), opening).expect("opened")
    }

    /// Likewise, with other keys.
    ///
    /// # Errors
    /// The engine's.
    pub fn opened(&self, keys: Arc<Keys>, opening: Opening<'_>) -> Result<Store, StorageError> {
        self.opened_for(keys, Arc::new(self.provider(opening.realms)), opening)
    }

    /// Likewise, of accounts that are mapped already.
    ///
    /// # Errors
    /// The engine's.
    pub fn opened_for(
        &self,
        keys: Arc<Keys>,
        provider: Arc<dyn Provider>,
        opening: Opening<'_>,
    ) -> Result<Store, StorageError> {
        let Opening { keeps, patience, .. } = opening;
        let way = &self.ways[self.next.fetch_add(1, Ordering::Relaxed) % self.ways.len()];
        match self.engine {
            Engine::Sqlite => {
                use keyturn_store_sqlite::{Options, open};
                let options = Options { keeps, busy: patience, beside_server: true, ..Options::default() };
                open(self.address.as_ref(), keys, provider, options)
            }
            Engine::Postgres => {
                use keyturn_store_postgres::{Address, Options, open};
                let pooling = Pooling { patience, ..Pooling::default() };
                let address = Address::parse(way, None, None).expect("an address");
                open(&address, keys, provider, Options { keeps, pooling, ..Options::default() })
            }
            Engine::MariaDb => {
                use keyturn_store_mariadb::{Address, Options, open};
                let pooling = Pooling { patience, ..Pooling::default() };
                let address = Address::parse(way, None, None).expect("an address").with_own(self.own.clone());
                open(&address, keys, provider, Options { keeps, pooling })
            }
        }
    }

    /// A connection to copy from or to.
    ///
    /// # Errors
    /// The engine's.
    pub fn side(&self) -> Result<Box<dyn Side>, StorageError> {
        match self.engine {
            Engine::Sqlite => keyturn_store_sqlite::side(self.address.as_ref()),
            Engine::Postgres => {
                use keyturn_store_postgres::{Address, Options, side};
                side(&Address::parse(&self.address, None, None).expect("an address"), &Options::default())
            }
            Engine::MariaDb => {
                use keyturn_store_mariadb::{Address, side};
                side(&Address::parse(&self.address, None, None).expect("an address").with_own(self.own.clone()))
            }
        }
    }

    /// The mapped accounts.
    #[must_use]
    pub fn provider(&self, realms: &str) -> Sql {
        Sql::new(toml::from_str(realms).expect("realms"), self.engine.dialect()).expect("a provider")
    }

    /// Goes on with other keys.
    pub fn replace_key(&self, keys: &Keys) {
        self.try_replace_key(keys).expect("replaced");
    }

    /// Likewise.
    ///
    /// # Errors
    /// The engine's.
    pub fn try_replace_key(&self, keys: &Keys) -> Result<(), StorageError> {
        match self.engine {
            Engine::Sqlite => keyturn_store_sqlite::replace_key(self.address.as_ref(), keys),
            Engine::Postgres => {
                use keyturn_store_postgres::{Address, Options, replace_key};
                let address = Address::parse(&self.address, None, None).expect("an address");
                replace_key(&address, keys, &Options::default())
            }
            Engine::MariaDb => {
                use keyturn_store_mariadb::{Address, replace_key};
                let address = Address::parse(&self.address, None, None).expect("an address").with_own(self.own.clone());
                replace_key(&address, keys)
            }
        }
    }

    /// One more connection of the panel's.
    #[must_use]
    pub fn connect(&self) -> Raw {
        Raw::connect(self.engine, &self.address)
    }

    fn raw<T>(&self, ask: impl FnOnce(&mut Raw) -> T) -> T {
        ask(&mut self.raw.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until nobody else is connected: a server goes on for a moment with what a client has asked for that was killed.
    pub fn is_left_alone(&self) {
        let others = match self.engine {
            Engine::Sqlite => return,
            Engine::Postgres => {
                "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
            }
            Engine::MariaDb => {
                "SELECT count(*) FROM information_schema.processlist WHERE db = database() AND id <> connection_id()"
            }
        };
        assert!(crate::settled(|| self.number(others) == 0), "somebody stays connected");
    }

    /// The panel's own statements, as they stand; the host's tables are found where they are.
    pub fn run(&self, sql: &str) {
        self.raw(|raw| raw.run(&self.placed(sql)));
    }

    fn placed(&self, sql: &str) -> String {
        let Some(own) = &self.own else { return sql.to_owned() };
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let mut placed = String::new();
        for part in sql.split_inclusive(|c: char| !word(c)) {
            if tables::own().iter().any(|table| table.name == part.trim_end_matches(|c: char| !word(c))) {
                placed.push_str(&format!("\"{own}\"."));
            }
            placed.push_str(part);
        }
        placed
    }

    /// Statements that make tables, in [`Engine::words`].
    pub fn create(&self, sql: &str) {
        self.run(&self.engine.words(sql));
    }

    /// Rows as text; NULL is empty.
    #[must_use]
    pub fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        let text = |value: Option<Vec<u8>>| String::from_utf8(value.unwrap_or_default()).expect("UTF-8");
        self.raw(|raw| raw.rows(&self.placed(sql))).into_iter().map(|row| row.into_iter().map(text).collect()).collect()
    }

    /// The first column of all rows.
    #[must_use]
    pub fn column(&self, sql: &str) -> Vec<String> {
        self.rows(sql).into_iter().map(|mut row| row.remove(0)).collect()
    }

    /// One text.
    #[must_use]
    pub fn text(&self, sql: &str) -> String {
        let [text] = <[String; 1]>::try_from(self.column(sql)).unwrap_or_else(|rows| panic!("{sql}: {rows:?}"));
        text
    }

    /// One number; NULL is 0.
    #[must_use]
    pub fn number(&self, sql: &str) -> i64 {
        let text = self.text(sql);
        if text.is_empty() { 0 } else { text.parse().unwrap_or_else(|_| panic!("{sql}: {text}")) }
    }

    /// The bytes of one column; NULL is none.
    #[must_use]
    pub fn bytes(&self, sql: &str) -> Vec<Vec<u8>> {
        let values = self.raw(|raw| raw.rows(&self.placed(sql))).into_iter().filter_map(|mut row| row.remove(0));
        match self.engine {
            Engine::Sqlite | Engine::MariaDb => values.collect(),
            // It writes them as text: \\x0a0b.
            Engine::Postgres => values
                .map(|text| {
                    let hex = text.strip_prefix(b"\\x").and_then(|hex| std::str::from_utf8(hex).ok());
                    hex.and_then(keyturn_core::seal::unhex).unwrap_or_else(|| panic!("{sql}: no bytes"))
                })
                .collect(),
        }
    }
}

/// A run makes hundreds, and each takes some megabytes of the disk. What has failed stays, to be looked at.
impl Drop for Panel {
    fn drop(&mut self) {
        let Some((server, name)) = self.address.rsplit_once('/').filter(|_| self.made) else { return };
        if std::thread::panicking() {
            return;
        }
        match self.engine {
            Engine::Sqlite => {}
            Engine::Postgres => {
                let drop = format!("DROP DATABASE {name} WITH (FORCE)");
                Raw::connect(self.engine, &format!("{server}/postgres")).run(&drop);
            }
            Engine::MariaDb => {
                self.own.iter().for_each(|own| self.run(&format!("DROP DATABASE IF EXISTS \"{own}\"")));
                self.run(&format!("DROP DATABASE {name}"));
            }
        }
    }
}
