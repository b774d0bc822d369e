//! `keyturn:panel/kdf`: slow hashing at the machine's own speed, in memory of the host's, reused and bounded. In the
//! component it would cost two to three times as much, and leave 19 MiB in a pool slot.

use std::sync::{Mutex, PoisonError};

use argon2::{Algorithm, Argon2, Block, ParamsBuilder, Version};
use zeroize::{Zeroize as _, Zeroizing};

use crate::bindings::keyturn::panel::kdf::{Argon2Kind, Argon2Parameters, Error, Host};
use crate::call::state::{Purpose, State};

/// Memory for hashes, kept between them. As many as the compute lane is wide exist at once, since only its calls hash.
#[derive(Default)]
pub(crate) struct Buffers(Mutex<Vec<Vec<Block>>>);

impl Buffers {
    fn take(&self, blocks: usize) -> Vec<Block> {
        let mut buffer = self.lock().pop().unwrap_or_default();
        if buffer.len() < blocks {
            buffer.resize(blocks, Block::default());
        }
        buffer
    }

    /// Keeps a buffer. What a hash leaves in it tells nothing of the password to who cannot read our memory, and is
    /// overwritten by the next; an outsized one is let go.
    fn keep(&self, buffer: Vec<Block>) {
        const KEPT_BLOCKS: usize = 64 << 10;
        if buffer.len() <= KEPT_BLOCKS {
            self.lock().push(buffer);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Vec<Block>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Host for State {
    fn argon2(
        &mut self,
        password: Vec<u8>,
        salt: Vec<u8>,
        parameters: Argon2Parameters,
    ) -> wasmtime::Result<Result<Vec<u8>, Error>> {
        let mut password = Zeroizing::new(password);
        let call = &mut self.call;
        if !matches!(call.purpose, Purpose::Operation { compute: true, .. }) {
            return Ok(Err(Error::Denied("the operation is not of the lane compute".to_owned())));
        }
        let limits = &call.plugin.limits;
        for (name, asked, most) in [
            ("kdf-memory-kib", parameters.memory_kib, limits.kdf_memory_kib),
            ("kdf-passes", parameters.passes, limits.kdf_passes),
            ("kdf-lanes", parameters.lanes, limits.kdf_lanes),
        ] {
            if asked > most {
                return Ok(Err(Error::Limit(name.to_owned())));
            }
        }
        if !(16..=64).contains(&parameters.length) {
            return Ok(Err(Error::Limit("length".to_owned())));
        }
        if !(8..=64).contains(&salt.len()) {
            return Ok(Err(Error::Limit("salt".to_owned())));
        }
        call.kdf_calls += 1;
        if call.kdf_calls > limits.kdf_calls {
            return Ok(Err(Error::Limit("kdf-calls".to_owned())));
        }
        let algorithm = match parameters.kind {
            Argon2Kind::Argon2i => Algorithm::Argon2i,
            Argon2Kind::Argon2d => Algorithm::Argon2d,
            Argon2Kind::Argon2id => Algorithm::Argon2id,
        };
        // What remains to be refused is outside RFC 9106, section 3.1.
        let params = match ParamsBuilder::new()
            .m_cost(parameters.memory_kib)
            .t_cost(parameters.passes)
            .p_cost(parameters.lanes)
            .build()
        {
            Ok(params) => params,
            Err(cause) => return Ok(Err(Error::Limit(cause.to_string()))),
        };
        Ok(call.in_host(|call| {
            let mut out = vec![0; parameters.length as usize];
            let mut buffer = call.buffers.take(params.block_count());
            let result = Argon2::new(algorithm, Version::V0x13, params).hash_password_into_with_memory(
                &password,
                &salt,
                &mut out,
                &mut buffer[..],
            );
            call.buffers.keep(buffer);
            password.zeroize();
            result.map(|()| out).map_err(|cause| Error::Limit(cause.to_string()))
        }))
    }
}
