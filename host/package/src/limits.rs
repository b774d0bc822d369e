//! Limits of a call, a plugin and the host. Each has a default, a setting, and an error that names it.

use serde::{Deserialize, Serialize};

/// Where plugins' memory comes from: `limits.guest-memory`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GuestMemory {
    /// The pool; on demand, if the system doesn't give it the address space.
    #[default]
    Auto,
    /// A pool. It reserves 258 GiB of address space at the start without using it, and is fastest.
    Pool,
    /// 16 MiB of address space for each instance, at each call. Each memory access is checked, so plugins run slower.
    OnDemand,
}

/// How much there is of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// For all together; unknown addresses together get three quarters.
    pub all: usize,
    /// For each unknown address; for IPv6, each /64. Clients without an address count as one.
    pub each: usize,
    /// For each known address: this machine, proxies and panels.
    pub known: usize,
}

impl Budget {
    /// Connections to the server, by default.
    pub const CONNECTIONS: Self = Self { all: 1_024, each: 128, known: 768 };
    /// Bytes of memory for the bodies of requests, by default.
    pub const BODIES: Self = Self { all: 64 << 20, each: 8 << 20, known: 48 << 20 };
}

/// Limits of one plugin: `[limits]` in its grants file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Limits {
    /// Linear memory of an instance, bytes; the pool's slots hold 16 MiB.
    pub memory_bytes: usize,
    /// Elements of each table.
    pub table_elements: usize,
    /// Core instances of a component.
    pub instances: usize,
    /// Bytes that a guest may pass to one host function.
    pub hostcall_bytes: usize,
    /// WASI resources open at once.
    pub handles: usize,
    /// Effects of a call.
    pub effects: usize,
    /// Bytes of all effects of a call.
    pub effects_bytes: usize,
    /// Reads of a call.
    pub reads: usize,
    /// Milliseconds of the guest's own work in a call, in ticks of 10 ms.
    pub guest_ms: u64,
    /// Milliseconds of a call, with its time in the host.
    pub total_ms: u64,
    /// Bytes of standard error of a call.
    pub log_bytes: usize,
    /// Bytes of the plugin's data: keys and sealed values together.
    pub stored_bytes: u64,
    /// Bytes of the plugin's emails in the outbox: their sealed contents, and 512 for each. Finished emails stay for 30 days.
    pub outbox_bytes: u64,
    /// Waiting jobs of the plugin, and deliveries of its events.
    pub waiting_jobs: u64,
    /// Events of the plugin that wait for one webhook. Events above that are only counted.
    pub waiting_deliveries: u64,
    /// The length of a chain of events: an event that a plugin emits because of another is one deeper.
    pub event_depth: u32,
    /// KiB of memory of one slow hash.
    pub kdf_memory_kib: u32,
    /// Passes of one slow hash.
    pub kdf_passes: u32,
    /// Lanes of one slow hash.
    pub kdf_lanes: u32,
    /// Slow hashes of a call.
    pub kdf_calls: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 16 << 20,
            table_elements: 20_000,
            instances: 16,
            hostcall_bytes: 1 << 20,
            handles: 256,
            effects: 256,
            effects_bytes: 1 << 20,
            reads: 2_048,
            guest_ms: 2_000,
            total_ms: 10_000,
            log_bytes: 16 << 10,
            stored_bytes: 64 << 20,
            outbox_bytes: 256 << 20,
            waiting_jobs: 10_000,
            waiting_deliveries: 10_000,
            event_depth: 8,
            kdf_memory_kib: 65_536,
            kdf_passes: 8,
            kdf_lanes: 4,
            kdf_calls: 8,
        }
    }
}

impl Limits {
    /// Checks that the engine can keep each limit.
    ///
    /// # Errors
    /// The setting and its bounds.
    pub fn check(&self) -> Result<(), String> {
        for (name, value, most) in [
            ("memory-bytes", self.memory_bytes, POOL_MEMORY),
            ("table-elements", self.table_elements, POOL_TABLE),
            ("instances", self.instances, POOL_INSTANCES),
        ] {
            if value == 0 || value > most {
                return Err(format!("limits.{name} must be 1 to {most}, not {value}"));
            }
        }
        for (name, value) in [("guest-ms", self.guest_ms), ("total-ms", self.total_ms)] {
            if !(10..=600_000).contains(&value) {
                return Err(format!("limits.{name} must be 10 to 600000, not {value}"));
            }
        }
        Ok(())
    }
}

