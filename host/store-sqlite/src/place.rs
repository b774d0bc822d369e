//! Whether the open files are still the ones at their paths. A file that was replaced under a running server keeps taking
//! writes, and nobody else ever reads them: so no commit is acknowledged before this was asked.

use std::ffi::OsString;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::UNIX_EPOCH;

use super::lock::server_file;
use keyturn_store::StorageError;

/// Which file it is, whatever it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    device: u64,
    inode: u64,
}

impl Mark {
    fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// The files of an open database, as they were when it was opened.
#[derive(Debug)]
pub(super) struct Place {
    /// As it was given, so that a symlink that is turned elsewhere is noticed too.
    path: PathBuf,
    mark: Mark,
    /// Log and index of the WAL: what is written into a log that nobody else finds is lost as well.
    log: OnceLock<[(PathBuf, Mark); 2]>,
    /// Why nothing is read or written any more.
    lost: OnceLock<String>,
}

impl Place {
    /// Opens the database by `open`, and knows its file from then on.
    pub fn opened<T>(path: &Path, open: impl Fn() -> Result<T, StorageError>) -> Result<(T, Self), StorageError> {
        let mark = || std::fs::metadata(path).map(|metadata| Mark::of(&metadata));
        let mut before = mark().ok();
        for _ in 0..3 {
            left_behind(path)?;
            let opened = open()?;
            let mark = mark().map_err(|cause| failed(path, &cause))?;
            // Another one: it was made just now, or replaced just now; a file of a lower layer gets a new inode when it is
            // opened for writing.
            if before.replace(mark).is_none_or(|before| before == mark) {
                let place = Self { path: path.to_owned(), mark, log: OnceLock::new(), lost: OnceLock::new() };
                return Ok((opened, place));
            }
        }
        Err(failed(path, &io::Error::other("it keeps being replaced")))
    }

    /// From now on the log belongs to it. To be called when the database is in WAL mode and was read.
    pub fn watch_log(&self) {
        let marked = |suffix: &str| {
            let path = beside(&self.path, suffix);
            std::fs::metadata(&path).map(|metadata| (path, Mark::of(&metadata)))
        };
        if let (None, Ok(log), Ok(index)) = (self.log.get(), marked("-wal"), marked("-shm")) {
            let _ = self.log.set([log, index]);
        }
    }

    /// Whether there is a log that is not watched: the database may have been turned to WAL.
    pub fn has_other_log(&self) -> bool {
        self.log.get().is_none() && beside(&self.path, "-wal").exists()
    }

    /// Looks whether all files are still there. Once one was not, they never are again.
    ///
    /// # Errors
    /// [`StorageError::Replaced`].
    pub fn still(&self) -> Result<(), StorageError> {
        self.noticed()?;
        let log = self.log.get().into_iter().flatten().map(|(path, mark)| (path, *mark));
        for (path, mark) in std::iter::once((&self.path, self.mark)).chain(log) {
            let what = match std::fs::metadata(path) {
                Ok(metadata) if Mark::of(&metadata) == mark => continue,
                Ok(_) => "was replaced",
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => "was removed",
                Err(cause) => return Err(failed(path, &cause)),
            };
            let why = format!("{} {what} while it was in use", path.display());
            if self.lost.set(why.clone()).is_ok() {
                tracing::error!(
                    "{why}: nothing is read, written or sent until the next start. Stop every program that uses the database, \
                     remove the -wal and -shm of the earlier file, and start again"
                );
            }
        }
        self.noticed()
    }

    /// The same, from memory.
    ///
    /// # Errors
    /// [`StorageError::Replaced`].
    pub fn noticed(&self) -> Result<(), StorageError> {
        self.lost.get().map_or(Ok(()), |why| Err(StorageError::Replaced(why.clone())))
    }

    /// For the next start, which has only the files: which they are.
    pub fn note(&self) -> String {
        let log = std::fs::metadata(beside(&self.path, "-wal")).ok().filter(|_| self.log.get().is_some());
        let log = log.map(|log| format!("log {}\n", whole(&log))).unwrap_or_default();
        format!("file {} {}\n{log}", self.mark.device, self.mark.inode)
    }
}

/// A log that the file's predecessor has left: SQLite would write its pages into this one.
fn left_behind(path: &Path) -> Result<(), StorageError> {
    let noted = std::fs::read_to_string(server_file(path)).unwrap_or_default();
    let noted = |name: &str| noted.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let log = beside(path, "-wal");
    let (Some(file), Some(its_log), Ok(now), Ok(log_now)) =
        (noted("file"), noted("log"), std::fs::metadata(path), std::fs::metadata(&log))
    else {
        return Ok(());
    };
    if file == format!("{} {}", now.dev(), now.ino()) || its_log != whole(&log_now) || log_now.len() == 0 {
        return Ok(());
    }
    let cause = format!(
        "the file was replaced since the last start, and {} still belongs to the earlier one: SQLite would damage this one \
         with it. Stop every program that uses the database, remove that file and the one that ends in -shm, and start again",
        log.display()
    );
    Err(StorageError::Failed { doing: format!("opening the database {}", path.display()), cause })
}

/// A file, also after another one got its inode.
fn whole(metadata: &Metadata) -> String {
    let born = metadata.created().ok().and_then(|born| born.duration_since(UNIX_EPOCH).ok());
    format!("{} {} {}", metadata.dev(), metadata.ino(), born.unwrap_or_default().as_nanos())
}

/// Where SQLite has a file of its own: beside the one that a symlink leads to.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = std::fs::canonicalize(path).map_or_else(|_| OsString::from(path), PathBuf::into_os_string);
    name.push(suffix);
    name.into()
}

fn failed(path: &Path, cause: &io::Error) -> StorageError {
    let doing = format!("looking whether {} is still the file that was opened", path.display());
    StorageError::Failed { doing, cause: cause.to_string() }
}
