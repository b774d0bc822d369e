//! One line of the audit log.

use keyturn_core::accounts::AccountId;
use keyturn_core::caller::Caller;
use keyturn_core::network::Network;
use serde::{Deserialize, Serialize};

/// Milliseconds.
const MINUTE: i64 = 60_000;

/// Why an account stands in an audit entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The parameter that the manifest names.
    Subject,
    /// Its password was replaced.
    Password,
    /// Its hash was replaced by another form of the same password.
    Upgrade,
    /// Its stored hash was read: somebody's password may have been held against it.
    Checked,
}

/// One line of the audit: what ran, for whom, how it ended; or how often within a minute something came to nothing. Never a
/// secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Unix milliseconds; of what was counted, the beginning of its minute.
    pub at: i64,
    /// The plugin, as the operator named it.
    pub plugin: String,
    /// The operation.
    pub operation: String,
    /// `anonymous`, an account, `service-key:NAME`, `console` or `system`; of what was counted also `several`.
    pub actor: String,
    /// The service key that carried the request, by name.
    pub key: Option<String>,
    /// Whom it concerned, and how.
    pub subjects: Vec<(AccountId, Role)>,
    /// `done`, the failure's case, the answer variant's case, or `trap`, `deadline`; `no-effect` where it answered `done` and
    /// asked for nothing.
    pub outcome: String,
    /// The client's address; of what was counted, its network, and none for those that are not told apart.
    pub address: Option<String>,
    /// The request's id, as in the log; empty for what was counted.
    pub request: String,
    /// How often, for what was only counted; none: this one call.
    pub times: Option<u64>,
}

impl AuditEntry {
    /// What `caller` has done at `at`, Unix milliseconds; about nobody in particular.
    pub fn of(caller: &Caller, at: i64, plugin: &str, operation: &str, outcome: String) -> Self {
        Self {
            at,
            plugin: plugin.to_owned(),
            operation: operation.to_owned(),
            actor: caller.actor.name(),
            key: caller.key.clone(),
            subjects: Vec::new(),
            outcome,
            address: caller.address.map(|address| address.to_canonical().to_string()),
            request: caller.request.clone(),
            times: None,
        }
    }

    /// The same as one of many: what all calls of that kind, from that network, in that minute have in common.
    pub fn counted(caller: &Caller, at: i64, plugin: &str, operation: &str, outcome: String) -> Self {
        Self {
            address: caller.address.map(|address| Network::neighbourhood(address).to_string()),
            request: String::new(),
            ..Self::of(caller, at - at.rem_euclid(MINUTE), plugin, operation, outcome)
        }
    }
}

/// Which audit entries to list, newest first.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Only those that concern this account.
    pub subject: Option<AccountId>,
    /// Only this operation.
    pub operation: Option<String>,
    /// Only those older than this entry.
    pub before: Option<i64>,
    /// At most so many, 1 to 1,000.
    pub limit: u32,
    /// Also what was only counted; it concerns no account, so none of it with [`AuditFilter::subject`].
    pub counted: bool,
}

/// What of the audit is older than an instant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outdated {
    /// Entries of one call.
    pub entries: u64,
    /// Lines that count calls.
    pub counted: u64,
    /// The oldest of both, Unix milliseconds.
    pub oldest: Option<i64>,
}