/// Bytes of a pool slot's memory.
pub const POOL_MEMORY: usize = 16 << 20;
/// Elements of a pool slot's table.
pub const POOL_TABLE: usize = 20_000;
/// Core instances of a component in the pool.
pub const POOL_INSTANCES: usize = 16;

/// Limits of the host as a whole: `[limits]` in `keyturn.toml`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct HostLimits {
    /// Where plugins' memory comes from.
    pub guest_memory: GuestMemory,
    /// Calls that run at once; at most the pool's 64. With memory on demand and little address space there may be fewer.
    pub calls_at_once: usize,
    /// Calls that wait for one of these places; more are turned away.
    pub calls_queue: usize,
    /// Calls of the compute lane at once; 0: one for each core.
    pub compute_at_once: usize,
    /// Calls that wait for the compute lane; more are turned away before any look-up.
    pub compute_queue: usize,
    /// Milliseconds that a call may wait in either queue.
    pub queue_ms: u64,
    /// Jobs and events that run at once. They mostly wait for the disk, all of them together.
    pub tasks_at_once: usize,
    /// Accounts that one login or address finds and emails; older ones first.
    pub accounts_per_address: usize,
    /// Requests of each service key within a minute.
    pub requests_per_minute: u32,
    /// Regions and pages that each key requests within a minute, for people.
    pub views_per_minute: u32,
    /// Connections to the server; unknown addresses together get three quarters.
    pub connections: usize,
    /// Connections, or requests through a proxy, of each client address at once; for IPv6, each /64.
    pub connections_per_address: usize,
    /// The same for this machine, and for each address in `server.proxies` and `server.panel-addresses`.
    pub connections_per_known_address: usize,
    /// Bytes of memory for the bodies of requests, each until it is answered; unknown addresses together get three quarters.
    /// The first 16 KiB of a body are free; each byte after that counts three times.
    pub body_bytes: usize,
    /// The same for each client address; for IPv6, each /64.
    pub body_bytes_per_address: usize,
    /// The same for this machine, and for each address in `server.proxies` and `server.panel-addresses`.
    pub body_bytes_per_known_address: usize,
}

impl Default for HostLimits {
    fn default() -> Self {
        let (connections, bodies) = (Budget::CONNECTIONS, Budget::BODIES);
        Self {
            guest_memory: GuestMemory::default(),
            calls_at_once: 48,
            calls_queue: 512,
            compute_at_once: 0,
            compute_queue: 128,
            queue_ms: 5_000,
            tasks_at_once: 8,
            accounts_per_address: 100,
            requests_per_minute: 600,
            views_per_minute: 60_000,
            connections: connections.all,
            connections_per_address: connections.each,
            connections_per_known_address: connections.known,
            body_bytes: bodies.all,
            body_bytes_per_address: bodies.each,
            body_bytes_per_known_address: bodies.known,
        }
    }
}

impl HostLimits {
    /// Checks that clients can connect at all.
    ///
    /// # Errors
    /// The setting and its problem.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        for (setting, value) in [
            ("limits.connections", self.connections),
            ("limits.connections-per-address", self.connections_per_address),
            ("limits.connections-per-known-address", self.connections_per_known_address),
        ] {
            if !(1..=1_000_000).contains(&value) {
                return Err((setting, format!("must be 1 to 1000000, not {value}")));
            }
        }
        Ok(())
    }

    /// Connections to the server.
    pub fn connections(&self) -> Budget {
        Budget { all: self.connections, each: self.connections_per_address, known: self.connections_per_known_address }
    }

    /// Bytes of memory for the bodies of requests.
    pub fn bodies(&self) -> Budget {
        Budget { all: self.body_bytes, each: self.body_bytes_per_address, known: self.body_bytes_per_known_address }
    }
}
/// The bounds of [`HostLimits::accounts_per_address`]: each account that is found is a read of the call, and [`Limits::reads`]
/// limits those.
pub const ACCOUNTS_PER_ADDRESS: std::ops::RangeInclusive<usize> = 1..=500;
