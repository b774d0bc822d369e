//! Service keys: a machine, such as a billing system, identifies itself with one and gets its rights. They are in the host's
//! own table, whole rows sealed: write access to the database is not enough to create one, or to give one more rights.

pub mod secret;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::host::Operator;
use keyturn_core::accounts::{Reach, Scope};
use keyturn_core::caller::{Actor, Caller, OWN};
use keyturn_core::network::Network;
use keyturn_core::seal;
use keyturn_core::time::now;
use keyturn_package::manifest::Role;
use keyturn_runtime::admit::{Hook, Plugin};
use keyturn_store::keys::StoredKey;
use keyturn_store::{AuditEntry, StorageError};
use secret::Secret;

/// The scope that lets a machine skip the password confirmation that people need.
pub const WITHOUT_STEP_UP: &str = "without-step-up";
/// The scope that lets a machine pass on the address of the person for whom it calls. The address is believed.
pub const CLIENT_ADDRESS: &str = "client-address";
/// Scopes that change how a machine does something, and are nothing to do on their own.
pub const CONDITIONS: [&str; 2] = [CLIENT_ADDRESS, WITHOUT_STEP_UP];
/// The scope for `GET /v1/accounts`: which accounts have a login or an address, and their epochs.
pub const ACCOUNTS: &str = "accounts";
/// The scope for `GET /v1/mails`: the state of emails.
pub const MAILS: &str = "mails";
/// The scope that lets a panel request plugins' views for its people. A client with such a key speaks for all of them, as far
/// as the key reaches.
pub const VIEWS: &str = "views";
/// The host's own scopes.
pub const OF_HOST: [&str; 3] = [ACCOUNTS, MAILS, VIEWS];
/// The last use is stored once a minute at most, in milliseconds.
const USE_NOTED: i64 = 60_000;
const MAX_NAME: usize = 40;

/// One key, as the host stores it.
#[derive(Clone, Serialize, Deserialize)]
pub struct ServiceKey {
    /// Part of its token: 12 characters.
    pub id: String,
    /// Its name in the audit log: a-z, 0-9, -; never given to another key.
    pub name: String,
    /// What it may do: hooks, as `interface/function`; [`ACCOUNTS`], [`MAILS`], [`VIEWS`]; [`CLIENT_ADDRESS`] and
    /// [`WITHOUT_STEP_UP`].
    pub scopes: BTreeSet<String>,
    /// The realms whose accounts it reaches.
    pub realms: BTreeSet<String>,
    /// Only the accounts of this manager, by their key in the mapped column; none: all.
    pub managed_by: Option<String>,
    /// Allowed addresses; empty: all.
    pub addresses: Vec<Network>,
    /// Unix milliseconds.
    pub made: i64,
    /// When it expires, Unix milliseconds.
    pub expires: Option<i64>,
    /// When it was revoked, Unix milliseconds.
    pub revoked: Option<i64>,
    secrets: Vec<Secret>,
    /// When and from where it was last used, to the minute.
    #[serde(skip)]
    pub last_used: Option<(i64, Option<String>)>,
}

