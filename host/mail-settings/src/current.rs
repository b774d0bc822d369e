//! How email is sent now. The settings are read again when somebody has changed them, in this process or in another one on the
//! same database, so a change needs no restart.

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

/// The longest time until a change by another process is seen.
const LOOK: Duration = Duration::from_secs(1);

/// Where links lead until somebody says it, in the file or on the page; never what a request says.
const NOWHERE: &str = "http://127.0.0.1:8080";

/// How email is sent.
pub struct Outgoing {
    /// The transport; none: no email is sent.
    pub transport: Option<Arc<dyn Transport>>,
    /// The sender.
    pub from: Mailbox,
    /// Where replies go; none: to the sender.
    pub reply_to: Option<Mailbox>,
    /// Where links lead.
    pub origin: String,
    /// Whether the file sets it, and not the page.
    pub origin_fixed: bool,
    /// Why no email is sent although it is on.
    pub problem: Option<Wrong>,
    /// The version of the settings.
    version: Option<Version>,
}

impl Outgoing {
    fn complain(&self) {
        if let Some((setting, problem)) = &self.problem {
            tracing::error!("no email is sent: {setting} {problem}");
        }
    }
}

/// The email settings of a host.
pub struct MailSettings {
    storage: Arc<Store>,
    keys: Arc<Keys>,
    brand: Brand,
    /// The settings of the file.
    pub fixed: Fixed,
    /// A transport to use whatever the settings say.
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
            // Problems are logged as they are read.
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

    /// How email was sent at the last look. Never blocks on the disk.
    pub fn seen(&self) -> Arc<Outgoing> {
        Arc::clone(&self.outgoing.read())
    }

    /// The operators' address.
    pub fn operators(&self) -> Option<&str> {
        self.fixed.mail.operators.as_deref()
    }

    /// The settings of the page.
    pub fn stored(&self) -> Result<Stored, StorageError> {
        Stored::read(&self.storage)
    }

    /// Replaces the settings in `seen` by `setup`, with the audit entry. When this returns, they apply here.
    ///
    /// # Errors
    /// [`StorageError::Changed`] if somebody else has changed them in between.
    pub fn set(&self, seen: &Stored, setup: &Setup, now: i64, audit: AuditEntry) -> Result<(), StorageError> {
        let (chosen, secret) = seen.replaced_by(setup, &self.keys, now);
        let values = serde_json::to_vec(&chosen).unwrap_or_default();
        self.storage.set_settings(GROUP, seen.version.as_ref(), &values, secret, audit)?;
        self.look();
        Ok(())
    }

    /// Checks whether somebody has changed the settings. If they can't be read now, the earlier ones stay.
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
            // No settings are better than an intruder's.
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

/// What calls need to know.
impl MailSettings {
    /// Where links lead: scheme, host and port, without a slash at the end.
    pub fn origin(&self) -> String {
        self.outgoing().origin.clone()
    }

    /// The domain of a new email's Message-ID.
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
