//! The panel's own hand in its database: a connection of its engine's driver, without anything of the store's.

use crate::Engine;

/// A connection. A statement that fails fails the test, but for [`Raw::try_run`].
pub enum Raw {
    /// Of SQLite's.
    Sqlite(rusqlite::Connection),
    /// Of PostgreSQL's.
    Postgres(tokio_postgres::Client, tokio::runtime::Runtime),
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
