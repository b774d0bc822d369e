//! The stored settings of the page: sealed as a whole, and the mail server's password sealed for that server. It is sent to no
//! other one.

use zeroize::Zeroizing;

use keyturn_core::seal::Keys;
use keyturn_mail::setup::{Chosen, ChosenServer, Fixed, Group, Setup};
use keyturn_store::settings::{NewSecret, Sealed};
use keyturn_store::{StorageError, Store, Version};

/// The group of the storage's settings.
pub(super) const GROUP: &str = "mail";

/// The settings of the page.
#[derive(Default)]
pub struct Stored {
    pub version: Option<Version>,
    pub chosen: Chosen,
    secret: Option<Sealed>,
}

impl Stored {
    pub fn read(storage: &Store) -> Result<Self, StorageError> {
        let Some(group) = storage.settings(GROUP)? else { return Ok(Self::default()) };
        let chosen = serde_json::from_slice(&group.values).map_err(|cause| StorageError::Failed {
            doing: "reading the email settings".to_owned(),
            cause: format!("{cause}; was it written by a newer program?"),
        })?;
        Ok(Self { version: Some(group.version), chosen, secret: group.secret })
    }

    /// The stored password, if it was stored for this server, at this port, with this encryption and user name.
    pub fn password_for(&self, server: &ChosenServer, keys: &Keys) -> Option<Zeroizing<String>> {
        server.username.as_ref()?;
        self.secret.as_ref()?.open(keys, &server.purpose()).ok()
    }

    /// The file's groups and the page's.
    pub fn setup(&self, fixed: &Fixed, keys: &Keys) -> Setup {
        let password = self.chosen.server.as_ref().and_then(|server| self.password_for(server, keys));
        Setup::new(fixed.clone(), self.chosen.clone(), password)
    }

    /// The version to store. For a server without a password, none is stored afterwards.
    pub fn replaced_by(&self, setup: &Setup, keys: &Keys, now: i64) -> (Chosen, NewSecret) {
        let mut chosen = setup.chosen.clone();
        if setup.fixed.has(Group::Transport) {
            return (chosen, NewSecret::Keep);
        }
        let Some(server) = &mut chosen.server else { return (chosen, NewSecret::Forget) };
        let before = self.setup(&setup.fixed, keys);
        let since = self.chosen.server.as_ref().and_then(|server| server.password_at);
        let since = since.filter(|_| before.password == setup.password);
        server.password_at = setup.password.as_ref().map(|_| since.unwrap_or(now));
        let secret = match &setup.password {
            // Sealed again each time, for this server only.
            Some(password) => NewSecret::Set { purpose: server.purpose(), secret: password.clone() },
            None => NewSecret::Forget,
        };
        (chosen, secret)
    }
}
