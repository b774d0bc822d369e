//! Submissions: the deed of the hook of the same name, and what to say when it is done.

use super::{forgot, link_duration};
use crate::bindings::nodes::{Outcome, Sentence, Target, Tone, Value};
use crate::bindings::password::Mode;
use crate::bindings::types::{Failure, FieldError, MailId};
use crate::bindings::views::{Answer, Input};
use crate::password::PlainPassword;
use crate::ports::Ports;
use crate::words::{Word, Words};
use crate::{change, check, failure, generate, recovery, reset_and_mail, settings};

/// Runs the form action `action`.
///
/// # Errors
/// `not-found` for an action that the manifest does not name, or one without its subject or token; `invalid` with `required`
/// for an input that is missing or of another type; what the hook of the same name fails with.
pub fn submit(
    ports: &dyn Ports,
    action: &str,
    subject: Option<&str>,
    token: Option<&str>,
    inputs: Vec<(String, Input)>,
) -> Result<Answer, Failure> {
    let words = Words::of(ports);
    let mut inputs = Inputs { words, inputs, missing: Vec::new() };
    match action {
        "set-password" => {
            let account = subject.ok_or(Failure::NotFound)?;
            let (new, must_change) = (inputs.password("new"), inputs.tick("must-change"));
            inputs.complete()?;
            let changed = change::set_password(ports, account, new, must_change)?;
            let mut body = sessions(words, changed.sessions_ended, Word::SetSessions, Word::SetSessionsUnknown);
            if must_change {
                body.push(Value::Text(" ".to_owned()));
                body.extend(words.sentence(Word::SetMustChange, &[]));
            }
            let overview = Target::Overview(account.to_owned());
            Ok(done_with_mail(words, overview, Word::SetTitle, body, changed.notice))
        }
        "change-own" => {
            let (current, new) = (inputs.password("current"), inputs.password("new"));
            inputs.complete()?;
            let changed = change::change_own(ports, current, new)?;
            // His own is among those that ended; the panel goes on with it under the new epoch.
            let others = changed.sessions_ended.map(|n| n.saturating_sub(1));
            let body = sessions(words, others, Word::OwnSaved, Word::OwnSavedSessionsUnknown);
            Ok(done(words, Target::MyAccount, Word::OwnSavedTitle, body))
        }
        "complete-reset" => {
            let token = token.ok_or(Failure::NotFound)?;
            let new = inputs.password("new");
            inputs.complete()?;
            let changed = match change::complete_reset(ports, token, new) {
                // The host draws the page again for what is refused, and there a new link is offered.
                Err(Failure::Expired) => {
                    return Err(failure::refused(words, "link-expired", Word::LinkExpiredRefusal));
                }
                other => other?,
            };
            let body = sessions(words, changed.sessions_ended, Word::Saved, Word::SavedSessionsUnknown);
            Ok(done(words, Target::SignIn, Word::OwnSavedTitle, body))
        }
        "request-reset" => {
            let typed = inputs.text("login-or-email");
            inputs.complete()?;
            recovery::request_reset(ports, &typed)?;
            let said = [("address", Value::Text(typed.trim().to_owned())), ("duration", link_duration(ports))];
            Ok(done(words, forgot::answer(), Word::AskedMail, words.sentence(Word::Asked, &said)))
        }
        "resend-link" => {
            recovery::resend_link(ports, token.ok_or(Failure::NotFound)?)?;
            let said = words.sentence(Word::AskedResent, &[("duration", link_duration(ports))]);
            Ok(done(words, forgot::answer(), Word::AskedMail, said))
        }
        "reset-and-mail" => {
            let account = subject.ok_or(Failure::NotFound)?;
            let (mode, address_seen) = (inputs.text("mode"), inputs.text("address-seen"));
            inputs.complete()?;
            let mode = settings::mode(&mode)
                .ok_or_else(|| failure::refused(words, "mode-not-offered", Word::ModeNotOfferedRefusal))?;
            let reset = reset_and_mail::confirmed(ports, account, mode, &address_seen)?;
            let (title, body) = match reset.mode {
                Mode::Link => (Word::LinkMadeTitle, words.sentence(Word::LinkMade, &[])),
                Mode::Temporary | Mode::Permanent => {
                    let body = sessions(words, reset.sessions_ended, Word::SetSessions, Word::SetSessionsUnknown);
                    (Word::ResetDoneTitle, body)
                }
            };
            let overview = Target::Overview(account.to_owned());
            Ok(done_with_mail(words, overview, title, body, Some(reset.mail)))
        }
        "generate-password" => {
            let account = subject.ok_or(Failure::NotFound)?;
            let generated = generate::for_account(ports, account)?;
            Ok(Answer::Generated(generated.text().to_owned()))
        }
        "check-password" => {
            // Asked for a field by its name, or as the hook by its parameter's.
            let name = if inputs.has("password") { "password" } else { "new" };
            let password = inputs.password(name);
            inputs.complete()?;
            check::check_in_form(ports, &password, subject, token).map(Answer::Rate)
        }
        _ => Err(Failure::NotFound),
    }
}

fn done(words: Words, target: Target, title: Word, body: Sentence) -> Answer {
    done_with_mail(words, target, title, body, None)
}

/// The host adds what became of the mail.
fn done_with_mail(words: Words, target: Target, title: Word, body: Sentence, mail: Option<MailId>) -> Answer {
    Answer::Done((target, Outcome { tone: Tone::Success, title: words.text(title, &[]), body, mail }))
}

fn sessions(words: Words, ended: Option<u32>, counted: Word, unknown: Word) -> Sentence {
    match ended {
        Some(n) => words.sentence(counted, &[("n", Value::Number(n.into()))]),
        None => words.sentence(unknown, &[]),
    }
}

/// Inputs by name. Collects what is missing, so that all of it is told at once.
struct Inputs {
    words: Words,
    inputs: Vec<(String, Input)>,
    missing: Vec<FieldError>,
}

impl Inputs {
    fn has(&self, name: &str) -> bool {
        self.inputs.iter().any(|(given, _)| given == name)
    }

    fn take(&mut self, name: &str) -> Option<Input> {
        let position = self.inputs.iter().position(|(given, _)| given == name)?;
        Some(self.inputs.swap_remove(position).1)
    }

    fn password(&mut self, name: &str) -> PlainPassword {
        match self.take(name) {
            Some(Input::Password(text)) => PlainPassword::new(text),
            _ => PlainPassword::new(self.lacks(name)),
        }
    }

    fn text(&mut self, name: &str) -> String {
        match self.take(name) {
            Some(Input::Text(text)) if !text.trim().is_empty() => text,
            _ => self.lacks(name),
        }
    }

    fn tick(&mut self, name: &str) -> bool {
        match self.take(name) {
            Some(Input::Tick(ticked)) => ticked,
            _ => self.lacks::<bool>(name),
        }
    }

    fn lacks<T: Default>(&mut self, name: &str) -> T {
        self.missing.push(failure::field(name, "required", self.words.text(Word::Required, &[])));
        T::default()
    }

    fn complete(&mut self) -> Result<(), Failure> {
        match std::mem::take(&mut self.missing) {
            missing if missing.is_empty() => Ok(()),
            missing => Err(Failure::Invalid(missing)),
        }
    }
}
