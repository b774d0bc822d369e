//! The place of a view: it goes into each form, so that the host knows what to draw again.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use keyturn_core::accounts::AccountId;

/// The page or region of a view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// A page within the panel.
    Page {
        /// Its name in the manifest.
        name: String,
        /// The account that it is about.
        subject: Option<AccountId>,
        /// From its address.
        arguments: Vec<(String, String)>,
    },
    /// A region of one of the panel's pages.
    Slot {
        /// Its name in the manifest.
        name: String,
        /// The account that it is about.
        subject: Option<AccountId>,
    },
    /// The page of a link.
    Link {
        /// Its name in the manifest.
        page: String,
        /// From the link.
        token: Token,
    },
}

impl Place {
    /// The account that it is about.
    pub fn subject(&self) -> Option<&AccountId> {
        match self {
            Place::Page { subject, .. } | Place::Slot { subject, .. } => subject.as_ref(),
            Place::Link { .. } => None,
        }
    }

    /// The link's token.
    pub fn token(&self) -> Option<&str> {
        match self {
            Place::Link { token, .. } => Some(token.as_str()),
            _ => None,
        }
    }

    /// What distinguishes this place from others on the same page.
    pub(super) fn identity(&self) -> [&str; 3] {
        let subject = self.subject().map_or("", AccountId::as_str);
        match self {
            Place::Page { name, .. } => ["page", name, subject],
            Place::Slot { name, .. } => ["slot", name, subject],
            Place::Link { page, .. } => ["link", page, subject],
        }
    }
}

/// A link's token: whoever has it has the link. Wiped when dropped, never written to a log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// The token itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Token {
    fn from(token: String) -> Self {
        Self(Zeroizing::new(token))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}
