//! What the plugin needs from outside: one trait for each import of the contract, and nothing else. `guest` implements them
//! with the component's imports, `testing` with a panel in memory.

use crate::bindings::{accounts, call, database, events, jobs, kdf, mail, settings, types};

/// Who is calling, from where, in which language, when.
pub trait Call {
    /// Who acts.
    fn caller(&self) -> call::Actor;
    /// The client's address as text, if it is known.
    fn address(&self) -> Option<String>;
    /// BCP 47.
    fn locale(&self) -> String;
    /// One instant for the whole call, in milliseconds since 1970.
    fn now(&self) -> i64;
}

/// The panel's accounts, within grant and reach.
pub trait Accounts {
    /// At most as many as the operator allows; login matches first, then older accounts.
    fn find(&self, login_or_email: &str) -> Result<Vec<accounts::Match>, accounts::Error>;
    /// The form in which `find` compares.
    fn fold(&self, login_or_email: &str) -> String;
    /// The values of the named fields, in their order.
    fn fields(&self, account: &str, names: &[&str]) -> Result<Vec<Option<String>>, accounts::Error>;
    /// The stored hash and the session epoch.
    fn credential(&self, account: &str) -> Result<accounts::StoredCredential, accounts::Error>;
    /// Open sessions; none if the panel can't say.
    fn sessions(&self, account: &str) -> Result<Option<u32>, accounts::Error>;
    /// Effect. Answers the new session epoch.
    fn replace(&self, account: &str, hash: &str, why: accounts::Replacement) -> Result<String, accounts::Error>;
}

/// The plugin's own data.
pub trait Database {
    /// None: there is no such key, or it has expired.
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, database::Error>;
    /// Effect. `expires` in milliseconds since 1970.
    fn put(&self, key: &str, value: &[u8], expires: Option<i64>) -> Result<(), database::Error>;
    /// Adds one to each counter if all have room, otherwise to none.
    fn count(&self, counters: &[database::Counter]) -> Result<database::Counted, database::Error>;
    /// Effect. Resets the counter to zero.
    fn forget(&self, key: &str) -> Result<(), database::Error>;
}

/// Emails by template, to the address on file.
pub trait Mail {
    /// Whether an email can be queued now for this recipient; none: for anybody.
    fn ready(&self, recipient: Option<&mail::Recipient>) -> Result<(), mail::Error>;
    /// The state of an email that this plugin queued.
    fn state(&self, mail: &str) -> Result<mail::MailState, mail::Error>;
    /// Whether the last attempt went to the address that is now on file, or there was none.
    fn current(&self, mail: &str) -> Result<bool, mail::Error>;
    /// Effect. `expires`, in milliseconds since 1970: when the contents are no longer useful.
    fn send(
        &self,
        recipient: &mail::Recipient,
        template: &str,
        variables: Vec<(String, mail::Variable)>,
        expires: Option<i64>,
    ) -> Result<types::MailId, mail::Error>;
    /// Effect. Does nothing if the email was already sent.
    fn withdraw(&self, mail: &str) -> Result<(), mail::Error>;
}

/// Background jobs.
pub trait Jobs {
    /// Effect. `key`: while a job with this name and key is waiting, another one is dropped.
    fn enqueue(&self, job: &str, payload: &str, not_before: Option<i64>, key: Option<&str>) -> Result<(), jobs::Error>;
}

/// Events for subscribers.
pub trait Events {
    /// Effect.
    fn emit(&self, event: &types::Event) -> Result<(), events::Error>;
}

/// Keys that the plugin never sees.
pub trait Keys {
    /// HMAC-SHA-256 under a key of this plugin and purpose.
    fn mac(&self, purpose: &str, data: &[u8]) -> Vec<u8>;
}

/// Slow hashing at native speed.
pub trait Kdf {
    /// What one hash may cost here.
    fn ceilings(&self) -> kdf::Argon2Ceilings;
    /// RFC 9106, version 0x13.
    fn argon2(&self, password: &[u8], salt: &[u8], parameters: kdf::Argon2Parameters) -> Result<Vec<u8>, kdf::Error>;
}

/// The operator's settings.
pub trait Settings {
    /// None: the manifest doesn't declare it.
    fn setting(&self, name: &str) -> Option<settings::Value>;
}

/// All of them.
pub trait Ports: Call + Accounts + Database + Mail + Jobs + Events + Keys + Kdf + Settings {}

impl<T: Call + Accounts + Database + Mail + Jobs + Events + Keys + Kdf + Settings> Ports for T {}
