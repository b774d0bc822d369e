//! What stores on a database server share: a pool of connections, transactions that are tried again, and the upkeep.
//!
//! Each write has a connection and a transaction of its own; the server lets them share one wait for its disk. An engine runs a
//! transaction as if it were alone (`SERIALIZABLE`), and says [`StorageError::Busy`] where it lost against another, or where the
//! connection broke before the commit: then all of it is done again, on a connection that may be another one.

#![deny(missing_docs)]

mod alone;
mod upkeep;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

pub use alone::{Alone, Copies};
use keyturn_store::StorageError;
use keyturn_store::database::{Connection, Database, Upkeep, Work, Write};
use upkeep::Ticker;

/// What a transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// One statement that reads: it is a transaction of its own, and nothing is begun for it.
    Ask,
    /// One snapshot, and nothing is written.
    Read,
    /// As if nobody else wrote.
    Write,
}

/// One connection to a server.
///
/// Its statements answer [`StorageError::Busy`] where the server ended the transaction in favour of another, where a lock was
/// waited for too long, and where the connection broke. An engine may begin a transaction that reads with its first statement, and
/// end it without waiting for the server. After any failed statement only [`Client::rollback`] may follow; an engine
/// sees to it that [`Client::commit`] fails then, whatever its server would say.
pub trait Client: Connection + Send + Sized + 'static {
    /// Begins a transaction.
    ///
    /// # Errors
    /// [`StorageError::Busy`] if the connection is broken.
    fn begin(&self, mode: Mode) -> Result<(), StorageError>;

    /// Commits it.
    ///
    /// # Errors
    /// [`StorageError::Busy`]: nothing was written. [`StorageError::Indeterminate`]: the server did not answer.
    fn commit(&self) -> Result<(), StorageError>;

    /// Takes everything back.
    ///
    /// # Errors
    /// [`StorageError`]: the connection is of no use any more.
    fn rollback(&self) -> Result<(), StorageError>;

    /// Whether it can be used again: it is not broken, and no transaction is open on it.
    fn is_usable(&self) -> bool;
}

/// How connections are made.
pub trait Connect: Send + Sync + 'static {
    /// What it makes.
    type Client: Client;

    /// A new connection.
    ///
    /// # Errors
    /// [`StorageError::Failed`], naming the server, and never the password.
    fn connect(&self) -> Result<Self::Client, StorageError>;
}

/// How a server is used. The defaults suit a panel of any size.
#[derive(Debug, Clone, Copy)]
pub struct Pooling {
    /// Connections at most. Default: 10.
    pub connections: u32,
    /// How long a call waits for a connection, and tries again, before it is [`StorageError::Busy`]. Default: 5 s.
    pub patience: Duration,
    /// Whether commits are refused and the upkeep rests: for somebody who only looks. Default: no.
    pub read_only: bool,
}

impl Default for Pooling {
    fn default() -> Self {
        Self { connections: 10, patience: Duration::from_secs(5), read_only: false }
    }
}

/// What was found on a server that was only looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The version of the server, as it says it.
    pub server: String,
    /// The version of the host's tables; none: there are none.
    pub version: Option<usize>,
    /// The version that the next start makes of them.
    pub newest: usize,
    /// Settings under which a commit can be lost after it was acknowledged: each with what follows, and what to do.
    pub risks: Vec<String>,
}

/// A connection is given up after so long, so that a server that became a replica is not used for ever.
const LIFETIME: Duration = Duration::from_secs(30 * 60);
/// And where nobody has used it for so long: servers end idle connections, by default after hours.
const IDLE: Duration = Duration::from_secs(5 * 60);
/// The upkeep does not wait for longer: it comes again soon.
const UPKEEP: Duration = Duration::from_secs(1);
/// The pauses between two tries, in which the other transaction ends.
const PAUSES: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(50)];

/// A database on a server.
pub struct Server<C: Connect> {
    inner: Arc<Inner<C>>,
    ticker: Ticker,
}

struct Inner<C: Connect> {
    pool: r2d2::Pool<Manager<C>>,
    pooling: Pooling,
    closed: AtomicBool,
}

impl<C: Connect> Server<C> {
    /// On connections that `connect` makes; the first ones when they are needed.
    ///
    /// # Errors
    /// [`StorageError::Failed`] if no thread could be started for the upkeep.
    pub fn new(connect: C, pooling: Pooling, upkeep: Arc<dyn Upkeep>) -> Result<Self, StorageError> {
        let pool = r2d2::Pool::builder()
            .max_size(pooling.connections.max(1))
            .min_idle(Some(0))
            .connection_timeout(pooling.patience)
            .max_lifetime(Some(LIFETIME))
            .idle_timeout(Some(IDLE))
            .test_on_check_out(false)
            .error_handler(Box::new(Warned::default()))
            .build_unchecked(Manager(connect));
        let inner = Arc::new(Inner { pool, pooling, closed: AtomicBool::new(pooling.read_only) });
        let ticker = Ticker::default();
        if !pooling.read_only {
            let (writes, reads) = (Arc::clone(&inner), Arc::clone(&inner));
            let write = move |work: &Work<'_>| writes.transaction(work, UPKEEP, false);
            ticker.start(upkeep, write, move |work| reads.read(work, Instant::now() + UPKEEP))?;
        }
        Ok(Self { inner, ticker })
    }
}

impl<C: Connect> Database for Server<C> {
    fn read(&self, read: &mut dyn FnMut(&dyn Connection) -> Result<(), StorageError>) -> Result<(), StorageError> {
        self.inner.read(read, Instant::now() + self.inner.pooling.patience)
    }

