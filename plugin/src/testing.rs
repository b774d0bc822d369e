//! A whole panel in memory, so that the plugin's logic runs natively: for tests, and to measure what the sandbox costs.
//!
//! ```
//! # #[cfg(feature = "native")] {
//! use keyturn_password::password::PlainPassword;
//! use keyturn_password::{change, testing::Panel};
//!
//! let panel = Panel::new();
//! panel.add_customer("customer:1", "marta.vidal", "marta@estudiovidal.example", "Marta Vidal");
//! let new = PlainPassword::new("copper lantern oats".to_owned());
//! panel.run(|ports| change::set_password(ports, "customer:1", new, false)).unwrap();
//! # }
//! ```

use crate::background;
use crate::bindings::accounts::{Error, Match, Matched, Replacement, StoredCredential};
use crate::bindings::background::{Job, Task};
use crate::bindings::call::Actor;
use crate::bindings::kdf::{Argon2Kind, Argon2Parameters};
use crate::bindings::mail::{MailState, Recipient, Variable};
use crate::bindings::settings::Value;
use crate::bindings::types::{Event, Failure};
use crate::bindings::{database, events, jobs, kdf, mail};
use crate::ports::{Accounts, Call, Database, Events, Jobs, Kdf, Keys, Mail, Ports, Settings};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// One person of the panel.
#[derive(Clone, Debug, Default)]
pub struct Person {
    /// Name to sign in with.
    pub login: String,
    /// Mail address.
    pub email: String,
    /// Full name.
    pub name: String,
    /// `active` or `suspended`.
    pub state: String,
    /// Stored hash.
    pub hash: Option<String>,
    /// Counts up; the session epoch is its text.
    pub epoch: u64,
    /// Open sessions.
    pub sessions: Option<u32>,
}

/// One row of the outbox.
#[derive(Clone, Debug, PartialEq)]
pub struct Posted {
    /// Its id.
    pub mail: String,
    /// To whom.
    pub account: String,
    /// As the manifest names it.
    pub template: String,
    /// What it is filled with. Empty once it has gone, was withdrawn or has ended.
    pub variables: Vec<(String, Variable)>,
    /// When what it carries is of no use any more.
    pub expires: Option<i64>,
    /// When it was asked for.
    pub queued: i64,
    /// How it stands.
    pub state: MailState,
    /// The address of its latest attempt.
    pub went_to: Option<String>,
    /// An address that the account had before; none: it goes to the one on file.
    pub previous: Option<String>,
}

#[derive(Clone)]
struct Waiting {
    job: Job,
    not_before: Option<i64>,
    key: Option<String>,
}

/// Everything that effects alter.
#[derive(Clone, Default)]
struct Stored {
    people: BTreeMap<String, Person>,
    data: BTreeMap<String, (Vec<u8>, Option<i64>)>,
    outbox: Vec<Posted>,
    jobs: Vec<Waiting>,
    events: Vec<Event>,
    /// The address of each account that was seen last, and the one before it.
    seen: BTreeMap<String, (String, Option<String>)>,
}

/// Who calls and what there is. Everything can be altered between calls.
pub struct Panel {
    /// Who acts.
    pub caller: RefCell<Actor>,
    /// From where.
    pub address: RefCell<Option<String>>,
    /// In which language.
    pub locale: RefCell<String>,
    /// When, in milliseconds since 1970.
    pub now: Cell<i64>,
    /// The operator's settings.
    pub settings: RefCell<HashMap<&'static str, Value>>,
    /// Fields that the grant does not name.
    pub ungranted: RefCell<Vec<&'static str>>,
    /// The operator's ceiling for Argon2, in KiB.
    pub kdf_ceiling_kib: Cell<u32>,
    /// How often Argon2 was computed.
    pub kdf_calls: Cell<u32>,
    /// Mails that may be asked for within a minute.
    pub mails_a_minute: Cell<usize>,
    /// Whether the operator has configured no way to mail.
    pub mail_off: Cell<bool>,
    /// Whether the provider refuses every hash that is to be stored.
    pub refuses_hashes: Cell<bool>,
    stored: RefCell<Stored>,
    counters: RefCell<HashMap<String, Vec<i64>>>,
    memory: RefCell<Vec<Block>>,
}

