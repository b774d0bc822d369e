//! What the host knows about a plugin besides its code: its name, its rights, its limits.

use std::collections::BTreeMap;
use std::sync::Arc;

use keyturn_package::limits::Limits;
use keyturn_package::manifest::{Manifest, SettingValue, Wants};
use keyturn_store::outbox::Kept;

/// A plugin without its code.
pub struct Profile {
    /// As the operator named it: the grants file's name.
    pub name: String,
    /// Its manifest.
    pub manifest: Manifest,
    /// Its rights: wanted and granted.
    pub authority: Wants,
    /// Its limits.
    pub limits: Limits,
    /// The operator's settings over the manifest's defaults.
    pub settings: BTreeMap<String, SettingValue>,
    /// Its templates, as its emails store them.
    pub mails: BTreeMap<String, Arc<Kept>>,
}

/// What only one plugin can have, because an address leads to it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Wanted {
    /// The hooks of an interface, by its own name.
    #[error("hooks of the interface {0}")]
    Hooks(String),
    /// A link page.
    #[error("the link page {0}")]
    LinkPage(String),
}
