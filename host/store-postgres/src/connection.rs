//! One connection, and how it is made. What goes over the network goes on the thread of whoever calls, and no longer than a limit:
//! a server that stalls in the midst of a statement holds nobody for ever.

use std::cell::Cell;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
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
    /// The latest timeline that was met; 0: none. A standby that is promoted begins a new one.
    timeline: AtomicU32,
}

impl Connector {
    pub fn new(address: &Address, options: &Options, looks: bool) -> Self {
        Self { address: address.clone(), schema: options.schema.clone(), looks, timeline: AtomicU32::new(0) }
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

    /// To the first server that can be written, and is not a former primary. Which one that is is asked of all at the first
    /// connection, and known by its timeline afterwards.
    fn connect(&self) -> Result<Client, StorageError> {
        let servers = self.address.servers(!self.looks);
        let several = servers.len() > 1 && !self.looks;
        let (mut causes, mut found) = (Vec::new(), None::<(u32, Client)>);
        for config in &servers {
            let client = match self.to(config) {
                Ok(client) => client,
                Err(cause) => {
                    causes.push(cause);
                    continue;
                }
            };
            if !several {
                return Ok(client);
            }
            let (timeline, latest) = (client.timeline(), self.timeline.load(Ordering::Acquire));
            if latest > 0 && timeline >= latest {
                self.timeline.fetch_max(timeline, Ordering::AcqRel);
                return Ok(client);
            }
            if timeline < latest {
                causes.push("a server is a former primary, from before another one was promoted".to_owned());
            } else if found.as_ref().is_none_or(|(best, _)| timeline > *best) {
                found = Some((timeline, client));
            }
        }
        let (timeline, client) = found.ok_or_else(|| self.failed(&causes.join("; ")))?;
        self.timeline.fetch_max(timeline, Ordering::AcqRel);
        Ok(client)
    }
}

impl Connector {
    fn to(&self, config: &tokio_postgres::Config) -> Result<Client, String> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|cause| cause.to_string())?;
        let runtime = Own(Some(runtime));
        let tls = self.address.tls.then(|| tls::trusting(self.address.ca.as_deref())).transpose();
        let tls = tls.map_err(|cause| cause.to_string())?;
        let warned = Arc::new(AtomicBool::new(false));
        let connected = runtime.wait(async {
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
            Ok(Err(cause)) => return Err(told(&cause)),
            Err(_) => return Err("it did not answer in time".to_owned()),
        };
        let begin = |mode: &str| match &self.schema {
            Some(schema) => format!("BEGIN {mode}; SET LOCAL search_path = {}, public", quoted(schema)),
            None => format!("BEGIN {mode}"),
        };
        let mut client = Client {
            schema: self.schema.clone(),
            reads: begin("ISOLATION LEVEL REPEATABLE READ READ ONLY"),
            // Times that are written to the panel's columns are UTC, whatever the server's zone is.
            writes: begin("ISOLATION LEVEL SERIALIZABLE")
                + "; SET LOCAL lock_timeout = '5s'; SET LOCAL statement_timeout = 0; SET LOCAL timezone = 'UTC'",
            client,
            runtime,
            own_path: self.schema.is_none(),
            warned,
            state: Cell::new(State::Idle),
        };
        self.fits(&client)?;
        if self.looks && self.is_new(&client).map_err(|error| error.to_string())? {
            // Behind a pooler, a table that lives longer than its transaction would be found by the next client.
            let stand_in = |statement: &str| {
                let made = words(statement).replacen("CREATE TABLE", "CREATE TEMPORARY TABLE", 1);
                format!("; {made}")
            };
            let tables = Beginning::Tables.steps(0).flat_map(|(_, sql)| schema::statements(sql));
            let tables: String = tables.map(stand_in).collect();
            client.own_path = false;
            client.reads = begin("ISOLATION LEVEL REPEATABLE READ") + &tables + "; SET TRANSACTION READ ONLY";
        }
        Ok(client)
    }

    /// Whether the server is one that this works on.
    fn fits(&self, client: &Client) -> Result<(), String> {
        let version = client.simple("SHOW server_version_num").map_err(|error| error.to_string())?;
        let version: u32 = version.and_then(|version| version.parse().ok()).unwrap_or(0);
        if version / 10_000 < OLDEST {
            return Err(format!("the server is PostgreSQL {}; {OLDEST} or later is needed", version / 10_000));
        }
        Ok(())
    }