impl Default for Panel {
    fn default() -> Self {
        Panel::new()
    }
}

impl Panel {
    /// Nobody in it, an anonymous caller, English, the manifest's defaults.
    pub fn new() -> Self {
        Panel {
            caller: RefCell::new(Actor::Anonymous),
            address: RefCell::new(Some("192.0.2.7".to_owned())),
            locale: RefCell::new("en".to_owned()),
            now: Cell::new(1_795_510_800_000),
            settings: RefCell::default(),
            ungranted: RefCell::default(),
            kdf_ceiling_kib: Cell::new(262_144),
            kdf_calls: Cell::new(0),
            mails_a_minute: Cell::new(1_000),
            mail_off: Cell::new(false),
            refuses_hashes: Cell::new(false),
            stored: RefCell::default(),
            counters: RefCell::default(),
            memory: RefCell::default(),
        }
    }

    /// Active, without a password, with two sessions open.
    pub fn add_customer(&self, account: &str, login: &str, email: &str, name: &str) {
        let person = Person {
            login: login.to_owned(),
            email: email.to_owned(),
            name: name.to_owned(),
            state: "active".to_owned(),
            hash: None,
            epoch: 1,
            sessions: Some(2),
        };
        self.stored.borrow_mut().people.insert(account.to_owned(), person);
    }

    /// As the panel itself would, behind the plugin's back.
    ///
    /// # Panics
    /// When there is no such account.
    pub fn alter(&self, account: &str, change: impl FnOnce(&mut Person)) {
        let mut stored = self.stored.borrow_mut();
        let person = stored.people.get_mut(account).expect("no such account");
        let before = person.hash.clone();
        change(person);
        if person.hash != before {
            person.epoch += 1;
        }
    }

    /// The account is gone.
    pub fn remove(&self, account: &str) {
        self.stored.borrow_mut().people.remove(account);
    }

    /// What is stored of an account.
    ///
    /// # Panics
    /// When there is no such account.
    pub fn person(&self, account: &str) -> Person {
        self.stored.borrow().people.get(account).expect("no such account").clone()
    }

    /// The plugin's data, byte for byte.
    pub fn data(&self) -> BTreeMap<String, Vec<u8>> {
        self.stored.borrow().data.iter().map(|(key, (value, _))| (key.clone(), value.clone())).collect()
    }

    /// How many counters there are.
    pub fn counters(&self) -> usize {
        self.counters.borrow().len()
    }

    /// Every mail that was ever queued, in order.
    pub fn outbox(&self) -> Vec<Posted> {
        self.stored.borrow().outbox.clone()
    }

    /// Every event that was emitted, in order.
    pub fn events(&self) -> Vec<Event> {
        self.stored.borrow().events.clone()
    }

    /// Names of the jobs that wait.
    pub fn waiting_jobs(&self) -> Vec<String> {
        self.stored.borrow().jobs.iter().map(|waiting| waiting.job.name.clone()).collect()
    }

    /// What waits goes to the addresses now on file, and all of it is accepted.
    pub fn deliver(&self) {
        self.attempt(MailState::Accepted);
    }

    /// What waits is tried at the addresses now on file, and ends in that state. Only what was accepted is wiped.
    pub fn attempt(&self, state: MailState) {
        let now = self.now.get();
        let Stored { people, outbox, .. } = &mut *self.stored.borrow_mut();
        let waiting = [MailState::Queued, MailState::Delayed, MailState::Refused];
        for posted in outbox.iter_mut().filter(|posted| waiting.contains(&posted.state)) {
            if posted.expires.is_some_and(|at| at <= now) {
                posted.state = MailState::Ended;
                posted.variables.clear();
                continue;
            }
            let on_file = people.get(&posted.account).map(|person| person.email.clone());
            posted.went_to = posted.previous.clone().or(on_file);
            posted.state = state;
            if state == MailState::Accepted {
                posted.variables.clear();
            }
        }
    }

    /// When each job that waits may begin.
    pub fn jobs_begin(&self) -> Vec<Option<i64>> {
        self.stored.borrow().jobs.iter().map(|waiting| waiting.not_before).collect()
    }

