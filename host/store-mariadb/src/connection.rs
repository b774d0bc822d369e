//! A connection: how it is made, and what the store sees of it.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::time::Duration;

use mysql::consts::CapabilityFlags;
use mysql::prelude::Queryable as _;
use mysql::{Conn, DriverError, Error, OptsBuilder, Params, Statement};

use keyturn_store::StorageError;
use keyturn_store::database::{Connection, Each, ValueRef, doing};
use keyturn_store_server::{Client, Mode};

use super::address::{Address, Host};
use super::translate::translate;
use super::value;

/// How long a server may take to accept a connection.
const CONNECTING: Duration = Duration::from_secs(5);
/// A statement that takes longer is ended by the server, and one that waits longer for a lock.
const STATEMENT: Duration = Duration::from_secs(30);
const LOCK: Duration = Duration::from_secs(5);
/// A server that is silent for so long is gone, or the network to it.
const SILENCE: Duration = Duration::from_secs(40);
/// Tells on a cluster whether a transaction is still the one that was begun.
const BEGUN: &str = "keyturn_begun";
/// Statements that stay prepared.
const PREPARED: usize = 256;

/// What our SQL goes by: `"` quotes names and `\` is a character, `||` joins texts, and nothing is cut or turned to fit.
const MODE: &str = "ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,\
                    ERROR_FOR_DIVISION_BY_ZERO,SIMULTANEOUS_ASSIGNMENT";

/// What a connection is in the midst of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Of nothing: each statement is a transaction of its own.
    Idle,
    /// A transaction.
    Open(Mode),
    /// Of nothing any more: the one statement was asked.
    Asked,
    /// One that wrote, and in which a statement failed. The server may have ended it, and would run what follows outside of it.
    Failed,
    /// The server is not known to have the same idea of it.
    Broken,
}

/// A connection as the store sees it.
pub(crate) struct Db {
    conn: RefCell<Conn>,
    prepared: RefCell<HashMap<String, Prepared>>,
    state: Cell<State>,
    /// Whether the server is a node of a cluster.
    clustered: bool,
    /// The database of the host's own tables, if it is another one.
    own: RefCell<Option<String>>,
}

#[derive(Clone)]
struct Prepared {
    statement: Statement,
    order: Vec<usize>,
}

impl Db {
    /// To the first server that can be written. `patient` is for somebody who looks at everything, and nobody waits for.
    pub(crate) fn open(address: &Address, patient: bool) -> Result<Self, StorageError> {
        let mut causes = Vec::new();
        for host in &address.hosts {
            match Self::to(address, host, patient) {
                Ok(db) => return Ok(db),
                Err(cause) => causes.push(cause),
            }
        }
        let doing = format!("opening the database {} on MariaDB (database.url)", address.database);
        Err(StorageError::Failed { doing, cause: causes.join("; ") })
    }

    fn to(address: &Address, host: &Host, patient: bool) -> Result<Self, String> {
        let options = OptsBuilder::new()
            .user(Some(&address.user))
            .pass(address.password.as_ref().map(|password| password.as_str()))
            .db_name(Some(&address.database))
            // The driver would go from 127.0.0.1 to the socket that the server names, past what was asked for.
            .prefer_socket(false)
            // Rows that were found count, whether their values are others afterwards or not.
            .additional_capabilities(CapabilityFlags::CLIENT_FOUND_ROWS)
            .stmt_cache_size(0)
            .tcp_connect_timeout(Some(CONNECTING))
            .tcp_keepalive_time_ms(Some(60_000))
            .read_timeout(Some(if patient { SILENCE * 15 } else { SILENCE }))
            .write_timeout(Some(SILENCE));
        let options = match host {
            Host::Tcp(name, port) => options.ip_or_hostname(Some(name)).tcp_port(*port),
            Host::Socket(path) => options.socket(Some(path)),
        };
        let tls = address.tls.then(|| mysql::SslOpts::default().with_root_cert_path(address.ca.clone()));
        let mut conn = Conn::new(options.ssl_opts(tls)).map_err(|cause| refused(address, host, &cause))?;
        let asked = set_up(&mut conn, patient).map_err(|cause| refused(address, host, &cause))?;
        is_fit(&asked).map_err(|problem| format!("{host} {problem}"))?;
        let clustered = join(&mut conn).map_err(|cause| refused(address, host, &cause))?;
        let (prepared, own) = (RefCell::default(), RefCell::new(address.own.clone()));
        Ok(Self { conn: RefCell::new(conn), prepared, state: Cell::new(State::Idle), clustered, own })
    }

