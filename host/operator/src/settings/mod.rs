//! Email settings: the settings that the page may change, and a test email with the form's contents, saved or not.
//!
//! A stored password is never shown, and goes only to the server that it was stored for, in a test and after a saved change
//! alike: people who have taken over a session would send it to a server of their own.

mod draw;
mod read;
#[cfg(test)]
mod tests;

use super::page::{self, Asked, Pressed, Stands, who_reaches_everybody};
use crate::mail_settings::Plan;
use keyturn_core::caller::OWN;
use keyturn_core::seal;
use keyturn_core::words::Words;
use keyturn_mail::config::Wrong;
use keyturn_mail::draw::Context;
use keyturn_mail::setup::Setup;
use keyturn_mail::transport::{StepKind, Verdict};
use keyturn_mail::trial::{self, Trial};
use keyturn_pages::{SubmitError, Submitted, Surface};
use keyturn_runtime::CallError;
use keyturn_store::{AuditEntry, Bound, Commit, Counted, StorageError, Version};
use keyturn_ui::Page;
use keyturn_ui::nodes::{Outcome, Tone};
use keyturn_work::trials::PATIENCE;

pub(super) static PAGE: page::Page = page::Page {
    name: "email-settings",
    stands: Stands::In("nav-mail"),
    remote: true,
    who: who_reaches_everybody,
    draw: |asked| drawn(asked, None),
    act,
};

/// Test emails of one person in [`TRIALS_WINDOW`] at most: each connects to an address that they enter.
const TRIALS_EACH: u64 = 10;
/// The same, for all people together.
const TRIALS_ALL: u64 = 30;
/// Seconds.
const TRIALS_WINDOW: u32 = 600;

/// The form's button that tests its contents.
const TEST: &str = "test";
/// The field with the test email's address.
const TO: &str = "to";
/// The sealed field with the version of the settings that the form was drawn with.
const SEEN: &str = "seen";

/// A test email that was sent from the page.
struct Tested {
    trial: Trial,
    setup: Setup,
    to: String,
    /// The tested settings are the stored ones.
    saved: bool,
    /// The password was typed for the test, and is not kept.
    typed_password: bool,
}

fn drawn(asked: &Asked<'_>, tested: Option<&Tested>) -> Result<Page, CallError> {
    let settings = &asked.host.mail;
    let stored = settings.stored().map_err(CallError::of_storage)?;
    let setup = stored.setup(&settings.fixed, &asked.host.keys);
    let form = draw::Form { setup: &setup, seen: seen(stored.version.as_ref()), tested, asked };
    Ok(asked.draw(&PAGE, &form.sheet()))
}

fn seen(version: Option<&Version>) -> String {
    version.map_or_else(String::new, |version| seal::hex(&version.0))
}

fn act(pressed: &Pressed<'_>) -> Result<Submitted, SubmitError> {
    let Pressed { asked: Asked { host, caller, words, .. }, submission, .. } = *pressed;
    let test = submission.also.as_deref() == Some(TEST);
    let (chosen, password) = read::wanted(submission);
    let plan = host.plan_mail(chosen, password).map_err(CallError::of_storage)?;
    let (errors, message) = read::problems(submission, &plan, test, words);
    if !errors.is_empty() || message.is_some() {
        return pressed.again(errors, message);
    }
    pressed.proved(|| {
        if test {
            return tested(pressed, plan);
        }
        let drawn_on = submission.text(SEEN).unwrap_or_default();
        let conflict = || pressed.again(Vec::new(), Some(words.get("settings-changed-elsewhere").to_owned()));
        // A second press of the same button finds everything as wanted.
        if !plan.changes.is_empty() && drawn_on != seen(plan.seen.version.as_ref()) {
            return conflict();
        }
        match host.carry_out(caller, &plan) {
            Ok(()) => {}
            Err(StorageError::Changed) => return conflict(),
            Err(cause) => return Err(CallError::of_storage(cause).into()),
        }
        let on = host.mail.outgoing().transport.is_some();
        let saved = if on { "settings-saved-on" } else { "settings-saved-off" };
        let title = words.get("settings-saved-title").to_owned();
        pressed.done(None, Outcome { tone: Tone::Success, title, body: page::text(words.get(saved)), mail: None })
    })
}

fn tested(pressed: &Pressed<'_>, plan: Plan) -> Result<Submitted, SubmitError> {
    let Pressed { asked, submission, .. } = pressed;
    let to = submission.text(TO).unwrap_or_default().to_owned();
    let trial = match sent(asked, &plan.setup, &to).map_err(CallError::of_storage)? {
        Ok(trial) => trial,
        Err(message) => return pressed.again(Vec::new(), Some(message)),
    };
    let typed_password = submission.password("password").is_some();
    let tested = Tested { trial, setup: plan.setup, to, saved: plan.changes.is_empty(), typed_password };
    let typed = submission.corrections(Vec::new(), None);
    let surface = Surface { corrections: Some(&typed), ..*asked.surface };
    let asked = Asked { surface: &surface, ..*asked };
    Ok(Submitted::Reveal(drawn(&asked, Some(&tested))?))
}

/// Sends a test email, limited in time and in number, and writes it to the audit log: it connects to any server that was
/// entered. A sentence if none was sent.
fn sent(asked: &Asked<'_>, setup: &Setup, to: &str) -> Result<Result<Trial, String>, StorageError> {
    let Asked { host, caller, words, now, .. } = *asked;
    let bound = |key: String, limit| Bound { key, window: TRIALS_WINDOW, limit };
    let theirs = bound(format!("test mail of {}", caller.actor.name()), TRIALS_EACH);
    let bounds = [theirs, bound("test mail".to_owned(), TRIALS_ALL)];
    if let Counted::Full(seconds) = host.storage.count(OWN, &bounds, now)? {
        return Ok(Err(words.fill("wait", &[("time", &words.duration(u64::from(seconds)))])));
    }
    let Some(_place) = host.trials.enter() else { return Ok(Err(words.get("settings-test-busy").to_owned())) };
    let brand = host.brand();
    let context = Context {
        account: None,
        brand: &brand.name,
        contact: &brand.contact,
        sign_in: &host.sign_in(),
        time: now,
        origin: "",
        locale: &caller.locale,
        zone: &brand.zone,
    };
    let trial = match trial::send(setup, to, &context, Some(PATIENCE)) {
        Ok(trial) => trial,
        Err(wrong) => return Ok(Err(said_wrong(&wrong, words))),
    };
    let verdict = match trial.attempt.verdict {
        Verdict::Accepted => "accepted",
        Verdict::Refused => "refused",
        Verdict::Delayed => "delayed",
    };
    let last = trial.attempt.steps.last().map_or(StepKind::LookUp, |step| step.kind);
    let outcome = format!("{verdict}: {} at {}", last.name(), trial.server);
    // It may have taken a while.
    let now = keyturn_core::time::now();
    let audit = Some(AuditEntry::of(caller, now, OWN, "test-mail", outcome));
    if let Err(cause) = host.storage.commit(Commit { audit, ..Commit::bare(OWN, now, Vec::new()) }) {
        tracing::error!(request = caller.request, "can't write a test email to the audit log: {cause}");
    }
    Ok(Ok(trial))
}

fn said_wrong((setting, problem): &Wrong, words: Words) -> String {
    words.fill("settings-wrong", &[("setting", setting), ("problem", problem)])
}
