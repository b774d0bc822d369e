//! The data of one call's store. It is created for each call and dropped with it, so nothing of a call outlives it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::ResourceTable;
use wasmtime::{ResourceLimiter, StoreContextMut, UpdateDeadline};
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use super::ledger::{Ledger, View};
use crate::capabilities::Parts;
use crate::engine;
use crate::profile::Profile;

/// The store's data.
pub struct State {
    wasi: WasiCtx,
    table: ResourceTable,
    pub(crate) stderr: MemoryOutputPipe,
    pub(crate) limiter: Limiter,
    /// The call: what it is, has read and asks for.
    pub ledger: Ledger,
    /// What each capability keeps of the call.
    pub parts: Parts,
}

impl State {
    pub(super) fn new(ledger: Ledger, parts: Parts) -> Self {
        let limits = &ledger.plugin.limits;
        let stderr = MemoryOutputPipe::new(limits.log_bytes);
        let wasi = WasiCtxBuilder::new()
            .stderr(stderr.clone())
            .max_random_size(64 << 10)
            .wall_clock(Coarse)
            .monotonic_clock(Coarse)
            .build();
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles);
        let limiter = Limiter { plugin: Arc::clone(&ledger.plugin), hit: None };
        Self { wasi, table, stderr, limiter, ledger, parts }
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

/// At an epoch deadline: continues for the time that is left, or stops the call.
pub fn deadline(mut store: StoreContextMut<'_, State>) -> wasmtime::Result<UpdateDeadline> {
    let left = store.data_mut().ledger.time_left()?;
    Ok(UpdateDeadline::Continue(engine::ticks(left)))
}

/// Limits memory and tables, and notes which limit refused, because the guest's own error doesn't say.
#[allow(missing_docs)]
pub struct Limiter {
    plugin: Arc<Profile>,
    pub hit: Option<&'static str>,
}

impl Limiter {
    fn fits(&mut self, name: &'static str, desired: usize, most: usize, maximum: Option<usize>) -> bool {
        let fits = desired <= most.min(maximum.unwrap_or(usize::MAX));
        if !fits {
            self.hit = Some(name);
        }
        fits
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, _: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.fits("memory-bytes", desired, self.plugin.limits.memory_bytes, maximum))
    }

    fn table_growing(&mut self, _: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.fits("table-elements", desired, self.plugin.limits.table_elements, maximum))
    }

    fn instances(&self) -> usize {
        self.plugin.limits.instances
    }

    fn memories(&self) -> usize {
        2
    }

    fn tables(&self) -> usize {
        8
    }
}

/// Clocks with a resolution of milliseconds: enough for a plugin, too coarse to time another plugin's work.
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
