//! `keyturn:panel/kdf`: slow hashing at the machine's own speed, in the host's own memory, reused and bounded. In the component
//! it would cost two to three times as much, and leave 19 MiB in a pool slot.

pub mod buffers;

use argon2::{Algorithm, Argon2, ParamsBuilder, Version};
use zeroize::Zeroizing;

use crate::call::ledger::{View, told, within};
use keyturn_contract::keyturn::panel::kdf::{Argon2Ceilings, Argon2Kind, Argon2Parameters, Error, Host};

/// What this capability keeps of a call.
#[derive(Default)]
pub(super) struct Part {
    hashes: u32,
}

impl Host for View<'_, Part> {
    fn convert_error(&mut self, cause: wasmtime::Error) -> wasmtime::Result<Error> {
        told(cause, Error::Limit, Some(Error::Unavailable))
    }

    fn ceilings(&mut self) -> wasmtime::Result<Argon2Ceilings> {
        let limits = &self.ledger.plugin.limits;
        Ok(Argon2Ceilings { memory_kib: limits.kdf_memory_kib, passes: limits.kdf_passes, lanes: limits.kdf_lanes })
    }

    fn argon2(&mut self, password: Vec<u8>, salt: Vec<u8>, parameters: Argon2Parameters) -> wasmtime::Result<Vec<u8>> {
        let password = Zeroizing::new(password);
        let call = &mut *self.ledger;
        if !call.purpose.compute {
            return Err(Error::Denied("the operation doesn't have the lane compute".to_owned()).into());
        }
        let limits = &call.plugin.limits;
        for (name, fits) in [
            ("kdf-memory-kib", parameters.memory_kib <= limits.kdf_memory_kib),
            ("kdf-passes", parameters.passes <= limits.kdf_passes),
            ("kdf-lanes", parameters.lanes <= limits.kdf_lanes),
            ("length", (16..=64).contains(&parameters.length)),
            ("salt", (8..=64).contains(&salt.len())),
            ("kdf-calls", self.part.hashes < limits.kdf_calls),
        ] {
            within(name, fits)?;
        }
        self.part.hashes += 1;
        let algorithm = match parameters.kind {
            Argon2Kind::Argon2i => Algorithm::Argon2i,
            Argon2Kind::Argon2d => Algorithm::Argon2d,
            Argon2Kind::Argon2id => Algorithm::Argon2id,
        };
        let outside = |cause: argon2::Error| Error::Limit(cause.to_string());
        let mut params = ParamsBuilder::new();
        params.m_cost(parameters.memory_kib).t_cost(parameters.passes).p_cost(parameters.lanes);
        // Everything else that is refused is outside RFC 9106, section 3.1.
        let params = params.build().map_err(outside)?;
        call.in_host(|call| {
            let mut out = vec![0; parameters.length as usize];
            let mut buffer = call.around.buffers.take(params.block_count());
            let argon2 = Argon2::new(algorithm, Version::V0x13, params);
            let result = argon2.hash_password_into_with_memory(&password, &salt, &mut out, &mut buffer[..]);
            call.around.buffers.keep(buffer);
            drop(password);
            Ok(result.map(|()| out).map_err(outside)?)
        })
    }
}
