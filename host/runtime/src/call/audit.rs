//! What a call leaves in the audit log: an entry, or one more in a count. Refused calls can't fill the disk.
//!
//! - A call that changed something always has an entry, and so has everything that the console does.
//! - A call that was turned away is only counted, and so is one that answered `done` and asked for nothing.
//! - A call that failed, had a result without a change (a wrong password), or only queued a job has an entry with its account
//!   and address, as long as there is room: so many an hour for each network, account or service key, and so many in all.
//!   Beyond that it is counted.
//!
//! Idempotency records follow the same rule. They keep a change from happening twice, and a call without a change needs none. A
//! service key's requests have a limit of their own, so everything that they cause is recorded.

use std::collections::{BTreeSet, HashMap};

use parking_lot::Mutex;

use super::error::{CallError, Failure};
use super::{Answer, Left, Request};
use crate::capabilities::Parts;
use crate::runtime::Runtime;
use keyturn_core::accounts::{AccountId, Why};
use keyturn_core::caller::{Actor, Caller};
use keyturn_core::network::Network;
use keyturn_store::tasks::TaskKind;
use keyturn_store::{AuditEntry, Commit, Effect, Role};

/// Milliseconds.
const HOUR: i64 = 3_600_000;
/// Entries in an hour about calls that changed nothing, for all callers together.
const IN_ALL: u32 = 1_000;
/// For all callers of one network, or one account.
const FOR_ONE: u32 = 60;
/// For one service key: it passes on what many people do.
const FOR_KEY: u32 = 500;

/// The room that is left this hour for entries about calls that changed nothing. It is in memory: a restart resets it.
#[derive(Default)]
pub struct Budget(Mutex<Hour>);

#[derive(Default)]
struct Hour {
    number: i64,
    all: u32,
    /// By caller or network; never more than there are entries.
    each: HashMap<String, u32>,
}

impl Budget {
    /// Takes the room for one entry, if there is any. `now` is Unix milliseconds.
    fn spend(&self, caller: &Caller, now: i64) -> bool {
        let network = || caller.address.map(|address| Network::neighbourhood(address).to_string());
        let (whose, most) = match &caller.actor {
            Actor::Console => return true,
            Actor::ServiceKey(_) => (caller.actor.name(), FOR_KEY),
            Actor::Account(_) => (caller.actor.name(), FOR_ONE),
            Actor::Anonymous | Actor::System => (network().unwrap_or_default(), FOR_ONE),
        };
        let mut hour = self.0.lock();
        let number = now.div_euclid(HOUR);
        if hour.number != number {
            *hour = Hour { number, ..Hour::default() };
        }
        let taken = hour.each.get(&whose).copied().unwrap_or(0);
        if hour.all >= IN_ALL || taken >= most {
            return false;
        }
        hour.all += 1;
        hour.each.insert(whose, taken + 1);
        true
    }
}

/// What an answered call leaves besides its effects.
pub(super) struct Trace {
    /// Its entry in the audit log.
    pub(super) entry: Option<AuditEntry>,
    /// The outcome to count, if it has no entry.
    pub(super) counted: Option<String>,
    /// Whether its idempotency record is kept.
    pub(super) recorded: bool,
}

impl Runtime {
    /// What an answered call leaves.
    pub(super) fn trace<T>(&self, request: &Request<'_>, left: &Left, answer: &Answer<T>) -> Trace {
        let only_work = |effect: &Effect| matches!(effect, Effect::Enqueue(task) if task.kind == TaskKind::Job);
        let (idle, changed) = (left.effects.is_empty(), !left.effects.iter().all(only_work));
        let nothing = idle && answer.case == "done" && left.parts.accounts.checked.is_empty();
        let untouched = nothing && request.caller.actor != Actor::Console;
        if changed || (!untouched && self.audited.spend(request.caller, left.now)) {
            let entry = audit_entry(request, left.now, &left.effects, &left.parts, answer.case.clone());
            return Trace { entry: Some(entry), counted: None, recorded: !idle };
        }
        let outcome = if untouched { "no-effect".to_owned() } else { answer.case.clone() };
        let recorded = !idle && matches!(request.caller.actor, Actor::ServiceKey(_));
        Trace { entry: None, counted: Some(outcome), recorded }
    }

