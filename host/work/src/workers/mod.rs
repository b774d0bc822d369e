//! Work that nobody waits for: sends email and webhooks, runs jobs and events, chains the audit log.
//!
//! Workers lease rows by the database's clock, so any number of processes may run them on one database. If a worker dies,
//! another one leases its rows. A watcher extends the leases of running work, and leaves a sign of life, so that a page can say
//! since when no worker runs.

mod audit;
pub mod mail;
mod tasks;
#[cfg(test)]
mod tests;
mod webhooks;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::work::Work;
use keyturn_core::seal;
use keyturn_core::time::now;
use keyturn_runtime::bell::Bell;
use keyturn_store::StorageError;
use keyturn_store::hosts::{BEAT, TOLERATED_MS};
use keyturn_store::outbox::ATTEMPTS;
use keyturn_store::tasks::Lease;
use keyturn_webhooks::{Destination, Destinations};

/// How long a row is leased, in milliseconds: after this time, another worker retries what a dead worker was doing.
const LEASE_MS: i64 = 30_000;
/// A lease that was extended in time must not seem over to a host whose clock is off as far as tolerated, nor to one that asks a
/// server of the same cluster whose clock is.
const _: () = assert!(LEASE_MS >= BEAT.as_millis() as i64 + 2 * TOLERATED_MS + 10_000);
/// Time between two checks, after work was stopped, whether the running work has ended.
const ENDING: Duration = Duration::from_millis(20);
/// The longest time until a worker notices rows that are due by the clock alone.
const LOOK: Duration = Duration::from_secs(1);
/// How long a worker sleeps if the bell doesn't ring. The watcher rings it when something is due.
const SLEEP: Duration = Duration::from_secs(60);
/// Time before a failed database is asked again.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Pauses after the first, second, … failed attempt, in milliseconds.
const PAUSES: [i64; ATTEMPTS as usize - 1] = [30_000, 120_000, 600_000, 1_800_000, 3_600_000, 7_200_000, 14_400_000];

/// Milliseconds until the next attempt of an email or a task. None: there is no next one.
fn pause(attempts: u32) -> Option<i64> {
    jittered(&PAUSES, attempts)
}

/// The pause after so many attempts, up to a fifth longer or shorter, so that attempts that failed together don't come back
/// together.
fn jittered(pauses: &[i64], attempts: u32) -> Option<i64> {
    let pause = *pauses.get(usize::try_from(attempts.max(1) - 1).ok()?)?;
    let fraction = i64::from(u16::from_be_bytes(seal::random()));
    Some(pause * 4 / 5 + pause * 2 / 5 * fraction / i64::from(u16::MAX))
}

/// Stops workers. Clones stop the same ones.
#[derive(Clone, Default)]
pub struct Shutdown(Arc<(Mutex<bool>, Condvar)>);

impl Shutdown {
    /// For workers that you start.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets each worker finish its running work, and no more.
    pub fn stop(&self) {
        *self.0.0.lock() = true;
        self.0.1.notify_all();
    }

    fn stopped(&self) -> bool {
        *self.0.0.lock()
    }

    /// Whether it was stopped within this time.
    fn wait(&self, most: Duration) -> bool {
        let mut stopped = self.0.0.lock();
        self.0.1.wait_while_for(&mut stopped, |stopped| !*stopped, most);
        *stopped
    }
}

/// Whether any worker runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workers {
    /// One does.
    Running,
    /// None does.
    Stopped {
        /// The last sign of life, Unix milliseconds; none if there never was one.
        since: Option<i64>,
    },
}

/// Running workers, on a thread of their own.
#[must_use = "the workers continue until they are told to finish"]
pub struct Working {
    shutdown: Shutdown,
    thread: std::thread::JoinHandle<()>,
}

impl Working {
    /// Stops them, and waits. An email that is being sent is finished; the rest waits for the next start.
    pub fn finish(self) {
        self.shutdown.stop();
        let _ = self.thread.join();
    }
}

impl Work {
    /// Sends email and webhooks, and runs jobs and events, on threads of its own until `shutdown` is stopped. Returns when the
    /// last thread has finished. Email is sent while it is on.
    pub fn run_workers(&self, shutdown: &Shutdown) {
        let inner = self;
        if let Err(error) = inner.storage.join() {
            tracing::warn!(%error, "can't say to other hosts that this one is there");
        }
        let worker = Worker { inner, shutdown, held: Mutex::default() };
        let worker = &worker;
        std::thread::scope(|scope| {
            let mut threads = vec![scope.spawn(|| worker.look_first())];
            for _ in 0..inner.mail.fixed.mail.connections() {
                threads.push(scope.spawn(|| worker.send_mail()));
            }
            for _ in 0..inner.limits.tasks_at_once.max(1) {
                threads.push(scope.spawn(|| worker.run_tasks()));
            }
            threads.push(scope.spawn(|| worker.tend_audit()));
            worker.watch(|destination| {
                for _ in 0..destination.connections {
                    let destination = Arc::clone(destination);
                    threads.push(scope.spawn(move || worker.send_webhooks(&destination)));
                }
            });
            // Running work keeps its lease until it ends: a server may take minutes to answer.
            let mut next = Instant::now();
            while threads.iter().any(|thread| !thread.is_finished()) {
                if Instant::now() >= next {
                    worker.beat();
                    next = Instant::now() + BEAT;
                }
                std::thread::sleep(ENDING);
            }
        });
    }