    /// From now on the host's own tables are in the panel's database: those that stand in for others.
    pub(crate) fn stands_in(&self) {
        self.own.replace(None);
        self.prepared.borrow_mut().clear();
    }

    /// The database of the host's own tables, if it is another one.
    pub(crate) fn own(&self) -> Option<String> {
        self.own.borrow().clone()
    }

    /// Statements without parameters and rows, in one exchange.
    fn say(&self, sql: &str) -> Result<(), Error> {
        let mut conn = self.conn.try_borrow_mut().map_err(|_| Error::DriverError(DriverError::SetupError))?;
        let mut answer = conn.query_iter(sql)?;
        while let Some(rows) = answer.iter() {
            rows.into_iter().try_for_each(|row| row.map(drop))?;
        }
        Ok(())
    }

    fn run(&self, sql: &str, parameters: &[ValueRef<'_>], each: &mut Each<'_>) -> Result<Done, StorageError> {
        let refused = |cause: &str| StorageError::Failed { doing: doing(sql), cause: cause.to_owned() };
        match self.state.get() {
            State::Idle | State::Open(_) => {}
            State::Asked => return Err(refused("it was to be the only statement, and is the second")),
            State::Failed => return Err(refused("a statement before it failed, and ended the transaction")),
            State::Broken => return Err(StorageError::Busy),
        }
        let mut conn = self.conn.try_borrow_mut().map_err(|_| refused("the connection still hands out other rows"))?;
        let writes = self.state.get() == State::Open(Mode::Write);
        let locking = (writes && reads_the_panels(sql)).then(|| format!("{sql} FOR UPDATE"));
        let done =
            self.prepare(&mut conn, locking.as_deref().unwrap_or(sql)).and_then(|Prepared { statement, order }| {
                let bound = order.iter().map(|at| parameters.get(*at).map_or(mysql::Value::NULL, value::bound));
                let mut answer = conn.exec_iter(&statement, Params::Positional(bound.collect()))?;
                let mut done = Done { changed: answer.affected_rows(), number: answer.last_insert_id(), each: Ok(()) };
                let mut goes_on = true;
                // Also those that nobody wants are read: the server sends them all, and says at their end whether it was one.
                for row in answer.by_ref() {
                    let row = row?;
                    if goes_on {
                        let said = each(&value::owned(row));
                        goes_on = matches!(said, Ok(ControlFlow::Continue(())));
                        done.each = said.map(drop);
                    }
                }
                Ok(done)
            });
        if self.state.get() == State::Open(Mode::Ask) {
            self.state.set(State::Asked);
        }
        match done {
            Ok(done) => done.each.clone().map(|()| done),
            Err(cause) => Err(self.fails(&doing(sql), &cause)),
        }
    }

    fn prepare(&self, conn: &mut Conn, sql: &str) -> Result<Prepared, Error> {
        let mut prepared = self.prepared.borrow_mut();
        if let Some(known) = prepared.get(sql) {
            return Ok(known.clone());
        }
        if prepared.len() >= PREPARED {
            for (_, old) in prepared.drain() {
                conn.close(old.statement)?;
            }
        }
        let translated = translate(sql, self.own.borrow().as_deref());
        let fresh = Prepared { statement: conn.prep(&translated.text)?, order: translated.order };
        prepared.insert(sql.to_owned(), fresh.clone());
        Ok(fresh)
    }

    /// Notes what a failure leaves behind.
    fn fails(&self, doing: &str, cause: &Error) -> StorageError {
        let lost = is_lost(cause);
        match self.state.get() {
            _ if lost => self.state.set(State::Broken),
            State::Open(Mode::Write) => self.state.set(State::Failed),
            // A reader's snapshot stays.
            _ => {}
        }
        match cause {
            _ if lost => StorageError::Busy,
            Error::MySqlError(said) if matches!(said.code, 1213 | 1205 | 1020) => StorageError::Busy,
            cause => StorageError::Failed { doing: doing.to_owned(), cause: told(cause) },
        }
    }
}

/// What a statement answered.
struct Done {
    changed: u64,
    number: Option<u64>,
    each: Result<(), StorageError>,
}

impl Connection for Db {
    fn query(&self, sql: &str, parameters: &[ValueRef<'_>], each: &mut Each<'_>) -> Result<(), StorageError> {
        self.run(sql, parameters, each).map(drop)
    }

    fn execute(&self, sql: &str, parameters: &[ValueRef<'_>]) -> Result<u64, StorageError> {
        self.run(sql, parameters, &mut |_| Ok(ControlFlow::Break(()))).map(|done| done.changed)
    }

    fn insert(&self, sql: &str, parameters: &[ValueRef<'_>]) -> Result<i64, StorageError> {
        let done = self.run(sql, parameters, &mut |_| Ok(ControlFlow::Break(())))?;
        let numbered = done.number.and_then(|number| i64::try_from(number).ok());
        numbered.ok_or_else(|| StorageError::Failed { doing: doing(sql), cause: "the row got no number".to_owned() })
    }

    /// By UTC and not by the server's zone, where an hour of autumn comes twice.
    fn now(&self) -> Result<i64, StorageError> {
        let now = "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000";
        (self as &dyn Connection).one(now, &[], |row| row.get(0))?.ok_or(StorageError::Busy)
    }

    fn has_table(&self, name: &str) -> Result<bool, StorageError> {
        let there = "SELECT 1 FROM information_schema.tables
                     WHERE table_schema = coalesce(?2, DATABASE()) AND table_name = ?1";
        let own = self.own();
        let parameters = [ValueRef::Text(name), own.as_deref().map_or(ValueRef::Null, ValueRef::Text)];
        Ok((self as &dyn Connection).one(there, &parameters, |_| Ok(()))?.is_some())
    }

    /// No trigger of MariaDB's can commit or roll back.
    fn goes_on(&self) -> bool {
        matches!(self.state.get(), State::Open(_))
    }

    fn locks_for_all(&self) -> bool {
        !self.clustered
    }
}

impl Client for Db {
    fn begin(&self, mode: Mode) -> Result<(), StorageError> {
        // Where each reads with locks, an absent row is locked by the gap that it would be in.
        let begin = match mode {
            Mode::Ask => "",
            Mode::Read => "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
            Mode::Write => "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; START TRANSACTION",
        };
        // What would follow an end that nobody was told of is not committed by itself.
        let begin = match mode {
            Mode::Write if self.clustered => format!("SET autocommit = 0; {begin}; SAVEPOINT {BEGUN}"),
            _ => begin.to_owned(),
        };
        if self.state.get() != State::Idle {
            return Err(StorageError::Busy);
        }
        if let Some(Err(cause)) = (mode != Mode::Ask).then(|| self.say(&begin)) {
            let failed = self.fails("beginning a transaction", &cause);
            self.state.set(State::Broken);
            return Err(failed);
        }
        self.state.set(State::Open(mode));
        Ok(())
    }

    fn commit(&self) -> Result<(), StorageError> {
        match self.state.get() {
            State::Open(_) => {}
            State::Broken => return Err(StorageError::Busy),
            State::Idle | State::Asked | State::Failed => {
                let cause = "a statement failed, and the transaction with it".to_owned();
                return Err(StorageError::Failed { doing: "committing".to_owned(), cause });
            }
        }
        // Another node's commit ends a transaction that is in its way, and the server may tell nobody: its savepoint is gone then.
        if self.clustered && self.say(&format!("RELEASE SAVEPOINT {BEGUN}")).is_err() {
            self.state.set(State::Broken);
            return Err(StorageError::Busy);
        }
        let commit = if self.clustered { "COMMIT; SET autocommit = 1" } else { "COMMIT" };
        let Err(cause) = self.say(commit) else {
            self.state.set(State::Idle);
            return Ok(());
        };
        self.state.set(State::Broken);
        match &cause {
            // In a cluster the other nodes are asked, and this is their no.
            Error::MySqlError(said) if said.code == 1213 => Err(StorageError::Busy),
            _ => Err(StorageError::Indeterminate),
        }
    }

    fn rollback(&self) -> Result<(), StorageError> {
        if self.state.get() == State::Broken {
            return Err(StorageError::Busy);
        }
        let begun = !matches!(self.state.get(), State::Asked | State::Open(Mode::Ask));
        let rollback = if self.clustered { "ROLLBACK; SET autocommit = 1" } else { "ROLLBACK" };
        if let Some(Err(cause)) = begun.then(|| self.say(rollback)) {
            let failed = self.fails("taking back a transaction", &cause);
            self.state.set(State::Broken);
            return Err(failed);
        }
        self.state.set(State::Idle);
        Ok(())
    }

    fn is_usable(&self) -> bool {
        self.state.get() == State::Idle
    }
}

pub(super) type Asked = (String, String, bool);

/// Whether rows of the panel's are read, which a transaction that writes takes for itself at once. Where it took a share first, and
/// then wrote, a statement of the panel's that came between would make a deadlock, and could be the one that loses: the panel
/// doesn't know that it should try again.
fn reads_the_panels(sql: &str) -> bool {
    let ours = ["keyturnhost_", "information_schema."];
    sql.trim_start().starts_with("SELECT ") && sql.contains(" FROM ") && !ours.iter().any(|ours| sql.contains(ours))
}

/// The session, and what the server is.
///
/// Its time zone stays the server's, which is the panel's: what a trigger or a column of the panel's takes from the clock, and
/// what the panel reads of a TIMESTAMP that we wrote, is then the same. Nothing of ours depends on it.
fn set_up(conn: &mut Conn, patient: bool) -> Result<Asked, Error> {
    let asked = "SELECT VERSION(), CONCAT(@@read_only), @@innodb_read_only";
    let asked = conn.query_first(asked)?.ok_or(Error::DriverError(DriverError::SetupError))?;
    if is_fit(&asked).is_ok() {
        let (lock, statement) = (LOCK.as_secs(), if patient { 0 } else { STATEMENT.as_secs() });
        conn.query_drop("SET NAMES utf8mb4")?;
        conn.query_drop(format!(
            "SET SESSION autocommit = 1, completion_type = 0, sql_mode = '{MODE}', lock_wait_timeout = {lock},
             innodb_lock_wait_timeout = {lock}, max_statement_time = {statement}"
        ))?;
        // A snapshot of a reader's is had with this one only.
        conn.query_drop("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")?;
    }
    Ok(asked)
}

/// On a node of a Galera cluster, a transaction begins when the node has all that others have committed. Answers whether it is one.
fn join(conn: &mut Conn) -> Result<bool, Error> {
    let on =
        "SELECT 1 FROM information_schema.global_variables WHERE variable_name = 'wsrep_on' AND variable_value = 'ON'";
    let clustered = conn.query_first::<u8, _>(on)?.is_some();
    if clustered {
        conn.query_drop("SET SESSION wsrep_sync_wait = 7")?;
    }
    Ok(clustered)
}

/// Whether the server is one that can be used; if not, what follows its name.
pub(super) fn is_fit((version, read_only, engine_read_only): &Asked) -> Result<(), String> {
    if !version.contains("MariaDB") {
        return Err(format!("is MySQL {version}, or speaks like it: Keyturn needs MariaDB 10.6 or later"));
    }
    let mut numbers = version.split(['.', '-']).map_while(|number| number.parse::<u32>().ok());
    if (numbers.next(), numbers.next()) < (Some(10), Some(6)) {
        return Err(format!("runs MariaDB {version}: Keyturn needs 10.6 or later"));
    }
    if *engine_read_only || !matches!(read_only.as_str(), "0" | "OFF") {
        return Err("is read-only, as a replica is: name the server that is written".to_owned());
    }
    Ok(())
}

/// Why a server can't be used, with its name, and what to do.
fn refused(address: &Address, host: &Host, cause: &Error) -> String {
    let Address { user, database, .. } = address;
    match cause {
        Error::MySqlError(said) => match said.code {
            1045 | 1698 => format!("{host} refused the user {user} or the password"),
            1044 => format!("on {host} the user {user} has no rights on the database {database}: grant them there"),
            1049 => format!("{host} has no database {database}: create it there"),
            _ => format!("{host} refused the connection: {}", said.message),
        },
        Error::DriverError(DriverError::TlsNotSupported) => {
            format!("{host} doesn't offer TLS: turn it on there, with ssl_cert and ssl_key")
        }
        Error::TlsError(cause) => format!("{host}: TLS failed: {cause}"),
        // So the driver tells what was wrong with a certificate.
        Error::CodecError(cause) if address.tls => {
            format!("{host}: TLS failed: {cause}; database.ca-file names a file with the certificate to trust")
        }
        Error::DriverError(DriverError::CouldNotConnect(Some((_, cause, _)))) => format!("can't reach {host}: {cause}"),
        Error::DriverError(DriverError::ConnectTimeout) => format!("can't reach {host}: it didn't answer in time"),
        Error::IoError(cause) => format!("can't reach {host}: {cause}"),
        cause => format!("{host}: {}", told(cause)),
    }
}

/// Whether the connection is of no use any more: the server is gone or goes, or has become read-only and another is the one that is
/// written, or it ended the connection, or its answer was not understood.
fn is_lost(cause: &Error) -> bool {
    match cause {
        Error::MySqlError(said) => {
            matches!(
                said.code,
                // The first: a node that its cluster has lost.
                1047 | 1053 | 1077 | 1079 | 1080 | 1152 | 1158..=1161 | 1184 | 1290 | 1836 | 1927 | 2006 | 2013 | 4031
            )
        }
        Error::DriverError(cause) => {
            matches!(cause, DriverError::PacketOutOfSync | DriverError::UnexpectedPacket | DriverError::Timeout)
        }
        Error::IoError(_) | Error::CodecError(_) | Error::TlsError(_) => true,
        _ => false,
    }
}

/// What the server said, without the values that it quotes.
fn told(cause: &Error) -> String {
    let Error::MySqlError(said) = cause else { return cause.to_string() };
    let message = &said.message;
    // Duplicate entry '…' for key, Incorrect … value: '…' for column.
    let quotes = matches!(said.code, 1062 | 1291..=1292 | 1366 | 1367 | 1411 | 1525 | 1586);
    let told = match (message.find('\''), message.rfind("' for ").or_else(|| message.rfind('\''))) {
        (Some(from), Some(to)) if quotes && from < to => format!("{}…{}", &message[..=from], &message[to..]),
        _ => message.clone(),
    };
    let hint = match said.code {
        1142..=1143 | 1227 | 1370 => "; grant the rights to the user of database.url",
        1969 => "; the server ended it, since it took too long",
        _ => "",
    };
    format!("{told} ({}){hint}", said.code)
}