    /// Counts a call that has no entry.
    pub(super) fn tally(&self, request: &Request<'_>, now: i64, outcome: String) {
        let counted = AuditEntry::counted(request.caller, now, &request.plugin.name, &request.operation.name, outcome);
        self.storage.tally(counted);
    }

    /// Writes the entry of a failed call in a transaction of its own, if there is room. If that fails, it is logged, and the
    /// answer stays the same.
    pub(super) fn audit_failure(&self, request: &Request<'_>, now: i64, parts: &Parts, error: &CallError) {
        if !self.audited.spend(request.caller, now) {
            return self.tally(request, now, error.case());
        }
        let commit = Commit {
            audit: Some(audit_entry(request, now, &[], parts, error.case())),
            ..Commit::bare(&request.plugin.name, now, Vec::new())
        };
        if let Err(cause) = self.storage.commit(commit) {
            tracing::error!(request = request.caller.request, "can't write a failure to the audit log: {cause}");
        }
    }
}

fn audit_entry(request: &Request<'_>, now: i64, effects: &[Effect], parts: &Parts, outcome: String) -> AuditEntry {
    let replaced = effects.iter().filter_map(|effect| match effect {
        Effect::Replace { id, why: Why::Password, .. } => Some((id.clone(), Role::Password)),
        Effect::Replace { id, why: Why::Upgrade, .. } => Some((id.clone(), Role::Upgrade)),
        _ => None,
    });
    let mut subjects: Vec<(AccountId, Role)> =
        request.subject.clone().map(|id| (id, Role::Subject)).into_iter().chain(replaced).collect();
    // Only if nothing else names it: a call that replaces a hash has usually read it before.
    let named: BTreeSet<AccountId> = subjects.iter().map(|(id, _)| id.clone()).collect();
    subjects.extend(parts.accounts.checked.difference(&named).map(|id| (id.clone(), Role::Checked)));
    AuditEntry {
        subjects,
        ..AuditEntry::of(request.caller, now, &request.plugin.name, &request.operation.name, outcome)
    }
}

/// Counts a call that was turned away without being looked at. A row for each would let anybody fill the disk.
pub(super) fn turned_away(error: &CallError) -> bool {
    matches!(error, CallError::Failed(Failure::Throttled(_) | Failure::Unavailable(_)) | CallError::Busy(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyturn_core::accounts::Reach;

    fn from(actor: Actor, address: &str) -> Caller {
        Caller { address: address.parse().ok(), ..Caller::new(actor, Reach::none()) }
    }

    fn taken(budget: &Budget, caller: impl Fn(u32) -> Caller, now: i64) -> usize {
        (0..5_000).filter(|n| budget.spend(&caller(*n), now)).count()
    }

    #[test]
    fn one_network_takes_its_own_room_and_leaves_the_others_theirs() {
        let budget = Budget::default();
        let one = |n: u32| from(Actor::Anonymous, &format!("192.0.2.{}", n % 250));
        assert_eq!(taken(&budget, one, 0), FOR_ONE as usize);
        assert_eq!(taken(&budget, |_| from(Actor::Anonymous, "2001:db8::1"), 0), FOR_ONE as usize);
        assert_eq!(taken(&budget, |_| from(Actor::Anonymous, "nowhere"), 0), FOR_ONE as usize);
        assert_eq!(taken(&budget, |_| from(Actor::ServiceKey("panel".to_owned()), "192.0.2.1"), 0), FOR_KEY as usize);
        let person = |_| from(Actor::Account("customer:1".parse().expect("an account")), "192.0.2.1");
        assert_eq!(taken(&budget, person, 0), FOR_ONE as usize);
        assert_eq!(taken(&budget, one, HOUR), FOR_ONE as usize, "the next hour begins anew");
    }

    #[test]
    fn all_networks_together_take_so_much_and_the_console_always_has_room() {
        let budget = Budget::default();
        let many = |n: u32| from(Actor::Anonymous, &format!("2001:db8:{n:x}::1"));
        assert_eq!(taken(&budget, many, 0), IN_ALL as usize);
        assert_eq!(taken(&budget, |_| from(Actor::Console, ""), 0), 5_000);
    }
}
