//! A folder of `.eml` files, for trials and for programs that fetch email from there. Beside each is the same email as JSON,
//! for programs that show it. The files have the contents of the emails, links and passwords too: folder and files are for
//! their owner only.

use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Attempt, Session, StepKind, Transport};
use crate::message::Writer;
use crate::{Mailbox, Message};
use keyturn_core::time::now;

/// The beginning of the transport's name; a server's has no space, and a program's path is absolute.
const NAME: &str = "folder ";

/// The folder of a transport with this name, if it is a folder.
pub fn named_in(transport: &str) -> Option<&str> {
    transport.strip_prefix(NAME)
}

/// An email as read from the folder.
#[derive(Serialize, Deserialize)]
pub struct Filed {
    /// Without brackets.
    pub message_id: String,
    /// When it was queued, Unix milliseconds.
    pub date: i64,
    /// `Northwind <accounts@northwind.example>`.
    pub from: String,
    /// As in `from`.
    pub to: String,
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: Zeroizing<String>,
    /// The same as HTML.
    pub html: Zeroizing<String>,
}

impl Filed {
    /// Bytes to read of one.
    const BYTES: u64 = 1024 * 1024;

    fn of(message: &Message) -> Self {
        let one = |mailbox: &Mailbox| match mailbox.name.as_str() {
            "" => mailbox.address.clone(),
            name => format!("{name} <{}>", mailbox.address),
        };
        Self {
            message_id: message.message_id.clone(),
            date: message.date,
            from: one(&message.from),
            to: one(&message.to),
            subject: message.drawn.subject.clone(),
            text: message.drawn.text.clone(),
            html: message.drawn.html.clone(),
        }
    }

    /// The email with this name, if there is one and it can be read.
    #[must_use]
    pub fn read(folder: &Path, name: &str) -> Option<Self> {
        let path = Self::is_name(name).then(|| folder.join(format!("{name}{JSON}")))?;
        std::fs::symlink_metadata(&path).ok().filter(std::fs::Metadata::is_file)?;
        let mut json = Zeroizing::new(Vec::new());
        std::fs::File::open(path).ok()?.take(Self::BYTES).read_to_end(&mut json).ok()?;
        serde_json::from_slice(&json).ok()
    }

    /// The names of the emails with the time each was written, in no order; at most `most` files are read.
    #[must_use]
    pub fn names(folder: &Path, most: usize) -> Vec<(SystemTime, String)> {
        // There is no folder before the first email.
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten().take(most);
        let named = files.filter_map(|file| {
            let name = file.file_name().to_str()?.strip_suffix(JSON)?.to_owned();
            Some((file.metadata().ok()?.modified().ok()?, name))
        });
        named.filter(|(_, name)| Self::is_name(name)).collect()
    }

    /// A name that the transport gives; no other can lead out of the folder.
    fn is_name(name: &str) -> bool {
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'@');
        name.len() <= 250 && !name.is_empty() && !name.starts_with('.') && name.bytes().all(fits)
    }
}

/// The transport.
#[derive(Clone)]
pub struct Folder {
    /// Created with mode 700 if it doesn't exist.
    pub path: PathBuf,
    /// Writes the emails.
    pub writer: Writer,
}

impl Transport for Folder {
    fn name(&self) -> String {
        // Not the whole path: a page shows it to people who shouldn't learn the machine's folders.
        format!("{NAME}{}", self.path.file_name().unwrap_or(self.path.as_os_str()).display())
    }

    fn session(&self) -> Box<dyn Session> {
        wipe_partials(&self.path);
        Box::new(self.clone())
    }

    fn folder(&self) -> Option<&Path> {
        Some(&self.path)
    }

    fn probe(&self) -> Attempt {
        // Nothing is created: it is called by those who only look.
        Attempt::one(StepKind::LookUp, || match owners_only(&self.path) {
            Ok(()) => Ok("the folder exists".to_owned()),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound && self.path.parent().is_some_and(Path::is_dir) => {
                Ok("the first email creates the folder".to_owned())
            }
            Err(cause) => Err(cause.into()),
        })
    }
}

impl Session for Folder {
    fn send(&mut self, message: &Message) -> Attempt {
        Attempt::one(StepKind::Handover, || {
            let wire = self.writer.wire(message)?;
            // An id is letters, digits and . - _ @, or the message would not have been written.
            let name = format!("{}.{}", message.message_id, now());
            let json = Zeroizing::new(serde_json::to_vec(&Filed::of(message)).unwrap_or_default());
            let eml = format!("{name}.eml");
            put(&self.path, &eml, &wire.bytes)?;
            put(&self.path, &format!("{name}{JSON}"), &json)?;
            Ok(eml)
        })
    }
}

/// Creates the folder, or checks that only its owner can read it.
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
        _ => Err(io::Error::other(format!("others may read the folder (mode {mode:o}); set mode 700"))),
    }
}

