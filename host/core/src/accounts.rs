//! The panel's accounts: names and values that every provider shares.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// An account's opaque name, with its realm: `customer:42`. At most 64 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId(String);

impl AccountId {
    /// The account that the panel keeps under `key` in `realm`.
    ///
    /// # Errors
    /// [`BadAccountId`] unless the realm is `a-z0-9-` and not one of [`OWN_REALMS`], the key is printable ASCII without spaces,
    /// and both with the colon have 3 to 64 bytes.
    pub fn new(realm: &str, key: &str) -> Result<Self, BadAccountId> {
        Self::try_from(format!("{realm}:{key}"))
    }

    /// The realm: `customer`.
    #[must_use]
    pub fn realm(&self) -> &str {
        self.0.split_once(':').map_or("", |(realm, _)| realm)
    }

    /// The panel's own key within the realm: `42`.
    #[must_use]
    pub fn key(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, key)| key)
    }

    /// The whole name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for AccountId {
    type Error = BadAccountId;

    fn try_from(text: String) -> Result<Self, BadAccountId> {
        let well_formed = text.len() <= 64
            && text.split_once(':').is_some_and(|(realm, key)| {
                !realm.is_empty()
                    && realm.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                    && !OWN_REALMS.contains(&realm)
                    && !key.is_empty()
                    && key.bytes().all(|b| b.is_ascii_graphic())
            });
        if well_formed { Ok(Self(text)) } else { Err(BadAccountId) }
    }
}

crate::as_text!(AccountId, BadAccountId);

/// The host's names for callers that are not accounts, such as `service-key:billing`. No realm can have these names, so no
/// account can be taken for one of them, wherever an actor's name appears.
pub const OWN_REALMS: [&str; 4] = ["anonymous", "console", "service-key", "system"];

/// Not of the form `realm:key`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an account must be like realm:key, at most 64 bytes, such as customer:42; the realms anonymous, console, service-key and \
     system belong to the host"
)]
pub struct BadAccountId;

crate::named! {
    /// The fields of an account.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum Field {
        /// The person's or company's name.
        Name = "name",
        /// What is typed at sign-in.
        Login = "login",
        /// The email address on file.
        Email = "email",
        /// BCP 47.
        Locale = "locale",
        /// `active` or `suspended`.
        State = "state",
    }
}

/// One account, read in one snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub id: AccountId,
    /// The manager's key, from the mapped manager column. None: nobody in particular.
    pub manager: Option<String>,
    /// The realm of that manager, if the mapping names it.
    pub manager_realm: Option<String>,
    /// Values in the order of [`Field::ALL`].
    pub values: [Option<String>; 5],
    /// The stored PHC or crypt(3) string. None: there is no password, so nobody can sign in.
    pub hash: Option<String>,
}

impl Account {
    /// One field's value.
    #[must_use]
    pub fn value(&self, field: Field) -> Option<&str> {
        self.values[field as usize].as_deref()
    }
}

/// What a typed login or address matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Matched {
    /// The login.
    Login,
    /// The email address.
    Email,
}

/// How far a caller reaches in one realm. Callers always reach their own account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scope {
    /// Nobody.
    #[default]
    None,
    /// Accounts whose manager column has the caller's own key.
    Own,
    /// Everybody.
    All,
}

/// How far a caller reaches, by realm; a realm that is not named is [`Scope::None`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    scopes: BTreeMap<String, Scope>,
    manager: Option<String>,
}

impl Reach {
    /// Nobody but the caller.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// The same, and `scope` in `realm`.
    #[must_use]
    pub fn with(mut self, realm: &str, scope: Scope) -> Self {
        self.scopes.insert(realm.to_owned(), scope);
        self
    }

    /// The same for a machine: for it, [`Scope::Own`] means the accounts whose manager column has this key.
    #[must_use]
    pub fn of_manager(mut self, key: &str) -> Self {
        self.manager = Some(key.to_owned());
        self
    }

    /// The manager whose accounts a machine reaches.
    #[must_use]
    pub fn manager(&self) -> Option<&str> {
        self.manager.as_deref()
    }

    /// The scope in one realm.
    #[must_use]
    pub fn scope(&self, realm: &str) -> Scope {
        self.scopes.get(realm).copied().unwrap_or_default()
    }
}

/// Why a stored hash is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The password changed: the epoch changes too, and all the account's sessions end.
    Password,
    /// The same password in another form: epoch and sessions stay.
    Upgrade,
}
