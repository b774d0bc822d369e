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
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wanted {
    /// The hooks of an interface, by its own name.
    Hooks(String),
    /// A link page.
    LinkPage(String),
}

impl std::fmt::Display for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Wanted::Hooks(interface) => write!(f, "hooks of the interface {interface}"),
            Wanted::LinkPage(page) => write!(f, "the link page {page}"),
        }
    }
}
