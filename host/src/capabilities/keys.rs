//! `keyturn:panel/keys`: MACs under keys that never enter the guest.

use crate::bindings::keyturn::panel::keys::Host;
use crate::call::state::State;

impl Host for State {
    fn mac(&mut self, purpose: String, data: Vec<u8>) -> wasmtime::Result<Vec<u8>> {
        let call = &self.call;
        Ok(call.keys.mac("plugin", &[call.plugin.name.as_bytes(), purpose.as_bytes(), &data]).to_vec())
    }
}