    /// Time passes until the jobs that wait are due, and each is a call of the panel itself, which ends together with its job.
    /// One that asks for another try waits on; other failures are final, and answered.
    pub fn run_jobs(&self) -> Vec<Failure> {
        let due = std::mem::take(&mut self.stored.borrow_mut().jobs);
        let last = due.iter().filter_map(|waiting| waiting.not_before).max();
        self.now.set(last.unwrap_or_default().max(self.now.get()));
        let caller = self.caller.replace(Actor::System);
        let mut failures = Vec::new();
        for waiting in due {
            match self.run(|ports| background::run(ports, &Task::Job(waiting.job.clone()))) {
                Ok(()) => {}
                Err(Failure::Unavailable(_)) => self.stored.borrow_mut().jobs.push(waiting),
                Err(failure) => failures.push(failure),
            }
        }
        self.caller.replace(caller);
        failures
    }

    /// Time passes.
    pub fn wait(&self, millis: i64) {
        self.now.set(self.now.get() + millis);
    }

    /// One call, as the host makes it: nothing that a failed one asked for is kept, but what it counted is. Addresses are seen
    /// by [`Panel::see`] alone.
    ///
    /// # Errors
    /// Those of the call.
    pub fn run<T>(&self, call: impl FnOnce(&dyn Ports) -> Result<T, Failure>) -> Result<T, Failure> {
        let before = self.stored.borrow().clone();
        call(self).inspect_err(|_| *self.stored.borrow_mut() = before)
    }

    /// The host sees the address on file, as with each commit about the account.
    pub fn see(&self, account: &str) {
        let on_file = self.person(account).email;
        let seen = &mut self.stored.borrow_mut().seen;
        match seen.get(account) {
            Some((last, _)) if *last == on_file => {}
            last => {
                let before = last.map(|(last, _)| last.clone()).filter(|last| !last.is_empty());
                seen.insert(account.to_owned(), (on_file, before));
            }
        }
    }
}

impl Call for Panel {
    fn caller(&self) -> Actor {
        self.caller.borrow().clone()
    }
    fn address(&self) -> Option<String> {
        self.address.borrow().clone()
    }
    fn locale(&self) -> String {
        self.locale.borrow().clone()
    }
    fn now(&self) -> i64 {
        self.now.get()
    }
}

impl Accounts for Panel {
    fn find(&self, login_or_email: &str) -> Result<Vec<Match>, Error> {
        let typed = self.fold(login_or_email);
        let stored = self.stored.borrow();
        let by = |by: Matched, of: fn(&Person) -> &str| {
            let people = stored.people.iter().filter(move |(_, person)| of(person).to_lowercase() == typed);
            people.map(move |(account, _)| Match { account: account.clone(), by }).collect::<Vec<_>>()
        };
        let (login, email) = (by.clone()(Matched::Login, |p| &p.login), by(Matched::Email, |p| &p.email));
        Ok(login.into_iter().chain(email).collect())
    }
    fn fold(&self, login_or_email: &str) -> String {
        login_or_email.trim().to_lowercase()
    }
    fn fields(&self, account: &str, names: &[&str]) -> Result<Vec<Option<String>>, Error> {
        let stored = self.stored.borrow();
        let person = stored.people.get(account).ok_or(Error::NotFound)?;
        let field = |name: &&str| match *name {
            name if self.ungranted.borrow().contains(&name) => Err(Error::Denied(name.to_owned())),
            "login" => Ok(Some(person.login.clone())),
            "email" => Ok(Some(person.email.clone())),
            "name" => Ok(Some(person.name.clone())),
            "state" => Ok(Some(person.state.clone())),
            other => Err(Error::Denied(other.to_owned())),
        };
        names.iter().map(field).collect()
    }
    fn credential(&self, account: &str) -> Result<StoredCredential, Error> {
        let stored = self.stored.borrow();
        let person = stored.people.get(account).ok_or(Error::NotFound)?;
        Ok(StoredCredential { hash: person.hash.clone(), session_epoch: person.epoch.to_string() })
    }
    fn sessions(&self, account: &str) -> Result<Option<u32>, Error> {
        self.stored.borrow().people.get(account).map(|person| person.sessions).ok_or(Error::NotFound)
    }
    fn replace(&self, account: &str, hash: &str, why: Replacement) -> Result<String, Error> {
        if self.refuses_hashes.get() {
            return Err(Error::Denied("scheme".to_owned()));
        }
        let mut stored = self.stored.borrow_mut();
        let person = stored.people.get_mut(account).ok_or(Error::NotFound)?;
        person.hash = Some(hash.to_owned());
        if why == Replacement::Password {
            person.epoch += 1;
            person.sessions = person.sessions.map(|_| 0);
        }
        Ok(person.epoch.to_string())
    }
}

