//! A folder of `.eml` files, for trials and for whoever fetches mail from there. The files hold what the mails hold, links and
//! passwords too: the folder and they are for their owner only.

use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use super::{Attempt, Session, Step, StepKind, Transport, Verdict};
use crate::Message;
use crate::message::Writer;

/// Begins the transport's name; a server has no space in its own, and a program's path is absolute.
const NAME: &str = "folder ";

/// The folder of a transport of this name, if it is one of these.
pub fn named_in(transport: &str) -> Option<&str> {
    transport.strip_prefix(NAME)
}

/// The transport.
pub struct Folder(Arc<Route>);

struct Route {
    path: PathBuf,
    writer: Writer,
}

impl Folder {
    /// Mail into this folder; it is made, mode 700, where there is none.
    #[must_use]
    pub fn new(path: PathBuf, writer: Writer) -> Self {
        Self(Arc::new(Route { path, writer }))
    }
}

impl Transport for Folder {
    fn name(&self) -> String {
        // Not the whole path: a page says it to people whom the machine's folders do not concern.
        format!("{NAME}{}", self.0.path.file_name().unwrap_or(self.0.path.as_os_str()).display())
    }

    fn session(&self) -> Box<dyn Session> {
        wipe_partials(&self.0.path);
        Box::new(FolderSession(Arc::clone(&self.0)))
    }

    fn folder(&self) -> Option<&Path> {
        Some(&self.0.path)
    }

    fn probe(&self) -> Attempt {
        let started = Instant::now();
        // Nothing is made: it is asked by those who only look.
        let (verdict, said) = match owners_only(&self.0.path) {
            Ok(()) => (Verdict::Accepted, "the folder is there".to_owned()),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound && self.0.path.parent().is_some_and(Path::is_dir) => {
                (Verdict::Accepted, "the first mail makes the folder".to_owned())
            }
            Err(cause) => (Verdict::Delayed, cause.to_string()),
        };
        Attempt { steps: vec![Step { kind: StepKind::LookUp, took: started.elapsed(), said }], verdict }
    }
}

struct FolderSession(Arc<Route>);

impl Session for FolderSession {
    fn send(&mut self, message: &Message) -> Attempt {
        let started = Instant::now();
        let wire = match self.0.writer.wire(message) {
            Ok(wire) => wire,
            Err(cause) => return Attempt::unwritten(&cause, started),
        };
        let at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
        // An id is letters, digits and . - _ @, or the message would not have been written.
        let name = format!("{}.{at}.eml", message.message_id);
        let (verdict, said) = match put(&self.0.path, &name, &wire.bytes) {
            Ok(()) => (Verdict::Accepted, name),
            Err(cause) => (Verdict::Delayed, cause.to_string()),
        };
        Attempt { steps: vec![Step { kind: StepKind::Handover, took: started.elapsed(), said }], verdict }
    }
}

/// Makes the folder, or sees that it is its owner's only.
fn private(folder: &Path) -> io::Result<()> {
    match std::fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(cause) if cause.kind() != io::ErrorKind::AlreadyExists => Err(cause),
        _ => owners_only(folder),
    }
}

fn owners_only(folder: &Path) -> io::Result<()> {
    let mode = std::fs::metadata(folder)?.permissions().mode() & 0o777;
    match mode & 0o077 {
        0 => Ok(()),
        _ => Err(io::Error::other(format!("the folder may be read by others (mode {mode:o}); set mode 700"))),
    }
}

/// Ends the name of a file that is not whole yet.
const PARTIAL: &str = ".eml.partial";

/// The file is there whole or not at all.
fn put(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    private(folder)?;
    let partial = folder.join(format!(".{name}.partial"));
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial)?;
    // A process that starts now leaves a file alone that is held so. Where it cannot be, the mail may have to be tried again.
    let _ = file.lock();
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    match written.and_then(|()| std::fs::rename(&partial, folder.join(name))) {
        Ok(()) => std::fs::File::open(folder)?.sync_all(),
        Err(cause) => {
            let _ = wipe(&partial, &file);
            Err(cause)
        }
    }
}

