//! Reads a posted form, against what was sealed when it was drawn.

use std::collections::BTreeMap;

use percent_encoding::percent_decode;
use zeroize::Zeroizing;

use super::posted::{
    AGAIN, ALSO, Corrections, FieldError, GENERATE, Input, Posted, RATE, SCRIPT, SEALED, Sealed, Submission, Wish,
    Wished,
};
use super::shape::{self, INPUT, TICKED};
use keyturn_contract::keyturn::ui::nodes::{Field, FieldKind, Line, LineKind, NewPassword};
use keyturn_core::accounts::AccountId;
use keyturn_core::caller::{Actor, Caller};
use keyturn_core::seal::Keys;
use keyturn_core::words::Words;

/// Bytes of a body: forty inputs of 4,096 bytes, each byte written as three, and the sealed part.
pub const BODY: usize = 1024 * 1024;
/// How long a drawn form can be posted, in milliseconds: 12 hours.
pub const LIFETIME: i64 = 12 * 60 * 60 * 1000;
/// Inputs of a body: two for each of forty fields, and the host's own.
const INPUTS: usize = 83;

/// Why a body is not a submission.
#[derive(Debug, thiserror::Error)]
pub enum FormError {
    /// 413.
    #[error("the form is larger than {BODY} bytes")]
    TooLarge,
    /// 400: not a form, not UTF-8, a name twice, or a name that the form doesn't have.
    #[error("this host did not draw the form: {0}")]
    Malformed(&'static str),
    /// 403: drawn for another session or actor, by another host, or changed.
    #[error("the form was not drawn for this session")]
    Foreign,
    /// The session has ended, or the form is too old. Nothing ran; what was typed can be drawn again.
    #[error("the form's session has ended, or the form is too old")]
    Stale(Box<Stale>),
}

/// A form that came too late.
#[derive(Debug)]
pub struct Stale {
    /// For whom it was drawn. None: for the caller, and it is only too old.
    pub sign_in_as: Option<String>,
    /// To put on the form when it is drawn again; seal them to carry them through the sign-in.
    pub corrections: Corrections,
}

/// Reads the body of a post, `application/x-www-form-urlencoded`. `now` is Unix milliseconds.
///
/// # Errors
/// [`FormError`]. Errors of single fields are in [`Submission::problems`].
pub fn read(body: &[u8], keys: &Keys, caller: &Caller, now: i64) -> Result<Posted, FormError> {
    let inputs = Inputs::parse(body)?;
    let form = open(inputs.get(SEALED).ok_or(FormError::Malformed("it has no sealed part"))?, keys)?;
    inputs.only(|name| {
        [SEALED, RATE, GENERATE, SCRIPT, ALSO].contains(&name) || form.fields.iter().any(|field| typed_in(field, name))
    })?;

    let here = caller.actor.name();
    let bound = form.actor == here && form.session == super::session(keys, caller);
    let fresh =
        (0..LIFETIME).contains(&now.saturating_sub(form.issued).max(0)) && form.issued <= now.saturating_add(60_000);
    if inputs.get(RATE).is_some() && !(bound && fresh) {
        return Err(FormError::Foreign);
    }
    let words = Words::of(&caller.locale);
    let signed_out = !bound && caller.actor == Actor::Anonymous && form.actor != here;
    if !bound && !signed_out && form.actor != here {
        return Err(FormError::Foreign);
    }
    let also = inputs.get(ALSO).map(|also| also.to_string());
    if also.as_ref().is_some_and(|also| !form.also.contains(also)) {
        return Err(FormError::Malformed("it has no such button"));
    }
    let actor = form.actor.clone();
    let wish = wished(&form, &inputs)?;
    let submission = Submission { also, ..submission(form, &inputs, words)? };
    if bound && fresh {
        return Ok(match wish {
            Some((of, operation, field)) => {
                let submission = if of == Wished::Rating { rated(submission, &field, &inputs)? } else { submission };
                Posted::Wish(Box::new(Wish { submission, operation, field, of }))
            }
            None => Posted::Submission(Box::new(submission)),
        });
    }
    // The same actor in another session, or nobody any more: people get their words back, and press again themselves.
    let message = words.get(if bound { "answer-old" } else { "answer-elsewhere" }).to_owned();
    let sign_in_as = signed_out.then_some(actor);
    Err(FormError::Stale(Box::new(Stale {
        sign_in_as,
        corrections: submission.corrections(Vec::new(), Some(message)),
    })))
}

fn open(sealed: &str, keys: &Keys) -> Result<Sealed, FormError> {
    let json = keys.open_text(&["form"], sealed).map_err(|_| FormError::Foreign)?;
    serde_json::from_slice(&json).map_err(|_| FormError::Foreign)
}

/// Limits let no other subject be sealed; one that doesn't parse must not become a form about nobody.
fn account(subject: Option<&str>) -> Result<Option<AccountId>, FormError> {
    subject.map(|subject| subject.parse().map_err(|_| FormError::Foreign)).transpose()
}

/// What the script or a button asks for: the operation that a password field was drawn with, and the field.
fn wished(form: &Sealed, inputs: &Inputs) -> Result<Option<(Wished, String, String)>, FormError> {
    let (of, field) = match (inputs.get(RATE), inputs.get(GENERATE)) {
        (Some(field), _) => (Wished::Rating, field.to_string()),
        (None, Some(field)) => (Wished::Password { script: inputs.get(SCRIPT).is_some() }, field.to_string()),
        (None, None) => return Ok(None),
    };
    let (operation, missing): (fn(&NewPassword) -> _, _) = match of {
        Wished::Rating => (|new| new.rate.clone(), "this field has no rating"),
        Wished::Password { .. } => (|new| new.generate.clone(), "this field has no generated password"),
    };
    let operation = form.fields.iter().find(|other| other.name == field).and_then(|field| match &field.kind {
        FieldKind::NewPassword(new) => operation(new),
        _ => None,
    });
    Ok(Some((of, operation.ok_or(FormError::Malformed(missing))?, field)))
}

/// A form for the meter: of what people type, only the password in this field.
fn rated(mut submission: Submission, field: &str, inputs: &Inputs) -> Result<Submission, FormError> {
    let password = inputs.get(field).ok_or(FormError::Malformed("this field has no rating"))?;
    if password.len() > INPUT || password.contains('\0') {
        return Err(FormError::Malformed("the input is too long"));
    }
    let (typed, given) = (&submission.typed, &mut submission.inputs);
    given.retain(|(name, input)| !matches!(input, Input::Password(_)) && !typed.contains_key(name));
    given.push((field.to_owned(), Input::Password(password.clone())));
    Ok(submission)
}

fn submission(form: Sealed, posted: &Inputs, words: Words) -> Result<Submission, FormError> {
    let mut submission = Submission {
        subject: account(form.subject.as_deref())?,
        untouched: form.part && form.fields.iter().all(|field| untouched(field, posted)),
        inputs: form.arguments.iter().map(|(name, value)| (name.clone(), Input::Text(value.clone()))).collect(),
        plugin: form.plugin,
        action: form.action,
        place: form.place,
        user_name: None,
        key: form.key,
        typed: BTreeMap::new(),
        also: None,
        problems: Vec::new(),
        arguments: form.arguments,
    };
    form.fields.into_iter().for_each(|field| submission.take(field, posted, words));
    if submission.untouched {
        submission.problems.clear();
    }
    Ok(submission)
}

impl Submission {
    fn problem(&mut self, field: &str, key: &str, words: Words) {
        let message = words.fill(key, &[("max", &words.number(INPUT as i64))]);
        self.problems.push(FieldError { field: field.to_owned(), message });
    }

