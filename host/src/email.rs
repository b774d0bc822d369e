//! How mail is set up, as pages and the command line see it, and how that is changed. What `keyturn.toml` says stays so.

use std::time::Duration;

use zeroize::Zeroizing;

use crate::accounts::Scope;
use crate::caller::{Actor, Caller};
use crate::host::Host;
use crate::mail::config::Wrong;
use crate::mail::draw::{Brand, Context, Request};
use crate::mail::room::{NoPassword, Stored};
use crate::mail::setup::{Chosen, Setup, changed};
use crate::mail::transport::{StepKind, Verdict};
use crate::mail::trial::{self, Trial, TrialError};
use crate::operator::OWN;
use crate::storage::{AuditEntry, Bound, Commit, Counted, StorageError};
use crate::{CallError, Failure};
use keyturn_core::time::now;

pub use crate::mail::room::NewPassword;

/// Time for one test from a page, of mail or of a webhook, everything together: a request waits for it.
pub const TRIAL: Duration = Duration::from_secs(30);
/// Test mails of one person in [`TRIALS_WINDOW`] at most: each connects to an address that he names.
pub const TRIALS_EACH: u64 = 10;
/// The same, of all together.
pub const TRIALS_ALL: u64 = 30;
/// Seconds.
pub const TRIALS_WINDOW: u32 = 600;
/// Test mails at once; who comes when all are under way is turned away.
pub(crate) const TRIALS_AT_ONCE: usize = 2;

/// Why email settings are not changed, or not tried.
#[derive(Debug, thiserror::Error)]
pub enum EmailError {
    /// He does not reach everybody.
    #[error("{0} may not set how mail goes: that is for who reaches everybody")]
    Denied(String),
    /// There is nothing to set.
    #[error("how mail goes is said by the panel's own program")]
    Program,
    /// A setting, and what is wrong with it.
    #[error("{} {}", .0.0, .0.1)]
    Wrong(Wrong),
    /// There is a user name, and no password is stored.
    #[error("mail.smtp.password must be set: none is stored")]
    NoPassword,
    /// The stored password stays with the server that it was stored for.
    #[error("mail.smtp.password must be set: the stored one is for another server, port, encryption or user name")]
    PasswordOfAnother,
    /// Too many trials; seconds.
    #[error("too many test mails; wait {0} seconds")]
    TooOften(u32),
    /// Others are trying just now.
    #[error("other test mails are under way")]
    Busy,
    /// The database. [`StorageError::Changed`]: somebody else has set something meanwhile.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<NoPassword> for EmailError {
    fn from(cause: NoPassword) -> Self {
        match cause {
            NoPassword::Missing => EmailError::NoPassword,
            NoPassword::OfAnother => EmailError::PasswordOfAnother,
        }
    }
}

/// Settings as somebody wants them, with what would come of them.
pub(crate) struct Plan {
    pub(crate) seen: Stored,
    pub(crate) setup: Setup,
    password: Option<Zeroizing<String>>,
    /// Which settings would be others.
    pub(crate) changes: Vec<&'static str>,
}

impl Plan {
    pub(crate) fn has_password(&self) -> bool {
        self.password.is_some()
    }
}

impl Host {
    /// Whether a caller may see and set how mail goes: who reaches everybody in each realm, and whoever stands at the
    /// console. Nobody else: links with others' secrets go that way.
    #[must_use]
    pub fn may_set_mail(&self, caller: &Caller) -> bool {
        self.reaches_everybody(caller)
    }

    /// The console, and who reaches everybody in each realm.
    pub(crate) fn reaches_everybody(&self, caller: &Caller) -> bool {
        match caller.actor {
            Actor::Console => true,
            Actor::Account(_) => {
                let realms = self.0.storage.realms();
                !realms.is_empty() && realms.iter().all(|realm| caller.reach.scope(realm) == Scope::All)
            }
            Actor::Anonymous | Actor::ServiceKey(_) | Actor::System => false,
        }
    }

