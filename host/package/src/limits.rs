//! Limits of a call, a plugin and the host. Each has a default, a setting, and an error that names it.

use keyturn_core::settings::must;
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

keyturn_core::with_defaults! {
    /// Limits of one plugin: `[limits]` in its grants file.
    #[derive(Debug, Clone, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
    pub struct Limits {
        /// Linear memory of an instance, bytes; the pool's slots hold 16 MiB.
        pub memory_bytes: usize = 16 << 20,
        /// Elements of each table.
        pub table_elements: usize = 20_000,
        /// Core instances of a component.
        pub instances: usize = 16,
        /// Bytes that a guest may pass to one host function.
        pub hostcall_bytes: usize = 1 << 20,
        /// WASI resources open at once.
        pub handles: usize = 256,
        /// Effects of a call.
        pub effects: usize = 256,
        /// Bytes of all effects of a call.
        pub effects_bytes: usize = 1 << 20,
        /// Reads of a call.
        pub reads: usize = 2_048,
        /// Milliseconds of the guest's own work in a call, in ticks of 10 ms.
        pub guest_ms: u64 = 2_000,
        /// Milliseconds of a call, with its time in the host.
        pub total_ms: u64 = 10_000,
        /// Bytes of standard error of a call.
        pub log_bytes: usize = 16 << 10,
        /// Bytes of the plugin's data: keys and sealed values together.
        pub stored_bytes: u64 = 64 << 20,
        /// Bytes of the plugin's emails in the outbox: their sealed contents, and 512 for each. Finished emails stay for 30
        /// days.
        pub outbox_bytes: u64 = 256 << 20,
        /// Waiting jobs of the plugin, and deliveries of its events.
        pub waiting_jobs: u64 = 10_000,
        /// Events of the plugin that wait for one webhook. Events above that are only counted.
        pub waiting_deliveries: u64 = 10_000,
        /// The length of a chain of events: an event that a plugin emits because of another is one deeper.
        pub event_depth: u32 = 8,
        /// KiB of memory of one slow hash.
        pub kdf_memory_kib: u32 = 65_536,
        /// Passes of one slow hash.
        pub kdf_passes: u32 = 8,
        /// Lanes of one slow hash.
        pub kdf_lanes: u32 = 4,
        /// Slow hashes of a call.
        pub kdf_calls: u32 = 8,
    }
}

impl Limits {
    /// Checks that the engine can keep each limit.
    ///
    /// # Errors
    /// The setting and its bounds.
    pub fn check(&self) -> Result<(), String> {
        let within = |name: &str, value: u64, least: u64, most: u64| match (least..=most).contains(&value) {
            true => Ok(()),
            false => Err(format!("limits.{name} must be {least} to {most}, not {value}")),
        };
        within("memory-bytes", self.memory_bytes as u64, 1, POOL_MEMORY as u64)?;
        within("table-elements", self.table_elements as u64, 1, POOL_TABLE as u64)?;
        within("instances", self.instances as u64, 1, POOL_INSTANCES as u64)?;
        within("guest-ms", self.guest_ms, 10, 600_000)?;
        within("total-ms", self.total_ms, 10, 600_000)
    }
}

/// Bytes of a pool slot's memory.
pub const POOL_MEMORY: usize = 16 << 20;
/// Elements of a pool slot's table.
pub const POOL_TABLE: usize = 20_000;
/// Core instances of a component in the pool.
pub const POOL_INSTANCES: usize = 16;

keyturn_core::with_defaults! {
    /// Limits of the host as a whole: `[limits]` in `keyturn.toml`.
    #[derive(Debug, Clone, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
    pub struct HostLimits {
        /// Where plugins' memory comes from.
        pub guest_memory: GuestMemory = GuestMemory::default(),
        /// Calls that run at once; at most the pool's 64. With memory on demand and little address space there may be fewer.
        pub calls_at_once: usize = 48,
        /// Calls that wait for one of these places; more are turned away.
        pub calls_queue: usize = 512,
        /// Calls of the compute lane at once; 0: one for each core.
        pub compute_at_once: usize = 0,
        /// Calls that wait for the compute lane; more are turned away before any look-up.
        pub compute_queue: usize = 128,
        /// Milliseconds that a call may wait in either queue.
        pub queue_ms: u64 = 5_000,
        /// Jobs and events that run at once. They mostly wait for the disk, all of them together.
        pub tasks_at_once: usize = 8,
        /// Accounts that one login or address finds and emails; older ones first.
        pub accounts_per_address: usize = 100,
        /// Requests of each service key within a minute.
        pub requests_per_minute: u32 = 600,
        /// Regions and pages that each key requests within a minute, for people.
        pub views_per_minute: u32 = 60_000,
        /// Connections to the server; unknown addresses together get three quarters.
        pub connections: usize = Budget::CONNECTIONS.all,
        /// Connections, or requests through a proxy, of each client address at once; for IPv6, each /64.
        pub connections_per_address: usize = Budget::CONNECTIONS.each,
        /// The same for this machine, and for each address in `server.proxies` and `server.panel-addresses`.
        pub connections_per_known_address: usize = Budget::CONNECTIONS.known,
        /// Bytes of memory for the bodies of requests, each until it is answered; unknown addresses together get three
        /// quarters. The first 16 KiB of a body are free; each byte after that counts three times.
        pub body_bytes: usize = Budget::BODIES.all,
        /// The same for each client address; for IPv6, each /64.
        pub body_bytes_per_address: usize = Budget::BODIES.each,
        /// The same for this machine, and for each address in `server.proxies` and `server.panel-addresses`.
        pub body_bytes_per_known_address: usize = Budget::BODIES.known,
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
            must((1..=1_000_000).contains(&value), setting, || format!("must be 1 to 1000000, not {value}"))?;
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