    /// Starts the same on a thread of its own, until you call [`Working::finish`].
    ///
    /// # Errors
    /// The system's error, if it gives no thread.
    pub fn start_workers(&self) -> std::io::Result<Working> {
        let (host, shutdown) = (self.clone(), Shutdown::new());
        let ending = shutdown.clone();
        let thread = std::thread::Builder::new().name("keyturn-workers".to_owned());
        Ok(Working { shutdown, thread: thread.spawn(move || host.run_workers(&ending))? })
    }

    /// Whether workers run, in this process or another on the same database.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn workers(&self) -> Result<Workers, StorageError> {
        let beat = self.storage.last_beat()?;
        Ok(if beat.running { Workers::Running } else { Workers::Stopped { since: beat.at } })
    }
}

/// What all threads of one worker share.
struct Worker<'a> {
    inner: &'a Work,
    shutdown: &'a Shutdown,
    /// Running work, whose leases are extended.
    held: Mutex<HashSet<Lease>>,
}

impl Worker<'_> {
    /// The first look-up of a process reads all odd spellings once: this one, so that people don't wait for it.
    fn look_first(&self) {
        let realms = self.inner.storage.realms();
        let realms: Vec<&str> = realms.iter().map(String::as_str).collect();
        if let Err(error) = self.inner.storage.find("-", &realms, 1) {
            tracing::warn!(%error, "can't read the accounts yet");
        }
    }

    /// Notices rows that are due, extends leases, leaves signs of life, and calls `start` for each new webhook.
    fn watch(&self, mut start: impl FnMut(&Arc<Destination>)) {
        let mut webhooks = Destinations::default();
        let mut next = Instant::now();
        loop {
            let before = std::mem::replace(&mut webhooks, self.inner.webhooks());
            let fresh = |to: &&Arc<Destination>| to.enabled && !before.iter().any(|known| Arc::ptr_eq(known, to));
            webhooks.iter().filter(fresh).for_each(&mut start);
            let on: Vec<&str> = webhooks.iter().filter(|to| to.enabled).map(|to| to.name.as_str()).collect();
            if self.inner.storage.in_place().is_ok() {
                if Instant::now() >= next {
                    self.beat();
                    next = Instant::now() + BEAT;
                }
                self.ring_for_due(&on);
            }
            if self.shutdown.wait(LOOK) {
                return self.ring_all();
            }
        }
    }

    fn ring_for_due(&self, webhooks: &[&str]) {
        let bells = &self.inner.bells;
        match self.inner.storage.due() {
            Ok(due) => {
                if due.mail {
                    bells.mail.ring_all();
                }
                if due.task {
                    bells.task.ring_all();
                }
            }
            Err(error) => tracing::warn!(%error, "can't look up what is due"),
        }
        match self.inner.storage.deliveries_due(webhooks) {
            Ok(true) => bells.webhook.ring_all(),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "can't look up which webhooks are due"),
        }
    }

    fn ring_all(&self) {
        self.inner.bells.mail.ring_all();
        self.inner.bells.webhook.ring_all();
        self.inner.bells.task.ring_all();
    }

    /// Leaves a sign of life, and extends the leases of running work.
    fn beat(&self) {
        let leases: Vec<Lease> = self.held.lock().iter().cloned().collect();
        if let Err(error) = self.inner.storage.beat(&leases, LEASE_MS, now()) {
            tracing::warn!(%error, "can't write the workers' heartbeat");
        }
    }

    /// Works as long as there is something to do, then sleeps until there is; ends when it `goes_on` no more. `step` leases
    /// something and does it, and answers whether there was anything.
    fn work(&self, bell: &Bell, goes_on: impl Fn() -> bool, mut step: impl FnMut() -> Result<bool, StorageError>) {
        loop {
            let heard = bell.rings();
            if self.shutdown.stopped() || !goes_on() {
                return;
            }
            match step() {
                Ok(true) => {}
                Ok(false) => bell.wait(heard, SLEEP),
                // Nothing is sent until the next start; that was logged.
                Err(StorageError::Replaced(_)) => return,
                Err(error) => {
                    tracing::warn!(%error, "can't lease work; retrying");
                    self.shutdown.wait(AFTER_FAILURE);
                }
            }
        }
    }

    /// Whether leased work may start: nothing is sent from a database file that is no longer at its path. The row stays
    /// unchanged.
    fn may_go(&self) -> bool {
        !matches!(self.inner.storage.in_place(), Err(StorageError::Replaced(_)))
    }

    /// Runs something while its lease is extended.
    fn holding<T>(&self, lease: &Lease, work: impl FnOnce() -> T) -> T {
        self.held.lock().insert(lease.clone());
        let done = work();
        self.held.lock().remove(lease);
        done
    }

    /// Writes a result. If the database is busy, or did not answer, it tries again until the lease ends, because work without a
    /// result is done once more. `write` answers whether the lease held, and what else it did: a result that was written after all
    /// has ended it.
    fn settle<T>(&self, what: &str, write: impl Fn() -> Result<(bool, T), StorageError>) -> Option<T> {
        let until = Instant::now() + Duration::from_millis(LEASE_MS.unsigned_abs());
        loop {
            match write() {
                Ok((held, done)) => {
                    if !held {
                        tracing::info!(what, "finished, but another worker had taken it over");
                    }
                    return Some(done);
                }
                Err(StorageError::Busy | StorageError::Indeterminate) if Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(100));
                }
                Err(error) => {
                    tracing::error!(%error, what, "can't be settled; it is done again");
                    return None;
                }
            }
        }
    }
}