    fn missing(&mut self, field: &Field, words: Words) {
        self.problems.push(FieldError { field: field.name.clone(), message: shape::missing(field, words) });
    }

    /// Something that is no secret, for the plugin and to draw again.
    fn keep(&mut self, name: String, typed: &str, input: Input) {
        self.typed.insert(name.clone(), typed.to_owned());
        self.inputs.push((name, input));
    }

    fn take(&mut self, field: Field, posted: &Inputs, words: Words) {
        let typed = posted.get(&field.name);
        match field.kind {
            FieldKind::Hidden(value) => self.inputs.push((field.name, Input::Text(value))),
            FieldKind::Fixed(Line { kind, value }) => {
                if kind == LineKind::Username {
                    self.user_name = Some(value.clone());
                }
                self.inputs.push((field.name, Input::Text(value)));
            }
            FieldKind::Tick(_) => {
                let ticked = typed.is_some();
                if field.required && !ticked {
                    self.missing(&field, words);
                }
                self.keep(field.name, if ticked { TICKED } else { "" }, Input::Tick(ticked));
            }
            FieldKind::Choice(ref choice) => {
                let chosen = typed.map_or("", |typed| typed.as_str());
                if choice.options.iter().any(|option| option.value == chosen) && typed.is_some() {
                    self.keep(field.name, chosen, Input::Text(chosen.to_owned()));
                } else if !chosen.is_empty() {
                    self.problem(&field.name, "problem-option", words);
                } else if field.required {
                    self.missing(&field, words);
                }
            }
            FieldKind::Line(ref line) => {
                let value = typed.map_or("", |typed| typed.trim());
                if value.len() > INPUT {
                    // Not kept, because nobody checks it and it would take its memory twice.
                    return self.problem(&field.name, "problem-long", words);
                } else if value.is_empty() && field.required {
                    self.missing(&field, words);
                } else if let Some(key) = (!value.is_empty()).then(|| shape::problem(line.kind, value)).flatten() {
                    self.problem(&field.name, key, words);
                }
                self.keep(field.name, value, Input::Text(value.to_owned()));
            }
            FieldKind::CurrentPassword => self.take_password(&field, false, posted, words),
            FieldKind::NewPassword(NewPassword { repeat, .. }) => self.take_password(&field, repeat, posted, words),
        }
    }

