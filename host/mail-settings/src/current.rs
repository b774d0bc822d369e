//! How email is sent now. It is looked up again when somebody has changed it, here or in another process on the same database,
//! so that a change needs no restart.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};

use super::stored::{GROUP, Stored};
use keyturn_core::seal::Keys;
use keyturn_mail::config::Wrong;
use keyturn_mail::setup::{Chosen, Fixed, Group, Setup};
use keyturn_mail::transport::Transport;
use keyturn_mail::{Mailbox, address};
use keyturn_store::{AuditEntry, StorageError, Store, Version};
use keyturn_ui::Brand;

/// What another process has set is seen after so long at most.
const LOOK: Duration = Duration::from_secs(1);

/// Where links lead until somebody says it, in the file or on the page; never what a request says.
const NOWHERE: &str = "http://127.0.0.1:8080";

/// How mail goes.
pub struct Outgoing {
    /// What carries it away; none: it does not go.
    pub transport: Option<Arc<dyn Transport>>,
    /// In whose name it goes.
    pub from: Mailbox,
    /// Where answers go; none: to the sender.
    pub reply_to: Option<Mailbox>,
    /// Where links lead.
    pub origin: String,
    /// Whether that is the operator's own word at the machine, and not a page's.
    pub origin_fixed: bool,
    /// Why mail does not go, although it is on.
    pub problem: Option<Wrong>,
    /// Which writing of the settings this is.
    version: Option<Version>,
}

impl Outgoing {
    fn complain(&self) {
        if let Some((setting, problem)) = &self.problem {
            tracing::error!("no email is sent: {setting} {problem}");
        }
    }
}

/// The mail settings of a host.
pub struct MailSettings {
    storage: Arc<Store>,
    keys: Arc<Keys>,
    brand: Brand,
    /// What the file fixes.
    pub fixed: Fixed,
    /// Carries mail whatever the settings say.
    carrier: Option<Arc<dyn Transport>>,
    outgoing: RwLock<Arc<Outgoing>>,
    looked: Mutex<Instant>,
}

impl MailSettings {
    pub fn new(
        storage: Arc<Store>,
        keys: Arc<Keys>,
        brand: Brand,
        fixed: Fixed,
        carrier: Option<Arc<dyn Transport>>,
    ) -> Self {
        let outgoing = outgoing(&Setup::new(fixed.clone(), Chosen::default(), None), &brand, carrier.as_ref(), None);
        let (outgoing, looked) = (RwLock::new(Arc::new(outgoing)), Mutex::new(Instant::now()));
        let settings = Self { storage, keys, brand, fixed, carrier, outgoing, looked };
        settings.look();
        let outgoing = settings.seen();
        if outgoing.version.is_none() {
            // What is read is complained of as it is read.
            outgoing.complain();
        }
        settings
    }

    /// How email is sent now.
    pub fn outgoing(&self) -> Arc<Outgoing> {
        if let Some(mut looked) = self.looked.try_lock()
            && looked.elapsed() >= LOOK
        {
            self.look();
            *looked = Instant::now();
        }
        self.seen()
    }

    /// How mail went when it was looked up last. Never blocks on the disk.
    pub fn seen(&self) -> Arc<Outgoing> {
        Arc::clone(&self.outgoing.read())
    }

    /// Where mail to the operators goes.
    pub fn operators(&self) -> Option<&str> {
        self.fixed.mail.operators.as_deref()
    }

    /// What was set on the page.
    pub fn stored(&self) -> Result<Stored, StorageError> {
        Stored::read(&self.storage)
    }

    /// Writes `setup` in place of what was `seen`, with the audit entry. It holds here when this returns.
    ///
    /// # Errors
    /// [`StorageError::Changed`] if somebody else has changed it in between.
    pub fn set(&self, seen: &Stored, setup: &Setup, now: i64, audit: AuditEntry) -> Result<(), StorageError> {
        let (chosen, secret) = seen.replaced_by(setup, &self.keys, now);
        let values = serde_json::to_vec(&chosen).unwrap_or_default();
        self.storage.set_settings(GROUP, seen.version.as_ref(), &values, secret, audit)?;
        self.look();
        Ok(())
    }

    /// Looks whether somebody has changed it. What cannot be read now stays as it was.
    fn look(&self) {
        let version = match self.storage.settings_version(GROUP) {
            Ok(version) => version,
            Err(error) => return tracing::warn!(%error, "can't check whether the email settings have changed"),
        };
        if version == self.seen().version {
            return;
        }
        let of = |setup: &Setup, version| outgoing(setup, &self.brand, self.carrier.as_ref(), version);
        let outgoing = match self.stored() {
            Ok(stored) => of(&stored.setup(&self.fixed, &self.keys), stored.version.clone()),
            Err(StorageError::Busy) => return tracing::warn!("can't read the email settings yet"),
            // Better none than what an intruder has made of them.
            Err(error) => Outgoing {
                transport: None,
                problem: Some(("mail", format!("can't be read from the database: {error}"))),
                ..of(&Setup::new(self.fixed.clone(), Chosen::default(), None), version)
            },
        };
        outgoing.complain();
        *self.outgoing.write() = Arc::new(outgoing);
    }
}

/// What calls must know.
impl MailSettings {
    /// Whether anything carries mail away.
    pub fn goes(&self) -> bool {
        self.outgoing().transport.is_some()
    }

    /// Where links lead: scheme, host and port, without a slash at the end.
    pub fn origin(&self) -> String {
        self.outgoing().origin.clone()
    }

    /// The domain of a new mail's Message-ID.
    pub fn message_domain(&self) -> String {
        address::domain(&self.outgoing().from.address).unwrap_or_else(|| "localhost".to_owned())
    }
}

fn outgoing(setup: &Setup, brand: &Brand, carrier: Option<&Arc<dyn Transport>>, version: Option<Version>) -> Outgoing {
    let transport = carrier.map_or_else(|| setup.transport(None), |carrier| Ok(Some(Arc::clone(carrier))));
    let (transport, problem) = transport.map_or_else(|wrong| (None, Some(wrong)), |transport| (transport, None));
    let origin = setup.origin.clone().unwrap_or_else(|| NOWHERE.to_owned());
    let sender = || {
        let host = keyturn_core::origin::host(&origin).unwrap_or("localhost");
        Mailbox { name: brand.name.clone(), address: format!("panel@{host}") }
    };
    Outgoing {
        transport,
        from: setup.sender(&brand.name).unwrap_or_else(sender),
        reply_to: setup.reply_to(),
        origin_fixed: setup.fixed.has(Group::Links),
        origin,
        problem,
        version,
    }
}
