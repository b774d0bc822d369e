//! MariaDB: connections, transactions, and what differs in its SQL.
//!
//! A transaction that writes is `SERIALIZABLE`: what it reads stays as it is until its end, also that a row is not there. Of two
//! that would stand in each other's way, one waits, or is told that it lost and starts again. A reader has one snapshot, and
//! waits for nobody.

#![deny(missing_docs)]

mod address;
mod connection;
mod dialect;
#[cfg(test)]
mod tests;
mod translate;
mod value;
mod words;

use std::sync::Arc;

use keyturn_core::seal::Keys;
use keyturn_store::database::Connection;
use keyturn_store::schema::{self, Beginning};
use keyturn_store::store::{Keeps, Store};
use keyturn_store::{Provider, StorageError};
pub use keyturn_store_server::Found;
use keyturn_store_server::{Client as _, Connect, Mode, Pooling, Server};

use connection::Db;

pub use address::{Address, AddressError};
pub use dialect::{MariaDb, settings};

/// How the database is used. The defaults suit a panel of any size.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// How many connections, and how long a call waits.
    pub pooling: Pooling,
    /// How long what is the host's own stays, and how much of it.
    pub keeps: Keeps,
}

/// Opens the panel's database and prepares the host's tables `keyturnhost_*` in it.
///
/// # Errors
/// [`StorageError`] if it can't be opened, or was written by a newer version of the host; [`StorageError::OtherKey`].
pub fn open(
    address: &Address,
    keys: Arc<Keys>,
    provider: Arc<dyn Provider>,
    options: Options,
) -> Result<Store, StorageError> {
    let db = Db::open(address, false)?;
    migrate(&db)?;
    schema::check_key(&db, &keys)?;
    Store::new(keys, provider, options.keeps, |upkeep| {
        let server = Server::new(Connector { address: address.clone(), looks: false }, options.pooling, upkeep)?;
        Ok(Box::new(server))
    })
}

/// Opens the panel's database for somebody who only looks: nothing in it changes, and commits fail. The host's tables are seen as
/// the next start would have them.
///
/// # Errors
/// As [`open`].
pub fn look(
    address: &Address,
    keys: Arc<Keys>,
    provider: Arc<dyn Provider>,
    options: Options,
) -> Result<(Store, Found), StorageError> {
    let db = Db::open(address, true)?;
    let version = schema::version(&db)?;
    stand_in(&db)?;
    schema::looks_like_key(&db, &keys)?;
    let pooling = Pooling { read_only: true, ..options.pooling };
    let store = Store::new(keys, provider, options.keeps, |upkeep| {
        Ok(Box::new(Server::new(Connector { address: address.clone(), looks: true }, pooling, upkeep)?))
    })?;
    let server = (&db as &dyn Connection).one("SELECT version()", &[], |row| row.get::<String>(0))?.unwrap_or_default();
    let version = (version > 0).then_some(version);
    Ok((store, Found { server, version, newest: schema::NEWEST, risks: settings(&db)? }))
}

/// Goes on with other keys where the former ones are lost: whatever those have sealed is void, and every session ends.
/// Passwords and the audit stay.
///
/// # Errors
/// [`StorageError`].
pub fn replace_key(address: &Address, keys: &Keys) -> Result<(), StorageError> {
    let db = Db::open(address, false)?;
    migrate(&db)?;
    db.begin(Mode::Write)?;
    schema::unserved(&db)?;
    schema::replace_key(&db, keys)?;
    db.commit()
}

struct Connector {
    address: Address,
    looks: bool,
}

impl Connect for Connector {
    type Client = Db;

    fn connect(&self) -> Result<Db, StorageError> {
        let db = Db::open(&self.address, self.looks)?;
        if self.looks {
            stand_in(&db)?;
        }
        Ok(db)
    }
}

/// How many seconds a host waits for another that prepares the tables.
const TURN: i64 = 30;

/// Of hosts that start at once, one does it. Each of the statements is a transaction of its own here, so a start that dies
/// leaves some of the tables; the next one makes the others.
fn migrate(db: &Db) -> Result<(), StorageError> {
    if schema::version(db)? == schema::NEWEST {
        return Ok(());
    }
    let lock = format!("SELECT GET_LOCK(concat('keyturnhost_', DATABASE()), {TURN})");
    let ours = (db as &dyn Connection).one(&lock, &[], |row| row.get::<Option<i64>>(0))?;
    if ours.flatten() != Some(1) {
        let cause = "another host has been at it for too long; if none is starting, restart the server".to_owned();
        return Err(StorageError::Failed { doing: "preparing the tables keyturnhost_*".to_owned(), cause });
    }
    let prepared = schema::prepare(db, Beginning::Tables, words::lasting);
    (db as &dyn Connection).one("SELECT RELEASE_LOCK(concat('keyturnhost_', DATABASE()))", &[], |_| Ok(()))?;
    prepared
}

/// For a connection that changes nothing: tables that are missing stand in its memory.
fn stand_in(db: &Db) -> Result<(), StorageError> {
    match schema::version(db)? {
        0 => schema::prepare(db, Beginning::Tables, words::passing),
        present => schema::as_they_are(present),
    }
}
