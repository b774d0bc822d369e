//! One connection, and how it is made. What goes over the network goes on the thread of whoever calls, and no longer than a limit:
//! a server that stalls in the midst of a statement holds nobody for ever.

use std::cell::Cell;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::TryStreamExt as _;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::error::{Severity, SqlState};
use tokio_postgres::{Error, NoTls, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::Options;
use super::address::Address;
use super::dialect::words;
use super::values::{Parameter, Unfit, copied};
use keyturn_core::network::tls;
use keyturn_store::StorageError;
use keyturn_store::database::{Connection, Each, Value, ValueRef, doing};
use keyturn_store::dialect::quoted;
use keyturn_store::schema::{self, Beginning};
use keyturn_store_server::{Connect, Found, Mode};

/// How long a server may take for one answer. A walk through a million accounts takes seconds.
const ANSWER: Duration = Duration::from_secs(30);
/// How long a commit may take, before nobody knows what became of it.
const COMMITTED: Duration = Duration::from_secs(10);
/// The oldest version that has all that is used here.
const OLDEST: u32 = 13;

/// How connections are made.
pub(super) struct Connector {
    address: Address,
    schema: Option<String>,
    looks: bool,
}

impl Connector {
    pub fn new(address: &Address, options: &Options, looks: bool) -> Self {
        Self { address: address.clone(), schema: options.schema.clone(), looks }
    }

    /// Makes the schema of the host's own tables, if it has one and it is not there.
    pub fn make_schema(&self, db: &dyn Connection) -> Result<(), StorageError> {
        let Some(schema) = &self.schema else { return Ok(()) };
        let there = db.rows("SELECT 1 FROM pg_namespace WHERE nspname = ?1", &[Value::Text(schema.clone())])?;
        if there.is_empty() { db.change(&format!("CREATE SCHEMA {}", quoted(schema)), &[]) } else { Ok(()) }
    }

    fn failed(&self, cause: &str) -> StorageError {
        StorageError::Failed { doing: format!("connecting to database {}", self.address), cause: cause.to_owned() }
    }
}

impl Connect for Connector {
    type Client = Client;

    fn connect(&self) -> Result<Client, StorageError> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|cause| self.failed(&cause.to_string()))?;
        let config = self.address.for_writing(!self.looks);
        let tls = self.address.tls.then(|| tls::trusting(self.address.ca.as_deref())).transpose();
        let tls = tls.map_err(|cause| self.failed(&cause.to_string()))?;
        let warned = Arc::new(AtomicBool::new(false));
        let connected = runtime.block_on(async {
            let connecting = async {
                match tls {
                    Some(tls) => {
                        let tls = MakeRustlsConnect::new((*tls).clone());
                        let (client, connection) = config.connect(tls).await?;
                        Ok((client, driven(connection, Arc::clone(&warned))))
                    }
                    None => {
                        let (client, connection) = config.connect(NoTls).await?;
                        Ok((client, driven(connection, Arc::clone(&warned))))
                    }
                }
            };
            tokio::time::timeout(ANSWER, connecting).await
        });
        let client = match connected {
            Ok(Ok((client, _))) => client,
            Ok(Err(cause)) => return Err(self.failed(&told(&cause))),
            Err(_) => return Err(self.failed("it did not answer in time")),
        };
        let begin = |mode: &str| match &self.schema {
            Some(schema) => format!("BEGIN {mode}; SET LOCAL search_path = {}, public", quoted(schema)),
            None => format!("BEGIN {mode}"),
        };
        let client = Client {
            reads: begin("ISOLATION LEVEL REPEATABLE READ READ ONLY"),
            // Times that are written to the panel's columns are UTC, whatever the server's zone is.
            writes: begin("ISOLATION LEVEL SERIALIZABLE")
                + "; SET LOCAL lock_timeout = '5s'; SET LOCAL statement_timeout = 0; SET LOCAL timezone = 'UTC'",
            client,
            runtime,
            warned,
            state: Cell::new(State::Idle),
        };
        self.fits(&client)?;
        Ok(client)
    }
}

