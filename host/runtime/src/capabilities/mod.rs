//! What a plugin may import: one file for each interface of `keyturn:panel`, and the table of them. Each works on the call's
//! ledger and on a part of its own. Nothing here writes to a database.

mod accounts;
mod call;
mod database;
mod events;
mod jobs;
pub mod kdf;
mod keys;
mod mail;
mod settings;

use keyturn_contract::keyturn::{panel, ui};
use keyturn_package::manifest::Wants;
use wasmtime::component::Linker;

pub use crate::call::ledger::RETRY_SECONDS;
use crate::call::ledger::{Of, View};
pub use crate::call::state::State;

/// A setting of the grants file, and whether a plugin with these rights has it.
pub type Grant = (&'static str, fn(&Wants) -> bool);

/// An interface to link, and the grant that it needs.
pub struct Capability {
    /// Its interface's full name without the version: `keyturn:panel/database`.
    pub interface: &'static str,
    /// The setting of the grants file that grants it, and whether a plugin has it. None: every plugin has it.
    pub grant: Option<Grant>,
    /// Links it for a plugin.
    pub link: fn(&mut Linker<State>) -> wasmtime::Result<()>,
}

/// A row of the table: the interface, called in Rust as in WIT, its grant, and the part of a call's state that is its own.
macro_rules! capability {
    ($package:ident::$interface:ident, $grant:expr, $part:ty, $own:ident) => {
        Capability {
            interface: concat!("keyturn:", stringify!($package), "/", stringify!($interface)),
            grant: $grant,
            link: |linker| {
                $package::$interface::add_to_linker::<State, Of<$part>>(linker, |state| {
                    state.view(|parts| &mut parts.$own)
                })
            },
        }
    };
}

/// All capabilities. Anything else is linked for nobody.
pub static CAPABILITIES: [Capability; 11] = [
    capability!(panel::types, None, (), nothing),
    capability!(ui::nodes, None, (), nothing),
    capability!(panel::accounts, Some(("grants.accounts", |wants| wants.accounts.is_some())), accounts::Part, accounts),
    capability!(panel::call, None, (), nothing),
    capability!(panel::database, Some(("grants.database", |wants| wants.database)), database::Part, database),
    capability!(panel::events, Some(("grants.events", |wants| wants.events)), (), nothing),
    capability!(panel::jobs, Some(("grants.jobs", |wants| wants.jobs)), (), nothing),
    capability!(panel::kdf, Some(("grants.kdf", |wants| wants.kdf)), kdf::Part, kdf),
    capability!(panel::keys, Some(("grants.keys", |wants| wants.keys)), (), nothing),
    capability!(panel::mail, Some(("grants.mail", |wants| wants.mail.is_some())), mail::Part, mail),
    capability!(panel::settings, None, (), nothing),
];

/// What each capability keeps of one call.
#[derive(Default)]
pub struct Parts {
    /// For capabilities that keep nothing.
    nothing: (),
    pub(crate) accounts: accounts::Part,
    database: database::Part,
    kdf: kdf::Part,
    mail: mail::Part,
}

impl Parts {
    /// What stays for another run of the same call: the counters that it has added to, because it counts once.
    pub(crate) fn for_another_run(&self) -> Self {
        Self { database: self.database.for_another_run(), ..Self::default() }
    }
}

impl panel::types::Host for View<'_, ()> {}
impl ui::nodes::Host for View<'_, ()> {}

impl Capability {
    /// Whether a plugin with these rights has it.
    #[must_use]
    pub fn given_to(&self, authority: &Wants) -> bool {
        self.grant.is_none_or(|(_, granted)| granted(authority))
    }
}
