//! The one thread that writes. Calls that touch only the host's own tables share a transaction, each under a savepoint:
//! so one wait for the disk serves all that came meanwhile. A call that touches the panel's tables has a transaction of
//! its own, since a trigger of the panel's may roll the whole of it back under us.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use rusqlite::ErrorCode;

use super::connection::{Db, WAL, failed, journal_mode, run};
use super::place::Place;
use keyturn_store::StorageError;
use keyturn_store::database::{Upkeep, Work, Write};

/// Calls in one transaction at most.
const GROUP: usize = 256;

/// Counters are written, and rows whose time is over removed, about so often.
const TICK: Duration = Duration::from_secs(1);

/// The same where so many rows wait to be removed that one transaction is not enough: what a flood has left must go as fast as
/// it came, and no commit waits longer for it.
const SOON: Duration = Duration::from_millis(50);

/// The longest pause before a busy database is tried again.
const PAUSE: Duration = Duration::from_millis(25);

/// Something that waits to be committed.
pub(super) struct Job {
    pub write: Write,
    /// When a busy database is given up.
    pub until: Instant,
    pub answer: SyncSender<Result<(), StorageError>>,
}

impl Job {
    fn answer(self, result: Result<(), StorageError>) {
        // Nobody waits for it if the caller's thread is gone.
        let _ = self.answer.send(result);
    }
}

pub(super) struct Writer {
    pub db: Db,
    pub place: Arc<Place>,
    pub upkeep: Arc<dyn Upkeep>,
    pub group_commit: bool,
}

/// How one try to commit a group ended. In all but the first, nothing is written.
enum Attempt {
    /// Committed, with each call's own result.
    Done(Vec<Result<(), StorageError>>),
    /// Somebody else writes.
    Busy,
    /// One call lost the transaction, by its place.
    Lost(usize, StorageError),
    /// No call's own affair.
    Failed(StorageError),
}

