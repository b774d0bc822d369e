//! What a plugin may keep.

/// What a plugin may keep, over all its calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quotas {
    /// Bytes of its data, keys and sealed values together.
    pub stored_bytes: u64,
    /// Bytes of its mails in the outbox.
    pub outbox_bytes: u64,
    /// Its jobs, and deliveries of its events, that wait.
    pub waiting_jobs: u64,
    /// Its events that wait for one webhook; of more it is only counted how many they were.
    pub waiting_deliveries: u64,
}

impl Quotas {
    /// No limit at all.
    pub const NONE: Quotas =
        Quotas { stored_bytes: u64::MAX, outbox_bytes: u64::MAX, waiting_jobs: u64::MAX, waiting_deliveries: u64::MAX };
}
