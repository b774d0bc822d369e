//! `keyturn:panel/kdf`: slow hashing at the machine's own speed, in memory of the host's, reused and bounded. In the
//! component it would cost two to three times as much, and leave 19 MiB in a pool slot.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use argon2::{Algorithm, Argon2, Block, ParamsBuilder, Version};
use zeroize::{Zeroize as _, Zeroizing};

use super::Capability;
use crate::call::state::{Of, Purpose, State, View};
use keyturn_contract::keyturn::panel::kdf;
use keyturn_contract::keyturn::panel::kdf::{Argon2Ceilings, Argon2Kind, Argon2Parameters, Error, Host};

/// This capability in the table.
pub(super) const CAPABILITY: Capability = Capability {
    interface: "keyturn:panel/kdf",
    grant: Some(("grants.kdf", |wants| wants.kdf)),
    link: |linker| kdf::add_to_linker::<State, Of<Part>>(linker, |state| state.view(|parts| &mut parts.kdf)),
};

/// What this keeps of a call.
#[derive(Default)]
pub(super) struct Part {
    hashes: u32,
}

/// How long memory that nobody hashes in is kept, at least; twice that at most.
const KEPT: Duration = Duration::from_secs(5);

/// A buffer's least capacity, in blocks of a KiB. From above 32 MiB on, glibc maps an allocation for itself and unmaps it
/// when it is freed; a smaller one, once freed, stays with the process. What is not written to costs nothing.
const MAPPED_BLOCKS: usize = 33 << 10;

/// Memory for hashes, kept between them, and given back when nobody signs in. As many as the compute lane is wide exist at
/// once, since only its calls hash.
#[derive(Default)]
pub struct Buffers(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    free: Vec<Vec<Block>>,
    /// Whether one was taken since the last look.
    used: bool,
}

impl Buffers {
    /// Buffers that a thread of their own gives back for as long as they live.
    pub fn start() -> std::io::Result<Arc<Self>> {
        let buffers = Arc::new(Self::default());
        let weak = Arc::downgrade(&buffers);
        std::thread::Builder::new().name("keyturn-kdf".to_owned()).spawn(move || {
            while let Some(buffers) = weak.upgrade() {
                buffers.give_back();
                drop(buffers);
                std::thread::sleep(KEPT);
            }
        })?;
        Ok(buffers)
    }

    /// Frees what was not used since the last time.
    fn give_back(&self) {
        let mut kept = self.lock();
        if !std::mem::take(&mut kept.used) {
            let unused = std::mem::take(&mut kept.free);
            drop(kept);
            drop(unused);
        }
    }

    fn take(&self, blocks: usize) -> Vec<Block> {
        let mut kept = self.lock();
        kept.used = true;
        let mut buffer = kept.free.pop().unwrap_or_default();
        drop(kept);
        if buffer.len() < blocks {
            buffer.reserve_exact(blocks.max(MAPPED_BLOCKS) - buffer.len());
            buffer.resize(blocks, Block::default());
        }
        buffer
    }

    /// Keeps a buffer. What a hash leaves in it tells nothing of the password to who cannot read our memory, and is
    /// overwritten by the next; an outsized one is let go.
    fn keep(&self, buffer: Vec<Block>) {
        const KEPT_BLOCKS: usize = 64 << 10;
        if buffer.len() <= KEPT_BLOCKS {
            self.lock().free.push(buffer);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Host for View<'_, Part> {
    fn ceilings(&mut self) -> wasmtime::Result<Argon2Ceilings> {
        let limits = &self.ledger.plugin.limits;
        Ok(Argon2Ceilings { memory_kib: limits.kdf_memory_kib, passes: limits.kdf_passes, lanes: limits.kdf_lanes })
    }

    fn argon2(
        &mut self,
        password: Vec<u8>,
        salt: Vec<u8>,
        parameters: Argon2Parameters,
    ) -> wasmtime::Result<Result<Vec<u8>, Error>> {
        let mut password = Zeroizing::new(password);
        let call = &mut *self.ledger;
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
        self.part.hashes += 1;
        if self.part.hashes > limits.kdf_calls {
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
            let mut buffer = call.around.buffers.take(params.block_count());
            let result = Argon2::new(algorithm, Version::V0x13, params).hash_password_into_with_memory(
                &password,
                &salt,
                &mut out,
                &mut buffer[..],
            );
            call.around.buffers.keep(buffer);
            password.zeroize();
            result.map(|()| out).map_err(|cause| Error::Limit(cause.to_string()))
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_kept_from_hash_to_hash_and_given_back_when_nobody_hashes() {
        let buffers = Buffers::default();
        let buffer = buffers.take(64);
        assert_eq!(buffer.len(), 64);
        buffers.keep(buffer);
        buffers.give_back();
        assert_eq!(buffers.lock().free.len(), 1, "it was used since the last look");
        buffers.give_back();
        assert!(buffers.lock().free.is_empty());
    }

    #[test]
    fn a_smaller_hash_takes_the_memory_of_a_larger_one() {
        let buffers = Buffers::default();
        buffers.keep(buffers.take(128));
        assert_eq!(buffers.take(64).len(), 128);
    }
}
