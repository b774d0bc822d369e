//! How mail goes at present. It is looked up again when somebody has set it anew, here or in another process on the same
//! database, so that a change needs no new start.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::config::Wrong;
use super::setup::{Chosen, ChosenServer, Fixed, Setup};
use super::transport::Transport;
use super::{Mailbox, address};
use crate::seal::Keys;
use crate::storage::settings::{NewSecret, Sealed};
use crate::storage::{AuditEntry, StorageError, Store, Version};
use crate::view::Brand;

/// The group of the storage's settings.
const GROUP: &str = "mail";
/// What another process has set is seen after so long at most.
const LOOK: Duration = Duration::from_secs(1);

/// How mail goes.
pub(crate) struct Post {
    /// What carries it away; none: it does not go.
    pub(crate) transport: Option<Arc<dyn Transport>>,
    /// In whose name it goes.
    pub(crate) from: Mailbox,
    /// Where answers go; none: to the sender.
    pub(crate) reply_to: Option<Mailbox>,
    /// Where links lead.
    pub(crate) origin: String,
    /// Whether that is the operator's own word at the machine, and not a page's.
    pub(crate) origin_fixed: bool,
    /// Why mail does not go, although it is on.
    pub(crate) problem: Option<Wrong>,
    /// Which writing of the settings this is.
    version: Option<Version>,
}

impl Post {
    /// As a program has it.
    pub(crate) fn of_program(
        transport: Option<Arc<dyn Transport>>,
        (from, reply_to): (Mailbox, Option<Mailbox>),
        origin: String,
    ) -> Self {
        Self { transport, from, reply_to, origin, origin_fixed: true, problem: None, version: None }
    }

    fn of_setup(setup: &Setup, brand: &Brand, version: Option<Version>) -> Self {
        let (transport, problem) = match setup.transport(None) {
            Ok(transport) => (transport, None),
            Err(wrong) => (None, Some(wrong)),
        };
        let origin = setup.origin().unwrap_or(&brand.origin).to_owned();
        Self {
            transport,
            from: setup.sender(&brand.name).unwrap_or_else(|| default_sender(&brand.name, &origin)),
            reply_to: setup.reply_to(),
            origin,
            origin_fixed: setup.fixed().origin.is_some(),
            problem,
            version,
        }
    }

    fn complain(&self) {
        if let Some((setting, problem)) = &self.problem {
            tracing::error!("no mail goes out: {setting} {problem}");
        }
    }

    /// What stands after the @ of a Message-ID.
    pub(crate) fn message_domain(&self) -> String {
        address::domain(&self.from.address).unwrap_or_else(|| "localhost".to_owned())
    }
}

/// The brand, from `panel@` the host of its links.
pub(crate) fn default_sender(brand: &str, origin: &str) -> Mailbox {
    let host = crate::origin::host(origin).unwrap_or("localhost");
    Mailbox { name: brand.to_owned(), address: format!("panel@{host}") }
}

/// What was set on the page, as it is stored.
#[derive(Clone, Default)]
pub(crate) struct Stored {
    pub(crate) version: Option<Version>,
    pub(crate) chosen: Chosen,
    secret: Option<Sealed>,
}

/// What becomes of the stored password.
#[derive(Clone)]
pub enum NewPassword {
    /// It stays; and it may be used if the server, its port and encryption and the user name stay too.
    Keep,
    /// It is this one.
    Set(Zeroizing<String>),
}

/// Why a server has no password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoPassword {
    /// None is stored.
    Missing,
    /// One is stored, for another server, port, encryption or user name.
    OfAnother,
}

impl Stored {
    /// The password for this server: a new one, or the stored one, which opens for the server that it was stored for and for
    /// no other. None: the server wants no login.
    pub(crate) fn password(
        &self,
        keys: &Keys,
        server: Option<&ChosenServer>,
        new: &NewPassword,
    ) -> Result<Option<Zeroizing<String>>, NoPassword> {
        let Some(server) = server.filter(|server| server.username.is_some()) else { return Ok(None) };
        match (new, &self.secret) {
            (NewPassword::Set(password), _) => Ok(Some(password.clone())),
            (NewPassword::Keep, None) => Err(NoPassword::Missing),
            (NewPassword::Keep, Some(secret)) => {
                secret.open(keys, &server.purpose()).map(Some).map_err(|_| NoPassword::OfAnother)
            }
        }
    }

    /// The stored password for the stored server, if there is one.
    pub(crate) fn kept_password(&self, keys: &Keys) -> Option<Zeroizing<String>> {
        self.password(keys, self.chosen.server.as_ref(), &NewPassword::Keep).ok().flatten()
    }

    /// File and page together.
    pub(crate) fn setup(self, fixed: Fixed, keys: &Keys) -> Setup {
        let password = self.kept_password(keys);
        Setup::new(fixed, self.chosen, password)
    }
}

