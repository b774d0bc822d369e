//! Service keys: what each machine may do, for whom and from where, and its last use; to create a key, replace its token, and
//! revoke it.
//!
//! A token is shown in the answer to the form that created it and nowhere else: opening the page later, or sending that form
//! again, doesn't show it. People who have taken over a session can't create a key with it: the form needs the password.

mod list;
mod make;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::page::{self, Asked, Page, Pressed, Stands, not_found, press, target, text, who_reaches_everybody};
use super::sheet::{Part, Sentence, Sheet};
use crate::host::Operator;
use crate::service_key::{CONDITIONS, KeyProblem, OF_HOST, ServiceKey, hooks};
use keyturn_core::words::Words;
use keyturn_pages::{SubmitError, Submitted};
use keyturn_runtime::CallError;
use keyturn_ui::form::FieldError;
use keyturn_ui::nodes::{Code, Intent, Node, Outcome, Tone, Value};

pub(super) static PAGE: Page = Page {
    name: "keys",
    stands: Stands::In("nav-security"),
    // A key creates no keys: a stolen one could outlive itself.
    remote: false,
    who: who_reaches_everybody,
    draw,
    act,
};

/// What a form of this page requests.
#[derive(Serialize, Deserialize)]
enum Act {
    Make,
    /// For the key with this name, in the state that was shown.
    Rotate(String, String),
    Revoke(String),
}

/// What its address requests: the form that creates a key, or the question whether to replace the token of a key, or to revoke
/// it.
const NEW: &str = "new";
const ASKS_ROTATE: &str = "rotate";
const ASKS_REVOKE: &str = "revoke";
/// How long a replaced token still works, in milliseconds.
const OLD_WORKS_FOR: i64 = 60 * 60_000;

/// What machines can be allowed, each with a description: the plugins' hooks with their own docs, or with their names if they
/// have none.
struct Offered(Vec<(String, String)>);