/// A process that died while it wrote a mail has left a part of it, with what the mail carries; its row in the outbox is
/// written once more.
fn wipe_partials(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if !name.to_str().is_some_and(|name| name.starts_with('.') && name.ends_with(PARTIAL)) {
            continue;
        }
        let path = entry.path();
        let wiped = std::fs::OpenOptions::new().write(true).open(&path).and_then(|file| match file.try_lock() {
            Ok(()) => wipe(&path, &file),
            Err(std::fs::TryLockError::WouldBlock) => Ok(()),
            Err(std::fs::TryLockError::Error(cause)) => Err(cause),
        });
        if let Err(error) = wiped {
            tracing::warn!(%error, file = %path.display(), "a part of a mail could not be wiped");
        }
    }
}

/// Overwritten, as far as the file system writes in place, and removed.
fn wipe(path: &Path, mut file: &std::fs::File) -> io::Result<()> {
    let length = file.metadata()?.len();
    file.rewind()?;
    let overwritten = io::copy(&mut io::repeat(0).take(length), &mut file).and_then(|_| file.sync_all());
    std::fs::remove_file(path).and(overwritten)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::tests::message;

    #[test]
    fn a_mail_becomes_a_file_that_only_its_owner_reads() {
        let outer = tempfile::tempdir().expect("a folder");
        let path = outer.path().join("mail");
        let folder = Folder::new(path.clone(), Writer::default());
        let attempt = folder.session().send(&message("marta@vidal.example"));
        assert_eq!(attempt.verdict, Verdict::Accepted, "{attempt:?}");
        let files: Vec<PathBuf> =
            std::fs::read_dir(&path).expect("there").flatten().map(|entry| entry.path()).collect();
        let [file] = files.as_slice() else { panic!("{files:?}") };
        assert_eq!(file.file_name().and_then(|name| name.to_str()), Some(attempt.steps[0].said.as_str()));
        assert!(attempt.steps[0].said.starts_with("m-1@panel.example.") && attempt.steps[0].said.ends_with(".eml"));
        let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(file)), (0o700, 0o600));
        assert!(std::fs::read_to_string(file).expect("text").contains("To: \"Marta Vidal\" <marta@vidal.example>\r\n"));
    }

    #[test]
    fn a_folder_that_others_may_read_gets_no_mail() {
        let path = tempfile::tempdir().expect("a folder");
        std::fs::set_permissions(path.path(), std::fs::Permissions::from_mode(0o755)).expect("mode");
        let folder = Folder::new(path.path().to_owned(), Writer::default());
        for attempt in [folder.session().send(&message("marta@vidal.example")), folder.probe()] {
            assert_eq!(attempt.verdict, Verdict::Delayed);
            assert!(attempt.steps[0].said.contains("mode 755"), "{attempt:?}");
        }
        assert_eq!(std::fs::read_dir(path.path()).expect("there").count(), 0);
    }

    #[test]
    fn what_a_dead_process_has_left_of_a_mail_is_wiped_at_the_next_start() {
        let outer = tempfile::tempdir().expect("a folder");
        let path = outer.path().join("mail");
        let folder = Folder::new(path.clone(), Writer::default());
        folder.session().send(&message("marta@vidal.example"));
        let left = path.join(".m-2@panel.example.1795525331000.eml.partial");
        // Another name for the same bytes shows what became of them.
        let (same, held, own) =
            (outer.path().join("same"), path.join(".m-3@x.1.eml.partial"), path.join("notes.partial"));
        for file in [&left, &held, &own] {
            std::fs::write(file, "https://panel.example/reset/7RkTqWx").expect("written");
        }
        std::fs::hard_link(&left, &same).expect("linked");
        let holder = std::fs::File::open(&held).expect("there");
        holder.lock().expect("held");
        // Nobody who only looks wipes anything.
        folder.probe();
        assert!(left.exists());
        let _session = folder.session();
        assert!(!left.exists() && held.exists() && own.exists());
        assert!(std::fs::read(&same).expect("there").iter().all(|byte| *byte == 0));
        assert_eq!(
            std::fs::read_dir(&path)
                .expect("there")
                .flatten()
                .filter(|entry| entry.path().extension().is_some_and(|end| end == "eml"))
                .count(),
            1
        );
        drop(holder);
        let _session = folder.session();
        assert!(!held.exists());
    }

    #[test]
    fn a_name_from_outside_cannot_leave_the_folder() {
        let outer = tempfile::tempdir().expect("a folder");
        let folder = Folder::new(outer.path().join("mail"), Writer::default());
        let mut mail = message("marta@vidal.example");
        mail.message_id = "../../x@y".to_owned();
        assert_eq!(folder.session().send(&mail).verdict, Verdict::Delayed);
        assert_eq!(std::fs::read_dir(outer.path()).expect("there").count(), 0);
    }
}
