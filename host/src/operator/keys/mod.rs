//! Service keys: what each machine may, for whom and from where, and when it was here last; to make a key, to give one another
//! token, and to end one.
//!
//! A token is drawn in the answer to the form that made it and nowhere else: whoever opens the page later, or sends that form
//! again, does not see it. Whoever has taken over a session cannot make a key by it: his password is asked for first.

mod list;
mod make;
#[cfg(test)]
mod tests;

use form_urlencoded::Serializer;
use zeroize::Zeroizing;

use super::{OWN, OperatorSurface, not_found, page as whole, place};
use crate::CallError;
use crate::caller::Caller;
use crate::embed::{SubmitError, Submitted, Surface};
use crate::host::Host;
use crate::origin::with_query;
use crate::plugin::manifest::Role;
use crate::service_key::{CONDITIONS, KeyProblem, OF_HOST, ServiceKey};
use crate::view::Page;
use crate::view::form::{FieldError, Submission};
use crate::view::html::nodes::{Painter, button};
use crate::view::html::{Html, Markup, values};
use crate::view::nodes::{self, Badge, Code, Intent, Outcome, Tone, Value};
use crate::view::shell::{Link, parts};
use crate::view::words::Words;
use keyturn_core::time::now;

/// The actions of its forms.
pub(super) const MAKE: &str = "make-key";
pub(super) const ROTATE: &str = "rotate-key";
pub(super) const REVOKE: &str = "revoke-key";
/// Sealed with each form: the address of the list, which its answer leads to.
const BACK: &str = "back";
/// Sealed with a form about one key: which, and how it stood.
const KEY: &str = "key";
const SEEN: &str = "seen";
/// How long a token goes on when another has come, in milliseconds.
const OLD_WORKS_FOR: i64 = 60 * 60_000;

/// What the page's address asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum AskedKeys {
    /// All keys there are and were.
    #[default]
    All,
    /// The form that makes one.
    New,
    /// Whether the key of this name shall have another token.
    Rotate(String),
    /// Whether the key of this name shall end.
    Revoke(String),
}

impl AskedKeys {
    /// From the query of the page's address. What it does not know is left alone.
    pub fn asked<'a>(query: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        query.into_iter().fold(Self::All, |asked, (name, value)| match name {
            "new" => Self::New,
            "rotate" => Self::Rotate(value.to_owned()),
            "revoke" => Self::Revoke(value.to_owned()),
            _ => asked,
        })
    }

    fn url(&self, keys: &str) -> String {
        let (name, value) = match self {
            Self::All => return keys.to_owned(),
            Self::New => ("new", "1"),
            Self::Rotate(key) => ("rotate", key.as_str()),
            Self::Revoke(key) => ("revoke", key.as_str()),
        };
        with_query(keys, &Serializer::new(String::new()).append_pair(name, value).finish())
    }
}

/// What machines can be allowed, each in words: the plugins' hooks by their own docs, or their names where those say nothing.
struct Offered(Vec<(String, String)>);

impl Offered {
    fn by(host: &Host, words: Words) -> Self {
        let plugins = host.plugins();
        let mut offered: Vec<(String, String)> = Vec::new();
        for (plugin, hook) in plugins.iter().flat_map(|plugin| plugin.hooks.iter().map(move |hook| (plugin, hook))) {
            let scope = hook.operation.scope().filter(|_| hook.operation.actors.contains(&Role::ServiceKey));
            if let Some(scope) = scope.filter(|scope| offered.iter().all(|(known, _)| known != scope)) {
                let docs = plugin.manifest.docs.function(&hook.export, &hook.operation.name);
                let said = docs.and_then(|docs| docs.first_sentence()).unwrap_or(&scope).to_owned();
                offered.push((scope, said));
            }
        }
        offered.sort();
        let own = OF_HOST.into_iter().chain(CONDITIONS);
        offered.extend(own.map(|scope| (scope.to_owned(), words.get(&format!("keys-scope-{scope}")).to_owned())));
        Self(offered)
    }

    /// Of a hook that no plugin offers any more, its name.
    fn said<'a>(&'a self, scope: &'a str) -> &'a str {
        self.0.iter().find(|(known, _)| known == scope).map_or(scope, |(_, said)| said)
    }

    /// What a key may, one below the other.
    fn points(&self, key: &ServiceKey) -> Markup {
        let mut html = Html::new();
        html.class("ul", "kt-points");
        for scope in &key.scopes {
            let said = self.said(scope);
            html.open("li", &[]).element("bdi", &[], said);
            // As it is named in the documents and the audit.
            if scope.contains('/') && said != scope {
                html.text(" ").element("code", &[("dir", Some("ltr"))], scope);
            }
            html.close("li");
        }
        html.close("ul").done()
    }
}

