//! Account details of one person: what the panel itself stores, and what plugins manage, in one form with one button. A browser
//! sends one form at a time, and would drop what was typed into another.

use axum::http::StatusCode;
use axum::response::Response;
use keyturn_host::accounts::AccountId;
use keyturn_host::embed::{Submitted, Surface};
use keyturn_host::view::Corrections;
use keyturn_host::view::form::{FieldError, joined};
use keyturn_host::view::html::Html;
use keyturn_host::view::nodes::{Choice, ChoiceOption, Field, FieldKind, Form, Intent, Line, LineKind, Node};
use keyturn_host::view::shell::parts::{joined_buttons, joined_form};
use keyturn_host::view::shell::{Heading, Link};
use keyturn_host::view::words::Language;
use serde_json::json;

use crate::answer::{self, Failed};
use crate::pages::account::write_down;
use crate::pages::forms::{self, Submission, target, text};
use crate::pages::people;
use crate::people::Person;
use crate::request::{OWN, Request, Sheet, title_key};
use crate::words::Words;

const LONGEST: usize = 200;

/// The page's one form.
const FORM: &str = "details";

/// GET.
pub fn show(request: &mut Request) -> Result<Response, Failed> {
    let corrections = forms::carried(request)?;
    draw(request, corrections.as_ref())
}

/// POST.
pub fn post(request: &mut Request) -> Result<Response, Failed> {
    if !joined::is_joined(&request.body) {
        // Requests of the script, and buttons beside the form.
        return forms::posted(request, |_, _| Err(Failed::Forged), draw);
    }
    match save(request)? {
        Some(answer) => forms::settled(request, answer, draw),
        None => Ok(answer::see_other(&people::subject(request)?.2.url())),
    }
}

/// Saves the panel's own changes and the plugins'. Saves nothing if anything is wrong. None: everything is done, and the next
/// page says so.
pub fn save(request: &mut Request) -> Result<Option<Submitted>, Failed> {
    let (site, caller) = (request.site.clone(), request.visitor.caller());
    let joined = match site.host.joined(&caller, &request.body)? {
        Ok(joined) => joined,
        Err(answer) => return Ok(Some(*answer)),
    };
    let (viewer, _, person) = people::subject(request)?;
    if joined.parts.is_empty() {
        request.say("said-unchanged", 0);
        return Ok(None);
    }
    let own = joined.part(OWN);
    if let Some(own) = own {
        if own.action != "save-details" || own.subject != person.account() || viewer.id == person.id {
            return Err(Failed::Forged);
        }
        let problems = problems(request, own, &person);
        if !problems.is_empty() {
            return Ok(joined.again(OWN, problems, request.words().host).map(Submitted::Again));
        }
        // Whoever has a customer's address gets into the account, by a forgotten password.
        if text(own, "email") != person.email.as_deref().unwrap_or_default() && !caller.proved_lately(site.host.now()) {
            return Ok(Some(Submitted::StepUp(site.host.hold(&caller, &request.body))));
        }
    }
    let submit_url = request.address(&[]);
    let answers = {
        let surface = request.surface(&caller, &submit_url, None);
        site.host.submit_joined(&joined, OWN, &request.body, &surface)?
    };
    for answer in answers {
        match answer {
            Submitted::Done { notice, .. } => request.say_outcome(&notice),
            answer => return Ok(Some(answer)),
        }
    }
    if let Some(own) = own {
        let email = Some(text(own, "email")).filter(|email| !email.is_empty());
        let moved = person.account().filter(|_| email != person.email.as_deref());
        if let Some(account) = &moved {
            // Before the address is gone: its holder is notified.
            site.host.note_address(account)?;
        }
        site.people.change(&person, text(own, "name"), email, text(own, "language"))?;
        if let Some(account) = &moved {
            write_down(request, "change-address", &person)?;
            tell(request, account);
        }
        request.say("said-saved", 0);
    }
    Ok(None)
}

/// Has the holders of both addresses notified. The address is already changed, so a failure goes to the log.
fn tell(request: &Request, account: &AccountId) {
    let (host, hook) = (&request.site.host, &request.site.address_changed);
    if !host.has_hook(hook) {
        return;
    }
    if let Err(cause) = host.call(&request.visitor.caller(), hook, &json!({ "account": account }), None) {
        tracing::error!(request = request.visitor.request, "the changed address of {account} was not told of: {cause}");
    }
}

/// Nothing is said of who else has the address: people who edit a customer don't learn whose it is.
fn problems(request: &Request, submission: &Submission, person: &Person) -> Vec<FieldError> {
    let words = request.words();
    let (name, email) = (text(submission, "name"), text(submission, "email"));
    // What is in the table stays as it is, however long.
    let drawn = [person.name.as_str(), person.email.as_deref().unwrap_or_default()];
    let long = [("name", name), ("email", email)]
        .into_iter()
        .filter(|(_, value)| value.chars().count() > LONGEST && !drawn.contains(value));
    long.map(|(field, _)| FieldError {
        field: field.to_owned(),
        message: words.fill("too-long", &[("max", &LONGEST.to_string())]),
    })
    .collect()
}

fn draw(request: &mut Request, corrections: Option<&Corrections>) -> Result<Response, Failed> {
    let (viewer, folk, person) = people::subject(request)?;
    if viewer.id == person.id {
        return Ok(answer::see_other("/account"));
    }
    let account = person.account().ok_or(Failed::NoSuch(folk))?;
    let words = request.words();
    let caller = request.visitor.caller();
    let nodes = form(words, &person);
    let submit_url = request.address(&[]);
    let surface = Surface { join: Some(FORM), ..request.surface(&caller, &submit_url, corrections) };
    let own = request.region("details", Some(&account), &nodes, &surface)?;
    let plugins = request.site.host.slot("customer.details", Some(&account), 2, &surface);
    let summary = own.summary.and(plugins.summary).draw(words.host);
    let (list, overview) = (format!("/{}", folk.path()), person.url());
    let cancel = Link { label: words.host.get("cancel"), url: &overview };
    let body = Html::new()
        .markup(&joined_form(FORM, &submit_url))
        .markup(&own.html)
        .markup(&plugins.html)
        .markup(&joined_buttons(FORM, words.get("details-save"), cancel))
        .done();
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

fn form(words: Words, person: &Person) -> Vec<Node> {
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
        Language::ALL.map(|one| ChoiceOption { value: one.tag().to_owned(), label: one.name().to_owned(), hint: None });
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
        submit_intent: Intent::Primary,
        cancel: None,
    };
    vec![Node::Heading(words.get("details-person").to_owned()), Node::Form(form)]
}

/// The placeholders of the route, if the address is one of these pages.
pub fn params(path: &str) -> Option<Vec<(String, String)>> {
    let (folk, id) = path.strip_prefix('/')?.strip_suffix("/details")?.split_once('/')?;
    Some(vec![("folk".to_owned(), folk.to_owned()), ("id".to_owned(), id.to_owned())])
}