/// A key to create.
#[derive(Debug, Clone, Default)]
pub struct NewKey {
    /// See [`ServiceKey::name`].
    pub name: String,
    /// See [`ServiceKey::scopes`].
    pub scopes: BTreeSet<String>,
    /// See [`ServiceKey::realms`].
    pub realms: BTreeSet<String>,
    /// See [`ServiceKey::managed_by`].
    pub managed_by: Option<String>,
    /// See [`ServiceKey::addresses`].
    pub addresses: Vec<Network>,
    /// See [`ServiceKey::expires`].
    pub expires: Option<i64>,
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum KeyProblem {
    /// The name isn't allowed.
    #[error("a key's name must be 1 to {MAX_NAME} of a-z, 0-9 and -, a letter first, such as billing; not “{0}”")]
    Name(String),
    /// A key has or had that name.
    #[error(
        "a key has or had the name {0}. Names appear in the audit log and can't be reused, and a key's rights never change. Create a key with another name, and revoke this one"
    )]
    Taken(String),
    /// Machines can't be allowed this.
    #[error("no plugin has a hook {scope} for service keys; available: {known}")]
    Scope {
        /// What was asked for.
        scope: String,
        /// What there is.
        known: String,
    },
    /// The key could do nothing.
    #[error("a key needs at least one hook or scope, and at least one realm of accounts")]
    Empty,
    /// There is no such realm. Later, the key would reach whatever is mapped under that name.
    #[error("the realm {realm} is not mapped; mapped realms: {known}")]
    Realm {
        /// What was asked for.
        realm: String,
        /// What there is.
        known: String,
    },
    /// The key would reach nobody there: the mapping doesn't say who manages whom.
    #[error("accounts of {0} have no manager: set accounts.{0}.manager to the column")]
    Unmanaged(String),
    /// The key would speak for people whom it doesn't reach.
    #[error("a key with {VIEWS} speaks for everyone in the panel, so it can't be for one manager")]
    Manager,
    /// The key would expire before it begins.
    #[error("the key would already be expired")]
    Over,
    /// No such key.
    #[error("there is no key {0}")]
    NoSuch(String),
    /// The key is revoked or has expired.
    #[error("the key {0} is revoked or expired; create another one")]
    Ended(String),
    /// Somebody else has just changed it.
    #[error("somebody else changed the key {0} at the same moment; check it and try again")]
    Raced(String),
    /// The database.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl ServiceKey {
    fn read(stored: &StoredKey) -> Result<Self, StorageError> {
        let mut key: Self = serde_json::from_slice(&stored.content).map_err(|cause| StorageError::Failed {
            doing: "reading keyturnhost_service_keys".to_owned(),
            cause: cause.to_string(),
        })?;
        key.last_used.clone_from(&stored.last_used);
        Ok(key)
    }

    fn stored(&self) -> StoredKey {
        let content = Zeroizing::new(serde_json::to_vec(self).unwrap_or_default());
        StoredKey { id: self.id.clone(), name: self.name.clone(), content, last_used: None }
    }

    /// Whether it is valid at this time, Unix milliseconds.
    pub fn works(&self, now: i64) -> bool {
        self.revoked.is_none() && self.expires.is_none_or(|end| end > now)
    }

    /// Whether to store its use: not if it was used within the last minute.
    pub fn use_is_due(&self) -> bool {
        self.last_used.as_ref().is_none_or(|(at, _)| now().saturating_sub(*at) >= USE_NOTED)
    }

    fn live(&self, now: i64) -> impl Iterator<Item = &Secret> {
        let works = self.works(now);
        self.secrets.iter().filter(move |secret| works && secret.until.is_none_or(|until| until > now))
    }

    /// Whether a client's address is one of the allowed ones; an unknown address is allowed only if all are.
    pub fn may_come_from(&self, address: Option<IpAddr>) -> bool {
        self.addresses.is_empty() || address.is_some_and(|from| self.addresses.iter().any(|net| net.contains(from)))
    }

    /// Whether these bytes are the key's signature of a message, now.
    pub fn signed(&self, message: &[u8], signature: &[u8], now: i64) -> bool {
        self.live(now).any(|secret| secret.signed(message, signature))
    }

    /// The machine as a caller.
    pub fn caller(&self) -> Caller {
        let scope = if self.managed_by.is_some() { Scope::Own } else { Scope::All };
        let mut reach = self.realms.iter().fold(Reach::none(), |reach, realm| reach.with(realm, scope));
        if let Some(manager) = &self.managed_by {
            reach = reach.of_manager(manager);
        }
        let mut caller = Caller::new(Actor::ServiceKey(self.name.clone()), reach);
        caller.scopes.clone_from(&self.scopes);
        caller.key = Some(self.name.clone());
        caller.verified_at = self.scopes.contains(WITHOUT_STEP_UP).then(now);
        caller
    }
}

