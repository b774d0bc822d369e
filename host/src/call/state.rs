//! What one call holds while it runs: who called, what it has read, what it asks for. It is the store's data, made
//! fresh for each call and dropped with it, so that nothing of a call outlives it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::ResourceTable;
use wasmtime::{ResourceLimiter, StoreContextMut, UpdateDeadline};
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use zeroize::Zeroizing;

use crate::accounts::AccountId;
use crate::caller::Caller;
use crate::capabilities::Surroundings;
use crate::engine;
use crate::kdf::Buffers;
use crate::plugin::admit::Plugin;
use crate::seal::Keys;
use crate::storage::outbox::{MailId, MailState};
use crate::storage::{Effect, Known, Read, StorageError, Store};

/// What a call is for, and so what it may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Draws a page or a slot: reads, nothing else.
    Drawing,
    /// An operation.
    Operation {
        /// Whether it may ask for effects, and count.
        effects: bool,
        /// Whether it may hash.
        compute: bool,
    },
}

/// Why a call was stopped by us. Carried as the trap's cause, so that it is told from the guest's own traps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stop {
    #[error("the limit {0} was reached")]
    Limit(&'static str),
    #[error("effects are refused in pages, slots and operations that declare none")]
    EffectsRefused,
}

/// The store's data.
pub(crate) struct State {
    wasi: WasiCtx,
    table: ResourceTable,
    pub(crate) stderr: MemoryOutputPipe,
    pub(crate) limiter: Limiter,
    pub(crate) call: Call,
}

/// The part of a call that the capabilities work on.
pub(crate) struct Call {
    pub(crate) plugin: Arc<Plugin>,
    pub(crate) storage: Arc<Store>,
    pub(crate) keys: Arc<Keys>,
    pub(crate) buffers: Arc<Buffers>,
    pub(crate) surroundings: Arc<Surroundings>,
    pub(crate) caller: Caller,
    pub(crate) now: i64,
    pub(crate) purpose: Purpose,
    /// How many events have led to this call.
    pub(crate) depth: u32,
    /// Each account is read once, so that a call sees one state of it.
    pub(crate) accounts: BTreeMap<AccountId, Option<Known>>,
    /// What the call itself has written, by key: none where it deleted.
    pub(crate) written: BTreeMap<String, Option<Zeroizing<Vec<u8>>>>,
    /// Mails that the call itself has queued or withdrawn.
    pub(crate) mails: BTreeMap<MailId, MailState>,
    pub(crate) reads: Vec<Read>,
    pub(crate) read_count: usize,
    pub(crate) effects: Vec<Effect>,
    pub(crate) effects_bytes: usize,
    /// Accounts whose hash the guest was given: for the audit.
    pub(crate) checked: BTreeSet<AccountId>,
    pub(crate) kdf_calls: u32,
    /// On which counters it has counted: kept over the runs of one call, so that it counts once on each.
    pub(crate) counted: CountedOn,
    began: Instant,
    in_host: Duration,
}

impl Call {
    /// Counts one read against the limit.
    pub(crate) fn reading(&mut self) -> Result<(), &'static str> {
        self.read_count += 1;
        if self.read_count > self.plugin.limits.reads { Err("reads") } else { Ok(()) }
    }

    /// Reads an account once, and notes what was seen.
    pub(crate) fn note(&mut self, id: &AccountId) -> Result<(), StorageError> {
        if !self.accounts.contains_key(id) {
            let seen = self.in_host(|call| call.storage.account(id))?;
            self.noted(id.clone(), seen);
        }
        Ok(())
    }

    /// Notes how an account was seen.
    pub(crate) fn noted(&mut self, id: AccountId, seen: Option<Known>) {
        self.reads.push(Read::Account { id: id.clone(), seen: seen.clone().map(Box::new) });
        self.accounts.insert(id, seen);
    }

    /// Whether this purpose has effects.
    ///
    /// # Errors
    /// The call is stopped.
    pub(crate) fn effects_allowed(&self) -> Result<(), Stop> {
        if matches!(self.purpose, Purpose::Operation { effects: true, .. }) {
            Ok(())
        } else {
            Err(Stop::EffectsRefused)
        }
    }

    /// Takes an effect of so many bytes, or says which limit it breaks.
    ///
    /// # Errors
    /// Outside: the call is stopped, since this purpose has no effects. Inside: the limit.
    pub(crate) fn effect(&mut self, effect: Effect, bytes: usize) -> Result<Result<(), &'static str>, Stop> {
        self.effects_allowed()?;
        if self.effects.len() >= self.plugin.limits.effects {
            return Ok(Err("effects"));
        }
        if self.effects_bytes + bytes > self.plugin.limits.effects_bytes {
            return Ok(Err("effects-bytes"));
        }
        self.effects_bytes += bytes;
        self.effects.push(effect);
        Ok(Ok(()))
    }

    /// Runs host work whose time is not the guest's.
    pub(crate) fn in_host<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let began = Instant::now();
        let result = work(self);
        self.in_host += began.elapsed();
        result
    }
}