    /// A connection that the server ended while nobody used it shows here, and the next one is tried.
    fn ask(&self, read: &dyn Fn(&dyn Connection) -> Result<(), StorageError>) -> Result<(), StorageError> {
        let until = Instant::now() + self.inner.pooling.patience;
        loop {
            let client = self.inner.begun(Mode::Ask, until)?;
            let answer = read(&*client);
            let _ = client.rollback();
            if answer != Err(StorageError::Busy) || client.is_usable() || Instant::now() >= until {
                return answer;
            }
        }
    }

    fn write(&self, write: Write) -> Result<(), StorageError> {
        if self.inner.closed.load(Ordering::Acquire) {
            let cause = match self.inner.pooling.read_only {
                true => "the database was opened read-only",
                false => "the database was shut down; restart the host",
            };
            return Err(StorageError::Failed { doing: "committing".to_owned(), cause: cause.to_owned() });
        }
        self.inner.transaction(&write.work, self.inner.pooling.patience, write.tells_twice)?;
        if let Some(done) = &write.done {
            done();
        }
        Ok(())
    }

    /// A server is reached by its address, and knows what it is.
    fn in_place(&self) -> Result<(), StorageError> {
        Ok(())
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn close(&self) {
        self.inner.closed.store(true, Ordering::Release);
        self.ticker.stop();
    }
}

impl<C: Connect> Drop for Server<C> {
    fn drop(&mut self) {
        self.close();
    }
}

type Pooled<C> = r2d2::PooledConnection<Manager<C>>;

impl<C: Connect> Inner<C> {
    /// A connection on which a transaction has begun. One that the server ended while nobody used it shows here, and the next one
    /// is tried.
    fn begun(&self, mode: Mode, until: Instant) -> Result<Pooled<C>, StorageError> {
        loop {
            let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            let client = self.pool.get_timeout(left).map_err(|_| StorageError::Busy)?;
            match client.begin(mode) {
                Err(StorageError::Busy) if Instant::now() < until => drop(client),
                begun => return begun.map(|()| client),
            }
        }
    }

    fn read(
        &self,
        mut read: impl FnMut(&dyn Connection) -> Result<(), StorageError>,
        until: Instant,
    ) -> Result<(), StorageError> {
        let client = self.begun(Mode::Read, until)?;
        let answer = read(&*client);
        // Nothing was written, so there is nothing to lose.
        let _ = client.rollback();
        answer
    }

    /// Runs work in a transaction of its own, again and again for as long as `patience` while it loses against others. Where a
    /// commit got no answer, work that tells its second time is run once more, and settles it: what it inserts first waits for a
    /// commit that is still under way.
    fn transaction(&self, work: &Work<'_>, patience: Duration, tells_twice: bool) -> Result<(), StorageError> {
        let (mut until, mut pause, mut unanswered) = (Instant::now() + patience, PAUSES[0], false);
        loop {
            let (done, answered) = self.attempt(work, until);
            match done {
                Err(StorageError::Busy) if Instant::now() + pause < until => {
                    std::thread::sleep(pause.mul_f32(0.5 + jitter()));
                    pause = (pause * 2).min(PAUSES[1]);
                }
                Err(StorageError::Indeterminate) if tells_twice && !answered && !unanswered => {
                    (until, unanswered) = (Instant::now() + patience, true);
                }
                Err(StorageError::Busy | StorageError::Failed { .. }) if unanswered => {
                    return Err(StorageError::Indeterminate);
                }
                done => return done,
            }
        }
    }

    /// Also whether the server answered what it was asked last.
    fn attempt(&self, work: &Work<'_>, until: Instant) -> (Result<(), StorageError>, bool) {
        let client = match self.begun(Mode::Write, until) {
            Ok(client) => client,
            Err(error) => return (Err(error), true),
        };
        let worked = catch_unwind(AssertUnwindSafe(|| work(&*client))).unwrap_or_else(|_| {
            let cause = "the accounts provider panicked".to_owned();
            Err(StorageError::Failed { doing: "writing a call".to_owned(), cause })
        });
        let done = match worked {
            Ok(()) => client.commit(),
            Err(error) => {
                // A connection on which that fails is not used again, and its transaction ends with it.
                let _ = client.rollback();
                Err(error)
            }
        };
        (done, client.is_usable())
    }
}

/// From 0 to 1, so that two that lost against each other do not meet again.
fn jitter() -> f32 {
    use std::hash::{BuildHasher as _, RandomState};
    (RandomState::new().hash_one(0) % 1024) as f32 / 1024.0
}

struct Manager<C>(C);

impl<C: Connect> r2d2::ManageConnection for Manager<C> {
    type Connection = C::Client;
    type Error = StorageError;

    fn connect(&self) -> Result<C::Client, StorageError> {
        self.0.connect()
    }

    fn is_valid(&self, client: &mut C::Client) -> Result<(), StorageError> {
        client.begin(Mode::Read)?;
        client.rollback()
    }

    fn has_broken(&self, client: &mut C::Client) -> bool {
        !client.is_usable()
    }
}

/// While the server is away, each try fails: it is told now and then.
#[derive(Debug, Default)]
struct Warned(Mutex<Option<Instant>>);

/// How often it is told.
const TOLD: Duration = Duration::from_secs(10);

impl r2d2::HandleError<StorageError> for Warned {
    fn handle_error(&self, error: StorageError) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| last.elapsed() > TOLD) {
            *last = Some(Instant::now());
            tracing::warn!(%error, "can't reach the database server");
        }
    }
}
