//! What one call holds while it runs: who called, what it has read, what it asks for. It is the store's data, made
//! fresh for each call and dropped with it, so that nothing of a call outlives it.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keyturn_core::accounts::AccountId;
use keyturn_core::caller::Caller;
use keyturn_store::{Effect, Known, Read, StorageError};
use wasmtime::component::{HasData, ResourceTable};
use wasmtime::{ResourceLimiter, StoreContextMut, UpdateDeadline};
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::admit::Plugin;
use crate::capabilities::Parts;
use crate::engine;
use crate::surroundings::Surroundings;

/// What a call is for, and so what it may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
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
pub enum Stop {
    #[error("the limit {0} was reached")]
    Limit(&'static str),
    #[error("effects are refused in pages, slots and operations that declare none")]
    EffectsRefused,
}

/// The store's data.
pub struct State {
    wasi: WasiCtx,
    table: ResourceTable,
    pub(crate) stderr: MemoryOutputPipe,
    pub(crate) limiter: Limiter,
    /// What the call is, has read and asks for.
    pub ledger: Ledger,
    /// What each capability keeps of the call.
    pub parts: Parts,
}

/// What a call is, what it has read, and what it asks for.
pub struct Ledger {
    /// Whose export runs.
    pub plugin: Arc<Plugin>,
    /// What it can see beyond itself.
    pub around: Arc<Surroundings>,
    /// Who calls.
    pub caller: Caller,
    /// The call's one instant, Unix milliseconds.
    pub now: i64,
    /// What it is for.
    pub purpose: Purpose,
    /// How many events have led to this call.
    pub depth: u32,
    /// Each account is read once, so that a call sees one state of it.
    pub accounts: BTreeMap<AccountId, Option<Known>>,
    /// What must still be so at the commit.
    pub reads: Vec<Read>,
    /// What it asks for, in order.
    pub effects: Vec<Effect>,
    read_count: usize,
    effects_bytes: usize,
    began: Instant,
    in_host: Duration,
}

/// What a capability sees of a call: the ledger, and its own part.
pub struct View<'a, Part> {
    /// What the call is, has read and asks for.
    pub ledger: &'a mut Ledger,
    /// What this capability keeps of the call.
    pub part: &'a mut Part,
}

/// [`View`] of a part, as the linker wants it.
pub struct Of<Part>(PhantomData<Part>);

impl<Part: 'static> HasData for Of<Part> {
    type Data<'a> = View<'a, Part>;
}

impl Ledger {
    /// Counts one read against the limit.
    pub fn reading(&mut self) -> Result<(), &'static str> {
        self.read_count += 1;
        if self.read_count > self.plugin.limits.reads { Err("reads") } else { Ok(()) }
    }

    /// Reads an account once, and notes what was seen.
    pub fn note(&mut self, id: &AccountId) -> Result<(), StorageError> {
        if !self.accounts.contains_key(id) {
            let seen = self.in_host(|ledger| ledger.around.storage.account(id))?;
            self.noted(id.clone(), seen);
        }
        Ok(())
    }

    /// Notes how an account was seen.
    pub fn noted(&mut self, id: AccountId, seen: Option<Known>) {
        self.reads.push(Read::Account { id: id.clone(), seen: seen.clone().map(Box::new) });
        self.accounts.insert(id, seen);
    }

    /// Whether this purpose has effects.
    ///
    /// # Errors
    /// The call is stopped.
    pub fn effects_allowed(&self) -> Result<(), Stop> {
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
    pub fn effect(&mut self, effect: Effect, bytes: usize) -> Result<Result<(), &'static str>, Stop> {
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
    pub fn in_host<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let began = Instant::now();
        let result = work(self);
        self.in_host += began.elapsed();
        result
    }
}

/// What a call is made of.
pub struct Facts<'a> {
    /// Whose export runs.
    pub plugin: &'a Arc<Plugin>,
    /// Who calls.
    pub caller: &'a Caller,
    /// The call's one instant, Unix milliseconds.
    pub now: i64,
    /// What it is for.
    pub purpose: Purpose,
    /// How many events have led to this call.
    pub depth: u32,
}

impl State {
    pub(super) fn new(facts: &Facts<'_>, around: &Arc<Surroundings>, parts: Parts) -> Self {
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
            ledger: Ledger {
                plugin: Arc::clone(facts.plugin),
                around: Arc::clone(around),
                caller: facts.caller.clone(),
                now: facts.now,
                purpose: facts.purpose,
                depth: facts.depth,
                accounts: BTreeMap::new(),
                reads: Vec::new(),
                effects: Vec::new(),
                read_count: 0,
                effects_bytes: 0,
                began: Instant::now(),
                in_host: Duration::ZERO,
            },
            parts,
        }
    }

    /// What one capability sees.
    pub(crate) fn view<Part>(&mut self, part: impl FnOnce(&mut Parts) -> &mut Part) -> View<'_, Part> {
        View { ledger: &mut self.ledger, part: part(&mut self.parts) }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// At an epoch deadline: time in the host is given back, the rest is the guest's own and ends here.
pub fn deadline(mut store: StoreContextMut<'_, State>) -> wasmtime::Result<UpdateDeadline> {
    let ledger = &store.data_mut().ledger;
    let limits = &ledger.plugin.limits;
    let total = ledger.began.elapsed();
    let guest = total.saturating_sub(ledger.in_host);
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
pub struct Limiter {
    memory: usize,
    elements: usize,
    instances: usize,
    pub hit: Option<&'static str>,
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
