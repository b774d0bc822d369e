//! An operator's page: its row in the table [`PAGES`](super::PAGES), the request for it, and the actions of its forms, as a
//! type of its own.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::sheet::{Line, Sentence, Sheet};
use crate::host::Operator;
use keyturn_core::caller::{Actor, Caller, OWN};
use keyturn_core::words::Words;
use keyturn_pages::{SubmitError, Submitted, Surface};
use keyturn_runtime::{CallError, Failure};
use keyturn_ui::Place;
use keyturn_ui::form::{FieldError, FormError, Submission};
use keyturn_ui::nodes::{
    self, Action, Badge, Empty, Fact, Form, Intent, Node, Notice, Outcome, PageTarget, Run, Target, TextLink, Tone,
    Value,
};
use keyturn_work::Workers;

/// Sealed with each form: its action.
const ACT: &str = "act";

/// The place of a page.
#[derive(Clone, Copy)]
pub(super) enum Stands {
    /// In the navigation, in the group with this label.
    In(&'static str),
    /// Below that page.
    Under(&'static str),
}

/// One of the operator's pages.
pub struct Page {
    /// In addresses, and after `nav-` in the catalogue.
    pub name: &'static str,
    pub(super) stands: Stands,
    /// Whether a panel in another program may show it, with a service key.
    pub remote: bool,
    /// Checks whether the caller may see it.
    pub(super) who: fn(&Operator, &Caller) -> Result<(), CallError>,
    pub(super) draw: fn(&Asked<'_>) -> Result<keyturn_ui::Page, CallError>,
    /// Runs a form of it.
    pub(super) act: fn(&Pressed<'_>) -> Result<Submitted, SubmitError>,
}

/// For everybody who is signed in: the page shows what they reach.
pub(super) fn anybody(_: &Operator, caller: &Caller) -> Result<(), CallError> {
    if caller.actor == Actor::Anonymous { Err(not_found()) } else { Ok(()) }
}

/// For callers with access to every realm.
pub(super) fn who_reaches_everybody(host: &Operator, caller: &Caller) -> Result<(), CallError> {
    let denied = || CallError::Denied { actor: caller.actor.name(), operation: "what is on this page".to_owned() };
    if host.reaches_everybody(caller) { Ok(()) } else { Err(denied()) }
}

/// Of a page without forms.
pub(super) fn no_form(_: &Pressed<'_>) -> Result<Submitted, SubmitError> {
    Err(FormError::Foreign.into())
}

/// The request for a page.
pub(super) struct Asked<'a> {
    pub host: &'a Operator,
    pub caller: &'a Caller,
    /// Those of its address; none when a form is run.
    pub arguments: &'a [(String, String)],
    pub surface: &'a Surface<'a>,
    /// The command that starts sending emails and webhooks; may be empty.
    pub start: &'a str,
    pub words: Words,
    pub now: i64,
}

impl Asked<'_> {
    pub(super) fn argument(&self, name: &str) -> Option<&str> {
        self.arguments.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    pub(super) fn word(&self, key: &str) -> String {
        self.words.get(key).to_owned()
    }

    /// An entry of the catalogue, as a sentence.
    pub(super) fn say(&self, key: &str) -> Sentence {
        text(self.words.get(key))
    }

    pub(super) fn heading(&self, key: &str) -> Node {
        Node::Heading(self.word(key))
    }

    pub(super) fn fact(&self, key: &str, value: Sentence) -> Fact {
        Fact { label: self.word(key), value }
    }

    pub(super) fn badge(&self, tone: Tone, key: &str) -> Badge {
        Badge { tone, text: self.word(key) }
    }

    /// A line of a cell, filled.
    pub(super) fn small(&self, key: &str, values: &[(&str, &str)]) -> Line {
        Line::Small(text(&self.words.fill(key, values)))
    }

    /// In place of a table without rows.
    pub(super) fn empty(&self, title: &str) -> Empty {
        Empty { title: self.word(title), text: Vec::new(), action: None }
    }

    pub(super) fn press(&self, label: &str, page: &Page, act: &impl Serialize) -> Action {
        let run = Run::Submit(press(page, act));
        Action { label: self.word(label), intent: Intent::Neutral, run, unavailable: None }
    }

    /// A link that looks like a button.
    pub(super) fn leads(&self, label: &str, to: Target) -> Action {
        Action { label: self.word(label), intent: Intent::Neutral, run: Run::Go(to), unavailable: None }
    }

    pub(super) fn time(&self, at: i64) -> String {
        self.words.time(at, self.now, &self.host.brand().zone)
    }

    pub(super) fn draw(&self, page: &Page, sheet: &Sheet) -> keyturn_ui::Page {
        self.host.framed_own(OWN, place(page.name), self.surface, |frame| sheet.draw(frame))
    }
}

/// A posted form of a page that its sender may see.
pub(super) struct Pressed<'a> {
    pub asked: Asked<'a>,
    pub submission: &'a Submission,
    /// Kept if its sender must confirm their identity first.
    pub body: &'a [u8],
}

impl Pressed<'_> {
    /// Its action, as [`press`] has sealed it.
    pub(super) fn act<T: DeserializeOwned>(&self) -> Result<T, FormError> {
        let act = self.submission.text(ACT).and_then(|act| serde_json::from_str(act).ok());
        act.ok_or(FormError::Malformed("no such action"))
    }

    /// Done: back to the page, or on to another.
    pub(super) fn done(&self, to: Option<&Target>, outcome: Outcome) -> Result<Submitted, SubmitError> {
        let Asked { host, caller, surface, .. } = &self.asked;
        let url = to.map_or_else(|| surface.submit_url.to_owned(), |to| surface.links.url(OWN, to));
        Ok(Submitted::Done { url, notice: host.seal_notice(OWN, outcome, caller, None), own_epoch: None })
    }

    /// Runs it if its sender has confirmed their identity recently; else it is kept until then.
    pub(super) fn proved(
        &self,
        run: impl FnOnce() -> Result<Submitted, SubmitError>,
    ) -> Result<Submitted, SubmitError> {
        let Asked { host, caller, now, .. } = self.asked;
        if caller.proved_lately(now) { run() } else { Ok(Submitted::StepUp(host.hold(caller, self.body))) }
    }

    pub(super) fn again(&self, errors: Vec<FieldError>, message: Option<String>) -> Result<Submitted, SubmitError> {
        Ok(Submitted::Again(self.submission.corrections(errors, message)))
    }
}

/// The action of a form of `page`.
pub(super) fn press(page: &Page, act: &impl Serialize) -> nodes::Submission {
    let act = serde_json::to_string(act).unwrap_or_default();
    nodes::Submission { action: page.name.to_owned(), subject: None, arguments: vec![(ACT.to_owned(), act)] }
}

/// A question with one answer, or none.
pub(super) fn question(
    submit: nodes::Submission,
    intro: Vec<Sentence>,
    points: Vec<Sentence>,
    (submit_label, submit_intent): (String, Intent),
    cancel: Option<Target>,
) -> Node {
    Node::Form(Form { submit, intro, points, fields: Vec::new(), submit_label, submit_intent, cancel })
}

/// A link within a sentence.
pub(super) fn link(text: &str, target: Target) -> Value {
    Value::Link(TextLink { text: text.to_owned(), target })
}

/// The page with this name.
pub(super) fn target(page: &str, arguments: &[(&str, &str)]) -> Target {
    let arguments = arguments.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Target::Page(PageTarget { page: page.to_owned(), subject: None, arguments })
}

pub(super) fn place(page: &str) -> Place {
    Place::Page { name: page.to_owned(), subject: None, arguments: Vec::new() }
}

pub(super) fn text(text: &str) -> Sentence {
    if text.is_empty() { Vec::new() } else { vec![Value::Text(text.to_owned())] }
}

pub(super) fn not_found() -> CallError {
    CallError::Failed(Failure::NotFound)
}

/// The outcome, by the keys of its title and text.
pub(super) fn said(tone: Tone, key: &str, words: Words) -> Outcome {
    let title = words.get(&format!("{key}-title")).to_owned();
    Outcome { tone, title, body: text(words.get(key)), mail: None }
}

/// The number of things that were changed, or that there were none.
pub(super) fn counted(n: usize, done: &str, none: &str, words: Words) -> Outcome {
    match n {
        0 => said(Tone::Warning, none, words),
        n => Outcome { tone: Tone::Success, title: words.count(done, n as u64), body: Vec::new(), mail: None },
    }
}

/// A warning that nothing works, with the text of `key`; none if something does, or if it is unknown.
pub(super) fn nobody_works(key: &str, asked: &Asked<'_>) -> Option<Notice> {
    let Ok(Workers::Stopped { since }) = asked.host.workers() else { return None };
    let words = asked.words;
    let mut body = text(&words.stopped(key, since, asked.now, &asked.host.brand().zone));
    if !asked.start.is_empty() {
        let start = format!(" {} ", words.get("outbox-stopped-start"));
        body.extend([Value::Text(start), Value::Code(asked.start.to_owned())]);
    }
    Some(Notice { tone: Tone::Danger, title: words.get(key).to_owned(), body, actions: Vec::new() })
}
