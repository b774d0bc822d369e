//! What one call, one plugin and the host may use at most. Each limit has a default, a setting and an error that names it.

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
    /// Bytes that one call of a host function may hand over.
    pub hostcall_bytes: usize,
    /// WASI resources open at once.
    pub handles: usize,
    /// Effects of a call.
    pub effects: usize,
    /// Bytes of all effects of a call.
    pub effects_bytes: usize,
    /// Reads of a call.
    pub reads: usize,
    /// Milliseconds of the guest's own work in a call; ticks of 10 ms.
    pub guest_ms: u64,
    /// Milliseconds of a call with its time in the host.
    pub total_ms: u64,
    /// Bytes of standard error of a call.
    pub log_bytes: usize,
    /// Bytes of the plugin's data, keys and sealed values together.
    pub stored_bytes: u64,
    /// Bytes of the plugin's mails in the outbox: what is sealed, and 512 for each; mails that are done stay for 30 days.
    pub outbox_bytes: u64,
    /// Jobs of the plugin, and deliveries of its events, that wait.
    pub waiting_jobs: u64,
    /// Events of the plugin that wait for one webhook; of more it is only counted how many they were.
    pub waiting_deliveries: u64,
    /// How many events may have led to one another: one that a plugin emits because of an event is one deeper.
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
    /// Whether each is one that the engine can keep.
    ///
    /// # Errors
    /// The setting and its greatest value.
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
    /// Calls that run at once; at most the pool's 64. Where memory comes on demand and address space is limited, they may be
    /// fewer.
    pub calls_at_once: usize,
    /// Calls that wait for one of these; more are turned away.
    pub calls_queue: usize,
    /// Calls of the compute lane at once; 0: as many as there are cores.
    pub compute_at_once: usize,
    /// Calls that wait for the compute lane; more are turned away before any look-up.
    pub compute_queue: usize,
    /// Milliseconds that a call waits in either queue.
    pub queue_ms: u64,
    /// Jobs and events that run at once: most of their time they wait for the disk, and then all of them together.
    pub tasks_at_once: usize,
    /// Accounts that are found, and mailed, by one login or address; the older ones first.
    pub accounts_per_address: usize,
    /// Requests that each service key may make within a minute.
    pub requests_per_minute: u32,
    /// Regions and pages that each may ask for within a minute, on behalf of people.
    pub views_per_minute: u32,
    /// Connections to the server at once; strangers together have three quarters of them.
    pub connections: usize,
    /// Connections, or requests through a proxy, of each client's address at once; of IPv6, of each /64.
    pub connections_per_address: usize,
    /// The same of this machine, and of each address in `server.proxies` and `server.panel-addresses`.
    pub connections_per_known_address: usize,
    /// Bytes of memory for the bodies of requests, for each until it is answered; strangers together have three quarters of
    /// them. The first 16 KiB of a body are free, each further byte counts three times.
    pub body_bytes: usize,
    /// The same of each client's address; of IPv6, of each /64.
    pub body_bytes_per_address: usize,
    /// The same of this machine, and of each address in `server.proxies` and `server.panel-addresses`.
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
/// What [`HostLimits::accounts_per_address`] may be: each account that is found, and counted, is a read of the call, of which
/// there are [`Limits::reads`].
pub const ACCOUNTS_PER_ADDRESS: std::ops::RangeInclusive<usize> = 1..=500;
