//! Posted forms, the panel's own and the plugins', which may be on the same page. The host seals both to the session and the
//! place that they were drawn for; nobody else can get one.

use axum::http::StatusCode;
use axum::response::Response;
use keyturn_host::accounts::AccountId;
use keyturn_host::caller::Actor;
use keyturn_host::embed::Submitted;
use keyturn_host::view::form::{self, Posted, Stale};
use keyturn_host::view::html::Html;
use keyturn_host::view::nodes::{Submission as Target, Value};
use keyturn_host::view::shell::Link;
use keyturn_host::view::{Corrections, Page};

use crate::answer::{self, Failed};
use crate::folk::Folk;
use crate::pages::{sign_in, step_up};
use crate::people::Person;
use crate::request::{OWN, Request, Sheet, title_key};

/// A posted form of the panel's own, complete.
pub type Submission = form::Submission;

/// Draws a page, with the errors of the form posted last.
pub type Draw = fn(&mut Request, Option<&Corrections>) -> Result<Response, Failed>;

/// Runs a form of the panel's own.
pub type Run = fn(&mut Request, &Submission) -> Result<Response, Failed>;

/// Reads the form that was posted to a page and runs it: with `run` if it is the panel's own, otherwise in its plugin.
pub fn posted(request: &mut Request, run: Run, draw: Draw) -> Result<Response, Failed> {
    let caller = request.visitor.caller();
    let site = request.site.clone();
    let form = site.host.read_form(&caller, &request.body)?;
    if form.plugin() == OWN {
        return match form.read {
            Ok(Posted::Submission(submission)) if submission.problems.is_empty() => run(request, &submission),
            Ok(Posted::Submission(submission)) => {
                let corrections = submission.corrections(submission.problems.clone(), None);
                again(request, &corrections, draw)
            }
            Ok(Posted::Wish(_)) => Err(Failed::Forged),
            Err(late) => stale(request, *late, draw),
        };
    }
    let submit_url = request.address(&[]);
    let submitted = {
        let surface = request.surface(&caller, &submit_url, None);
        site.host.submit_form(form, &surface)?
    };
    settled(request, submitted, draw)
}

/// The answer when a plugin's form has run, or could not.
pub fn settled(request: &mut Request, submitted: Submitted, draw: Draw) -> Result<Response, Failed> {
    match submitted {
        Submitted::Done { url, notice, own_epoch } => {
            request.say_outcome(&notice);
            if let Some(epoch) = own_epoch {
                sign_in::renew(request, &epoch)?;
            }
            Ok(answer::see_other(&url))
        }
        Submitted::Script(json) => Ok(answer::json(json.to_string())),
        Submitted::StepUp(held) => step_up::ask(request, &held),
        Submitted::Again(corrections) => again(request, &corrections, draw),
        Submitted::Stale(late) => stale(request, *late, draw),
        Submitted::Reveal(page) => Ok(plugin_page(request, &page, None)),
    }
}

/// A whole page of a plugin, with the panel's navigation, below the person that it is about.
pub fn plugin_page(request: &mut Request, page: &Page, about: Option<&(Folk, Person)>) -> Response {
    let (under, above) = match about {
        Some(&(folk, ref person)) => {
            let list = request.words().get(title_key(folk)).to_owned();
            (Some(folk), vec![(list, format!("/{}", folk.path())), (person.name.clone(), person.url())])
        }
        None => (None, Vec::new()),
    };
    let Some(person) = request.visitor.person().cloned() else {
        let said = request.said();
        request.visit();
        let body = Html::new().markup(&said).markup(&page.html).done();
        return answer::page(StatusCode::OK, &request.public(&page.title, &body));
    };
    let above: Vec<_> = above.iter().map(|(label, url)| Link { label, url }).collect();
    let sheet = Sheet {
        title: &page.title,
        under,
        above: &above,
        heading: None,
        summary: &Default::default(),
        body: &page.html,
    };
    let html = request.sheet(&person, &sheet);
    answer::page(StatusCode::OK, &html)
}

/// The page again, with the errors and what was typed.
pub fn again(request: &mut Request, corrections: &Corrections, draw: Draw) -> Result<Response, Failed> {
    let mut response = draw(request, Some(corrections))?;
    *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    Ok(response)
}

/// The session has ended: sign in first, and find the form filled in. Or the form was only too old.
fn stale(request: &mut Request, late: Stale, draw: Draw) -> Result<Response, Failed> {
    let Some(name) = late.sign_in_as else {
        return again(request, &late.corrections, draw);
    };
    let account: AccountId = name.parse().map_err(|_| Failed::Forged)?;
    let carried = late.corrections.seal(request.site.host.keys(), &Actor::Account(account));
    let next = request.address(&[]);
    sign_in::instead(request, &next, &carried)
}

/// What was carried through the sign-in for this page, if the session has something. It is shown once.
pub fn carried(request: &mut Request) -> Result<Option<Corrections>, Failed> {
    let (actor, quiet) = (request.visitor.caller().actor, request.quiet());
    let Some(session) = request.visitor.session.as_mut().filter(|_| !quiet) else {
        return Ok(None);
    };
    let Some(sealed) = session.carried.take() else {
        return Ok(None);
    };
    request.site.people.take_carried(session.id)?;
    Ok(Corrections::open(&sealed, request.site.host.keys(), &actor))
}

/// The text of an input; empty if there is none.
pub fn text<'s>(submission: &'s Submission, name: &str) -> &'s str {
    submission.text(name).unwrap_or_default()
}

/// What a form of the panel's own asks for.
pub fn target(action: &str, arguments: &[(&str, &str)]) -> Target {
    Target {
        action: action.to_owned(),
        subject: None,
        arguments: arguments.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    }
}

/// A sentence of one text.
pub fn said(text: &str) -> Vec<Value> {
    vec![Value::Text(text.to_owned())]
}
