//! Memory for slow hashes: the host's own, reused and bounded.

use std::sync::Arc;
use std::time::Duration;

use argon2::Block;
use parking_lot::Mutex;

/// How long unused memory is kept: at least this long, at most twice as long.
const KEPT: Duration = Duration::from_secs(5);

/// The smallest capacity of a buffer, in blocks of 1 KiB. Above 32 MiB, glibc maps an allocation separately and unmaps it when
/// it is freed; a smaller one stays with the process. Memory that nobody writes to costs nothing.
const MAPPED_BLOCKS: usize = 33 << 10;

/// Memory for hashes: kept from hash to hash, and given back when nobody signs in. There are as many buffers as the compute
/// lane has places, because only its calls hash.
#[derive(Default)]
pub struct Buffers(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    free: Vec<Vec<Block>>,
    /// Whether one was used since the last look.
    used: bool,
}

impl Buffers {
    /// Buffers, and a thread that gives them back as long as they exist.
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
        let mut kept = self.0.lock();
        if !std::mem::take(&mut kept.used) {
            let unused = std::mem::take(&mut kept.free);
            drop(kept);
            drop(unused);
        }
    }

    /// Memory of at least so many blocks of 1 KiB.
    pub(crate) fn take(&self, blocks: usize) -> Vec<Block> {
        let mut kept = self.0.lock();
        kept.used = true;
        let mut buffer = kept.free.pop().unwrap_or_default();
        drop(kept);
        if buffer.len() < blocks {
            buffer.reserve_exact(blocks.max(MAPPED_BLOCKS) - buffer.len());
            buffer.resize(blocks, Block::default());
        }
        buffer
    }

    /// Keeps a buffer. Its contents reveal nothing about the password to anybody who can't read our memory, and the next hash
    /// overwrites them. An oversized one is freed.
    pub(crate) fn keep(&self, buffer: Vec<Block>) {
        const KEPT_BLOCKS: usize = 64 << 10;
        if buffer.len() <= KEPT_BLOCKS {
            self.0.lock().free.push(buffer);
        }
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
        assert_eq!(buffers.0.lock().free.len(), 1, "it was used since the last look");
        buffers.give_back();
        assert!(buffers.0.lock().free.is_empty());
    }

    #[test]
    fn a_smaller_hash_takes_the_memory_of_a_larger_one() {
        let buffers = Buffers::default();
        buffers.keep(buffers.take(128));
        assert_eq!(buffers.take(64).len(), 128);
    }
}
