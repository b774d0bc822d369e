//! PostgreSQL, version 13 and later: a connection for each call that commits, and what differs in its SQL.
//!
//! Statements have no name on the server, and everything that a session would be told is told to each transaction: so it works
//! behind PgBouncer in transaction mode too.

#![deny(missing_docs)]

mod address;
mod connection;
mod dialect;
#[cfg(test)]
mod tests;
mod values;

use std::sync::Arc;

pub use address::{Address, AddressError};
use connection::Connector;
pub use dialect::Postgres;
use keyturn_core::seal::Keys;
use keyturn_store::database::{Connection, ValueRef};
use keyturn_store::schema::{self, Beginning};
use keyturn_store::store::{Keeps, Store};
use keyturn_store::{Provider, StorageError};
pub use keyturn_store_server::Found;
use keyturn_store_server::{Client as _, Connect as _, Mode, Pooling, Server};

/// How the server is used. The defaults suit a panel of any size.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The schema of the host's own tables; it is made where there is none. Default: the first that the server looks into.
    pub schema: Option<String>,
    /// Connections, and patience.
    pub pooling: Pooling,
    /// How long what is the host's own stays, and how much of it.
    pub keeps: Keeps,
}

/// Opens the panel's database, and makes the host's tables where there are none. Any number of hosts may.
///
/// # Errors
/// [`StorageError::Failed`], naming what could not be reached or done; [`StorageError::OtherKey`].
pub fn open(
    address: &Address,
    keys: Arc<Keys>,
    provider: Arc<dyn Provider>,
    options: Options,
) -> Result<Store, StorageError> {
    let connector = Connector::new(address, &options, false);
    prepare(&connector, |db| schema::check_key(db, &keys))?;
    Store::new(keys, provider, options.keeps, |upkeep| Ok(Box::new(Server::new(connector, options.pooling, upkeep)?)))
}

/// Opens it for somebody who only looks: nothing is made on the server, and commits fail. Tables of the host's that are not there
/// stand in as temporary ones.
///
/// # Errors
/// As [`open`].
pub fn look(
    address: &Address,
    keys: Arc<Keys>,
    provider: Arc<dyn Provider>,
    options: Options,
) -> Result<(Store, Found), StorageError> {
    let connector = Connector::new(address, &options, true);
    let client = connector.connect()?;
    client.begin(Mode::Read)?;
    schema::looks_like_key(&client, &keys)?;
    let found = client.found()?;
    client.rollback()?;
    let pooling = Pooling { read_only: true, ..options.pooling };
    let server = |upkeep| Ok(Box::new(Server::new(connector, pooling, upkeep)?) as _);
    Ok((Store::new(keys, provider, options.keeps, server)?, found))
}

/// Goes on with other keys where the former ones are lost: whatever those have sealed is void, and every session ends.
/// Passwords and the audit stay.
///
/// # Errors
/// [`StorageError`]; [`StorageError::Served`].
pub fn replace_key(address: &Address, keys: &Keys, options: &Options) -> Result<(), StorageError> {
    prepare(&Connector::new(address, options, false), |db| {
        schema::unserved(db)?;
        schema::replace_key(db, keys)
    })
}

/// Two hosts that start at once wait for each other.
const STARTING: i64 = 0x6b65_7974_7572_6e01;

fn prepare(
    connector: &Connector,
    then: impl Fn(&dyn Connection) -> Result<(), StorageError>,
) -> Result<(), StorageError> {
    let client = connector.connect()?;
    client.begin_to_prepare()?;
    let db: &dyn Connection = &client;
    let prepared = db
        .change("SELECT pg_advisory_xact_lock(?1)", &[ValueRef::Integer(STARTING)])
        .and_then(|()| connector.make_schema(db))
        .and_then(|()| schema::prepare(db, Beginning::Tables, dialect::words))
        .and_then(|()| then(db));
    match prepared {
        Ok(()) => client.commit(),
        Err(error) => client.rollback().and(Err(error)),
    }
}
