mod accounts;
mod addresses;
mod faults;
mod transactions;
mod translation;
mod values;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use keyturn_accounts::{Mapping, Sql};
use keyturn_core::seal::Keys;
use keyturn_servers::{Database, Server, mariadb};
use keyturn_store::database::{Bind as _, Connection};
use keyturn_store::{Commit, Effect, Provider, StorageError, Store, Value};
use keyturn_store_server::{Client as _, Mode};

use super::connection::Db;
use super::*;

const NOW: i64 = 1_764_000_000_000;

fn server() -> &'static Server {
    mariadb()
}

fn address(database: &Database<'_>) -> Address {
    Address::parse(&database.url, None, None).expect("an address")
}

fn connected(database: &Database<'_>) -> Db {
    Db::open(&address(database), false).expect("connected")
}

fn provider(realms: &str) -> Arc<dyn Provider> {
    let realms: BTreeMap<String, Mapping> = toml::from_str(realms).expect("realms");
    Arc::new(Sql::new(realms, &MariaDb).expect("provider"))
}

static KEYS: LazyLock<Arc<Keys>> = LazyLock::new(|| Arc::new(Keys::random()));

fn opened(database: &Database<'_>) -> Store {
    open(&address(database), Arc::clone(&KEYS), provider(""), Options::default()).expect("opened")
}

fn put(key: &str, value: &str) -> Commit {
    let value = value.as_bytes().to_vec().into();
    Commit::bare("p", NOW, vec![Effect::Put { key: key.to_owned(), value, expires: None }])
}

fn held(store: &Store, key: &str) -> Option<String> {
    let found = store.get("p", key, NOW).expect("read");
    found.map(|(value, _)| String::from_utf8(value).expect("text"))
}

fn dynamic(db: &Db) -> &dyn Connection {
    db
}

fn cause(error: StorageError) -> String {
    match error {
        StorageError::Failed { doing, cause } => format!("{doing}: {cause}"),
        other => panic!("{other:?}"),
    }
}
