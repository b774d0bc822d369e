//! The plugin's pages and slots: one file for each, and one for submissions. They consist of nodes; the host decides how they
//! look.

mod account_sections;
mod choose;
mod customer_actions;
mod customer_details;
mod customer_sections;
mod customers_row;
mod forgot;
mod reset;
mod sign_in_below;
mod submit;

pub use submit::submit;

use crate::bindings::call::Actor;
use crate::bindings::nodes::{
    Action, Arguments, Badge, Field, FieldKind, Intent, NewPassword, Node, Run, Sentence, Submission, Target, Tone,
    Value, View,
};
use crate::bindings::types::Failure;
use crate::hash::bcrypt;
use crate::links;
use crate::ports::Ports;
use crate::settings::{self, Output};
use crate::words::{Word, Words};

/// A region for each subject, in their order. An account that is gone gets an empty one.
///
/// # Errors
/// `not-found` for a slot that isn't in the manifest.
pub fn slot(ports: &dyn Ports, name: &str, subjects: &[Option<String>]) -> Result<Vec<Vec<Node>>, Failure> {
    let draw: fn(&dyn Ports, &str) -> Result<Vec<Node>, Failure> = match name {
        // About nobody: the reader is not signed in.
        "sign-in.below" => return Ok(subjects.iter().map(|_| sign_in_below::draw(ports)).collect()),
        "customer.actions" => customer_actions::draw,
        "customers.row" => customers_row::draw,
        "customer.sections" => customer_sections::draw,
        "customer.details" => customer_details::draw,
        "account.sections" => account_sections::draw,
        _ => return Err(Failure::NotFound),
    };
    // The account page may name the reader as its subject, or leave that to the call.
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
/// `not-found` for a page that isn't in the manifest, or one without its subject.
pub fn page(
    ports: &dyn Ports,
    name: &str,
    subject: Option<&str>,
    token: Option<&str>,
    arguments: &Arguments,
) -> Result<View, Failure> {
    match name {
        links::PAGE => choose::draw(ports, token.unwrap_or_default()),
        forgot::PAGE => Ok(forgot::draw(ports, arguments)),
        reset::PAGE => reset::draw(ports, subject.ok_or(Failure::NotFound)?),
        _ => Err(Failure::NotFound),
    }
}

fn plain(text: String) -> Sentence {
    vec![Value::Text(text)]
}

fn badge(words: Words, tone: Tone, word: Word) -> Value {
    Value::Badge(Badge { tone, text: words.text(word, &[]) })
}

/// How long a link works.
fn link_duration(ports: &dyn Ports) -> Value {
    Value::Duration(settings::LINK_MINUTES.of(ports) * 60)
}

fn go(words: Words, label: Word, intent: Intent, target: Target) -> Action {
    Action { label: words.text(label, &[]), intent, run: Run::Go(target), unavailable: None }
}

fn submit_action(words: Words, label: Word, intent: Intent, action: &str) -> Action {
    Action { label: words.text(label, &[]), intent, run: Run::Submit(submission(action, None)), unavailable: None }
}

fn back_to_sign_in(words: Words, intent: Intent) -> Action {
    go(words, Word::BackToSignIn, intent, Target::SignIn)
}

/// The form action of that name, on the page's own subject.
fn submission(action: &str, subject: Option<&str>) -> Submission {
    Submission { action: action.to_owned(), subject: subject.map(str::to_owned), arguments: Vec::new() }
}

/// The field `new`, with the rules by which Save judges. `own`: people type it for themselves. `generate`: the operation that
/// generates one.
fn new_password(ports: &dyn Ports, words: Words, own: bool, generate: Option<&str>) -> Field {
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
            generate: generate.map(str::to_owned),
            rules: Some(format!("minlength: {min_length};{most} allowed: ascii-printable;")),
        }),
        required: true,
        own,
    }
}
