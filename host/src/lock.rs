//! One server on one database. Throttles, nonces and the requests of each key are counted in its memory: beside a second
//! one they would not hold. The command line works beside it, and counts nothing.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// Held as long as the server runs; the system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct ServerLock {
    _file: File,
}

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another server has it.
    #[error(
        "another server runs on {database}, as process {process}: one database has one server. Stop that one first"
    )]
    Taken {
        /// The database.
        database: String,
        /// The process id, as it wrote it itself.
        process: String,
    },
    /// Its file.
    #[error("{path}: {cause}; a server needs to write there, beside its database")]
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
        let mut path = database.as_os_str().to_owned();
        path.push("-server");
        let path = PathBuf::from(path);
        let wrong = |cause| LockError::File { path: path.display().to_string(), cause };
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = file.map_err(wrong)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut process = String::new();
                let _ = file.read_to_string(&mut process);
                let process = process.trim().to_owned();
                return Err(LockError::Taken { database: database.display().to_string(), process });
            }
            Err(TryLockError::Error(cause)) => return Err(wrong(cause)),
        }
        let id = format!("{}\n", std::process::id());
        let written =
            file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0))).and_then(|_| file.write_all(id.as_bytes()));
        written.map_err(wrong)?;
        Ok(Self { _file: file })
    }
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
        let nowhere = ServerLock::take(&folder.path().join("missing/panel.db")).expect_err("refused");
        assert!(nowhere.to_string().contains("missing/panel.db-server"), "{nowhere}");
    }
}