impl Database for Panel {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, database::Error> {
        let stored = self.stored.borrow();
        let entry = stored.data.get(key).filter(|(_, expires)| expires.is_none_or(|at| at > self.now.get()));
        Ok(entry.map(|(value, _)| value.clone()))
    }
    fn put(&self, key: &str, value: &[u8], expires: Option<i64>) -> Result<(), database::Error> {
        self.stored.borrow_mut().data.insert(key.to_owned(), (value.to_vec(), expires));
        Ok(())
    }
    fn count(&self, counters: &[database::Counter]) -> Result<database::Counted, database::Error> {
        let (mut kept, now) = (self.counters.borrow_mut(), self.now.get());
        let mut wait = 0;
        for counter in counters {
            let length = i64::from(counter.window) * 1000;
            let Some(times) = kept.get_mut(&counter.key) else { continue };
            times.retain(|at| *at > now - length);
            // When this one has left the window, one more fits.
            let leaves = times.len().checked_sub(counter.limit as usize).map(|over| times[over] + length);
            wait = leaves.map_or(0, |leaves| (leaves - now + 999) / 1000).max(wait);
        }
        if wait > 0 {
            return Ok(database::Counted::Full(wait as u32));
        }
        for counter in counters {
            kept.entry(counter.key.clone()).or_default().push(now);
        }
        Ok(database::Counted::Within)
    }
    fn forget(&self, key: &str) -> Result<(), database::Error> {
        self.counters.borrow_mut().remove(key);
        Ok(())
    }
}

impl Mail for Panel {
    fn ready(&self, recipient: Option<&Recipient>) -> Result<(), mail::Error> {
        if self.mail_off.get() {
            return Err(mail::Error::NotConfigured);
        }
        match recipient {
            Some(Recipient::Account(account)) => match self.stored.borrow().people.get(account) {
                Some(person) if person.email.is_empty() => Err(mail::Error::NoAddress),
                Some(person) if person.email.matches('@').count() != 1 => {
                    Err(mail::Error::UnusableAddress("it has more than one address".to_owned()))
                }
                Some(_) => Ok(()),
                None => Err(mail::Error::NotFound),
            },
            Some(Recipient::PreviousAddressOf(account)) => self.previous_address(account).map(drop),
            Some(Recipient::Operators) | None => Ok(()),
        }
    }
    fn state(&self, mail: &str) -> Result<MailState, mail::Error> {
        self.posted(mail, |posted| posted.state)
    }
    fn current(&self, mail: &str) -> Result<bool, mail::Error> {
        let (account, went_to) = self.posted(mail, |posted| (posted.account.clone(), posted.went_to.clone()))?;
        let stored = self.stored.borrow();
        let on_file = stored.people.get(&account).map(|person| &person.email);
        Ok(went_to.is_none() || went_to.as_ref() == on_file)
    }
    fn send(
        &self,
        recipient: &Recipient,
        template: &str,
        variables: Vec<(String, Variable)>,
        expires: Option<i64>,
    ) -> Result<String, mail::Error> {
        self.ready(Some(recipient))?;
        let (account, previous) = match recipient {
            Recipient::Account(account) => (account, None),
            Recipient::PreviousAddressOf(account) => (account, Some(self.previous_address(account)?)),
            Recipient::Operators => return Err(mail::Error::Denied("operators".to_owned())),
        };
        if previous.is_some() {
            // Told once.
            let on_file = self.person(account).email;
            self.stored.borrow_mut().seen.insert(account.clone(), (on_file, None));
        }
        let outbox = &mut self.stored.borrow_mut().outbox;
        let lately = outbox.iter().filter(|posted| posted.queued > self.now.get() - 60_000).count();
        if lately >= self.mails_a_minute.get() {
            return Err(mail::Error::Limit("per-minute".to_owned()));
        }
        let mail = format!("mail-{}", outbox.len() + 1);
        outbox.push(Posted {
            mail: mail.clone(),
            account: account.clone(),
            template: template.to_owned(),
            variables,
            expires,
            queued: self.now.get(),
            state: MailState::Queued,
            went_to: None,
            previous,
        });
        Ok(mail)
    }
    fn withdraw(&self, mail: &str) -> Result<(), mail::Error> {
        self.posted(mail, |posted| {
            if posted.state != MailState::Accepted && posted.state != MailState::Ended {
                posted.state = MailState::Withdrawn;
                posted.variables.clear();
            }
        })
    }
}