impl Offered {
    fn by(host: &Operator, words: Words) -> Self {
        let plugins = host.plugins();
        let mut offered: Vec<(String, String)> = Vec::new();
        for (plugin, hook) in hooks(&plugins) {
            let new = |scope: &String| offered.iter().all(|(known, _)| known != scope);
            if let Some(scope) = hook.operation.scope().filter(new) {
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

    /// A hook that no plugin offers any more: its name.
    fn said<'a>(&'a self, scope: &'a str) -> &'a str {
        self.0.iter().find(|(known, _)| known == scope).map_or(scope, |(_, said)| said)
    }

    /// What a key may do, one by one.
    fn points(&self, key: &ServiceKey) -> Vec<Sentence> {
        let point = |scope: &String| {
            let said = self.said(scope);
            let mut point = vec![Value::Text(said.to_owned())];
            // Its name in the docs and the audit log.
            if scope.contains('/') && said != scope {
                point.extend([Value::Text(" ".to_owned()), Value::Code(scope.clone())]);
            }
            point
        };
        key.scopes.iter().map(point).collect()
    }
}

fn draw(asked: &Asked<'_>) -> Result<keyturn_ui::Page, CallError> {
    let offered = Offered::by(asked.host, asked.words);
    let keys = || asked.host.service_keys().map_err(CallError::of_storage);
    let asks = [ASKS_ROTATE, ASKS_REVOKE].into_iter().find_map(|asks| Some((asks, asked.argument(asks)?)));
    let sheet = match asks {
        Some((asks, name)) => {
            let key = keys()?.into_iter().find(|key| key.name == name).ok_or_else(not_found)?;
            question(asks == ASKS_REVOKE, &key, &offered, asked)
        }
        None if asked.argument(NEW).is_some() => make::sheet(&offered, asked),
        None => list::sheet(&keys()?, &offered, asked),
    };
    Ok(asked.draw(&PAGE, &sheet))
}

/// Asks before something is done to a key, and names the consequences.
fn question(ends: bool, key: &ServiceKey, offered: &Offered, asked: &Asked<'_>) -> Sheet {
    let words = asked.words;
    let back = target(PAGE.name, &[]);
    let form = |act: &Act, intro, points, label: &str, intent| {
        page::question(press(&PAGE, act), intro, points, (asked.word(label), intent), Some(back.clone()))
    };
    let nodes = if !key.works(asked.now) {
        vec![Node::Text(asked.say("keys-dead")), Node::Actions(vec![asked.leads("keys", back.clone())])]
    } else if ends {
        let intro = vec![asked.say("keys-revoke-for-good"), list::used(key, asked), asked.say("keys-revoke-at-once")];
        let act = Act::Revoke(key.name.clone());
        vec![form(&act, intro, offered.points(key), "keys-revoke", Intent::Danger)]
    } else {
        let time = words.duration(OLD_WORKS_FOR.unsigned_abs() / 1_000);
        let intro = vec![asked.say("keys-rotate-once"), text(&words.fill("keys-rotate-old", &[("time", &time)]))];
        let act = Act::Rotate(key.name.clone(), asked.host.seen(key));
        vec![form(&act, intro, Vec::new(), "keys-rotate", Intent::Primary)]
    };
    let title = if ends { "keys-revoke-title" } else { "keys-rotate-title" };
    Sheet {
        title: words.fill(title, &[("name", &key.name)]),
        badge: Some(list::badge(key, asked)),
        parts: vec![Part::Nodes(nodes)],
        ..Sheet::default()
    }
}

fn act(pressed: &Pressed<'_>) -> Result<Submitted, SubmitError> {
    let Asked { host, caller, words, now, .. } = pressed.asked;
    let refused = |cause| refused(pressed, cause);
    match pressed.act()? {
        Act::Make => {
            let new = match make::wanted(pressed.submission, words, now) {
                Ok(new) => new,
                Err(problems) => return pressed.again(problems, None),
            };
            // Errors come before the question for the password.
            if let Err(cause) = host.can_be(&new) {
                return refused(cause);
            }
            pressed.proved(|| match host.add_service_key(caller, new) {
                Ok((key, token)) => Ok(reveal(pressed, "keys-made-title", &key.name, &token, None)),
                Err(cause) => refused(cause),
            })
        }
        Act::Rotate(name, seen) => {
            pressed.proved(|| match host.rotate_service_key(caller, &name, OLD_WORKS_FOR, Some(&seen)) {
                Ok(token) => {
                    let until = Some(now.saturating_add(OLD_WORKS_FOR));
                    Ok(reveal(pressed, "keys-rotated-title", &name, &token, until))
                }
                Err(cause) => refused(cause),
            })
        }
        Act::Revoke(name) => pressed.proved(|| match host.revoke_service_key(caller, &name) {
            Ok(_) => {
                let title = words.fill("keys-revoked-title", &[("name", &name)]);
                let body = text(words.get("keys-revoked-now"));
                let outcome = Outcome { tone: Tone::Success, title, body, mail: None };
                pressed.done(Some(&target(PAGE.name, &[])), outcome)
            }
            Err(cause) => refused(cause),
        }),
    }
}

/// The error in the reader's language, and its field; none if the reader didn't cause it.
fn why(cause: &KeyProblem, words: Words) -> Option<(Option<String>, String)> {
    let (field, message) = match cause {
        KeyProblem::Name(_) => (Some(make::NAME.to_owned()), "keys-wrong-name"),
        KeyProblem::Taken(_) => (Some(make::NAME.to_owned()), "keys-taken"),
        KeyProblem::Scope { scope, .. } => (Some(make::may(scope)), "keys-wrong-scope"),
        KeyProblem::Manager => (Some(make::MANAGER.to_owned()), "keys-wrong-manager"),
        KeyProblem::Unmanaged(realm) => {
            let message = words.fill("keys-wrong-unmanaged", &[("realm", realm)]);
            return Some((Some(make::MANAGER.to_owned()), message));
        }
        KeyProblem::Over => (Some(make::DAYS.to_owned()), "keys-wrong-days"),
        KeyProblem::Empty => (None, "keys-wrong-may"),
        KeyProblem::Ended(_) => (None, "keys-dead"),
        KeyProblem::Raced(_) => (None, "keys-raced"),
        KeyProblem::Realm { .. } | KeyProblem::NoSuch(_) | KeyProblem::Storage(_) => return None,
    };
    Some((field, words.get(message).to_owned()))
}

fn refused(pressed: &Pressed<'_>, cause: KeyProblem) -> Result<Submitted, SubmitError> {
    match (why(&cause, pressed.asked.words), cause) {
        (Some((Some(field), message)), _) => pressed.again(vec![FieldError { field, message }], None),
        (Some((None, message)), _) => pressed.again(Vec::new(), Some(message)),
        (None, KeyProblem::Storage(cause)) => Err(CallError::of_storage(cause).into()),
        (None, _) => Err(not_found().into()),
    }
}

/// The page that shows a token, once; `until`: how long the replaced one still works.
fn reveal(pressed: &Pressed<'_>, title: &str, name: &str, token: &Zeroizing<String>, until: Option<i64>) -> Submitted {
    let (asked, words) = (&pressed.asked, pressed.asked.words);
    let code = Code { label: asked.word("keys-token"), lines: vec![token.to_string()], secret: true };
    let old = until.map(|until| text(&words.fill("keys-rotated-old", &[("time", &asked.time(until))])));
    let back = asked.leads("keys", target(PAGE.name, &[]));
    let nodes = [Node::Code(code), Node::Text(asked.say("keys-token-use"))].into_iter().chain(old.map(Node::Text));
    let sheet = Sheet {
        title: words.fill(title, &[("name", name)]),
        parts: vec![Part::Nodes(nodes.chain([Node::Actions(vec![back])]).collect())],
        ..Sheet::default()
    };
    Submitted::Reveal(asked.draw(&PAGE, &sheet))
}
