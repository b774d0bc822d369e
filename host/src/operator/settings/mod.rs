//! Email settings: the settings that the page may change, and a test email with the form's contents, saved or not.
//!
//! A stored password is never shown, and goes only to the server that it was stored for, in a test and after a saved change
//! alike: people who have taken over a session would send it to a server of their own.

mod draw;
mod read;
#[cfg(test)]
mod tests;

use super::page::{self, Asked, Pressed, Stands, who_reaches_everybody};
use crate::CallError;
use crate::embed::{SubmitError, Submitted, Surface};
use crate::mail::config::Wrong;
use crate::mail::setup::Setup;
use crate::mail::trial::Trial;
use crate::mail_settings::{Plan, Untried};
use crate::seal;
use crate::storage::{StorageError, Version};
use crate::view::Page;
use crate::view::nodes::{Outcome, Tone};
use crate::view::words::Words;

pub(super) static PAGE: page::Page = page::Page {
    name: "email-settings",
    stands: Stands::In("nav-mail"),
    remote: true,
    who: who_reaches_everybody,
    draw: |asked| drawn(asked, None),
    act,
};

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
    let settings = &asked.host.0.mail;
    let stored = settings.stored().map_err(CallError::of_storage)?;
    let setup = stored.setup(&settings.fixed, &asked.host.0.keys);
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
        let on = host.0.outgoing().transport.is_some();
        let saved = if on { "settings-saved-on" } else { "settings-saved-off" };
        let title = words.get("settings-saved-title").to_owned();
        pressed.done(None, Outcome { tone: Tone::Success, title, body: page::text(words.get(saved)), mail: None })
    })
}

fn tested(pressed: &Pressed<'_>, plan: Plan) -> Result<Submitted, SubmitError> {
    let Pressed { asked: Asked { host, caller, words, now, surface, .. }, submission, .. } = *pressed;
    let again = |message| pressed.again(Vec::new(), Some(message));
    let to = submission.text(TO).unwrap_or_default().to_owned();
    let trial = match host.try_mail(caller, &plan.setup, &to) {
        Ok(trial) => trial,
        Err(Untried::TooOften(seconds)) => {
            return again(words.fill("wait", &[("time", &words.duration(u64::from(seconds)))]));
        }
        Err(Untried::Busy) => return again(words.get("settings-test-busy").to_owned()),
        Err(Untried::Wrong(wrong)) => return again(said_wrong(&wrong, words)),
        Err(Untried::Storage(cause)) => return Err(CallError::of_storage(cause).into()),
    };
    let typed_password = submission.password("password").is_some();
    let tested = Tested { trial, setup: plan.setup, to, saved: plan.changes.is_empty(), typed_password };
    let typed = submission.corrections(Vec::new(), None);
    let surface = Surface { corrections: Some(&typed), ..*surface };
    let asked = Asked { host, caller, arguments: &[], surface: &surface, start: "", words, now };
    Ok(Submitted::Reveal(drawn(&asked, Some(&tested))?))
}

fn said_wrong((setting, problem): &Wrong, words: Words) -> String {
    words.fill("settings-wrong", &[("setting", setting), ("problem", problem)])
}
