//! A plugin in one file: support keeps a note about each customer. `docs/plugins.md` walks through it.

#[allow(warnings)]
mod bindings {
    wit_bindgen::generate!({
        path: ["../../wit/panel", "../../wit/ui", "wit"],
        world: "acme:notes/plugin",
        generate_all,
    });
}

use bindings::exports::acme::notes::notes::Guest as Hooks;
use bindings::exports::keyturn::ui::views::{Answer, Guest as Views, Input};
use bindings::keyturn::panel::types::{Failure, FieldError};
use bindings::keyturn::panel::{accounts, database};
use bindings::keyturn::ui::nodes::{
    Arguments, Field, FieldKind, Form, Intent, Line, LineKind, Node, Outcome, Submission, Target, Tone, View,
};

const MOST: usize = 400;

struct Plugin;

impl Hooks for Plugin {
    fn read_note(account: String) -> Result<String, Failure> {
        reached(&account)?;
        let note = database::get(&account).map_err(no_data)?.unwrap_or_default();
        Ok(String::from_utf8_lossy(&note).into_owned())
    }

    fn write_note(account: String, note: String) -> Result<(), Failure> {
        reached(&account)?;
        if note.chars().count() > MOST {
            let message = format!("The note may have at most {MOST} characters.");
            let error = FieldError { field: "note".to_owned(), code: "too-long".to_owned(), message };
            return Err(Failure::Invalid(vec![error]));
        }
        database::put(&account, note.as_bytes(), None).map_err(no_data)
    }
}

/// The host finds only accounts that the caller reaches, in realms that the operator granted.
fn reached(account: &str) -> Result<(), Failure> {
    accounts::get(account, &["login".to_owned()]).map(drop).map_err(|error| match error {
        accounts::Error::Unavailable(seconds) => Failure::Unavailable(seconds),
        _ => Failure::NotFound,
    })
}

fn no_data(error: database::Error) -> Failure {
    match error {
        database::Error::Unavailable(seconds) => Failure::Unavailable(seconds),
        database::Error::Limit(_) => Failure::Unsupported,
    }
}

impl Views for Plugin {
    /// The section on a customer's page.
    fn slot(_: String, subjects: Vec<Option<String>>) -> Result<Vec<Vec<Node>>, Failure> {
        subjects.into_iter().map(|subject| section(subject.ok_or(Failure::NotFound)?)).collect()
    }

    /// The form in it: it runs what the hook of the same name does.
    fn submit(
        _: String,
        subject: Option<String>,
        _: Option<String>,
        inputs: Vec<(String, Input)>,
    ) -> Result<Answer, Failure> {
        let account = subject.ok_or(Failure::NotFound)?;
        let note =
            inputs.into_iter().find_map(|(_, input)| if let Input::Text(note) = input { Some(note) } else { None });
        Plugin::write_note(account.clone(), note.unwrap_or_default())?;
        let outcome = Outcome { tone: Tone::Success, title: "Note saved".to_owned(), body: Vec::new(), mail: None };
        Ok(Answer::Done((Target::Overview(account), outcome)))
    }

    /// It has no pages.
    fn page(_: String, _: Option<String>, _: Option<String>, _: Arguments) -> Result<View, Failure> {
        Err(Failure::NotFound)
    }
}

fn section(account: String) -> Result<Vec<Node>, Failure> {
    let value = Plugin::read_note(account)?;
    let note = Field {
        name: "note".to_owned(),
        label: "Note".to_owned(),
        hint: Some("Only support sees it.".to_owned()),
        kind: FieldKind::Line(Line { kind: LineKind::Plain, value }),
        required: false,
        own: false,
    };
    let form = Form {
        submit: Submission { action: "write-note".to_owned(), subject: None, arguments: Vec::new() },
        intro: Vec::new(),
        points: Vec::new(),
        fields: vec![note],
        submit_label: "Save note".to_owned(),
        submit_intent: Intent::Neutral,
        cancel: None,
    };
    Ok(vec![Node::Heading("Notes".to_owned()), Node::Form(form)])
}

bindings::export!(Plugin with_types_in bindings);