pub(super) fn page(
    host: &Host,
    caller: &Caller,
    asked: &AskedKeys,
    surface: &OperatorSurface<'_>,
) -> Result<Page, CallError> {
    if !host.may_tend_keys(caller) {
        return Err(not_found());
    }
    let offered = Offered::by(host, Words::of(&caller.locale));
    let keys = || host.service_keys().map_err(CallError::of_storage);
    let framed = |draw: &dyn Fn(&mut Painter<'_>) -> Page| {
        host.framed_own(caller, place("keys"), &surface.surface, |frame| draw(&mut Painter::new(frame, 2)))
    };
    Ok(match asked {
        AskedKeys::All => {
            let keys = keys()?;
            framed(&|painter| list::draw(&keys, &offered, surface.keys, painter))
        }
        AskedKeys::New => {
            let realms = host.0.storage.realms();
            framed(&|painter| make::draw(&offered, &realms, surface.keys, painter))
        }
        AskedKeys::Rotate(name) | AskedKeys::Revoke(name) => {
            let deed = if matches!(asked, AskedKeys::Rotate(_)) { ROTATE } else { REVOKE };
            let key = keys()?.into_iter().find(|key| key.name == *name).ok_or_else(not_found)?;
            let question = Question { deed, seen: host.seen(&key), key, offered: &offered, back: surface.keys };
            framed(&|painter| question.draw(painter))
        }
    })
}

/// Whether something shall be done to one key, and what follows from that.
struct Question<'a> {
    deed: &'static str,
    key: ServiceKey,
    seen: String,
    offered: &'a Offered,
    back: &'a str,
}

impl Question<'_> {
    fn draw(&self, painter: &mut Painter<'_>) -> Page {
        let (words, key) = (painter.words, &self.key);
        let name = [("name", key.name.as_str())];
        painter.html.class("div", "kt-sections").class("div", "kt-section kt-card");
        if key.works(painter.frame.now) {
            self.form(painter);
        } else {
            let back = Link { label: words.get("keys"), url: self.back };
            painter.html.element("p", &[("class", Some("kt-text"))], words.get("keys-dead"));
            painter.html.class("div", "kt-actions").markup(&parts::button_link(back, Intent::Neutral)).close("div");
        }
        painter.html.close("div").close("div");
        let title = if self.deed == REVOKE { "keys-revoke-title" } else { "keys-rotate-title" };
        let badge = list::badge(key, painter);
        whole(painter, &words.fill(title, &name), Some(&badge), &Markup::default())
    }

    fn form(&self, painter: &mut Painter<'_>) {
        let (words, key) = (painter.words, &self.key);
        let arguments = [(BACK, self.back), (KEY, &key.name), (SEEN, &self.seen)];
        let submission = submission(self.deed, &arguments);
        painter.open_form(&submission, &[], &[], "kt-form");
        if self.deed == REVOKE {
            let used = list::used(key, painter);
            painter.html.element("p", &[("class", Some("kt-text"))], words.get("keys-revoke-at-once"));
            painter.html.markup(&self.offered.points(key));
            painter.html.class("p", "kt-text").markup(&used).close("p");
            painter.html.element("p", &[("class", Some("kt-text"))], words.get("keys-revoke-for-good"));
        } else {
            let time = words.duration(OLD_WORKS_FOR.unsigned_abs() / 1_000);
            painter.html.element("p", &[("class", Some("kt-text"))], words.get("keys-rotate-once"));
            let old = words.fill("keys-rotate-old", &[("time", &time)]);
            painter.html.element("p", &[("class", Some("kt-text"))], &old);
        }
        let (label, class) = match self.deed == REVOKE {
            true => ("keys-revoke", "kt-button kt-destroy"),
            false => ("keys-rotate", button(Intent::Primary)),
        };
        buttons(words.get(label), class, self.back, painter);
        painter.html.close("form");
    }
}

/// The button of a form, and the way back without it.
fn buttons(label: &str, class: &str, back: &str, painter: &mut Painter<'_>) {
    let cancel = Link { label: painter.words.get("cancel"), url: back };
    painter.html.class("div", "kt-buttons");
    painter.html.element("button", &[("class", Some(class)), ("type", Some("submit"))], label);
    painter.html.markup(&parts::button_link(cancel, Intent::Neutral)).close("div");
}

fn submission(action: &str, arguments: &[(&str, &str)]) -> nodes::Submission {
    let arguments = arguments.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    nodes::Submission { action: action.to_owned(), subject: None, arguments }
}