    /// How mail is set up; none where a program has said it.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn mail_setup(&self) -> Result<Option<Setup>, StorageError> {
        let room = &self.0.room;
        let Some(fixed) = room.fixed() else { return Ok(None) };
        let stored = room.stored()?;
        Ok(Some(stored.setup(fixed.clone(), &self.0.keys)))
    }

    /// Why mail does not go although it is on: a setting, and what is wrong with it.
    #[must_use]
    pub fn mail_problem(&self) -> Option<Wrong> {
        self.0.post().problem.clone()
    }

    /// Sets how mail goes, as far as the file leaves it open; at once, and for other processes on the same database within a
    /// second. Answers which settings are others now, and writes that down; none: nothing was done.
    ///
    /// # Errors
    /// [`EmailError`].
    pub fn set_mail(
        &self,
        caller: &Caller,
        chosen: Chosen,
        password: &NewPassword,
    ) -> Result<Vec<&'static str>, EmailError> {
        self.allowed(caller)?;
        let plan = self.plan_mail(chosen, password)?;
        self.carry_out(caller, &plan)
    }

    pub(crate) fn allowed(&self, caller: &Caller) -> Result<(), EmailError> {
        if self.may_set_mail(caller) { Ok(()) } else { Err(EmailError::Denied(caller.actor.name())) }
    }

    /// What would come of these settings. Writes nothing, connects to nothing.
    pub(crate) fn plan_mail(&self, mut chosen: Chosen, password: &NewPassword) -> Result<Plan, EmailError> {
        let room = &self.0.room;
        let fixed = room.fixed().ok_or(EmailError::Program)?;
        let seen = room.stored()?;
        // What the file has cannot be set here, and what was set before stays for when it is taken out of the file.
        let kept = &seen.chosen;
        let server_fixed = fixed.fixes("mail.smtp.host");
        if fixed.fixes("mail.transport") {
            chosen.transport = kept.transport;
        }
        if server_fixed {
            chosen.server.clone_from(&kept.server);
        }
        for (setting, new, kept) in [
            ("mail.from", &mut chosen.from, &kept.from),
            ("mail.reply-to", &mut chosen.reply_to, &kept.reply_to),
            ("brand.link-origin", &mut chosen.link_origin, &kept.link_origin),
        ] {
            if fixed.fixes(setting) {
                new.clone_from(kept);
            }
        }
        let keys = &self.0.keys;
        let stored = seen.kept_password(keys);
        let password = match server_fixed {
            true => stored.clone(),
            false => seen.password(keys, chosen.server.as_ref(), password)?,
        };
        let mut changes = changed(kept, &chosen);
        if stored != password {
            changes.push("mail.smtp.password");
        }
        let setup = Setup::new(fixed.clone(), chosen, password.clone());
        setup.transport(None).map_err(EmailError::Wrong)?;
        Ok(Plan { seen, setup, password, changes })
    }

    pub(crate) fn carry_out(&self, caller: &Caller, plan: &Plan) -> Result<Vec<&'static str>, EmailError> {
        let (chosen, password) = (plan.setup.chosen().clone(), plan.password.as_ref());
        if !plan.changes.is_empty() {
            let (now, outcome) = (now(), format!("changed: {}", plan.changes.join(" ")));
            let audit = AuditEntry::of(caller, now, OWN, "email-settings", outcome);
            self.0.room.set(&plan.seen, chosen, password, now, audit)?;
            // What waited may go now, and a session that is idle is another one from now on.
            self.0.bells.mail.ring_all();
        }
        Ok(plan.changes.clone())
    }

    /// Sends a test mail as it is planned, bounded in time and in number, and writes down that it was sent: it reaches for
    /// whatever server was named.
    pub(crate) fn try_mail(&self, caller: &Caller, setup: &Setup, to: &str) -> Result<Trial, EmailError> {
        let (storage, now) = (&self.0.storage, now());
        let bound = |key: &str, limit| Bound { key: key.to_owned(), window: TRIALS_WINDOW, limit };
        let of_theirs = format!("test mail of {}", caller.actor.name());
        let bounds = [bound(&of_theirs, TRIALS_EACH), bound("test mail", TRIALS_ALL)];
        if let Counted::Full(seconds) = storage.count(OWN, &bounds, now)? {
            return Err(EmailError::TooOften(seconds));
        }
        let _place = self.0.trials.enter().ok_or(EmailError::Busy)?;
        let brand = self.brand();
        let context = Context {
            account: None,
            brand: Brand { name: &brand.name, contact: &brand.contact, sign_in: &self.0.sign_in() },
            request: Request { time: now, origin: "" },
            locale: &caller.locale,
            zone: &brand.zone,
        };
        let trial = trial::send(setup, to, &context, Some(TRIAL)).map_err(|cause| match cause {
            TrialError::Wrong(wrong) => EmailError::Wrong(wrong),
            TrialError::Off => EmailError::Wrong(("mail.transport", "is off".to_owned())),
            TrialError::Template(cause) => EmailError::Wrong(("mail", cause.to_string())),
        })?;
        self.audit_trial(caller, &trial);
        Ok(trial)
    }

    fn audit_trial(&self, caller: &Caller, trial: &Trial) {
        let verdict = match trial.attempt.verdict {
            Verdict::Accepted => "accepted",
            Verdict::Refused => "refused",
            Verdict::Delayed => "delayed",
        };
        let last = trial.attempt.steps.last().map_or(StepKind::LookUp, |step| step.kind);
        let outcome = format!("{verdict}: {} at {}", last.name(), trial.server);
        let now = now();
        let commit = Commit {
            audit: Some(AuditEntry::of(caller, now, OWN, "test-mail", outcome)),
            ..Commit::bare(OWN, now, Vec::new())
        };
        if let Err(cause) = self.0.storage.commit(commit) {
            tracing::error!(request = caller.request, "a test mail could not be audited: {cause}");
        }
    }
}

impl From<EmailError> for CallError {
    fn from(cause: EmailError) -> Self {
        match cause {
            EmailError::Denied(actor) => CallError::Denied { actor, operation: "email settings".to_owned() },
            EmailError::TooOften(seconds) => CallError::Failed(Failure::Throttled(seconds)),
            EmailError::Busy => CallError::Busy(keyturn_runtime::capabilities::RETRY_SECONDS),
            EmailError::Storage(cause) => CallError::of_storage(cause),
            EmailError::Program => CallError::NoSuch("form of the email settings".to_owned()),
            cause @ (EmailError::Wrong(_) | EmailError::NoPassword | EmailError::PasswordOfAnother) => {
                CallError::Storage(StorageError::Failed {
                    doing: "using the email settings".to_owned(),
                    cause: cause.to_string(),
                })
            }
        }
    }
}
