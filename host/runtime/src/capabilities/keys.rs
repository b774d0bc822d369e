//! `keyturn:panel/keys`: MACs under keys that never enter the guest.

use crate::call::ledger::View;
use keyturn_contract::keyturn::panel::keys::Host;

impl Host for View<'_, ()> {
    fn mac(&mut self, purpose: String, data: Vec<u8>) -> wasmtime::Result<Vec<u8>> {
        let ledger = &*self.ledger;
        Ok(ledger.around.keys.mac("plugin", &[ledger.plugin.name.as_bytes(), purpose.as_bytes(), &data]).to_vec())
    }
}
