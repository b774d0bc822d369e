//! What a posted form is read as, and what goes back into one that is drawn again.

use std::collections::BTreeMap;

use keyturn_contract::keyturn::ui::nodes::{self, Field, FieldKind};
use keyturn_core::accounts::AccountId;
use keyturn_core::caller::{Actor, Caller};
use keyturn_core::seal::{self, Keys};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::shape::TICKED;
use crate::place::Place;

/// The hidden input's name.
pub const SEALED: &str = "kt";
/// Asks for the strength of the field that it names; only the script does.
pub const RATE: &str = "kt-rate";
/// Asks for a generated password for the field that it names: the name of a button, and used by the script.
pub const GENERATE: &str = "kt-generate";
/// Accompanies [`GENERATE`] if the script asks.
pub const SCRIPT: &str = "kt-script";
/// Names another button of the form, if that one was pressed: a button's name, whose value is sealed with the form.
pub const ALSO: &str = "kt-also";
/// Milliseconds within which a generated password that goes through a panel must be drawn.
const GENERATED_LIFETIME: i64 = 60_000;
/// Follows a field's name: the second input of a repeated password.
pub const AGAIN: &str = "~again";

/// What the client can neither read nor change.
#[derive(Serialize, Deserialize)]
pub(crate) struct Sealed {
    pub(crate) plugin: String,
    pub(crate) action: String,
    pub(crate) subject: Option<String>,
    pub(crate) arguments: Vec<(String, String)>,
    pub(crate) place: Place,
    pub(crate) session: String,
    pub(crate) actor: String,
    pub(crate) key: String,
    pub(crate) issued: i64,
    /// A part of another form, which may be left unchanged.
    pub(crate) part: bool,
    pub(crate) fields: Vec<nodes::Field>,
    /// Values of [`ALSO`].
    #[serde(default)]
    pub(crate) also: Vec<String>,
}

/// A value for the plugin. A password is wiped when dropped, and neither printed nor stored.
pub enum Input {
    /// A line, an option, an argument, or a hidden or fixed value.
    Text(String),
    /// A tick.
    Tick(bool),
    /// As typed.
    Password(Zeroizing<String>),
}

/// An error of one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// The field's name; the second input of a repeated password is the name with [`AGAIN`].
    pub field: String,
    /// One sentence in the reader's language.
    pub message: String,
}

/// A posted form.
pub struct Submission {
    /// Who drew it.
    pub plugin: String,
    /// The operation.
    pub action: String,
    /// The account that it is about.
    pub subject: Option<AccountId>,
    /// Where it was; with the link's token, if there is one.
    pub place: Place,
    /// Sealed arguments first, then the fields in their order. Empty inputs without an empty value are absent.
    pub inputs: Vec<(String, Input)>,
    /// The user name that the form shows.
    pub user_name: Option<String>,
    /// The idempotency key: 32 hexadecimal digits, the same for each press of the same drawn form.
    pub key: String,
    /// What was typed and is not secret, to draw again; [`TICKED`] or nothing for a tick.
    pub typed: BTreeMap<String, String>,
    /// The pressed button, if it is not the main one.
    pub also: Option<String>,
    /// The host's own findings. If there are any, the plugin is not called.
    pub problems: Vec<FieldError>,
    /// It is a part of another form and was left unchanged: nothing is asked for, so nothing is wrong.
    pub untouched: bool,
    pub(super) arguments: Vec<(String, String)>,
}

impl Submission {
    /// The text of an input; none if it is missing or empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        let mut inputs = self.inputs.iter().filter(|(key, _)| key == name);
        inputs.find_map(|(_, input)| match input {
            Input::Text(text) if !text.is_empty() => Some(text.as_str()),
            _ => None,
        })
    }

    /// Whether a tick is set.
    pub fn ticked(&self, name: &str) -> bool {
        self.inputs.iter().any(|(key, input)| key == name && matches!(input, Input::Tick(true)))
    }

    /// The password of an input; none if it is missing or empty.
    pub fn password(&self, name: &str) -> Option<&Zeroizing<String>> {
        self.inputs.iter().find_map(|(key, input)| match input {
            Input::Password(password) if key == name => Some(password),
            _ => None,
        })
    }

    /// Puts `errors` on the form when it is drawn again.
    pub fn corrections(&self, errors: Vec<FieldError>, message: Option<String>) -> Corrections {
        Corrections {
            plugin: self.plugin.clone(),
            place: self.place.clone(),
            action: self.action.clone(),
            subject: self.subject.as_ref().map(ToString::to_string),
            arguments: self.arguments.clone(),
            typed: self.typed.clone(),
            errors,
            message,
            generated: None,
            beside: Vec::new(),
        }
    }
}

/// A generated password, shown beside its field once: neither printed nor stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Generated {
    /// The field's name.
    pub field: String,
    /// The password.
    pub password: Zeroizing<String>,
}

impl Generated {
    pub(crate) fn place(caller: &Caller) -> [String; 3] {
        ["generated".to_owned(), caller.actor.name(), caller.session.clone()]
    }