impl Panel {
    fn previous_address(&self, account: &str) -> Result<String, mail::Error> {
        let stored = self.stored.borrow();
        let on_file = &stored.people.get(account).ok_or(mail::Error::NotFound)?.email;
        let (seen, before) = stored.seen.get(account).ok_or(mail::Error::NotFound)?;
        let previous = if seen == on_file { before.clone() } else { Some(seen.clone()) };
        previous.filter(|address| !address.is_empty()).ok_or(mail::Error::NoAddress)
    }

    fn posted<T>(&self, mail: &str, of: impl FnOnce(&mut Posted) -> T) -> Result<T, mail::Error> {
        let outbox = &mut self.stored.borrow_mut().outbox;
        outbox.iter_mut().find(|posted| posted.mail == mail).map(of).ok_or(mail::Error::NotFound)
    }
}

impl Jobs for Panel {
    fn enqueue(&self, job: &str, payload: &str, not_before: Option<i64>, key: Option<&str>) -> Result<(), jobs::Error> {
        let waiting = &mut self.stored.borrow_mut().jobs;
        let same = |waiting: &&mut Waiting| waiting.job.name == job && key.is_some() && waiting.key.as_deref() == key;
        if let Some(same) = waiting.iter_mut().find(same) {
            same.not_before = same.not_before.min(not_before);
            return Ok(());
        }
        let job = Job { name: job.to_owned(), payload: payload.to_owned() };
        waiting.push(Waiting { job, not_before, key: key.map(str::to_owned) });
        Ok(())
    }
}

impl Events for Panel {
    fn emit(&self, event: &Event) -> Result<(), events::Error> {
        self.stored.borrow_mut().events.push(event.clone());
        Ok(())
    }
}

impl Keys for Panel {
    /// Not an HMAC: only different for different input.
    fn mac(&self, purpose: &str, data: &[u8]) -> Vec<u8> {
        let eight = |i: u8| {
            let mut hasher = DefaultHasher::new();
            (purpose, data, i).hash(&mut hasher);
            hasher.finish().to_le_bytes()
        };
        (0..4).flat_map(eight).collect()
    }
}

impl Kdf for Panel {
    fn ceilings(&self) -> kdf::Argon2Ceilings {
        kdf::Argon2Ceilings { memory_kib: self.kdf_ceiling_kib.get(), passes: 16, lanes: 8 }
    }

    fn argon2(&self, password: &[u8], salt: &[u8], parameters: Argon2Parameters) -> Result<Vec<u8>, kdf::Error> {
        if parameters.memory_kib > self.kdf_ceiling_kib.get() {
            return Err(kdf::Error::Limit("memory-kib".to_owned()));
        }
        self.kdf_calls.set(self.kdf_calls.get() + 1);
        let outside = |_| kdf::Error::Limit("RFC 9106".to_owned());
        let length = parameters.length as usize;
        let params = Params::new(parameters.memory_kib, parameters.passes, parameters.lanes, Some(length));
        let params = params.map_err(outside)?;
        let algorithm = match parameters.kind {
            Argon2Kind::Argon2i => Algorithm::Argon2i,
            Argon2Kind::Argon2d => Algorithm::Argon2d,
            Argon2Kind::Argon2id => Algorithm::Argon2id,
        };
        let mut memory = self.memory.borrow_mut();
        if memory.len() < params.block_count() {
            memory.resize(params.block_count(), Block::default());
        }
        let mut hash = vec![0; length];
        Argon2::new(algorithm, Version::V0x13, params)
            .hash_password_into_with_memory(password, salt, &mut hash, memory.as_mut_slice())
            .map_err(outside)?;
        Ok(hash)
    }
}

impl Settings for Panel {
    fn setting(&self, name: &str) -> Option<Value> {
        self.settings.borrow().get(name).cloned()
    }
}