impl Connector {
    /// Whether the server is one that this works on; for whoever looks, missing tables are made in the session's own room.
    fn fits(&self, client: &Client) -> Result<(), StorageError> {
        let version = client.simple("SHOW server_version_num").map_err(|error| self.failed(&error.to_string()))?;
        let version: u32 = version.and_then(|version| version.parse().ok()).unwrap_or(0);
        if version / 10_000 < OLDEST {
            let cause = format!("the server is PostgreSQL {}; {OLDEST} or later is needed", version / 10_000);
            return Err(self.failed(&cause));
        }
        if self.looks {
            use keyturn_store_server::Client as _;
            client.begin(Mode::Read)?;
            let present = schema::version(client)?;
            client.rollback()?;
            if present == 0 {
                for statement in Beginning::Tables.steps(0).flat_map(|(_, sql)| schema::statements(sql)) {
                    let stand_in = words(statement).replacen("CREATE TABLE", "CREATE TEMPORARY TABLE", 1);
                    client.simple(&stand_in).map_err(|error| self.failed(&error.to_string()))?;
                }
            } else {
                schema::as_they_are(present)?;
            }
        }
        Ok(())
    }
}

/// Runs on the connection's own runtime, whenever somebody waits there.
fn driven<S, T>(
    mut connection: tokio_postgres::Connection<S, T>,
    warned: Arc<AtomicBool>,
) -> tokio::task::JoinHandle<()>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    tokio::spawn(async move {
        while let Some(message) = std::future::poll_fn(|context| connection.poll_message(context)).await {
            match message {
                Ok(tokio_postgres::AsyncMessage::Notice(notice))
                    if notice.parsed_severity() == Some(Severity::Warning) =>
                {
                    warned.store(true, Ordering::Release);
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No transaction is open.
    Idle,
    /// One is.
    Open,
    /// A statement of it failed: the server would answer COMMIT without an error, and store nothing.
    Failed,
    /// Nothing can be said to the server any more.
    Broken,
}

/// A connection.
pub(super) struct Client {
    client: tokio_postgres::Client,
    runtime: Runtime,
    reads: String,
    writes: String,
    /// The server warned of something since the last commit began.
    warned: Arc<AtomicBool>,
    state: Cell<State>,
}

/// What came of asking the server.
enum Asked {
    Server(Error),
    Late,
}

impl Client {
    fn wait<T>(&self, most: Duration, asked: impl Future<Output = Result<T, Error>>) -> Result<T, Asked> {
        let answer = self.runtime.block_on(async { tokio::time::timeout(most, asked).await });
        answer.map_err(|_| Asked::Late)?.map_err(Asked::Server)
    }

    /// What the server said, in our terms; and where the transaction stands then.
    fn failed(&self, doing: impl FnOnce() -> String, asked: &Asked) -> StorageError {
        let Asked::Server(cause) = asked else {
            self.state.set(State::Broken);
            return StorageError::Busy;
        };
        if self.client.is_closed() || cause.is_closed() || ends(cause) {
            self.state.set(State::Broken);
        } else if self.state.get() == State::Open {
            self.state.set(State::Failed);
        }
        if self.state.get() == State::Broken || cause.code().is_some_and(|code| TRY_AGAIN.contains(code)) {
            return StorageError::Busy;
        }
        StorageError::Failed { doing: doing(), cause: told(cause) }
    }

    /// The first value of what a plain statement answers.
    fn simple(&self, sql: &str) -> Result<Option<String>, StorageError> {
        let answer = self.wait(ANSWER, self.client.simple_query(sql));
        let answer = answer.map_err(|cause| self.failed(|| doing(sql), &cause))?;
        Ok(answer.into_iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        }))
    }

    /// What is found on a server that is only looked at.
    pub fn found(&self) -> Result<Found, StorageError> {
        let risky = "SELECT name, setting FROM pg_settings WHERE (name = 'fsync' AND setting = 'off')
            OR (name = 'synchronous_commit' AND setting = 'off') OR (name = 'full_page_writes' AND setting = 'off')";
        let risk = |(name, setting): (String, String)| {
            let what = match name.as_str() {
                "synchronous_commit" => "a crash loses what was confirmed in the last moment",
                _ => "a power cut can destroy the database",
            };
            format!("{name} is {setting}: {what}; set it to on")
        };
        let db: &dyn Connection = self;
        // Temporary ones stand in for those that are not there.
        let own = "SELECT 1 FROM pg_class WHERE relname = 'keyturnhost_migrations' AND relpersistence <> 't'";
        let there = db.one(own, &[], |_| Ok(()))?.is_some();
        Ok(Found {
            server: self.simple("SHOW server_version")?.unwrap_or_default(),
            version: if there { Some(schema::version(self)?) } else { None },
            newest: schema::NEWEST,
            risks: db.all(risky, &[], |row| Ok((row.get(0)?, row.get(1)?)))?.into_iter().map(risk).collect(),
        })
    }
}

/// Errors that say: the same again, later.
const TRY_AGAIN: [SqlState; 6] = [
    SqlState::T_R_SERIALIZATION_FAILURE,
    SqlState::T_R_DEADLOCK_DETECTED,
    SqlState::LOCK_NOT_AVAILABLE,
    SqlState::QUERY_CANCELED,
    // A primary that became a replica.
    SqlState::READ_ONLY_SQL_TRANSACTION,
    SqlState::TOO_MANY_CONNECTIONS,
];

/// Whether the connection is of no use after it.
fn ends(cause: &Error) -> bool {
    let Some(cause) = cause.as_db_error() else {
        return !std::error::Error::source(cause).is_some_and(|source| source.is::<Unfit>());
    };
    matches!(cause.parsed_severity(), Some(Severity::Fatal | Severity::Panic))
        || *cause.code() == SqlState::READ_ONLY_SQL_TRANSACTION
}

/// What went wrong, without what was asked: a statement's values can be secrets.
fn told(cause: &Error) -> String {
    match cause.as_db_error() {
        Some(said) => format!("{} ({})", said.message(), said.code().code()),
        None => match std::error::Error::source(cause) {
            Some(source) => format!("{cause}: {source}"),
            None => cause.to_string(),
        },
    }
}

/// `?1` becomes `$1`, but not in quotes.
fn numbered(sql: &str) -> String {
    let mut quote = None;
    sql.chars()
        .map(|c| {
            match quote {
                Some(open) if c == open => quote = None,
                None if c == '"' || c == '\'' => quote = Some(c),
                None if c == '?' => return '$',
                _ => {}
            }
            c
        })
        .collect()
}

type Given<'a> = Vec<(Parameter<'a>, tokio_postgres::types::Type)>;

fn given<'a>(parameters: &'a [ValueRef<'a>]) -> Given<'a> {
    parameters
        .iter()
        .map(|value| Parameter(*value))
        .map(|value| {
            let kind = value.declared();
            (value, kind)
        })
        .collect()
}

impl Connection for Client {
    fn query(&self, sql: &str, parameters: &[ValueRef<'_>], each: &mut Each<'_>) -> Result<(), StorageError> {
        let failed = |cause: &Asked| self.failed(|| doing(sql), cause);
        let statement = numbered(sql);
        let rows = self.wait(ANSWER, self.client.query_typed_raw(&statement, given(parameters)));
        let mut rows = std::pin::pin!(rows.map_err(|cause| failed(&cause))?);
        while let Some(row) = self.wait(ANSWER, rows.as_mut().try_next()).map_err(|cause| failed(&cause))? {
            let row = copied(&row).map_err(|cause| failed(&Asked::Server(cause)))?;
            if each(&row)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn execute(&self, sql: &str, parameters: &[ValueRef<'_>]) -> Result<u64, StorageError> {
        let statement = numbered(sql);
        let rows = given(parameters);
        let rows = self.wait(ANSWER, async {
            let rows = self.client.query_typed_raw(&statement, rows).await?;
            let mut rows = std::pin::pin!(rows);
            while rows.as_mut().try_next().await?.is_some() {}
            Ok(rows.rows_affected().unwrap_or(0))
        });
        rows.map_err(|cause| self.failed(|| doing(sql), &cause))
    }

    fn insert(&self, sql: &str, parameters: &[ValueRef<'_>]) -> Result<i64, StorageError> {
        let db: &dyn Connection = self;
        let column = if sql.contains("keyturnhost_audit ") { "id" } else { "number" };
        let number = db.one(&format!("{sql} RETURNING {column}"), parameters, |row| row.get(0))?;
        number.ok_or_else(|| StorageError::Failed { doing: doing(sql), cause: "no row was inserted".to_owned() })
    }

    fn now(&self) -> Result<i64, StorageError> {
        let db: &dyn Connection = self;
        let sql = "SELECT CAST(floor(extract(epoch FROM clock_timestamp()) * 1000) AS bigint)";
        db.one(sql, &[], |row| row.get(0))?.ok_or(StorageError::Busy)
    }

    fn has_table(&self, name: &str) -> Result<bool, StorageError> {
        let db: &dyn Connection = self;
        let there = db.one("SELECT to_regclass(?1) IS NOT NULL", &[ValueRef::Text(name)], |row| row.get::<bool>(0))?;
        Ok(there == Some(true))
    }

    fn goes_on(&self) -> bool {
        self.state.get() == State::Open
    }
}

impl Client {
    fn begun(&self, begin: &str) -> Result<(), StorageError> {
        let begun = self.wait(ANSWER, self.client.batch_execute(begin));
        begun.map_err(|cause| self.failed(|| "beginning a transaction".to_owned(), &cause))?;
        self.state.set(State::Open);
        Ok(())
    }

    /// Begins a transaction that sees what others committed while it waited for them: to prepare the tables.
    pub fn begin_to_prepare(&self) -> Result<(), StorageError> {
        self.begun(&self.writes.replace("SERIALIZABLE", "READ COMMITTED"))
    }
}

impl keyturn_store_server::Client for Client {
    fn begin(&self, mode: Mode) -> Result<(), StorageError> {
        self.begun(match mode {
            Mode::Read => &self.reads,
            Mode::Write => &self.writes,
        })
    }

    fn commit(&self) -> Result<(), StorageError> {
        if self.state.get() != State::Open {
            let cause = "a statement of it failed before".to_owned();
            return self.rollback().and(Err(StorageError::Failed { doing: "committing".to_owned(), cause }));
        }
        self.warned.store(false, Ordering::Release);
        match self.wait(COMMITTED, self.client.batch_execute("COMMIT")) {
            // Written here, and perhaps on no replica: the server stopped waiting for one, and says so by a warning alone.
            Ok(()) if self.warned.load(Ordering::Acquire) => {
                self.state.set(State::Idle);
                Err(StorageError::Indeterminate)
            }
            Ok(()) => {
                self.state.set(State::Idle);
                Ok(())
            }
            // What the server refuses, it has not done; with its last words it may have.
            Err(Asked::Server(cause)) if cause.as_db_error().is_some() && !ends(&cause) => {
                self.state.set(State::Idle);
                let again = cause.code().is_some_and(|code| TRY_AGAIN.contains(code));
                let refused = StorageError::Failed { doing: "committing".to_owned(), cause: told(&cause) };
                Err(if again { StorageError::Busy } else { refused })
            }
            Err(_) => {
                self.state.set(State::Broken);
                Err(StorageError::Indeterminate)
            }
        }
    }

    fn rollback(&self) -> Result<(), StorageError> {
        if self.state.get() == State::Broken {
            return Err(StorageError::Busy);
        }
        let done = self.wait(ANSWER, self.client.batch_execute("ROLLBACK"));
        done.map_err(|cause| self.failed(|| "ROLLBACK".to_owned(), &cause))?;
        self.state.set(State::Idle);
        Ok(())
    }

    fn is_usable(&self) -> bool {
        self.state.get() == State::Idle && !self.client.is_closed()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn parameters_are_numbered_outside_quotes() {
        let sql = "SELECT \"a?1\" FROM t WHERE x = ?1 AND y = '?2' AND z = ?12";
        assert_eq!(super::numbered(sql), "SELECT \"a?1\" FROM t WHERE x = $1 AND y = '?2' AND z = $12");
    }
}
