//! `keyturn:panel/keys`: MACs under keys that never enter the guest.

use super::Capability;
use crate::call::state::{Of, State, View};
use keyturn_contract::keyturn::panel::keys;
use keyturn_contract::keyturn::panel::keys::Host;

/// This capability in the table.
pub(super) const CAPABILITY: Capability = Capability {
    interface: "keyturn:panel/keys",
    grant: Some(("grants.keys", |wants| wants.keys)),
    link: |linker| keys::add_to_linker::<State, Of<()>>(linker, |state| state.view(|parts| &mut parts.nothing)),
};

impl Host for View<'_, ()> {
    fn mac(&mut self, purpose: String, data: Vec<u8>) -> wasmtime::Result<Vec<u8>> {
        let ledger = &*self.ledger;
        Ok(ledger.around.keys.mac("plugin", &[ledger.plugin.name.as_bytes(), purpose.as_bytes(), &data]).to_vec())
    }
}