    /// Seals it for the caller's session, to go through a panel that draws the page again. It is valid for a minute.
    pub fn seal(&self, keys: &Keys, caller: &Caller) -> String {
        let until = keyturn_core::time::now().saturating_add(GENERATED_LIFETIME).to_be_bytes();
        let content = Zeroizing::new([&until[..], self.field.as_bytes(), b"\0", self.password.as_bytes()].concat());
        keys.seal_text(&Self::place(caller), &content)
    }

    /// Opens what was sealed for the same session.
    pub fn open(sealed: &str, keys: &Keys, caller: &Caller) -> Option<Self> {
        let content = keys.open_text(&Self::place(caller), sealed).ok()?;
        let (until, rest) = content.split_first_chunk::<8>()?;
        let (field, password) = std::str::from_utf8(rest).ok()?.split_once('\0')?;
        let fresh = i64::from_be_bytes(*until) > keyturn_core::time::now();
        fresh.then(|| Self { field: field.to_owned(), password: Zeroizing::new(password.to_owned()) })
    }
}

impl std::fmt::Debug for Generated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Generated").field("field", &self.field).finish_non_exhaustive()
    }
}

/// A request of the script or of a button. The form's own operation doesn't run.
pub struct Wish {
    /// The posted form. For a rating, its inputs are the arguments, the hidden and fixed values, and this field's password.
    pub submission: Submission,
    /// The operation that answers it.
    pub operation: String,
    /// The password's field.
    pub field: String,
    /// What is asked for.
    pub of: Wished,
}

/// What is asked for instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wished {
    /// The strength of a password, while somebody types it.
    Rating,
    /// A generated password.
    Password {
        /// The script asks, and puts it into both fields; otherwise it is shown beside them.
        script: bool,
    },
}

/// What was posted.
pub enum Posted {
    /// A press of the button.
    Submission(Box<Submission>),
    /// Something else is asked for.
    Wish(Box<Wish>),
}

/// The errors of a form, and what was typed into it. They are put on the same form when it is drawn again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Corrections {
    /// The form's plugin.
    pub plugin: String,
    /// The form's place.
    pub place: Place,
    pub(super) action: String,
    pub(super) subject: Option<String>,
    pub(super) arguments: Vec<(String, String)>,
    pub(super) typed: BTreeMap<String, String>,
    /// By field.
    pub errors: Vec<FieldError>,
    /// About the whole form.
    pub message: Option<String>,
    /// What was requested instead of sending the form.
    #[serde(skip)]
    pub generated: Option<Box<Generated>>,
    /// Those of other parts, which were posted together.
    pub(crate) beside: Vec<Corrections>,
}

impl Corrections {
    /// Together with those of other parts.
    #[must_use]
    pub fn and(mut self, others: impl IntoIterator<Item = Self>) -> Self {
        self.beside.extend(others);
        self
    }

    /// Seals them for `actor`; the client carries them through a sign-in.
    pub fn seal(&self, keys: &Keys, actor: &Actor) -> String {
        let json = serde_json::to_vec(self).unwrap_or_default();
        keys.seal_text(&["corrections", &actor.name()], &json)
    }

    /// Opens what was sealed for the same actor.
    pub fn open(sealed: &str, keys: &Keys, actor: &Actor) -> Option<Self> {
        serde_json::from_slice(&keys.open_text(&["corrections", &actor.name()], sealed).ok()?).ok()
    }

    /// Those of them that are for a form of this plugin in this place.
    pub(crate) fn standing_in<'c>(&'c self, plugin: &str, place: &Place) -> Vec<&'c Corrections> {
        let all = std::iter::once(self).chain(&self.beside);
        all.filter(|corrections| corrections.plugin == plugin && corrections.place == *place).collect()
    }

    pub(crate) fn fits(&self, submission: &nodes::Submission, place: &Place) -> bool {
        self.action == submission.action
            && self.subject.as_deref() == subject(submission, place)
            && self.arguments == submission.arguments
    }

    /// A field with what was typed in place of its first value.
    pub(crate) fn refilled(&self, field: &Field) -> Field {
        let (mut field, typed) = (field.clone(), self.typed.get(&field.name));
        match &mut field.kind {
            FieldKind::Line(line) => typed.iter().for_each(|typed| line.value.clone_from(typed)),
            FieldKind::Tick(ticked) => typed.iter().for_each(|typed| *ticked = *typed == TICKED),
            // The form was posted without an option, if there is none.
            FieldKind::Choice(choice) => choice.value = typed.cloned(),
            _ => {}
        }
        field
    }
}

/// The account that a submission is about: its own, or its place's.
pub(crate) fn subject<'a>(submission: &'a nodes::Submission, place: &'a Place) -> Option<&'a str> {
    submission.subject.as_deref().or_else(|| place.subject().map(AccountId::as_str))
}

/// The session's form in a form: a MAC, so that a form never contains what would open the session.
pub(crate) fn session(keys: &Keys, caller: &Caller) -> String {
    seal::hex(&keys.mac("form session", &[caller.session.as_bytes()]))
}
