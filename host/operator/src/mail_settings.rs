//! The email settings for pages and the command line, and how they are changed. The settings of `keyturn.toml` stay.

use keyturn_core::time::now;
use zeroize::Zeroizing;

use crate::host::Operator;
use keyturn_core::caller::{Caller, OWN};
use keyturn_mail::config::Wrong;
use keyturn_mail::setup::{Chosen, Group, Setup};
use keyturn_store::{AuditEntry, StorageError};

pub use keyturn_mail_settings::Stored;

/// Why email settings are not changed.
#[derive(Debug, thiserror::Error)]
pub enum EmailError {
    /// They don't reach everybody.
    #[error("{0} isn't allowed to change the email settings: that needs access to every realm")]
    Denied(String),
    /// A setting and its problem.
    #[error("{} {}", .0.0, .0.1)]
    Wrong(Wrong),
    /// The database. [`StorageError::Changed`]: somebody else has changed the settings in between.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// The wanted settings and their consequences.
pub struct Plan {
    /// The stored settings that the plan starts from.
    pub seen: Stored,
    /// The settings, with those of the file, as they would be.
    pub setup: Setup,
    /// The settings that would change.
    pub changes: Vec<&'static str>,
    /// What is wrong with them.
    pub problems: Vec<Wrong>,
}

impl Operator {
    /// The email settings.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn mail_setup(&self) -> Result<Setup, StorageError> {
        let settings = &self.mail;
        Ok(settings.stored()?.setup(&settings.fixed, &self.keys))
    }

    /// Why email can't be sent although it is on: a setting and its problem.
    pub fn mail_problem(&self) -> Option<Wrong> {
        self.mail.outgoing().problem.clone()
    }

    /// Changes the email settings, except those of the file; at once, and for other processes on the same database within a
    /// second. Without a `password`, the stored one stays, if the server, port, encryption and user name stay too. Returns the
    /// changed settings, and writes them to the audit log; none: nothing was done.
    ///
    /// # Errors
    /// [`EmailError`].
    pub fn set_mail(
        &self,
        caller: &Caller,
        chosen: Chosen,
        password: Option<Zeroizing<String>>,
    ) -> Result<Vec<&'static str>, EmailError> {
        if !self.reaches_everybody(caller) {
            return Err(EmailError::Denied(caller.actor.name()));
        }
        let mut plan = self.plan_mail(chosen, password)?;
        if !plan.problems.is_empty() {
            return Err(EmailError::Wrong(plan.problems.swap_remove(0)));
        }
        self.carry_out(caller, &plan)?;
        Ok(plan.changes)
    }

    /// The consequences of these settings. Writes nothing, connects to nothing.
    pub fn plan_mail(&self, mut chosen: Chosen, password: Option<Zeroizing<String>>) -> Result<Plan, StorageError> {
        let (settings, keys) = (&self.mail, &self.keys);
        let seen = settings.stored()?;
        // Groups of the file can't be changed here, and their earlier settings stay for when the file no longer has them.
        let of_file = |group: &Group| settings.fixed.has(*group);
        Group::ALL.into_iter().filter(of_file).for_each(|group| chosen.take(group, &seen.chosen));
        let server = chosen.server.as_ref();
        let anonymous = password.is_some() && server.is_none_or(|server| server.username.is_none());
        let password = password.or_else(|| seen.password_for(server?, keys));
        let setup = Setup::new(settings.fixed.clone(), chosen, password);
        let mut problems = setup.problems();
        if anonymous && !of_file(&Group::Transport) {
            problems.insert(0, ("mail.smtp.username", "must be set, because a password is".to_owned()));
        }
        if problems.is_empty() {
            problems.extend(setup.transport(None).err());
        }
        let changes = setup.differing(&seen.setup(&settings.fixed, keys));
        Ok(Plan { seen, setup, changes, problems })
    }

    /// Stores what a plan changes, with an entry in the audit log. Nothing is stored if somebody has changed the settings since.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn carry_out(&self, caller: &Caller, plan: &Plan) -> Result<(), StorageError> {
        if plan.changes.is_empty() {
            return Ok(());
        }
        let (now, outcome) = (now(), format!("changed: {}", plan.changes.join(" ")));
        let audit = AuditEntry::of(caller, now, OWN, "email-settings", outcome);
        self.mail.set(&plan.seen, &plan.setup, now, audit)?;
        // Waiting emails may be sent now, and idle sessions are outdated.
        self.bells.mail.ring_all();
        Ok(())
    }
}
