//! What the plugin shows: one file for each page or slot, one for submissions. Nodes only; the host decides how they look.

mod account_sections;
mod choose;
mod customer_details;
mod customer_sections;
mod customers_row;
mod submit;

pub use submit::submit;

use crate::bindings::call::Actor;
use crate::bindings::nodes::{Badge, Field, FieldKind, NewPassword, Node, Sentence, Submission, Tone, Value, View};
use crate::bindings::types::Failure;
use crate::hash::bcrypt;
use crate::links;
use crate::ports::Ports;
use crate::settings::{self, Output};
use crate::words::{Word, Words};

/// A region for each subject, in their order. An account that went away meanwhile gets an empty one.
///
/// # Errors
/// `not-found` for a slot that the manifest does not name.
pub fn slot(ports: &dyn Ports, name: &str, subjects: &[Option<String>]) -> Result<Vec<Vec<Node>>, Failure> {
    let draw: fn(&dyn Ports, &str) -> Result<Vec<Node>, Failure> = match name {
        "customers.row" => customers_row::draw,
        "customer.sections" => customer_sections::draw,
        "customer.details" => customer_details::draw,
        "account.sections" => account_sections::draw,
        _ => return Err(Failure::NotFound),
    };
    // The account page may name the reader as its subject, or leave him to the call.
    let own = match ports.caller() {
        Actor::Account(account) if name == "account.sections" => Some(account),
        _ => None,
    };
    let region = |subject: &Option<String>| match subject.as_ref().or(own.as_ref()) {
        None => Ok(Vec::new()),
        Some(account) => match draw(ports, account) {
            Err(Failure::NotFound) => Ok(Vec::new()),
            other => other,
        },
    };
    subjects.iter().map(region).collect()
}

/// One page.
///
/// # Errors
/// `not-found` for a page that the manifest does not name.
pub fn page(ports: &dyn Ports, name: &str, token: Option<&str>) -> Result<View, Failure> {
    match name {
        links::PAGE => choose::draw(ports, token.unwrap_or_default()),
        _ => Err(Failure::NotFound),
    }
}

fn plain(text: String) -> Sentence {
    vec![Value::Text(text)]
}

fn badge(words: Words, tone: Tone, word: Word) -> Value {
    Value::Badge(Badge { tone, text: words.text(word, &[]) })
}

/// The form action of the same name, on the page's own subject.
fn submission(action: &str, subject: Option<&str>) -> Submission {
    Submission { action: action.to_owned(), subject: subject.map(str::to_owned), arguments: Vec::new() }
}

/// The field `new`, drawn by the same rules as Save judges by. `own`: about the person who types.
fn new_password(ports: &dyn Ports, words: Words, own: bool) -> Field {
    let min_length = settings::MIN_LENGTH.of(ports);
    let most = match settings::output(ports) {
        Output::Argon2id => String::new(),
        Output::Bcrypt => format!(" maxlength: {};", bcrypt::MAX_BYTES),
    };
    Field {
        name: "new".to_owned(),
        label: words.text(Word::NewLabel, &[]),
        hint: Some(words.text(Word::NewHint, &[("n", Value::Number(min_length.into()))])),
        kind: FieldKind::NewPassword(NewPassword {
            min_length,
            repeat: true,
            rate: Some("check-password".to_owned()),
            rules: Some(format!("minlength: {min_length};{most} allowed: ascii-printable;")),
        }),
        required: true,
        own,
    }
}
