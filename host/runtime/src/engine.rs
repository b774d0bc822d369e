//! The one engine of a host. It pools instances, so that one costs microseconds and its memory ends with its call. A thread
//! advances the epoch, so that a guest in an endless loop is stopped. With little address space there is no pool: each instance
//! gets its memory when it starts.

use std::time::Duration;

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use keyturn_core::space::Space;
use keyturn_package::limits::{GuestMemory, POOL_INSTANCES, POOL_MEMORY, POOL_TABLE};

/// Component instances that can exist at once.
pub const POOL_SLOTS: u32 = 64;
/// Time between two ticks of the epoch.
pub const TICK: Duration = Duration::from_millis(10);

/// Memory of an instance that the pool keeps for the next one, wiped. A light call touches less and then costs 16 µs; more
/// would stay with slots that hashed once.
const KEEP_RESIDENT: usize = 2 << 20;
/// Address space of the pool: 4 GiB and a guard for each slot, and room for everything else.
const POOL_SPACE: u64 = POOL_SLOTS as u64 * (4128 << 20) + (8 << 30);
/// Guard bytes behind a memory that has only its own address space.
const GUARD: u64 = 64 << 10;

/// An engine and how it was made.
pub struct Machine {
    /// Its epochs are ticks of [`TICK`].
    pub engine: Engine,
    /// Without a pool. A component that is compiled for one kind of engine doesn't fit the other.
    pub on_demand: bool,
}

/// An engine's configuration. A compiled component fits only engines of the same `on_demand`.
fn config(on_demand: bool) -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .concurrency_support(false)
        .wasm_memory64(false)
        .max_wasm_stack(512 << 10)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(16));
    if on_demand {
        // A full memory isn't moved, as in the pool.
        config.memory_reservation(POOL_MEMORY as u64).memory_guard_size(GUARD).memory_may_move(false);
        // With little memory, one thread compiles.
        config.parallel_compilation(false);
    }
    config
}

/// An engine that compiles and runs nothing.
pub fn compiler(on_demand: bool) -> wasmtime::Result<Engine> {
    Engine::new(config(on_demand).allocation_strategy(InstanceAllocationStrategy::OnDemand))
}

fn pooling() -> Config {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(POOL_SLOTS)
        .total_core_instances(POOL_SLOTS * 4)
        .total_memories(POOL_SLOTS)
        .total_tables(POOL_SLOTS * 4)
        // Without async, no call needs a stack of its own; the default would reserve a thousand.
        .total_stacks(0)
        .max_core_instances_per_component(POOL_INSTANCES as u32)
        .max_memories_per_component(2)
        .max_tables_per_component(8)
        .max_memory_size(POOL_MEMORY)
        .table_elements(POOL_TABLE)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(4096)
        .pagemap_scan(Enabled::Auto);
    let mut config = config(false);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

/// Calls that fit into this address space without a pool: they get a quarter of it.
fn room(space: Space) -> usize {
    usize::try_from(space.0 / 4 / (POOL_MEMORY as u64)).unwrap_or(usize::MAX).max(1)
}

impl Machine {
    /// An engine, and a thread that advances its epoch as long as it lives.
    pub fn new(memory: GuestMemory) -> wasmtime::Result<Self> {
        let made = Self::of(memory, Space::of_process())?;
        // Weak, or the thread would keep the engine alive forever.
        let weak = made.engine.weak();
        std::thread::Builder::new().name("keyturn-epoch".to_owned()).spawn(move || {
            while let Some(engine) = weak.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(TICK);
            }
        })?;
        Ok(made)
    }

    fn of(memory: GuestMemory, space: Option<Space>) -> wasmtime::Result<Self> {
        let on_demand = || Ok(Self { engine: compiler(true)?, on_demand: true });
        if memory == GuestMemory::OnDemand {
            return on_demand();
        }
        let little = space.filter(|space| memory == GuestMemory::Auto && space.0 < POOL_SPACE);
        let why = match little {
            Some(space) => space.to_string(),
            None => match Engine::new(&pooling()) {
                Ok(engine) => return Ok(Self { engine, on_demand: false }),
                Err(cause) if memory == GuestMemory::Pool => return Err(cause),
                Err(cause) => format!("{cause:#}"),
            },
        };
        tracing::warn!(
            "plugins' memory comes on demand instead of from a pool, which makes them slower: {why}. Raise that limit, or set \
             limits.guest-memory = \"on-demand\" to accept it"
        );
        on_demand()
    }

    /// Calls that may run at once, if this many are wanted.
    pub fn calls_at_once(&self, asked: usize) -> usize {
        let room = Space::of_process().filter(|_| self.on_demand).map_or(usize::MAX, room);
        asked.min(POOL_SLOTS as usize).min(room)
    }
}

/// Ticks after which `time` has certainly passed: the first one may come at once.
pub fn ticks(time: Duration) -> u64 {
    u64::try_from(time.as_millis().div_ceil(TICK.as_millis())).unwrap_or(u64::MAX - 1) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pool_gives_way_only_where_its_address_space_is_not_there_and_nobody_insists_on_it() {
        let little = Some(Space(2 << 30));
        let on_demand = |memory, space| Machine::of(memory, space).expect("an engine").on_demand;
        assert!(on_demand(GuestMemory::Auto, little) && on_demand(GuestMemory::OnDemand, None));
        assert!(!on_demand(GuestMemory::Auto, None) && !on_demand(GuestMemory::Pool, little));
        assert!(!on_demand(GuestMemory::Auto, Some(Space(POOL_SPACE))));
    }

    #[test]
    fn what_is_compiled_for_one_kind_of_memory_is_not_run_with_the_other() {
        let hash = |engine: &Engine| {
            use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
            BuildHasherDefault::<DefaultHasher>::default().hash_one(engine.precompile_compatibility_hash())
        };
        let of = |memory| Machine::of(memory, None).expect("an engine").engine;
        let (pool, on_demand) = (of(GuestMemory::Pool), of(GuestMemory::OnDemand));
        assert_ne!(hash(&pool), hash(&on_demand));
        assert_eq!(hash(&pool), hash(&compiler(false).expect("an engine")));
        assert_eq!(hash(&on_demand), hash(&compiler(true).expect("an engine")));
    }

    #[test]
    fn calls_have_room_beside_everything_else() {
        assert_eq!((room(Space(1 << 30)), room(Space(0))), (16, 1));
    }
}