/// The end of the name of an email as JSON.
const JSON: &str = ".json";
/// The ends of the names of unfinished files.
const PARTIAL: [&str; 2] = [".eml.partial", ".json.partial"];

/// The file is either complete or absent.
fn put(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    private(folder)?;
    let partial = folder.join(format!(".{name}.partial"));
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial)?;
    // A process that starts now leaves a locked file alone. Without a lock, the email may have to be tried again.
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

/// A process that died while it wrote an email has left a part of it, with its contents; its row in the outbox is written
/// again.
fn wipe_partials(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let of_mail = |name: &str| name.starts_with('.') && PARTIAL.iter().any(|end| name.ends_with(end));
        if !name.to_str().is_some_and(of_mail) {
            continue;
        }
        let path = entry.path();
        let wiped = std::fs::OpenOptions::new().write(true).open(&path).and_then(|file| match file.try_lock() {
            Ok(()) => wipe(&path, &file),
            Err(std::fs::TryLockError::WouldBlock) => Ok(()),
            Err(std::fs::TryLockError::Error(cause)) => Err(cause),
        });
        if let Err(error) = wiped {
            tracing::warn!(%error, file = %path.display(), "can't delete a part of an email");
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
    use crate::transport::Verdict;
    use crate::transport::tests::message;

    #[test]
    fn a_mail_becomes_two_files_that_only_their_owner_reads() {
        let outer = tempfile::tempdir().expect("a folder");
        let path = outer.path().join("mail");
        assert_eq!(Filed::names(&path, 10), []);
        let folder = Folder { path: path.clone(), writer: Writer::default() };
        let mail = message("marta@vidal.example");
        let attempt = folder.session().send(&mail);
        assert_eq!(attempt.verdict, Verdict::Accepted, "{attempt:?}");
        let names = Filed::names(&path, 10);
        let [(_, name)] = names.as_slice() else { panic!("{names:?}") };
        assert!(name.starts_with("m-1@panel.example."), "{name}");
        let [eml, json] = ["eml", "json"].map(|kind| path.join(format!("{name}.{kind}")));
        assert_eq!(eml.file_name().and_then(|name| name.to_str()), Some(attempt.steps[0].said.as_str()));
        let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&eml), mode(&json)), (0o700, 0o600, 0o600));
        assert!(std::fs::read_to_string(eml).expect("text").contains("To: \"Marta Vidal\" <marta@vidal.example>\r\n"));
        let filed = Filed::read(&path, name).expect("there");
        assert_eq!((filed.to.as_str(), filed.date), ("Marta Vidal <marta@vidal.example>", mail.date));
        assert_eq!((&filed.subject, &filed.message_id), (&mail.drawn.subject, &mail.message_id));
        assert!(filed.text == mail.drawn.text && filed.html == mail.drawn.html);
    }

    #[test]
    fn what_is_no_mail_of_the_folder_is_not_read() {
        let outer = tempfile::tempdir().expect("a folder");
        let path = outer.path().join("mail");
        let folder = Folder { path: path.clone(), writer: Writer::default() };
        folder.session().send(&message("marta@vidal.example"));
        let name = Filed::names(&path, 10).swap_remove(0).1;
        let json = path.join(format!("{name}.json"));
        let good = std::fs::read(&json).expect("reads");
        for (file, content) in [("../out.json", good.as_slice()), (".hidden.json", &good), ("a b.json", &good)] {
            std::fs::write(path.join(file), content).expect("written");
        }
        std::fs::write(path.join("cut.json"), &good[..40]).expect("written");
        std::os::unix::fs::symlink("../out.json", path.join("link.json")).expect("linked");
        let mut listed: Vec<String> = Filed::names(&path, 10).into_iter().map(|(_, name)| name).collect();
        listed.sort();
        assert_eq!(listed, ["cut", "link", &name]);
        for other in ["", "..", "../out", ".hidden", "a b", "cut", "link", "nobody", &format!("../mail/{name}")] {
            assert!(Filed::read(&path, other).is_none(), "{other}");
        }
        assert!(Filed::read(&path, &name).is_some());
    }

    #[test]
    fn a_folder_that_others_may_read_gets_no_mail() {
        let path = tempfile::tempdir().expect("a folder");
        std::fs::set_permissions(path.path(), std::fs::Permissions::from_mode(0o755)).expect("mode");
        let folder = Folder { path: path.path().to_owned(), writer: Writer::default() };
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
        let folder = Folder { path: path.clone(), writer: Writer::default() };
        folder.session().send(&message("marta@vidal.example"));
        let left = path.join(".m-2@panel.example.1795525331000.json.partial");
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
        let folder = Folder { path: outer.path().join("mail"), writer: Writer::default() };
        let mut mail = message("marta@vidal.example");
        mail.message_id = "../../x@y".to_owned();
        assert_eq!(folder.session().send(&mail).verdict, Verdict::Delayed);
        assert_eq!(std::fs::read_dir(outer.path()).expect("there").count(), 0);
    }
}
