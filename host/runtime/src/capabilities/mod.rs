//! What a plugin may import: one file for each interface of `keyturn:panel`, and the table of them. Each works on the call's
//! ledger and on a part of its own; nothing here writes to a database.

mod accounts;
mod call;
mod database;
mod events;
mod jobs;
pub mod kdf;
mod keys;
mod mail;
mod settings;

use keyturn_contract::keyturn::panel::types;
use keyturn_contract::keyturn::ui::nodes;
use keyturn_package::manifest::Wants;
use keyturn_store::StorageError;
use wasmtime::component::Linker;

use crate::call::state::{Ledger, Of, State, View};

/// Seconds that a caller is told to wait when the database did not answer.
pub const RETRY_SECONDS: u32 = 5;

/// An interface that a plugin may import.
pub struct Capability {
    /// Its full name without the version: `keyturn:panel/database`.
    pub interface: &'static str,
    /// The setting of the grants file that gives it, and whether a plugin has it; none: every plugin has it.
    pub grant: Option<(&'static str, fn(&Wants) -> bool)>,
    /// Gives it to a plugin.
    link: fn(&mut Linker<State>) -> wasmtime::Result<()>,
}

/// All of them. What is not here is linked for nobody.
pub const CAPABILITIES: [Capability; 11] = [
    TYPES,
    NODES,
    accounts::CAPABILITY,
    call::CAPABILITY,
    database::CAPABILITY,
    events::CAPABILITY,
    jobs::CAPABILITY,
    kdf::CAPABILITY,
    keys::CAPABILITY,
    mail::CAPABILITY,
    settings::CAPABILITY,
];

/// What each capability keeps of one call.
#[derive(Default)]
pub struct Parts {
    /// Of those that keep nothing.
    nothing: (),
    pub(crate) accounts: accounts::Part,
    database: database::Part,
    kdf: kdf::Part,
    mail: mail::Part,
}

impl Parts {
    /// What is left for another run of the same call: on which counters it has counted, since it counts once on each.
    pub(crate) fn for_another_run(&self) -> Self {
        Self { database: self.database.for_another_run(), ..Self::default() }
    }
}

const TYPES: Capability = Capability {
    interface: "keyturn:panel/types",
    grant: None,
    link: |linker| types::add_to_linker::<State, Of<()>>(linker, |state| state.view(|parts| &mut parts.nothing)),
};

const NODES: Capability = Capability {
    interface: "keyturn:ui/nodes",
    grant: None,
    link: |linker| nodes::add_to_linker::<State, Of<()>>(linker, |state| state.view(|parts| &mut parts.nothing)),
};

impl types::Host for View<'_, ()> {}
impl nodes::Host for View<'_, ()> {}

/// The capability of that interface, given without its version.
#[must_use]
pub fn named(interface: &str) -> Option<&'static Capability> {
    static ALL: [Capability; 11] = CAPABILITIES;
    ALL.iter().find(|capability| capability.interface == interface)
}

impl Capability {
    /// Whether a plugin of that authority has it.
    #[must_use]
    pub fn given_to(&self, authority: &Wants) -> bool {
        self.grant.is_none_or(|(_, granted)| granted(authority))
    }

    /// Gives it to a plugin.
    ///
    /// # Errors
    /// The engine's.
    pub fn link(&self, linker: &mut Linker<State>) -> wasmtime::Result<()> {
        (self.link)(linker)
    }
}

/// Logs why the database did not answer, and says when to come back.
fn come_back(ledger: &Ledger, cause: &StorageError) -> u32 {
    tracing::error!(plugin = ledger.plugin.name, request = ledger.caller.request, "{cause}");
    RETRY_SECONDS
}