    fn take_password(&mut self, field: &Field, repeat: bool, posted: &Inputs, words: Words) {
        let typed = posted.get(&field.name);
        let value = typed.map_or("", |typed| typed.as_str());
        let again = format!("{}{AGAIN}", field.name);
        let same = !repeat || posted.get(&again).map_or("", |typed| typed.as_str()) == value;
        match value {
            "" if field.required => self.missing(field, words),
            "" if same => return,
            long if long.len() > INPUT => self.problem(&field.name, "problem-long", words),
            bad if bad.contains('\0') => self.problem(&field.name, "problem-character", words),
            _ => {}
        }
        if !same {
            self.problem(&again, "problem-repeat", words);
        }
        if let Some(typed) = typed.filter(|typed| typed.len() <= INPUT) {
            self.inputs.push((field.name.clone(), Input::Password(typed.clone())));
        }
    }
}

/// Whether the posted values equal the drawn ones.
fn untouched(field: &Field, inputs: &Inputs) -> bool {
    let posted = inputs.get(&field.name).map_or("", |typed| typed.trim());
    match &field.kind {
        FieldKind::Hidden(_) | FieldKind::Fixed(_) => true,
        FieldKind::CurrentPassword | FieldKind::NewPassword(_) => {
            let empty = |name: &str| inputs.get(name).is_none_or(|typed| typed.is_empty());
            empty(&field.name) && empty(&format!("{}{AGAIN}", field.name))
        }
        FieldKind::Line(line) => posted == line.value.trim(),
        FieldKind::Choice(choice) => posted == choice.value.as_deref().unwrap_or_default(),
        FieldKind::Tick(ticked) => posted == if *ticked { TICKED } else { "" },
    }
}

/// Whether an input of this name was drawn for a field.
fn typed_in(field: &Field, name: &str) -> bool {
    !matches!(field.kind, FieldKind::Fixed(_)) && shape::shows(field, name)
}

/// The body's inputs. All are wiped when dropped: only unsealing tells which are secret.
struct Inputs(Vec<(String, Zeroizing<String>)>);

impl Inputs {
    fn parse(body: &[u8]) -> Result<Self, FormError> {
        if body.len() > BODY {
            return Err(FormError::TooLarge);
        }
        let mut inputs = Self(Vec::new());
        for pair in body.split(|b| *b == b'&').filter(|pair| !pair.is_empty()) {
            let at = pair.iter().position(|b| *b == b'=').unwrap_or(pair.len());
            let name = decoded(&pair[..at])?.to_string();
            let value = decoded(pair.get(at + 1..).unwrap_or_default())?;
            if inputs.get(&name).is_some() {
                return Err(FormError::Malformed("it has a name twice"));
            }
            inputs.0.push((name, value));
            if inputs.0.len() > INPUTS {
                return Err(FormError::Malformed("it has too many inputs"));
            }
        }
        Ok(inputs)
    }

    fn get(&self, name: &str) -> Option<&Zeroizing<String>> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    fn only(&self, known: impl Fn(&str) -> bool) -> Result<(), FormError> {
        let all = self.0.iter().all(|(name, _)| known(name));
        if all { Ok(()) } else { Err(FormError::Malformed("it has a field that was not drawn")) }
    }
}

/// Strict, unlike web decoders, which put U+FFFD: a password that is silently changed locks somebody out.
fn decoded(bytes: &[u8]) -> Result<Zeroizing<String>, FormError> {
    let mut escapes = bytes.split(|b| *b == b'%').skip(1);
    if !escapes.all(|rest| rest.len() >= 2 && rest[..2].iter().all(u8::is_ascii_hexdigit)) {
        return Err(FormError::Malformed("it has a % without two digits"));
    }
    // Reserved in full, because growing leaves copies behind.
    let mut plain = Zeroizing::new(Vec::with_capacity(bytes.len()));
    for (at, piece) in bytes.split(|b| *b == b'+').enumerate() {
        plain.extend((at > 0).then_some(b' ').into_iter().chain(percent_decode(piece)));
    }
    match String::from_utf8(std::mem::take(&mut *plain)) {
        Ok(text) => Ok(Zeroizing::new(text)),
        Err(bad) => {
            drop(Zeroizing::new(bad.into_bytes()));
            Err(FormError::Malformed("it is not UTF-8"))
        }
    }
}
