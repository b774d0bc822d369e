//! The thread that lets the store tidy up.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use keyturn_store::StorageError;
use keyturn_store::database::{Upkeep, Work};

/// Counters are written, and rows whose time is over removed, about so often.
const TICK: Duration = Duration::from_secs(1);
/// The same where more rows wait to be removed than one transaction takes.
const SOON: Duration = Duration::from_millis(50);

/// Ticks until it is stopped; then once more, for what was only in memory.
#[derive(Default)]
pub(super) struct Ticker(Mutex<Option<(Sender<()>, JoinHandle<()>)>>);

impl Ticker {
    pub fn start(
        &self,
        upkeep: Arc<dyn Upkeep>,
        transaction: impl Fn(&Work<'_>) -> Result<(), StorageError> + Send + 'static,
        read: impl Fn(&Work<'_>) -> Result<(), StorageError> + Send + 'static,
    ) -> Result<(), StorageError> {
        let (stop, stopped) = channel();
        let run = move || {
            let mut pause = TICK;
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(pause) {
                upkeep.write_behind(&transaction);
                upkeep.look_ahead(&read);
                pause = if upkeep.tidy(&transaction) { SOON } else { TICK };
            }
            upkeep.write_behind(&transaction);
        };
        let thread = std::thread::Builder::new().name("keyturn-upkeep".to_owned()).spawn(run);
        let thread = thread.map_err(|cause| StorageError::Failed {
            doing: "starting the upkeep".to_owned(),
            cause: cause.to_string(),
        })?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((stop, thread));
        Ok(())
    }

    pub fn stop(&self) {
        let Some((stop, thread)) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        drop(stop);
        if thread.join().is_err() {
            tracing::error!("the store's upkeep panicked");
        }
    }
}