/// Counters, by key and window.
pub(crate) type CountedOn = BTreeSet<(String, u32)>;

/// What a call is made of.
pub(crate) struct Facts<'a> {
    pub(crate) plugin: &'a Arc<Plugin>,
    pub(crate) storage: &'a Arc<Store>,
    pub(crate) keys: &'a Arc<Keys>,
    pub(crate) buffers: &'a Arc<Buffers>,
    pub(crate) surroundings: &'a Arc<Surroundings>,
    pub(crate) caller: &'a Caller,
    pub(crate) now: i64,
    pub(crate) purpose: Purpose,
    pub(crate) depth: u32,
}

impl State {
    pub(crate) fn new(facts: &Facts<'_>, counted: CountedOn) -> Self {
        let limits = &facts.plugin.limits;
        let stderr = MemoryOutputPipe::new(limits.log_bytes);
        let wasi = WasiCtxBuilder::new()
            .stderr(stderr.clone())
            .max_random_size(64 << 10)
            .wall_clock(Coarse)
            .monotonic_clock(Coarse)
            .build();
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles);
        Self {
            wasi,
            table,
            stderr,
            limiter: Limiter {
                memory: limits.memory_bytes,
                elements: limits.table_elements,
                instances: limits.instances,
                hit: None,
            },
            call: Call {
                plugin: Arc::clone(facts.plugin),
                storage: Arc::clone(facts.storage),
                keys: Arc::clone(facts.keys),
                buffers: Arc::clone(facts.buffers),
                surroundings: Arc::clone(facts.surroundings),
                caller: facts.caller.clone(),
                now: facts.now,
                purpose: facts.purpose,
                depth: facts.depth,
                accounts: BTreeMap::new(),
                written: BTreeMap::new(),
                mails: BTreeMap::new(),
                reads: Vec::new(),
                read_count: 0,
                effects: Vec::new(),
                effects_bytes: 0,
                checked: BTreeSet::new(),
                kdf_calls: 0,
                counted,
                began: Instant::now(),
                in_host: Duration::ZERO,
            },
        }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// At an epoch deadline: time in the host is given back, the rest is the guest's own and ends here.
pub(crate) fn deadline(mut store: StoreContextMut<'_, State>) -> wasmtime::Result<UpdateDeadline> {
    let call = &store.data_mut().call;
    let limits = &call.plugin.limits;
    let total = call.began.elapsed();
    let guest = total.saturating_sub(call.in_host);
    let guest_left = Duration::from_millis(limits.guest_ms).saturating_sub(guest);
    let total_left = Duration::from_millis(limits.total_ms).saturating_sub(total);
    if total_left.is_zero() {
        return Err(Stop::Limit("total-ms").into());
    }
    if guest_left.is_zero() {
        return Err(Stop::Limit("guest-ms").into());
    }
    Ok(UpdateDeadline::Continue(engine::ticks(guest_left.min(total_left))))
}

/// Keeps memory and tables within the limits, and notes which one refused: the guest's own error would not say.
pub(crate) struct Limiter {
    memory: usize,
    elements: usize,
    instances: usize,
    pub(crate) hit: Option<&'static str>,
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, _: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let fits = desired <= self.memory.min(maximum.unwrap_or(usize::MAX));
        if !fits {
            self.hit = Some("memory-bytes");
        }
        Ok(fits)
    }

    fn table_growing(&mut self, _: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let fits = desired <= self.elements.min(maximum.unwrap_or(usize::MAX));
        if !fits {
            self.hit = Some("table-elements");
        }
        Ok(fits)
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn memories(&self) -> usize {
        2
    }

    fn tables(&self) -> usize {
        8
    }
}

/// Clocks that tell milliseconds and no less: enough for a plugin, too little to time another's work by.
struct Coarse;

impl HostWallClock for Coarse {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Duration::from_millis(u64::try_from(now.as_millis()).unwrap_or(0))
    }
}

impl HostMonotonicClock for Coarse {
    fn resolution(&self) -> u64 {
        1_000_000
    }

    fn now(&self) -> u64 {
        static BEGAN: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
        u64::try_from(BEGAN.elapsed().as_millis()).unwrap_or(0) * 1_000_000
    }
}
