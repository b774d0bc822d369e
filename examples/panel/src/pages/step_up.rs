//! Before people do something serious to somebody else's account, they type their own password again, unless they did so
//! recently. The form waits in the session, sealed by the host, and runs afterwards.

use axum::http::StatusCode;
use axum::response::Response;
use form_urlencoded::byte_serialize;
use keyturn_host::embed::Submitted;
use keyturn_host::operator;
use keyturn_host::view::form::{self, FieldError, FormError, Posted, joined};
use keyturn_host::view::html::Html;
use keyturn_host::view::nodes::{FieldKind, Form, Intent, Node, View};
use keyturn_host::view::{self, Corrections, Place};

use crate::answer::{self, Failed, retry_after};
use crate::pages::account::end_all;
use crate::pages::forms::{self, said, target, text};
use crate::pages::sign_in::{Checked, check, field, local};
use crate::pages::{details, people};
use crate::people::Person;
use crate::request::{OWN, Request, SAID_CONFIRMATIONS, Sheet};

/// Keeps the form, and leads to the page that asks.
pub fn ask(request: &mut Request, held: &str) -> Result<Response, Failed> {
    let session = request.visitor.session.as_ref().ok_or(Failed::SignIn)?.id;
    request.site.people.hold(session, held)?;
    let next: String = byte_serialize(request.address(&[]).as_bytes()).collect();
    Ok(answer::see_other(&format!("/step-up?next={next}")))
}

/// GET.
pub fn show(request: &mut Request) -> Result<Response, Failed> {
    let next = local(request.asked("next")).to_owned();
    draw(request, &next, None, StatusCode::OK)
}

fn draw(
    request: &mut Request,
    next: &str,
    corrections: Option<&Corrections>,
    status: StatusCode,
) -> Result<Response, Failed> {
    let person = request.person()?;
    let words = request.words();
    let form = Form {
        submit: target("step-up", &[]),
        intro: Vec::new(),
        points: Vec::new(),
        fields: vec![
            field("password", words.get("step-up-password"), FieldKind::CurrentPassword),
            field("next", "next", FieldKind::Hidden(next.to_owned())),
        ],
        submit_label: words.get("step-up-go-on").to_owned(),
        submit_intent: Intent::Primary,
        cancel: None,
    };
    let view = View {
        title: said(words.get("step-up-title")),
        lead: Some(said(words.get("step-up-lead"))),
        outcome: None,
        nodes: vec![Node::Form(form)],
    };
    let place = Place::Page { name: "step-up".to_owned(), subject: None, arguments: Vec::new() };
    let caller = request.visitor.caller();
    let surface = request.surface(&caller, "/step-up", corrections);
    let page = request.site.host.framed_own(OWN, place, &surface, |frame| view::draw_view(&view, frame))?;
    let mut body = Html::new();
    body.markup(&page.html);
    body.class("p", "kt-buttons").element("a", &[("href", Some(next))], words.get("step-up-back")).close("p");
    let sheet = Sheet {
        title: &page.title,
        under: None,
        above: &[],
        heading: None,
        summary: &Default::default(),
        body: &body.done(),
    };
    let html = request.sheet(&person, &sheet);
    Ok(answer::page(status, &html))
}

/// Somebody who guesses the password in an unattended or stolen session is signed out.
fn sign_out(request: &mut Request, person: &Person) -> Result<Response, Failed> {
    end_all(request, person)?;
    request.say(SAID_CONFIRMATIONS, 0);
    Ok(answer::see_other("/sign-in"))
}

/// POST.
pub fn post(request: &mut Request) -> Result<Response, Failed> {
    let site = request.site.clone();
    let caller = request.visitor.caller();
    let submission = match form::read(&request.body, site.host.keys(), &caller, site.host.now()) {
        Ok(Posted::Submission(submission)) if submission.plugin == OWN && submission.action == "step-up" => submission,
        Err(FormError::Stale(_)) => return Err(Failed::SignIn),
        _ => return Err(Failed::Forged),
    };
    let next = local(text(&submission, "next")).to_owned();
    let unprocessable = StatusCode::UNPROCESSABLE_ENTITY;
    if !submission.problems.is_empty() {
        let corrections = submission.corrections(submission.problems.clone(), None);
        return draw(request, &next, Some(&corrections), unprocessable);
    }
    let person = request.person()?;
    let words = request.words();
    if !site.people.may_confirm(person.id)? {
        return sign_out(request, &person);
    }
    let verdict = match check(request, &submission, &person.login)? {
        Checked::Verdict(verdict) => verdict,
        Checked::TooOften { seconds, message } => {
            // The password was not checked.
            site.people.unconfirm(person.id)?;
            let corrections = submission.corrections(Vec::new(), Some(message));
            let mut response = draw(request, &next, Some(&corrections), StatusCode::TOO_MANY_REQUESTS)?;
            retry_after(&mut response, seconds);
            return Ok(response);
        }
    };
    let own = person.account().is_some_and(|own| verdict["value"]["account"] == own.as_str());
    if verdict["kind"] != "accepted" || !own {
        if site.people.confirmed_too_often(person.id)? {
            return sign_out(request, &person);
        }
        let wrong = FieldError { field: "password".to_owned(), message: words.get("step-up-wrong").to_owned() };
        let corrections = submission.corrections(vec![wrong], None);
        return draw(request, &next, Some(&corrections), unprocessable);
    }
    let kept = request.visitor.session.as_mut().ok_or(Failed::SignIn)?;
    let (session, now) = (kept.id, site.host.now());
    site.people.verified(session, now)?;
    site.people.confirmed(person.id)?;
    kept.verified = now;
    let caller = request.visitor.caller();
    let Some(held) = site.people.take_held(session)? else {
        return Ok(answer::see_other(&next));
    };
    let body = site.host.held(&caller, &held).map_err(|_| Failed::Forged)?;
    let submitted = match (details::params(next.split('?').next().unwrap_or_default()), joined::is_joined(&body)) {
        (Some(params), true) => {
            request.body = body;
            request.params = params;
            details::save(request)?
        }
        (_, true) => return Err(Failed::Forged),
        (_, false) => {
            let surface = request.surface(&caller, &next, None);
            let form = site.host.read_form(&caller, &body)?;
            Some(match form.plugin() == operator::OWN {
                true => site.host.operator_submit(form, &surface)?,
                false => site.host.submit_form(form, &surface)?,
            })
        }
    };
    match submitted {
        None => Ok(answer::see_other(&people::subject(request)?.2.url())),
        // Its page shows the errors.
        Some(Submitted::Again(corrections)) => {
            site.people.carry(session, &corrections.seal(site.host.keys(), &caller.actor))?;
            Ok(answer::see_other(&next))
        }
        Some(submitted) => forms::settled(request, submitted, |_, _| Err(Failed::Forged)),
    }
}