/// The hooks that machines may call, each with its plugin: those whose manifest names machines.
pub fn hooks(plugins: &[Arc<Plugin>]) -> impl Iterator<Item = (&Plugin, &Hook)> {
    plugins.iter().flat_map(|plugin| {
        let hooks = plugin.hooks.iter().filter(|hook| hook.operation.actors.contains(&Role::ServiceKey));
        hooks.map(move |hook| (&**plugin, hook))
    })
}

impl Operator {
    /// The hooks that service keys can be allowed, `interface/function`: those whose manifest names machines.
    pub fn scopes(&self) -> BTreeSet<String> {
        hooks(&self.plugins()).filter_map(|(_, hook)| hook.operation.scope()).collect()
    }

    /// All keys, also revoked and expired ones, oldest first.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn service_keys(&self) -> Result<Vec<ServiceKey>, StorageError> {
        self.storage.service_keys()?.iter().map(ServiceKey::read).collect()
    }

    /// The key with an id, in its current state.
    pub fn service_key(&self, id: &str) -> Result<Option<ServiceKey>, StorageError> {
        self.storage.service_key(id)?.as_ref().map(ServiceKey::read).transpose()
    }

    /// The key of a token; none if it was never created here, is revoked or has expired.
    pub fn service_key_of(&self, token: &str) -> Result<Option<ServiceKey>, StorageError> {
        let Some(id) = secret::id_of(token) else { return Ok(None) };
        let key = self.service_key(id)?;
        Ok(key.filter(|key| key.live(now()).any(|secret| secret.is(token, &self.keys))))
    }

    /// Creates a key. Returns its token, which is shown nowhere else.
    ///
    /// # Errors
    /// [`KeyProblem`].
    pub fn add_service_key(&self, caller: &Caller, new: NewKey) -> Result<(ServiceKey, Zeroizing<String>), KeyProblem> {
        self.can_be(&new)?;
        let id = secret::new_id();
        let token = secret::new_token(&id);
        let key = ServiceKey {
            id,
            name: new.name,
            scopes: new.scopes,
            realms: new.realms,
            managed_by: new.managed_by,
            addresses: new.addresses,
            made: now(),
            expires: new.expires,
            revoked: None,
            secrets: vec![Secret::of(&token, &self.keys)],
            last_used: None,
        };
        if !self.storage.put_service_key(&key.stored(), None, audit("keys-add", &key, caller))? {
            return Err(KeyProblem::Taken(key.name));
        }
        Ok((key, token))
    }

    /// What is wrong with a key to create, as far as that is known before.
    pub fn can_be(&self, new: &NewKey) -> Result<(), KeyProblem> {
        let well_named = (1..=MAX_NAME).contains(&new.name.len())
            && new.name.starts_with(|c: char| c.is_ascii_lowercase())
            && new.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !well_named {
            return Err(KeyProblem::Name(new.name.clone()));
        }
        let known = self.scopes();
        let deeds = || new.scopes.iter().filter(|scope| !CONDITIONS.contains(&scope.as_str()));
        if let Some(scope) = deeds().find(|scope| !known.contains(*scope) && !OF_HOST.contains(&scope.as_str())) {
            let known = known.iter().map(String::as_str).chain(OF_HOST).chain(CONDITIONS);
            return Err(KeyProblem::Scope { scope: scope.clone(), known: known.collect::<Vec<_>>().join(", ") });
        }
        if deeds().next().is_none() || new.realms.is_empty() {
            return Err(KeyProblem::Empty);
        }
        let known = self.storage.realms();
        if let Some(realm) = new.realms.iter().find(|realm| !known.contains(realm)) {
            return Err(KeyProblem::Realm { realm: realm.clone(), known: known.join(", ") });
        }
        let unmanaged = |realm: &&String| !self.storage.knows_managers(realm);
        if let Some(realm) = new.realms.iter().find(unmanaged).filter(|_| new.managed_by.is_some()) {
            return Err(KeyProblem::Unmanaged(realm.clone()));
        }
        if new.scopes.contains(VIEWS) && new.managed_by.is_some() {
            return Err(KeyProblem::Manager);
        }
        if new.expires.is_some_and(|end| end <= now()) {
            return Err(KeyProblem::Over);
        }
        match self.storage.service_key_named(&new.name)? {
            Some(_) => Err(KeyProblem::Taken(new.name.clone())),
            None => Ok(()),
        }
    }

    /// Revokes a key at once. Returns whether it was valid until now.
    ///
    /// # Errors
    /// [`KeyProblem`].
    pub fn revoke_service_key(&self, caller: &Caller, name: &str) -> Result<bool, KeyProblem> {
        let (before, mut key) = self.named(name)?;
        if key.revoked.is_some() {
            return Ok(false);
        }
        key.revoked = Some(now());
        key.secrets.clear();
        self.change("keys-revoke", caller, &before, &key).map(|()| true)
    }

    /// Gives a key another token; the one before works for so many milliseconds more. If it was `seen`, only if it is still as it
    /// was then.
    ///
    /// # Errors
    /// [`KeyProblem`].
    pub fn rotate_service_key(
        &self,
        caller: &Caller,
        name: &str,
        old_works_for: i64,
        seen: Option<&str>,
    ) -> Result<Zeroizing<String>, KeyProblem> {
        let (before, mut key) = self.named(name)?;
        if seen.is_some_and(|seen| seen != self.seen(&key)) {
            return Err(KeyProblem::Raced(name.to_owned()));
        }
        let now = now();
        if !key.works(now) {
            return Err(KeyProblem::Ended(name.to_owned()));
        }
        let token = secret::new_token(&key.id);
        key.secrets.retain(|secret| secret.until.is_none_or(|until| until > now));
        for secret in &mut key.secrets {
            let end = now.saturating_add(old_works_for.max(0));
            secret.until = Some(secret.until.map_or(end, |until| until.min(end)));
        }
        key.secrets.insert(0, Secret::of(&token, &self.keys));
        self.change("keys-rotate", caller, &before, &key).map(|()| token)
    }

    /// Identifies the state of a key, except for its last use.
    pub fn seen(&self, key: &ServiceKey) -> String {
        seal::hex(&self.keys.mac("service key seen", &[&key.stored().content]))
    }

    fn named(&self, name: &str) -> Result<(StoredKey, ServiceKey), KeyProblem> {
        let stored = self.storage.service_key_named(name)?;
        let stored = stored.ok_or_else(|| KeyProblem::NoSuch(name.to_owned()))?;
        let key = ServiceKey::read(&stored)?;
        Ok((stored, key))
    }

    fn change(&self, what: &str, caller: &Caller, before: &StoredKey, key: &ServiceKey) -> Result<(), KeyProblem> {
        match self.storage.put_service_key(&key.stored(), Some(&before.content), audit(what, key, caller))? {
            true => Ok(()),
            false => Err(KeyProblem::Raced(key.name.clone())),
        }
    }

    /// Stores that a key was used. It may wait for the disk, so call it after the answer.
    pub fn note_use(&self, key: &ServiceKey, address: Option<IpAddr>) {
        let from = address.map(|address| address.to_canonical().to_string());
        if let Err(cause) = self.storage.use_service_key(&key.id, now(), USE_NOTED, from.as_deref()) {
            tracing::warn!(key = key.name, "can't store its last use: {cause}");
        }
    }
}

fn audit(operation: &str, key: &ServiceKey, caller: &Caller) -> AuditEntry {
    AuditEntry::of(caller, now(), OWN, operation, format!("done: {}", key.name))
}
