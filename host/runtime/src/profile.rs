//! What the host knows of a plugin apart from its code: its name, its rights, its grants.

use std::collections::BTreeMap;
use std::sync::Arc;

use keyturn_package::limits::Limits;
use keyturn_package::manifest::{Manifest, SettingValue, Wants};
use keyturn_store::outbox::Kept;

/// A plugin, apart from its code.
pub struct Profile {
    /// As the operator named it: the grants file's name.
    pub name: String,
    /// What it says of itself.
    pub manifest: Manifest,
    /// What it may.
    pub authority: Wants,
    /// What it may use.
    pub limits: Limits,
    /// The operator's settings over the manifest's defaults.
    pub settings: BTreeMap<String, SettingValue>,
    /// Its templates, as its mails take them along.
    pub mails: BTreeMap<String, Arc<Kept>>,
}

/// What an address leads to, and one plugin alone can have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Wanted {
    /// The hooks of an interface, by its own name.
    #[error("hooks of the interface {0}")]
    Hooks(String),
    /// A link page.
    #[error("the link page {0}")]
    LinkPage(String),
}
