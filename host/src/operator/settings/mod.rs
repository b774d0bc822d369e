//! Email settings: what of how mail goes the page may set, and a test mail with what stands in the form, saved or not.
//!
//! A stored password is never drawn, and goes to no other server than the one that it was stored for, neither in a test nor
//! by a change that is saved: whoever has taken over a session would have it sent to a server of his own.

mod draw;
mod read;
#[cfg(test)]
mod tests;

use super::{OWN, page as whole, place};
use crate::CallError;
use crate::caller::Caller;
use crate::email::{EmailError, Plan};
use crate::embed::{SubmitError, Submitted, Surface};
use crate::host::Host;
use crate::mail::config::Wrong;
use crate::mail::setup::Setup;
use crate::mail::trial::Trial;
use crate::seal;
use crate::storage::{StorageError, Version};
use crate::view::Page;
use crate::view::form::{FieldError, Submission};
use crate::view::nodes::{Outcome, Tone, Value};
use crate::view::words::Words;
use draw::Sheet;
use keyturn_core::time::now;

/// The form's action.
pub(super) const ACTION: &str = "email-settings";
/// Its button that tries what stands in it.
const TEST: &str = "test";
/// The field of the address that a test mail goes to.
const TO: &str = "to";
/// The sealed field that says which writing of the settings the form was drawn on.
const SEEN: &str = "seen";

/// A test mail that was sent from the page.
struct Tested {
    trial: Trial,
    setup: Setup,
    to: String,
    /// Everything that was tried is what is stored.
    saved: bool,
    /// The password was typed for it, and is not kept.
    typed_password: bool,
}

pub(super) fn page(host: &Host, caller: &Caller, surface: &Surface<'_>) -> Result<Page, CallError> {
    host.allowed(caller)?;
    drawn(host, caller, surface, None)
}

fn drawn(host: &Host, caller: &Caller, surface: &Surface<'_>, tested: Option<&Tested>) -> Result<Page, CallError> {
    let room = &host.0.room;
    let setup = host.mail_setup().map_err(CallError::of_storage)?;
    let stored = room.stored().map_err(CallError::of_storage)?;
    let sheet = Sheet { setup: setup.as_ref(), seen: seen(stored.version.as_ref()), post: &host.0.post(), tested };
    Ok(host.framed_own(caller, place("email-settings"), surface, |frame| sheet.draw(frame)))
}

fn seen(version: Option<&Version>) -> String {
    version.map_or_else(String::new, |version| seal::hex(&version.0))
}

/// What a form of this page does; `body` is kept where its sender must prove himself first.
pub(super) fn submitted(
    host: &Host,
    caller: &Caller,
    submission: &Submission,
    body: &[u8],
    surface: &Surface<'_>,
) -> Result<Submitted, SubmitError> {
    host.allowed(caller).map_err(CallError::from)?;
    let words = Words::of(&caller.locale);
    let again = |errors, message| Ok(Submitted::Again(submission.corrections(errors, message)));
    let setup =
        host.mail_setup().map_err(CallError::of_storage)?.ok_or_else(|| CallError::from(EmailError::Program))?;
    let test = submission.also.as_deref() == Some(TEST);
    let wanted = match read::wanted(submission, &setup, test, words) {
        Ok(wanted) => wanted,
        Err(problems) => return again(problems, None),
    };
    let plan = match host.plan_mail(wanted.chosen, &wanted.password) {
        Ok(plan) => plan,
        Err(EmailError::Wrong(wrong)) => return again(Vec::new(), Some(said_wrong(&wrong, words))),
        Err(EmailError::NoPassword) => return again(vec![wrong("password", "settings-password-none", words)], None),
        Err(EmailError::PasswordOfAnother) => {
            return again(vec![wrong("password", "settings-password-other", words)], None);
        }
        Err(cause) => return Err(CallError::from(cause).into()),
    };
    if !caller.proved_lately(now()) {
        return Ok(Submitted::StepUp(host.hold(caller, body)));
    }
    if test {
        return tested(host, caller, submission, plan, wanted.to, surface);
    }
    let drawn_on = submission.text(SEEN).unwrap_or_default();
    let conflict = || again(Vec::new(), Some(words.get("settings-changed-meanwhile").to_owned()));
    // A second press of the same button finds everything as it wants it.
    if !plan.changes.is_empty() && drawn_on != seen(plan.seen.version.as_ref()) {
        return conflict();
    }
    match host.carry_out(caller, &plan) {
        Ok(_) => {}
        Err(EmailError::Storage(StorageError::Changed)) => return conflict(),
        Err(cause) => return Err(CallError::from(cause).into()),
    }
    let key = match host.0.post().transport {
        Some(_) => "settings-saved-on",
        None => "settings-saved-off",
    };
    let outcome = Outcome {
        tone: Tone::Success,
        title: words.get("settings-saved-title").to_owned(),
        body: vec![Value::Text(words.get(key).to_owned())],
        mail: None,
    };
    let (url, notice) = (surface.submit_url.to_owned(), host.seal_notice(OWN, outcome, caller));
    Ok(Submitted::Done { url, notice, own_epoch: None })
}

fn tested(
    host: &Host,
    caller: &Caller,
    submission: &Submission,
    plan: Plan,
    to: String,
    surface: &Surface<'_>,
) -> Result<Submitted, SubmitError> {
    let words = Words::of(&caller.locale);
    let again = |message: String| Ok(Submitted::Again(submission.corrections(Vec::new(), Some(message))));
    let trial = match host.try_mail(caller, &plan.setup, &to) {
        Ok(trial) => trial,
        Err(EmailError::TooOften(seconds)) => {
            return again(words.fill("wait", &[("time", &words.duration(u64::from(seconds)))]));
        }
        Err(EmailError::Busy) => return again(words.get("settings-test-busy").to_owned()),
        Err(EmailError::Wrong(wrong)) => return again(said_wrong(&wrong, words)),
        Err(cause) => return Err(CallError::from(cause).into()),
    };
    let typed = submission.corrections(Vec::new(), None);
    let surface = Surface { corrections: Some(&typed), ..*surface };
    let typed_password = plan.changes.contains(&"mail.smtp.password") && plan.has_password();
    let tested = Tested { trial, setup: plan.setup, to, saved: plan.changes.is_empty(), typed_password };
    Ok(Submitted::Reveal(drawn(host, caller, &surface, Some(&tested))?))
}

fn said_wrong((setting, problem): &Wrong, words: Words) -> String {
    words.fill("settings-wrong", &[("setting", setting), ("problem", problem)])
}

fn wrong(field: &str, key: &str, words: Words) -> FieldError {
    FieldError { field: field.to_owned(), message: words.get(key).to_owned() }
}