/// What a form of this page does; `body` is kept where its sender must prove himself first.
pub(super) fn submitted(
    host: &Host,
    caller: &Caller,
    submission: &Submission,
    body: &[u8],
    surface: &Surface<'_>,
) -> Result<Submitted, SubmitError> {
    if !host.may_tend_keys(caller) {
        return Err(not_found().into());
    }
    let words = Words::of(&caller.locale);
    let again = |errors, message| Ok(Submitted::Again(submission.corrections(errors, message)));
    let refused = |cause| match why(&cause, words) {
        Some(Wrong { field: Some(field), message }) => again(vec![FieldError { field, message }], None),
        Some(Wrong { field: None, message }) => again(Vec::new(), Some(message)),
        None => Err(failed(cause).into()),
    };
    // A mistake is told before anybody is asked for his password.
    let new = match submission.action == MAKE {
        false => None,
        true => match make::wanted(submission, words, now()) {
            Ok(new) => Some(new),
            Err(problems) => return again(problems, None),
        },
    };
    if let Some(Err(cause)) = new.as_ref().map(|new| host.can_be(new)) {
        return refused(cause);
    }
    if !caller.proved_lately(now()) {
        return Ok(Submitted::StepUp(host.hold(caller, body)));
    }
    let (back, name) = (submission.text(BACK).unwrap_or_default(), submission.text(KEY).unwrap_or_default());
    let reveal = |title: &str, name: &str, token: &Zeroizing<String>, old: bool| {
        let title = words.fill(title, &[("name", name)]);
        let page = host.framed_own(caller, place("keys"), surface, |frame| {
            revealed(&title, token, old, back, &mut Painter::new(frame, 2))
        });
        Ok(Submitted::Reveal(page))
    };
    match new {
        Some(new) => match host.add_service_key(caller, new) {
            Ok((key, token)) => reveal("keys-made-title", &key.name, &token, false),
            Err(cause) => refused(cause),
        },
        None if submission.action == ROTATE => {
            match host.rotate_as_seen(caller, name, OLD_WORKS_FOR, submission.text(SEEN)) {
                Ok(token) => reveal("keys-rotated-title", name, &token, true),
                Err(cause) => refused(cause),
            }
        }
        None => match host.revoke_service_key(caller, name) {
            Ok(_) => {
                let outcome = Outcome {
                    tone: Tone::Success,
                    title: words.fill("keys-revoked-title", &[("name", name)]),
                    body: vec![Value::Text(words.get("keys-revoked-now").to_owned())],
                    mail: None,
                };
                let notice = host.seal_notice(OWN, outcome, caller);
                Ok(Submitted::Done { url: back.to_owned(), notice, own_epoch: None })
            }
            Err(cause) => refused(cause),
        },
    }
}

/// What is wrong, in the reader's words; at a field, if it is one's.
struct Wrong {
    field: Option<String>,
    message: String,
}

fn why(cause: &KeyProblem, words: Words) -> Option<Wrong> {
    let at = |field: &str, key: &str| Wrong { field: Some(field.to_owned()), message: words.get(key).to_owned() };
    let all = |key: &str| Wrong { field: None, message: words.get(key).to_owned() };
    Some(match cause {
        KeyProblem::Name(_) => at(make::NAME, "keys-wrong-name"),
        KeyProblem::Taken(_) => at(make::NAME, "keys-taken"),
        KeyProblem::Scope { scope, .. } => at(&make::may(scope), "keys-wrong-scope"),
        KeyProblem::Manager => at(make::MANAGER, "keys-wrong-manager"),
        KeyProblem::Unmanaged(realm) => Wrong {
            field: Some(make::MANAGER.to_owned()),
            message: words.fill("keys-wrong-unmanaged", &[("realm", realm)]),
        },
        KeyProblem::Over => at(make::DAYS, "keys-wrong-days"),
        KeyProblem::Empty => all("keys-wrong-may"),
        KeyProblem::Ended(_) => all("keys-dead"),
        KeyProblem::Raced(_) => all("keys-raced"),
        KeyProblem::Realm { .. } | KeyProblem::NoSuch(_) | KeyProblem::Storage(_) => return None,
    })
}

fn failed(cause: KeyProblem) -> CallError {
    match cause {
        KeyProblem::Storage(cause) => CallError::of_storage(cause),
        _ => not_found(),
    }
}

/// The page that shows a token, this once.
fn revealed(title: &str, token: &Zeroizing<String>, old_goes_on: bool, back: &str, painter: &mut Painter<'_>) -> Page {
    let words = painter.words;
    let code = Code { label: words.get("keys-token").to_owned(), lines: vec![token.to_string()], secret: true };
    painter.html.class("div", "kt-sections").class("div", "kt-section kt-card");
    painter.code(&code);
    painter.html.element("p", &[("class", Some("kt-text"))], words.get("keys-token-use"));
    if old_goes_on {
        let until = painter.frame.now.saturating_add(OLD_WORKS_FOR);
        let time = words.time(until, painter.frame.now, &painter.frame.zone);
        let old = words.fill("keys-rotated-old", &[("time", &time)]);
        painter.html.element("p", &[("class", Some("kt-text"))], &old);
    }
    let back = parts::button_link(Link { label: words.get("keys"), url: back }, Intent::Neutral);
    painter.html.class("div", "kt-actions").markup(&back).close("div").close("div").close("div");
    whole(painter, title, None, &Markup::default())
}
