//! What the plugin needs of the world: one trait per import of the contract, and no other way out. `guest` answers them with
//! the component's imports, `testing` with a panel in memory.

use crate::bindings::{accounts, call, database, events, jobs, kdf, mail, settings, types};

/// Who is calling, from where, in which language, when.
pub trait Call {
    /// Who acts.
    fn caller(&self) -> call::Actor;
    /// Client address in text, as far as it is known.
    fn address(&self) -> Option<String>;
    /// BCP 47.
    fn locale(&self) -> String;
    /// One instant for the whole call, in milliseconds since 1970.
    fn now(&self) -> i64;
}

/// The panel's people, as far as grant and reach go.
pub trait Accounts {
    /// At most as many as the operator allows; matches of a login first, then older accounts.
    fn find(&self, login_or_email: &str) -> Result<Vec<accounts::Match>, accounts::Error>;
    /// What `find` compares.
    fn fold(&self, login_or_email: &str) -> String;
    /// Values of the named fields, in their order.
    fn fields(&self, account: &str, names: &[&str]) -> Result<Vec<Option<String>>, accounts::Error>;
    /// Stored hash and session epoch.
    fn credential(&self, account: &str) -> Result<accounts::StoredCredential, accounts::Error>;
    /// Open sessions; none where the panel cannot say.
    fn sessions(&self, account: &str) -> Result<Option<u32>, accounts::Error>;
    /// Effect. Answers the session epoch that will hold.
    fn replace(&self, account: &str, hash: &str, why: accounts::Replacement) -> Result<String, accounts::Error>;
}

/// The plugin's own data.
pub trait Database {
    /// None: no such key, or it has expired.
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, database::Error>;
    /// Effect. `expires` in milliseconds since 1970.
    fn put(&self, key: &str, value: &[u8], expires: Option<i64>) -> Result<(), database::Error>;
    /// Adds one to each at once, if all have room; else to none.
    fn count(&self, counters: &[database::Counter]) -> Result<database::Counted, database::Error>;
    /// Effect. The counter starts from zero.
    fn forget(&self, key: &str) -> Result<(), database::Error>;
}

/// Mail by template, to the address on file.
pub trait Mail {
    /// Whether mail can be queued now for this recipient; none: for anybody.
    fn ready(&self, recipient: Option<&mail::Recipient>) -> Result<(), mail::Error>;
    /// What became of a mail that this plugin queued.
    fn state(&self, mail: &str) -> Result<mail::MailState, mail::Error>;
    /// Whether its latest attempt went to the address now on file, or none has been made.
    fn current(&self, mail: &str) -> Result<bool, mail::Error>;
    /// Effect. `expires`, in milliseconds since 1970: when what it carries is of no use any more.
    fn send(
        &self,
        recipient: &mail::Recipient,
        template: &str,
        variables: Vec<(String, mail::Variable)>,
        expires: Option<i64>,
    ) -> Result<types::MailId, mail::Error>;
    /// Effect. Nothing happens to one that has gone.
    fn withdraw(&self, mail: &str) -> Result<(), mail::Error>;
}

/// Work for later.
pub trait Jobs {
    /// Effect. `key`: while one of this name and key waits, another is dropped.
    fn enqueue(&self, job: &str, payload: &str, not_before: Option<i64>, key: Option<&str>) -> Result<(), jobs::Error>;
}

/// News for whoever subscribes.
pub trait Events {
    /// Effect.
    fn emit(&self, event: &types::Event) -> Result<(), events::Error>;
}

/// Keys that the plugin never sees.
pub trait Keys {
    /// HMAC-SHA-256 under a key of this plugin and purpose.
    fn mac(&self, purpose: &str, data: &[u8]) -> Vec<u8>;
}

/// Slow hashing at the machine's own speed.
pub trait Kdf {
    /// What one hash may cost here.
    fn ceilings(&self) -> kdf::Argon2Ceilings;
    /// RFC 9106, version 0x13.
    fn argon2(&self, password: &[u8], salt: &[u8], parameters: kdf::Argon2Parameters) -> Result<Vec<u8>, kdf::Error>;
}

/// What the operator set.
pub trait Settings {
    /// None: the manifest does not declare it.
    fn setting(&self, name: &str) -> Option<settings::Value>;
}

/// All of them.
pub trait Ports: Call + Accounts + Database + Mail + Jobs + Events + Keys + Kdf + Settings {}

impl<T: Call + Accounts + Database + Mail + Jobs + Events + Keys + Kdf + Settings> Ports for T {}
