//! What one call is, what it has read, and what it asks for.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keyturn_core::accounts::AccountId;
use keyturn_core::caller::Caller;
use keyturn_store::{Effect, Known, Read, StorageError};
use wasmtime::component::HasData;

use crate::profile::Profile;
use crate::surroundings::Surroundings;

/// Seconds that a caller is told to wait when the database did not answer.
pub const RETRY_SECONDS: u32 = 5;

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

/// Why the host stopped a call. It is the trap's cause, so that it differs from the guest's own traps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// A limit of the grants file, by its name.
    #[error("the limit {0} was reached")]
    Limit(&'static str),
    /// It asked for an effect where none is allowed.
    #[error("effects are refused in pages, slots and operations without effects")]
    EffectsRefused,
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
    /// The limit that was reached.
    pub fn time_left(&self) -> Result<Duration, Stop> {
        let limits = &self.plugin.limits;
        let total = self.began.elapsed();
        let guest = total.saturating_sub(self.in_host);
        let guest_left = Duration::from_millis(limits.guest_ms).saturating_sub(guest);
        let total_left = Duration::from_millis(limits.total_ms).saturating_sub(total);
        if total_left.is_zero() {
            return Err(Stop::Limit("total-ms"));
        }
        if guest_left.is_zero() {
            return Err(Stop::Limit("guest-ms"));
        }
        Ok(guest_left.min(total_left))
    }

    /// Counts one read against the limit.
    pub fn reading(&mut self) -> Result<(), &'static str> {
        self.read_count += 1;
        if self.read_count > self.plugin.limits.reads { Err("reads") } else { Ok(()) }
    }

    /// Reads an account, once in a call, and notes its state.
    pub fn note(&mut self, id: &AccountId) -> Result<(), StorageError> {
        if !self.accounts.contains_key(id) {
            let seen = self.in_host(|ledger| ledger.around.storage.account(id))?;
            self.noted(id.clone(), seen);
        }
        Ok(())
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
    pub fn effects_allowed(&self) -> Result<(), Stop> {
        if matches!(self.purpose, Purpose::Operation { effects: true, .. }) {
            Ok(())
        } else {
            Err(Stop::EffectsRefused)
        }
    }

    /// Adds an effect of so many bytes, or returns the limit that it breaks.
    ///
    /// # Errors
    /// Outside: the call is stopped, because it may have no effects. Inside: the limit.
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

    /// Logs why the database didn't answer. Returns the seconds to wait.
    pub fn come_back(&self, cause: &StorageError) -> u32 {
        tracing::error!(plugin = self.plugin.name, request = self.caller.request, "{cause}");
        RETRY_SECONDS
    }

    /// Runs the host's own work: its time doesn't count as the guest's.
    pub fn in_host<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let began = Instant::now();
        let result = work(self);
        self.in_host += began.elapsed();
        result
    }
}
