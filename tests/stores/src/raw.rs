//! The panel's own hand in its database: a connection of its engine's driver, without anything of the store's.

use mysql::prelude::Queryable as _;

use crate::Engine;

/// A connection. A statement that fails fails the test, but for [`Raw::try_run`].
pub enum Raw {
    /// Of SQLite's.
    Sqlite(rusqlite::Connection),
    /// Of PostgreSQL's.
    Postgres(tokio_postgres::Client, tokio::runtime::Runtime),
    /// Of MariaDB's, with names and texts in the standard's quotes.
    MariaDb(mysql::Conn),
}

/// A row, each value as the engine writes it; none: NULL.
pub type Row = Vec<Option<Vec<u8>>>;

impl Raw {
    /// To the database at an address.
    ///
    /// # Panics
    /// If nothing is there.
    #[must_use]
    pub fn connect(engine: Engine, address: &str) -> Self {
        match engine {
            Engine::Sqlite => {
                let file = rusqlite::Connection::open(address).expect("opened");
                file.busy_timeout(std::time::Duration::from_secs(30)).expect("set");
                Raw::Sqlite(file)
            }
            Engine::Postgres => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                let client = runtime.block_on(async {
                    let connected = tokio_postgres::connect(address, tokio_postgres::NoTls).await;
                    let (client, connection) = connected.expect("connected");
                    // It runs whenever somebody waits for an answer.
                    tokio::spawn(connection);
                    client
                });
                Raw::Postgres(client, runtime)
            }
            Engine::MariaDb => {
                let options = mysql::Opts::from_url(address).expect("an address");
                let options = mysql::OptsBuilder::from_opts(options).prefer_socket(false);
                let mut connection = mysql::Conn::new(options).expect("connected");
                let modes = "concat(@@sql_mode, ',ANSI_QUOTES,NO_BACKSLASH_ESCAPES')";
                let set = format!(
                    "SET NAMES utf8mb4; SET SESSION sql_mode = {modes}, max_recursive_iterations = 1000000,
                         wsrep_sync_wait = 7"
                );
                connection.query_drop(set).expect("set");
                Raw::MariaDb(connection)
            }
        }
    }

    /// Runs statements, one after another.
    ///
    /// # Errors
    /// What the engine says.
    pub fn try_run(&mut self, sql: &str) -> Result<(), String> {
        match self {
            Raw::Sqlite(file) => file.execute_batch(sql).map_err(|error| error.to_string()),
            Raw::Postgres(client, runtime) => {
                let ran = runtime.block_on(client.batch_execute(sql));
                ran.map_err(|error| error.as_db_error().map_or_else(|| error.to_string(), ToString::to_string))
            }
            Raw::MariaDb(connection) => of_maria(connection, sql).map(drop).map_err(|error| error.to_string()),
        }
    }

    /// Likewise.
    ///
    /// # Panics
    /// With what the engine says.
    pub fn run(&mut self, sql: &str) {
        self.try_run(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// The rows of a query.
    ///
    /// # Panics
    /// With what the engine says.
    pub fn rows(&mut self, sql: &str) -> Vec<Row> {
        match self {
            Raw::Sqlite(file) => of_file(file, sql).unwrap_or_else(|error| panic!("{sql}: {error}")),
            Raw::Postgres(client, runtime) => {
                let answer = runtime.block_on(client.simple_query(sql));
                let answer = answer.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
                let row = |message| match message {
                    tokio_postgres::SimpleQueryMessage::Row(row) => {
                        let value = |at| row.get(at).map(|text| text.as_bytes().to_vec());
                        Some((0..row.len()).map(value).collect())
                    }
                    _ => None,
                };
                answer.into_iter().filter_map(row).collect()
            }
            Raw::MariaDb(connection) => of_maria(connection, sql).unwrap_or_else(|error| panic!("{sql}: {error}")),
        }
    }
}

fn of_file(file: &rusqlite::Connection, sql: &str) -> rusqlite::Result<Vec<Row>> {
    use rusqlite::types::ValueRef;

    let mut statement = file.prepare(sql)?;
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| {
        let value = |at| {
            Ok(match row.get_ref(at)? {
                ValueRef::Null => None,
                ValueRef::Integer(number) => Some(number.to_string().into_bytes()),
                ValueRef::Real(number) => Some(number.to_string().into_bytes()),
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(bytes.to_vec()),
            })
        };
        (0..columns).map(value).collect()
    });
    rows?.collect()
}

/// All statements are read to their end: one that fails after others says so there.
fn of_maria(connection: &mut mysql::Conn, sql: &str) -> mysql::Result<Vec<Row>> {
    let mut answer = connection.query_iter(sql)?;
    let mut all = Vec::new();
    while let Some(rows) = answer.iter() {
        for row in rows {
            let text = |value| match value {
                mysql::Value::NULL => None,
                mysql::Value::Bytes(bytes) => Some(bytes),
                other => panic!("{other:?}: answers to plain statements are text"),
            };
            all.push(row?.unwrap().into_iter().map(text).collect());
        }
    }
    Ok(all)
}
