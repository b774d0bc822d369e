//! One server on one database. Throttles, nonces and the requests of each key are counted in its memory: beside a second
//! one they would not hold. The command line works beside it, and counts nothing.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Taken by whoever opens a database to serve it (see [`super::Options`]), and held as long as it is open; the
/// system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct ServerLock {
    file: File,
}

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another server has it.
    #[error(
        "another server runs on {database}, as process {process}. A database can have only one server: stop that one first"
    )]
    Taken {
        /// The database.
        database: String,
        /// The process id, as it wrote it itself.
        process: String,
    },
    /// Its file.
    #[error("{path}: {cause}; a server must be able to write there, beside its database")]
    File {
        /// Which.
        path: String,
        /// What the system said.
        cause: std::io::Error,
    },
}

impl ServerLock {
    /// Takes the lock of a database's file: a lock on the file of the same name with `-server` after it.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn take(database: &Path) -> Result<Self, LockError> {
        let path = server_file(database);
        let wrong = |cause| LockError::File { path: path.display().to_string(), cause };
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let mut file = file.map_err(wrong)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut process = String::new();
                let _ = file.read_to_string(&mut process);
                let process = process.lines().next().unwrap_or_default().to_owned();
                return Err(LockError::Taken { database: database.display().to_string(), process });
            }
            Err(TryLockError::Error(cause)) => return Err(wrong(cause)),
        }
        let mut noted = String::new();
        file.read_to_string(&mut noted).map_err(wrong)?;
        let mut lock = Self { file };
        lock.note(noted.split_once('\n').map_or("", |(_, noted)| noted)).map_err(wrong)?;
        Ok(lock)
    }

    /// Leaves something for the next one to read, after this process's id. It stays until it is replaced.
    pub(crate) fn note(&mut self, text: &str) -> std::io::Result<()> {
        let text = format!("{}\n{text}", std::process::id());
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(text.as_bytes())
    }
}

/// The file of the lock: beside the one that a symlink leads to, so that one database under two names has one.
pub(crate) fn server_file(database: &Path) -> PathBuf {
    let whole = || {
        let folder = database.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Some(folder.canonicalize().ok()?.join(database.file_name()?))
    };
    let path = database.canonicalize().ok().or_else(whole).unwrap_or_else(|| database.to_owned());
    let mut name = path.into_os_string();
    name.push("-server");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_has_one_server_at_a_time_and_the_second_is_told_whose_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = folder.path().join("panel.db");
        let lock = ServerLock::take(&database).expect("taken");
        let refused = ServerLock::take(&database).expect_err("refused").to_string();
        assert!(refused.contains("panel.db") && refused.contains(&std::process::id().to_string()), "{refused}");
        drop(lock);
        ServerLock::take(&database).expect("free again");
        std::fs::write(&database, "").expect("made");
        let lock = ServerLock::take(&database).expect("taken");
        let other = folder.path().join("other.db");
        std::os::unix::fs::symlink(&database, &other).expect("linked");
        assert!(ServerLock::take(&other).is_err(), "it is one database under two names");
        drop(lock);
        let nowhere = ServerLock::take(&folder.path().join("missing/panel.db")).expect_err("refused");
        assert!(nowhere.to_string().contains("missing/panel.db-server"), "{nowhere}");
    }
}