/// See [the module](self).
pub(crate) struct Room {
    storage: Arc<Store>,
    keys: Arc<Keys>,
    brand: Brand,
    /// None: a program has said how mail goes, and nobody else may.
    fixed: Option<Fixed>,
    post: RwLock<Arc<Post>>,
    looked: Mutex<Instant>,
}

impl Room {
    /// As a program has it, for good.
    pub(crate) fn of_program(storage: Arc<Store>, keys: Arc<Keys>, brand: Brand, post: Post) -> Self {
        let (post, looked) = (RwLock::new(Arc::new(post)), Mutex::new(Instant::now()));
        Self { storage, keys, brand, fixed: None, post, looked }
    }

    /// As file and page have it.
    pub(crate) fn of_file(storage: Arc<Store>, keys: Arc<Keys>, brand: Brand, fixed: Fixed) -> Self {
        let post = Post::of_setup(&Setup::new(fixed.clone(), Chosen::default(), None), &brand, None);
        let room = Self { fixed: Some(fixed), ..Self::of_program(storage, keys, brand, post) };
        room.look();
        let post = room.seen();
        if post.version.is_none() {
            // What is read is complained of as it is read.
            post.complain();
        }
        room
    }

    /// How mail goes at present.
    pub(crate) fn post(&self) -> Arc<Post> {
        if self.fixed.is_some()
            && let Ok(mut looked) = self.looked.try_lock()
            && looked.elapsed() >= LOOK
        {
            self.look();
            *looked = Instant::now();
        }
        self.seen()
    }

    /// How mail went when it was looked up last. Never blocks on the disk.
    pub(crate) fn seen(&self) -> Arc<Post> {
        Arc::clone(&self.post.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What the file fixes, if anybody else may set the rest.
    pub(crate) fn fixed(&self) -> Option<&Fixed> {
        self.fixed.as_ref()
    }

    /// What was set on the page.
    pub(crate) fn stored(&self) -> Result<Stored, StorageError> {
        read(&*self.storage)
    }

    /// Writes what is wanted in place of what was `seen`, with the audit entry. It holds here when this returns. A server
    /// without a password has none afterwards.
    ///
    /// # Errors
    /// [`StorageError::Changed`] if somebody else has written meanwhile.
    pub(crate) fn set(
        &self,
        seen: &Stored,
        mut chosen: Chosen,
        password: Option<&Zeroizing<String>>,
        now: i64,
        audit: AuditEntry,
    ) -> Result<(), StorageError> {
        let before = seen.chosen.server.as_ref();
        let kept = seen.kept_password(&self.keys);
        let secret = match (&mut chosen.server, password) {
            (Some(server), Some(password)) => {
                let since = before.and_then(|server| server.password_at).filter(|_| kept.as_ref() == Some(password));
                server.password_at = since.or(Some(now));
                // Sealed anew each time: it opens for this server and for no other.
                NewSecret::Set { purpose: server.purpose(), secret: password.clone() }
            }
            (server, _) => {
                if let Some(server) = server {
                    server.password_at = None;
                }
                NewSecret::Forget
            }
        };
        let values = serde_json::to_vec(&chosen).unwrap_or_default();
        self.storage.set_settings(GROUP, seen.version.as_ref(), &values, secret, audit)?;
        self.look();
        Ok(())
    }

    /// Looks whether somebody has set it anew. What cannot be read now stays as it was.
    fn look(&self) {
        let Some(fixed) = &self.fixed else { return };
        let version = match self.storage.settings_version(GROUP) {
            Ok(version) => version,
            Err(error) => return tracing::warn!(%error, "whether the email settings have changed was not seen"),
        };
        if version == self.seen().version {
            return;
        }
        let post = match read(&*self.storage) {
            Ok(stored) => {
                let version = stored.version.clone();
                Post::of_setup(&stored.setup(fixed.clone(), &self.keys), &self.brand, version)
            }
            Err(StorageError::Busy) => return tracing::warn!("the email settings are not read yet"),
            Err(error) => {
                // Better none than what an intruder has made of them.
                let closed = Setup::new(fixed.clone(), Chosen::default(), None);
                let mut post = Post::of_setup(&closed, &self.brand, version);
                post.transport = None;
                post.problem = Some(("mail", format!("cannot be read from the database: {error}")));
                post
            }
        };
        post.complain();
        *self.post.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(post);
    }
}

/// What was set on the page.
pub(crate) fn read(storage: &Store) -> Result<Stored, StorageError> {
    let Some(group) = storage.settings(GROUP)? else { return Ok(Stored::default()) };
    let chosen = serde_json::from_slice(&group.values).map_err(|cause| StorageError::Failed {
        doing: "reading the email settings".to_owned(),
        cause: format!("{cause}; was it written by a newer program?"),
    })?;
    Ok(Stored { version: Some(group.version), chosen, secret: group.secret })
}