impl Writer {
    /// Serves until nobody can send any more.
    pub fn run(self, jobs: &Receiver<Job>) {
        let mut tick = Instant::now() + TICK;
        loop {
            match jobs.recv_timeout(tick.saturating_duration_since(Instant::now())) {
                Ok(job) => {
                    let mut waiting = vec![job];
                    while waiting.len() < GROUP
                        && let Ok(job) = jobs.try_recv()
                    {
                        waiting.push(job);
                    }
                    self.serve(waiting);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if Instant::now() >= tick {
                let more = self.in_place().is_ok() && {
                    self.upkeep.look_ahead(&|work| work(&self.db));
                    self.upkeep.write_behind(&|work| self.transaction(work));
                    self.upkeep.tidy(&|work| self.transaction(work))
                };
                tick = Instant::now() + if more { SOON } else { TICK };
            }
        }
        // A log that belongs to another file by now is left alone.
        if self.in_place().is_ok() {
            self.upkeep.write_behind(&|work| self.transaction(work));
            // Another process may be reading; then the last one to leave does it.
            let _ = self.db.0.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
        }
    }

    /// Also when nobody writes, so that readers hear of it within a second.
    fn in_place(&self) -> Result<(), StorageError> {
        if self.place.has_other_log() && journal_mode(&self.db.0).is_ok_and(|mode| mode == WAL) {
            self.place.watch_log();
        }
        self.place.still()
    }

    /// Every caller here waits for his answer, so none minds the order.
    fn serve(&self, jobs: Vec<Job>) {
        let (alone, together): (Vec<_>, Vec<_>) =
            jobs.into_iter().partition(|job| !self.group_commit || job.write.alone);
        if !together.is_empty() {
            self.group(together);
        }
        for job in alone {
            self.group(vec![job]);
        }
    }

    fn group(&self, mut jobs: Vec<Job>) {
        let mut pause = Duration::from_millis(1);
        while !jobs.is_empty() {
            match self.attempt(&jobs) {
                Attempt::Done(results) => {
                    return jobs.into_iter().zip(results).for_each(|(job, result)| job.answer(result));
                }
                Attempt::Failed(error) => {
                    // Of a file that is gone the engine says many things.
                    let known = matches!(error, StorageError::Indeterminate);
                    let error = if known { error } else { self.place.still().err().unwrap_or(error) };
                    return jobs.into_iter().for_each(|job| job.answer(Err(error.clone())));
                }
                // The others have done nothing wrong: once more, without it.
                Attempt::Lost(at, error) => jobs.remove(at).answer(Err(error)),
                Attempt::Busy => {
                    let now = Instant::now();
                    let (late, rest): (Vec<_>, Vec<_>) = jobs.into_iter().partition(|job| job.until <= now);
                    late.into_iter().for_each(|job| job.answer(Err(StorageError::Busy)));
                    jobs = rest;
                    if !jobs.is_empty() {
                        std::thread::sleep(pause);
                        pause = (pause * 2).min(PAUSE);
                    }
                }
            }
        }
    }

    fn attempt(&self, jobs: &[Job]) -> Attempt {
        if let Err(error) = self.place.noticed() {
            return Attempt::Failed(error);
        }
        match run(&self.db.0, "BEGIN IMMEDIATE") {
            Ok(()) => {}
            Err(StorageError::Busy) => return Attempt::Busy,
            Err(error) => return Attempt::Failed(error),
        }
        let mut results = Vec::with_capacity(jobs.len());
        for (at, job) in jobs.iter().enumerate() {
            let result = self.step(&job.write.work);
            if self.db.0.is_autocommit() {
                return Attempt::Lost(at, result.err().unwrap_or_else(transaction_ended).into_error());
            }
            match result {
                Err(Step::Busy) => return self.rolled_back(Attempt::Busy),
                Err(Step::Broken(error)) => return self.rolled_back(Attempt::Failed(error)),
                Err(Step::Refused(error)) => results.push(Err(error)),
                Ok(()) => results.push(Ok(())),
            }
        }
        if let Err(error) = self.place.still() {
            return self.rolled_back(Attempt::Failed(error));
        }
        let until = jobs.iter().map(|job| job.until).min().unwrap_or_else(Instant::now);
        if let Err(cause) = self.commit(until) {
            let attempt = match failed("committing", &cause) {
                StorageError::Busy => Attempt::Busy,
                // The last page may have reached the disk, and be found there after a crash.
                _ if cause.sqlite_error_code() == Some(ErrorCode::SystemIoFailure) => {
                    Attempt::Failed(StorageError::Indeterminate)
                }
                error => Attempt::Failed(error),
            };
            return self.rolled_back(attempt);
        }
        // It may have gone into a file that nobody will read, or into one that was read before it was replaced.
        if self.place.still().is_err() {
            return Attempt::Failed(StorageError::Indeterminate);
        }
        for (job, _) in jobs.iter().zip(&results).filter(|(_, result)| result.is_ok()) {
            if let Some(done) = &job.write.done {
                done();
            }
        }
        Attempt::Done(results)
    }

    /// Without WAL a commit waits until nobody reads. It keeps its place in the queue meanwhile, and nobody new begins to read.
    fn commit(&self, until: Instant) -> rusqlite::Result<()> {
        let mut pause = Duration::from_millis(1);
        loop {
            match self.db.0.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([])) {
                Err(cause)
                    if cause.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                        && !self.db.0.is_autocommit()
                        && Instant::now() < until =>
                {
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(PAUSE);
                }
                done => return done.map(drop),
            }
        }
    }

    /// One call under its savepoint: written, or as if it had not been there.
    fn step(&self, work: &Work<'_>) -> Result<(), Step> {
        run(&self.db.0, "SAVEPOINT call").map_err(Step::Broken)?;
        let applied = catch_unwind(AssertUnwindSafe(|| work(&self.db))).unwrap_or_else(|_| Err(panicked()));
        match applied {
            Ok(()) => run(&self.db.0, "RELEASE call").map_err(Step::Broken),
            Err(StorageError::Busy) => Err(Step::Busy),
            Err(error) if self.db.0.is_autocommit() => Err(Step::Refused(error)),
            Err(error) => {
                run(&self.db.0, "ROLLBACK TO call")
                    .and_then(|()| run(&self.db.0, "RELEASE call"))
                    .map_err(Step::Broken)?;
                Err(Step::Refused(error))
            }
        }
    }

    fn rolled_back(&self, attempt: Attempt) -> Attempt {
        if self.db.0.is_autocommit() {
            return attempt;
        }
        match run(&self.db.0, "ROLLBACK") {
            Ok(()) => attempt,
            Err(error) => Attempt::Failed(error),
        }
    }

    fn transaction(&self, work: &Work<'_>) -> Result<(), StorageError> {
        run(&self.db.0, "BEGIN IMMEDIATE")?;
        let committed = || self.commit(Instant::now() + TICK).map_err(|cause| failed("COMMIT", &cause));
        let written = work(&self.db).and_then(|()| committed());
        if written.is_err() && !self.db.0.is_autocommit() {
            run(&self.db.0, "ROLLBACK")?;
        }
        written
    }
}

/// Why one call of a group was not written.
enum Step {
    /// For its own reason; the others go on.
    Refused(StorageError),
    /// Somebody else's lock is in the way.
    Busy,
    /// The transaction is of no use any more.
    Broken(StorageError),
}

impl Step {
    fn into_error(self) -> StorageError {
        match self {
            Step::Refused(error) | Step::Broken(error) => error,
            Step::Busy => StorageError::Busy,
        }
    }
}

fn transaction_ended() -> Step {
    Step::Refused(StorageError::Failed {
        doing: "writing a call".to_owned(),
        cause: "something else ended its transaction".to_owned(),
    })
}

fn panicked() -> StorageError {
    StorageError::Failed { doing: "writing a call".to_owned(), cause: "the accounts provider panicked".to_owned() }
}
