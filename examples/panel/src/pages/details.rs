//! Account details of one person: the panel's own form, and beside it what plugins have to manage. An error in one of
//! them leaves the other as it is.

use axum::http::StatusCode;
use axum::response::Response;
use keyturn_host::accounts::AccountId;
use keyturn_host::view::Corrections;
use keyturn_host::view::form::FieldError;
use keyturn_host::view::html::Html;
use keyturn_host::view::nodes::{Choice, ChoiceOption, Field, FieldKind, Form, Intent, Line, LineKind, Node, Target};
use keyturn_host::view::shell::{Heading, Link};
use keyturn_host::view::words::LANGUAGES;

use crate::answer::{self, Failed};
use crate::folk::Folk;
use crate::pages::forms::{self, Submission, target, text};
use crate::pages::people;
use crate::people::Person;
use crate::request::{Request, Sheet, title_key};
use crate::words::Words;

/// Characters of a name or address.
const LONGEST: usize = 200;

/// GET.
pub fn show(request: &mut Request) -> Result<Response, Failed> {
    let corrections = forms::carried(request)?;
    draw(request, corrections.as_ref())
}

/// POST.
pub fn post(request: &mut Request) -> Result<Response, Failed> {
    forms::posted(request, run, draw)
}

fn run(request: &mut Request, submission: &Submission) -> Result<Response, Failed> {
    let (viewer, _, person) = people::subject(request)?;
    if submission.action != "save-details" || submission.subject != person.account() || viewer.id == person.id {
        return Err(Failed::Forged);
    }
    let words = request.words();
    let (name, email, language) = (text(submission, "name"), text(submission, "email"), text(submission, "language"));
    let long = [("name", name), ("email", email)].into_iter().filter(|(_, value)| value.chars().count() > LONGEST);
    let mut problems: Vec<FieldError> = long
        .map(|(field, _)| FieldError {
            field: field.to_owned(),
            message: words.fill("too-long", &[("max", &LONGEST.to_string())]),
        })
        .collect();
    if !email.is_empty() && belongs_elsewhere(request, email, &person)? {
        problems.push(FieldError { field: "email".to_owned(), message: words.get("email-elsewhere").to_owned() });
    }
    if !problems.is_empty() {
        return forms::again(request, &submission.corrections(problems, None), draw);
    }
    request.site.people.change(person.id, name, Some(email).filter(|email| !email.is_empty()), language)?;
    request.say("said-saved", 0);
    Ok(answer::see_other(&person.url()))
}

/// Whether the address is that of somebody of another list. Two customers may share one, but who may edit a customer must
/// not stop an administrator's sign-in by it: an address of several people signs nobody in.
fn belongs_elsewhere(request: &Request, email: &str, person: &Person) -> Result<bool, Failed> {
    let own = person.account();
    let realms = Folk::ALL.map(Folk::realm);
    let found = request.site.host.find(email, &realms)?;
    Ok(found.iter().any(|(id, _)| own.as_ref().is_none_or(|own| id.realm() != own.realm())))
}

fn draw(request: &mut Request, corrections: Option<&Corrections>) -> Result<Response, Failed> {
    let (viewer, folk, person) = people::subject(request)?;
    if viewer.id == person.id {
        return Ok(answer::see_other("/account"));
    }
    let account = person.account().ok_or(Failed::NoSuch(folk))?;
    let words = request.words();
    let caller = request.visitor.caller();
    let nodes = form(words, &person, &account);
    let own = request.region("details", Some(&account), &nodes, corrections)?;
    let submit_url = request.address(&[]);
    let plugins = {
        let surface = request.surface(&submit_url, corrections);
        request.site.host.slot(&caller, "customer.details", Some(&account), 2, &surface)
    };
    let summary = Html::new().markup(&own.summary).markup(&plugins.summary).done();
    let body = Html::new().markup(&own.html).markup(&plugins.html).done();
    let (list, overview) = (format!("/{}", folk.path()), person.url());
    let above = [Link { label: words.get(title_key(folk)), url: &list }, Link { label: &person.name, url: &overview }];
    let title = words.get("details-title");
    let sheet = Sheet {
        title,
        under: Some(folk),
        above: &above,
        heading: Some(Heading {
            text: title,
            badge: Some(people::state_badge(words, &person)),
            actions: &Default::default(),
        }),
        summary: &summary,
        body: &body,
    };
    let html = request.sheet(&viewer, &sheet);
    Ok(answer::page(StatusCode::OK, &html))
}

fn form(words: Words, person: &Person, account: &AccountId) -> Vec<Node> {
    let field = |name: &str, label: &str, kind: FieldKind, required: bool| Field {
        name: name.to_owned(),
        label: label.to_owned(),
        hint: None,
        kind,
        required,
        own: false,
    };
    let line = |kind: LineKind, value: &str| FieldKind::Line(Line { kind, value: value.to_owned() });
    let options =
        LANGUAGES.map(|(tag, name)| ChoiceOption { value: tag.to_owned(), label: name.to_owned(), hint: None });
    let language = FieldKind::Choice(Choice { options: options.into(), value: Some(person.locale.clone()) });
    let email = person.email.as_deref().unwrap_or_default();
    let fields = vec![
        field(
            "login",
            words.get("fact-login"),
            FieldKind::Fixed(Line { kind: LineKind::Username, value: person.login.clone() }),
            true,
        ),
        field("name", words.get("column-name"), line(LineKind::PersonName, &person.name), true),
        field("email", words.get("column-email"), line(LineKind::Email, email), false),
        field("language", words.get("fact-language"), language, true),
    ];
    let form = Form {
        submit: target("save-details", &[]),
        intro: Vec::new(),
        points: Vec::new(),
        fields,
        submit_label: words.get("details-save").to_owned(),
        submit_intent: Intent::Neutral,
        cancel: Some(Target::Overview(account.to_string())),
    };
    vec![Node::Heading(words.get("details-person").to_owned()), Node::Form(form)]
}
