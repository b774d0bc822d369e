//! What one call is, what it has read, and what it asks for.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keyturn_core::accounts::AccountId;
use keyturn_core::caller::Caller;
use keyturn_store::{Effect, Known, Read, StorageError};
use wasmtime::component::HasData;

use super::error::CallError;
use crate::profile::Profile;
use crate::surroundings::Surroundings;

/// Seconds that a caller is told to wait when the database did not answer.
pub const RETRY_SECONDS: u32 = 5;

/// What a call may do. The default is to draw a page or a slot: it reads, nothing else.
#[derive(Debug, Clone, Copy, Default)]
pub struct Purpose {
    /// Whether it may ask for effects, and count.
    pub effects: bool,
    /// Whether it may hash.
    pub compute: bool,
}

/// What keeps a function of a capability from its answer, whichever interface it is of.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum Unmet {
    #[error("the limit {0} was reached")]
    Limit(&'static str),
    #[error("the database did not answer; try again in {0} seconds")]
    Unavailable(u32),
}

/// [`Unmet::Limit`] of that name, unless it holds.
pub fn within(limit: &'static str, holds: bool) -> Result<(), Unmet> {
    if holds { Ok(()) } else { Err(Unmet::Limit(limit)) }
}

/// The error that a guest gets: its interface's own, or that interface's words for what is [`Unmet`]. Any other cause ends the
/// call.
pub fn told<E: std::error::Error + Send + Sync + 'static>(
    cause: wasmtime::Error,
    limit: fn(String) -> E,
    unavailable: Option<fn(u32) -> E>,
) -> wasmtime::Result<E> {
    match (cause.downcast_ref(), unavailable) {
        (Some(Unmet::Limit(name)), _) => Ok(limit((*name).to_owned())),
        (Some(Unmet::Unavailable(seconds)), Some(unavailable)) => Ok(unavailable(*seconds)),
        _ => cause.downcast(),
    }
}

/// What a call is, what it has read, and what it asks for.
pub struct Ledger {
    /// Whose export runs.
    pub plugin: Arc<Profile>,
    /// What it can see besides its own data.
    pub around: Arc<Surroundings>,
    /// Who calls.
    pub caller: Caller,
    /// The time of the call, Unix milliseconds.
    pub now: i64,
    /// What it is for.
    pub purpose: Purpose,
    /// How many events led to this call.
    pub depth: u32,
    /// Accounts that were read, each once, so that a call sees one state of it.
    pub accounts: BTreeMap<AccountId, Option<Known>>,
    /// What must be unchanged at the commit.
    pub reads: Vec<Read>,
    /// The effects that it asks for, in order.
    pub effects: Vec<Effect>,
    read_count: usize,
    effects_bytes: usize,
    began: Instant,
    in_host: Duration,
}

/// What a capability sees of a call: the ledger and its own part.
pub struct View<'a, Part> {
    /// The call: what it is, has read and asks for.
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
    /// A call that starts now.
    #[must_use]
    pub fn new(
        plugin: &Arc<Profile>,
        around: &Arc<Surroundings>,
        caller: &Caller,
        now: i64,
        purpose: Purpose,
        depth: u32,
    ) -> Self {
        Self {
            plugin: Arc::clone(plugin),
            around: Arc::clone(around),
            caller: caller.clone(),
            now,
            purpose,
            depth,
            accounts: BTreeMap::new(),
            reads: Vec::new(),
            effects: Vec::new(),
            read_count: 0,
            effects_bytes: 0,
            began: Instant::now(),
            in_host: Duration::ZERO,
        }
    }

    /// The time that is left: of the guest's own work, which excludes time in the host, and of the whole call.
    ///
    /// # Errors
    /// The limit that was reached, which stops the call.
    pub fn time_left(&self) -> Result<Duration, CallError> {
        let limits = &self.plugin.limits;
        let total = self.began.elapsed();
        let guest = total.saturating_sub(self.in_host);
        let guest_left = Duration::from_millis(limits.guest_ms).saturating_sub(guest);
        let total_left = Duration::from_millis(limits.total_ms).saturating_sub(total);
        if total_left.is_zero() {
            return Err(self.limit("total-ms"));
        }
        if guest_left.is_zero() {
            return Err(self.limit("guest-ms"));
        }
        Ok(guest_left.min(total_left))
    }

    /// What stops the call at a limit of this name.
    pub fn limit(&self, limit: &'static str) -> CallError {
        CallError::Limit { plugin: self.plugin.name.clone(), limit }
    }

    /// Counts one read against the limit.
    pub fn reading(&mut self) -> Result<(), Unmet> {
        self.read_count += 1;
        within("reads", self.read_count <= self.plugin.limits.reads)
    }

    /// Asks the database, whose time is not the guest's. Why it did not answer is logged.
    pub fn ask<T>(&mut self, ask: impl FnOnce(&Self) -> Result<T, StorageError>) -> Result<T, Unmet> {
        self.in_host(|ledger| ask(ledger)).map_err(|cause| match cause {
            StorageError::Limit(name) => Unmet::Limit(name),
            cause => {
                tracing::error!(plugin = self.plugin.name, request = self.caller.request, "{cause}");
                Unmet::Unavailable(RETRY_SECONDS)
            }
        })
    }

    /// An account as this call sees it: read once, and noted.
    pub fn account(&mut self, id: &AccountId) -> Result<Option<&Known>, Unmet> {
        if !self.accounts.contains_key(id) {
            let seen = self.ask(|ledger| ledger.around.storage.account(id))?;
            self.noted(id.clone(), seen);
        }
        Ok(self.accounts.get(id).and_then(Option::as_ref))
    }

    /// Notes the state in which an account was read.
    pub fn noted(&mut self, id: AccountId, seen: Option<Known>) {
        self.reads.push(Read::Account { id: id.clone(), seen: seen.clone().map(Box::new) });
        self.accounts.insert(id, seen);
    }

    /// Checks that this call may have effects.
    ///
    /// # Errors
    /// The call is stopped.
    pub fn effects_allowed(&self) -> Result<(), CallError> {
        let refused = || CallError::EffectsRefused { plugin: self.plugin.name.clone() };
        if self.purpose.effects { Ok(()) } else { Err(refused()) }
    }

    /// Takes an effect of so many bytes.
    ///
    /// # Errors
    /// [`Unmet::Limit`]; or the call is stopped, where this purpose has no effects.
    pub fn effect(&mut self, effect: Effect, bytes: usize) -> wasmtime::Result<()> {
        self.effects_allowed()?;
        let limits = &self.plugin.limits;
        within("effects", self.effects.len() < limits.effects)?;
        within("effects-bytes", self.effects_bytes + bytes <= limits.effects_bytes)?;
        self.effects_bytes += bytes;
        self.effects.push(effect);
        Ok(())
    }

    /// Runs the host's own work: its time doesn't count as the guest's.
    pub fn in_host<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let began = Instant::now();
        let result = work(self);
        self.in_host += began.elapsed();
        result
    }
}
