//! The one engine of a host: pooling, so that a call's instance costs microseconds and its memory goes with it; a
//! thread that moves the epoch on, so that a guest that spins is stopped.

use std::time::Duration;

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::plugin::limits::{POOL_INSTANCES, POOL_MEMORY, POOL_TABLE};

/// Component instances that may live at once.
pub const POOL_SLOTS: u32 = 64;
/// Time between two ticks of the epoch.
pub const TICK: Duration = Duration::from_millis(10);

/// What the pool keeps of an instance's memory for the next one, wiped: a light call touches less and costs 16 µs then;
/// more would be held by slots that hashed once.
const KEEP_RESIDENT: usize = 2 << 20;

/// The engine's configuration. A compiled component fits only an engine of the same one.
pub(crate) fn config() -> Config {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(POOL_SLOTS)
        .total_core_instances(POOL_SLOTS * 4)
        .total_memories(POOL_SLOTS)
        .total_tables(POOL_SLOTS * 4)
        // Without async no call needs a stack of its own; the default would reserve a thousand.
        .total_stacks(0)
        .max_core_instances_per_component(POOL_INSTANCES as u32)
        .max_memories_per_component(2)
        .max_tables_per_component(8)
        .max_memory_size(POOL_MEMORY)
        .table_elements(POOL_TABLE)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(4096)
        .pagemap_scan(Enabled::Auto);
    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .epoch_interruption(true)
        .concurrency_support(false)
        .wasm_memory64(false)
        .max_wasm_stack(512 << 10)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(16));
    config
}

/// An engine whose epoch a thread of its own moves on for as long as it lives.
pub(crate) fn engine() -> wasmtime::Result<Engine> {
    let engine = Engine::new(&config())?;
    // Weak, or the thread would keep the engine alive for ever.
    let weak = engine.weak();
    std::thread::Builder::new().name("keyturn-epoch".to_owned()).spawn(move || {
        while let Some(engine) = weak.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    })?;
    Ok(engine)
}

/// Ticks after which `time` has surely passed: the first one may come at once.
pub(crate) fn ticks(time: Duration) -> u64 {
    u64::try_from(time.as_millis().div_ceil(TICK.as_millis())).unwrap_or(u64::MAX - 1) + 1
}
