//! Submissions: call the hook of the same name, and say what was done.

use super::forgot;
use crate::bindings::nodes::{Outcome, Sentence, Target, Tone, Value};
use crate::bindings::password::Mode;
use crate::bindings::types::{Failure, FieldError, MailId};
use crate::bindings::views::{Answer, Input};
use crate::password::PlainPassword;
use crate::ports::Ports;
use crate::words::{Word, Words};
use crate::{change, check, failure, generate, recovery, reset_and_mail, settings};

///
/// # Errors
/// `not-found` for an action that isn't in the manifest, or one without its subject or token; `invalid` with `required` for a
/// missing input or one of another type; and the failures of the hook of the same name.
pub fn submit(
    ports: &dyn Ports,
    action: &str,
    subject: Option<&str>,
    token: Option<&str>,
    inputs: Vec<(String, Input)>,
) -> Result<Answer, Failure> {
    let form = Form { ports, words: Words::of(ports), subject, token };
    let inputs = Inputs { words: form.words, inputs, missing: Vec::new() };
    match action {
        "set-password" => form.set_password(inputs),
        "change-own" => form.change_own(inputs),
        "complete-reset" => form.complete_reset(inputs),
        "request-reset" => form.request_reset(inputs),
        "resend-link" => form.resend_link(),
        "reset-and-mail" => form.reset_and_mail(inputs),
        "generate-password" => form.generate_password(),
        "check-password" => form.check_password(inputs),
        _ => Err(Failure::NotFound),
    }
}

/// Where a submission comes from.
struct Form<'a> {
    ports: &'a dyn Ports,
    words: Words,
    subject: Option<&'a str>,
    token: Option<&'a str>,
}

impl Form<'_> {
    fn account(&self) -> Result<&str, Failure> {
        self.subject.ok_or(Failure::NotFound)
    }

    fn link(&self) -> Result<&str, Failure> {
        self.token.ok_or(Failure::NotFound)
    }

    fn set_password(&self, mut inputs: Inputs) -> Result<Answer, Failure> {
        let account = self.account()?;
        let new = inputs.password("new");
        let must_change = settings::asked_at_sign_in(self.ports) && inputs.tick("must-change");
        inputs.complete()?;
        let changed = change::set_password(self.ports, account, new, must_change)?;
        let told = if changed.notice.is_some() { Word::SetTold } else { Word::SetNotTold };
        let mut body = self.sessions(changed.sessions_ended, Word::SetSessions, Word::SetSessionsUnknown);
        for word in must_change.then_some(Word::SetMustChange).into_iter().chain([told]) {
            if !body.is_empty() {
                body.push(Value::Text(" ".to_owned()));
            }
            body.extend(self.words.sentence(word, &[]));
        }
        Ok(self.done_with_mail(Target::Overview(account.to_owned()), Word::SetTitle, body, changed.notice))
    }

    fn change_own(&self, mut inputs: Inputs) -> Result<Answer, Failure> {
        let (current, new) = (inputs.password("current"), inputs.password("new"));
        inputs.complete()?;
        let changed = change::change_own(self.ports, current, new)?;
        // The caller's own session is among them; the panel keeps it, with the new epoch.
        let others = changed.sessions_ended.map(|n| n.saturating_sub(1));
        let body = self.sessions(others, Word::OwnSaved, Word::OwnSavedSessionsUnknown);
        Ok(self.done(Target::MyAccount, Word::OwnSavedTitle, body))
    }

    fn complete_reset(&self, mut inputs: Inputs) -> Result<Answer, Failure> {
        let token = self.link()?;
        let new = inputs.password("new");
        inputs.complete()?;
        let changed = match change::complete_reset(self.ports, token, new) {
            // The host draws the page again if it is refused, and that page offers a new link.
            Err(Failure::Expired) => {
                return Err(failure::refused(self.words, "link-expired", Word::LinkExpiredRefusal));
            }
            other => other?,
        };
        let body = match changed.sessions_ended {
            Some(0) => self.words.sentence(Word::SavedNoSessions, &[]),
            ended => self.sessions(ended, Word::Saved, Word::SavedSessionsUnknown),
        };
        Ok(self.done(Target::SignIn, Word::OwnSavedTitle, body))
    }

    fn request_reset(&self, mut inputs: Inputs) -> Result<Answer, Failure> {
        let typed = inputs.text("login-or-email");
        inputs.complete()?;
        recovery::request_reset(self.ports, &typed)?;
        // Only as much as an address may have: nothing longer exists.
        let shown: String = typed.trim().chars().take(254).collect();
        let typed = [("typed", Value::Text(shown))];
        Ok(self.done(forgot::answer(), Word::AskedNotice, self.words.sentence(Word::AskedTyped, &typed)))
    }

    fn resend_link(&self) -> Result<Answer, Failure> {
        recovery::resend_link(self.ports, self.link()?)?;
        Ok(self.done(forgot::answer_resent(), Word::AskedNotice, Sentence::new()))
    }

    fn reset_and_mail(&self, mut inputs: Inputs) -> Result<Answer, Failure> {
        let account = self.account()?;
        let (mode, address_seen) = (inputs.text("mode"), inputs.text("address-seen"));
        inputs.complete()?;
        let mode = settings::mode(&mode)
            .ok_or_else(|| failure::refused(self.words, "mode-not-offered", Word::ModeNotOfferedRefusal))?;
        let reset = reset_and_mail::confirmed(self.ports, account, mode, &address_seen)?;
        let (title, body) = match reset.mode {
            Mode::Link => (Word::LinkMadeTitle, self.words.sentence(Word::LinkMade, &[])),
            Mode::Temporary | Mode::Permanent => {
                let body = self.sessions(reset.sessions_ended, Word::SetSessions, Word::SetSessionsUnknown);
                (Word::ResetDoneTitle, body)
            }
        };
        Ok(self.done_with_mail(Target::Overview(account.to_owned()), title, body, Some(reset.mail)))
    }

    fn generate_password(&self) -> Result<Answer, Failure> {
        let generated = generate::for_account(self.ports, self.account()?)?;
        Ok(Answer::Generated(generated.text().to_owned()))
    }

    fn check_password(&self, mut inputs: Inputs) -> Result<Answer, Failure> {
        // Called for a field by its name, or like the hook by its parameter's name.
        let name = if inputs.has("password") { "password" } else { "new" };
        let password = inputs.password(name);
        inputs.complete()?;
        check::check_in_form(self.ports, &password, self.subject, self.token).map(Answer::Rate)
    }

    fn done(&self, target: Target, title: Word, body: Sentence) -> Answer {
        self.done_with_mail(target, title, body, None)
    }

    /// The host adds the state of the email.
    fn done_with_mail(&self, target: Target, title: Word, body: Sentence, mail: Option<MailId>) -> Answer {
        let title = self.words.text(title, &[]);
        Answer::Done((target, Outcome { tone: Tone::Success, title, body, mail }))
    }

    fn sessions(&self, ended: Option<u32>, counted: Word, unknown: Word) -> Sentence {
        match ended {
            // Not worth a sentence.
            Some(0) => Sentence::new(),
            Some(n) => self.words.sentence(counted, &[("n", Value::Number(n.into()))]),
            None => self.words.sentence(unknown, &[]),
        }
    }
}

/// Inputs by name. Collects what is missing, to report all of it at once.
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