    /// Whether there are no tables of the host's yet.
    fn is_new(&self, client: &Client) -> Result<bool, StorageError> {
        use keyturn_store_server::Client as _;
        client.begin(Mode::Read)?;
        let present = schema::version(client)?;
        client.rollback()?;
        if present == 0 { Ok(true) } else { schema::as_they_are(present).map(|()| false) }
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
    /// One begins with the next statement.
    Begins,
    /// The next statement is one of its own.
    Asks,
    /// It was asked.
    Asked,
    /// A transaction is open.
    Open,
    /// A statement of it failed: the server would answer COMMIT without an error, and store nothing.
    Failed,
    /// Nothing can be said to the server any more.
    Broken,
}

/// A connection.
pub(super) struct Client {
    /// Of the host's own tables.
    schema: Option<String>,
    client: tokio_postgres::Client,
    runtime: Own,
    /// Whether a statement finds its tables without a word before it.
    own_path: bool,
    reads: String,
    writes: String,
    /// The server warned of something since the last commit began.
    warned: Arc<AtomicBool>,
    state: Cell<State>,
}

/// A connection's own runtime. Nothing waits for its end, so the last owner of a store may also drop it in an async context.
struct Own(Option<Runtime>);

impl Own {
    fn wait<T>(&self, what: impl Future<Output = T>) -> T {
        match &self.0 {
            Some(runtime) => runtime.block_on(what),
            None => unreachable!("it is there until it is dropped"),
        }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// What came of asking the server.
enum Asked {
    Server(Error),
    Late,
}

impl Client {
    /// What the next statement has before it, if it may come now.
    fn first(&self, sql: &str) -> Result<Option<&str>, StorageError> {
        match self.state.get() {
            State::Begins => {
                self.state.set(State::Open);
                Ok(Some(&self.reads))
            }
            State::Asks => {
                self.state.set(State::Asked);
                Ok(None)
            }
            State::Asked => {
                let cause = "it was to be the only statement, and is the second".to_owned();
                Err(StorageError::Failed { doing: doing(sql), cause })
            }
            State::Idle | State::Open | State::Failed | State::Broken => Ok(None),
        }
    }

    fn wait<T>(&self, most: Duration, asked: impl Future<Output = Result<T, Error>>) -> Result<T, Asked> {
        let answer = self.runtime.wait(async { tokio::time::timeout(most, asked).await });
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
        if pools_statements(cause) {
            return StorageError::Failed { doing: doing(), cause: told(cause) };
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

    /// How often a standby of this server's data was promoted; 0 where it does not say.
    fn timeline(&self) -> u32 {
        let file = self.simple("SELECT pg_walfile_name(pg_current_wal_lsn())").ok().flatten();
        file.and_then(|file| u32::from_str_radix(file.get(..8)?, 16).ok()).unwrap_or(0)
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

/// Whether PgBouncer has refused a transaction, and has ended the connection with it.
fn pools_statements(cause: &Error) -> bool {
    cause.as_db_error().is_some_and(|said| said.message().contains("statement pooling mode"))
}

/// What went wrong, without what was asked: a statement's values can be secrets.
fn told(cause: &Error) -> String {
    match cause.as_db_error() {
        Some(said) if pools_statements(cause) => {
            format!("{}: set pool_mode = transaction, or session, in PgBouncer", said.message())
        }
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
        let (statement, first) = (numbered(sql), self.first(sql)?);
        let rows = self.client.query_typed_raw(&statement, given(parameters));
        let rows = self.wait(ANSWER, async {
            let Some(first) = first else { return rows.await };
            // Both go at once.
            let (begun, rows) = futures_util::future::join(self.client.batch_execute(first), rows).await;
            begun.and(rows)
        });
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
        if self.state.get() != State::Open {
            self.first(sql)?.map_or(Ok(()), |begin| self.begun(begin))?;
        }
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
        // The panel's schema may hold tables of that name, too.
        let name = self.schema.as_ref().map_or_else(|| name.to_owned(), |schema| format!("{}.{name}", quoted(schema)));
        let there = db.one("SELECT to_regclass(?1) IS NOT NULL", &[ValueRef::Text(&name)], |row| row.get::<bool>(0))?;
        Ok(there == Some(true))
    }

    fn goes_on(&self) -> bool {
        matches!(self.state.get(), State::Begins | State::Open)
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
    /// A transaction that reads begins with its first statement. One that writes begins here: where that failed, its first
    /// statement would be a transaction of its own.
    fn begin(&self, mode: Mode) -> Result<(), StorageError> {
        if mode == Mode::Write {
            return self.begun(&self.writes);
        }
        // Whether the server has ended the connection: nothing is sent.
        self.runtime.wait(tokio::task::yield_now());
        if self.client.is_closed() {
            self.state.set(State::Broken);
            return Err(StorageError::Busy);
        }
        let alone = mode == Mode::Ask && self.own_path;
        self.state.set(if alone { State::Asks } else { State::Begins });
        Ok(())
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
        if !matches!(self.state.get(), State::Idle | State::Begins | State::Asks | State::Asked) {
            // It goes out, and the next answer that is waited for comes behind its own.
            let sent = self.wait(ANSWER, async {
                drop(self.client.simple_query_raw("ROLLBACK").await?);
                tokio::task::yield_now().await;
                Ok(())
            });
            sent.map_err(|cause| self.failed(|| "ROLLBACK".to_owned(), &cause))?;
        }
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
