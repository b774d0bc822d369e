//! What one call, one plugin and the host may use at most. Each limit has a default, a setting and an error that names it.

use keyturn_core::settings::must;
use serde::{Deserialize, Serialize};

/// Where plugins' memory comes from: `limits.guest-memory`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GuestMemory {
    /// The pool, or where the system does not give it the address space: on demand.
    #[default]
    Auto,
    /// A pool, for which 258 GiB of address space are reserved, though not used, at the start: the quickest.
    Pool,
    /// 16 MiB of address space for each instance, at each call. Each access is checked, which makes plugins slower.
    OnDemand,
}

/// How much there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// For all together; strangers together have three quarters of it.
    pub all: usize,
    /// For each address of a stranger; of IPv6 for each /64. Those without an address are one stranger.
    pub each: usize,
    /// For each address that is known: this machine, proxies and panels.
    pub known: usize,
}

impl Budget {
    /// Connections to the server, if the operator says nothing.
    pub const CONNECTIONS: Self = Self { all: 1_024, each: 128, known: 768 };
    /// Bytes of memory for the bodies of requests, likewise.
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
        /// Bytes that one call of a host function may hand over.
        pub hostcall_bytes: usize = 1 << 20,
        /// WASI resources open at once.
        pub handles: usize = 256,
        /// Effects of a call.
        pub effects: usize = 256,
        /// Bytes of all effects of a call.
        pub effects_bytes: usize = 1 << 20,
        /// Reads of a call.
        pub reads: usize = 2_048,
        /// Milliseconds of the guest's own work in a call; ticks of 10 ms.
        pub guest_ms: u64 = 2_000,
        /// Milliseconds of a call with its time in the host.
        pub total_ms: u64 = 10_000,
        /// Bytes of standard error of a call.
        pub log_bytes: usize = 16 << 10,
        /// Bytes of the plugin's data, keys and sealed values together.
        pub stored_bytes: u64 = 64 << 20,
        /// Bytes of the plugin's mails in the outbox: what is sealed, and 512 for each; mails that are done stay for 30 days.
        pub outbox_bytes: u64 = 256 << 20,
        /// Jobs of the plugin, and deliveries of its events, that wait.
        pub waiting_jobs: u64 = 10_000,
        /// Events of the plugin that wait for one webhook; of more it is only counted how many they were.
        pub waiting_deliveries: u64 = 10_000,
        /// How many events may have led to one another: one that a plugin emits because of an event is one deeper.
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
    /// Whether each is one that the engine can keep.
    ///
    /// # Errors
    /// The setting and its greatest value.
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
        /// Calls that run at once; at most the pool's 64. Where memory comes on demand and address space is limited, they may be
        /// fewer.
        pub calls_at_once: usize = 48,
        /// Calls that wait for one of these; more are turned away.
        pub calls_queue: usize = 512,
        /// Calls of the compute lane at once; 0: as many as there are cores.
        pub compute_at_once: usize = 0,
        /// Calls that wait for the compute lane; more are turned away before any look-up.
        pub compute_queue: usize = 128,
        /// Milliseconds that a call waits in either queue.
        pub queue_ms: u64 = 5_000,
        /// Jobs and events that run at once: most of their time they wait for the disk, and then all of them together.
        pub tasks_at_once: usize = 8,
        /// Accounts that are found, and mailed, by one login or address; the older ones first.
        pub accounts_per_address: usize = 100,
        /// Requests that each service key may make within a minute.
        pub requests_per_minute: u32 = 600,
        /// Regions and pages that each may ask for within a minute, on behalf of people.
        pub views_per_minute: u32 = 60_000,
        /// Connections to the server at once; strangers together have three quarters of them.
        pub connections: usize = Budget::CONNECTIONS.all,
        /// Connections, or requests through a proxy, of each client's address at once; of IPv6, of each /64.
        pub connections_per_address: usize = Budget::CONNECTIONS.each,
        /// The same of this machine, and of each address in `server.proxies` and `server.panel-addresses`.
        pub connections_per_known_address: usize = Budget::CONNECTIONS.known,
        /// Bytes of memory for the bodies of requests, for each until it is answered; strangers together have three quarters of
        /// them. The first 16 KiB of a body are free, each further byte counts three times.
        pub body_bytes: usize = Budget::BODIES.all,
        /// The same of each client's address; of IPv6, of each /64.
        pub body_bytes_per_address: usize = Budget::BODIES.each,
        /// The same of this machine, and of each address in `server.proxies` and `server.panel-addresses`.
        pub body_bytes_per_known_address: usize = Budget::BODIES.known,
    }
}

impl HostLimits {
    /// Whether a client could come in at all.
    ///
    /// # Errors
    /// The setting and what is wrong with it.
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
/// What [`HostLimits::accounts_per_address`] may be: each account that is found, and counted, is a read of the call, of which
/// there are [`Limits::reads`].
pub const ACCOUNTS_PER_ADDRESS: std::ops::RangeInclusive<usize> = 1..=500;
