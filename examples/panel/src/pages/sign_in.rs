//! Sign-in: the panel's page and sessions. The plugin's hook decides whether the password is right.

use axum::http::StatusCode;
use axum::response::Response;
use form_urlencoded::byte_serialize;
use keyturn_host::accounts::AccountId;
use keyturn_host::http::reader::cookie;
use keyturn_host::values::Wiped;
use keyturn_host::view::form::{FormError, Posted};
use keyturn_host::view::html::{Html, Markup};
use keyturn_host::view::nodes::{Field, FieldKind, Form, Intent, Line, LineKind, Node, Tone, View};
use keyturn_host::view::shell::parts::banner;
use keyturn_host::view::{self, Corrections, Place, form};
use keyturn_host::{CallError, Failure};
use serde_json::{Value as Json, json};

use crate::answer::{self, Failed, retry_after};
use crate::pages::forms::{Submission, said, target, text};
use crate::request::{OWN, Request};
use crate::visitor::{device_cookie, session_cookie};

/// Bytes that a sealed form may hide; more is not carried.
const HIDDEN: usize = 4_000;

/// Seconds that a browser keeps what makes it known to the sign-in hook: 180 days, as long as the hook accepts it.
const DEVICE_AGE: u32 = 180 * 24 * 60 * 60;

#[derive(Debug, Clone, Default)]
struct Along {
    next: String,
    /// From a form that was posted too late.
    carried: String,
    name: String,
}

/// The page's address; it leads back to `next`.
pub fn address(next: &str) -> String {
    match next {
        "" | "/" => "/sign-in".to_owned(),
        next => format!("/sign-in?next={}", byte_serialize(next.as_bytes()).collect::<String>()),
    }
}

/// A page of this panel, or home.
pub fn local(url: &str) -> &str {
    let ours = url.len() <= HIDDEN
        && url.starts_with('/')
        && !url.starts_with("//")
        && url.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    if ours { url } else { "/" }
}

/// GET.
pub fn show(request: &mut Request) -> Result<Response, Failed> {
    let next = local(request.asked("next")).to_owned();
    if request.visitor.session.is_some() {
        return Ok(answer::see_other(&next));
    }
    let name = request.user_name().unwrap_or_default();
    let said = request.said();
    let along = Along { next, name, ..Along::default() };
    draw(request, &along, None, &said, StatusCode::OK)
}

/// Replaces a page whose session has ended: says so, and keeps what was typed.
pub fn instead(request: &mut Request, next: &str, carried: &str) -> Result<Response, Failed> {
    let words = request.words();
    let fits = carried.len() <= HIDDEN;
    let key = if fits { "signed-out-kept" } else { "signed-out-lost" };
    let notice = banner(Tone::Info, words.get("signed-out-title"), words.get(key), words.host);
    let carried = if fits { carried.to_owned() } else { String::new() };
    let along = Along { next: next.to_owned(), carried, ..Along::default() };
    draw(request, &along, None, &notice, StatusCode::FORBIDDEN)
}

/// A field that people fill in about themselves.
pub fn field(name: &str, label: &str, kind: FieldKind) -> Field {
    Field { name: name.to_owned(), label: label.to_owned(), hint: None, kind, required: true, own: true }
}

fn draw(
    request: &mut Request,
    along: &Along,
    corrections: Option<&Corrections>,
    notice: &Markup,
    status: StatusCode,
) -> Result<Response, Failed> {
    let words = request.words();
    let name = Line { kind: LineKind::Username, value: along.name.clone() };
    let mut fields = vec![
        field("name", words.get("sign-in-name"), FieldKind::Line(name)),
        field("password", words.get("sign-in-password"), FieldKind::CurrentPassword),
    ];
    for (name, value) in [("next", &along.next), ("carried", &along.carried)] {
        if !value.is_empty() {
            fields.push(field(name, name, FieldKind::Hidden(value.clone())));
        }
    }
    let form = Form {
        submit: target("sign-in", &[]),
        intro: Vec::new(),
        points: Vec::new(),
        fields,
        submit_label: words.get("sign-in-title").to_owned(),
        submit_intent: Intent::Primary,
        cancel: None,
    };
    let view =
        View { title: said(words.get("sign-in-title")), lead: None, outcome: None, nodes: vec![Node::Form(form)] };
    let caller = request.visitor.anonymous();
    let surface = request.surface(&caller, "/sign-in", corrections);
    let page = request.site.host.framed_own(OWN, place(), &surface, |frame| view::draw_view(&view, frame))?;
    let below = request.site.host.slot("sign-in.below", None, 2, &surface);
    request.visit();
    let body = Html::new().markup(notice).markup(&page.html).markup(&below.html).done();
    Ok(answer::page(status, &request.public(&page.title, &body)))
}

fn place() -> Place {
    Place::Page { name: "sign-in".to_owned(), subject: None, arguments: Vec::new() }
}

/// POST. The hook is called anonymously, even if somebody is signed in.
pub fn enter(request: &mut Request) -> Result<Response, Failed> {
    let caller = request.visitor.anonymous();
    let site = request.site.clone();
    let submission = match form::read(&request.body, site.host.keys(), &caller, site.host.now()) {
        Ok(Posted::Submission(submission)) if submission.plugin == OWN && submission.action == "sign-in" => submission,
        Err(FormError::Stale(late)) if late.corrections.plugin == OWN => {
            // Open for too long, or the browser keeps no cookies. The name is still there.
            let nothing = Markup::default();
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return draw(request, &Along::default(), Some(&late.corrections), &nothing, status);
        }
        Err(FormError::TooLarge) => return Err(Failed::TooLarge),
        _ => return Err(Failed::Forged),
    };
    if !submission.problems.is_empty() {
        return refused(request, &submission, submission.problems.clone(), None, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let words = request.words();
    let unprocessable = StatusCode::UNPROCESSABLE_ENTITY;
    let verdict = match check(request, &submission, text(&submission, "name"))? {
        Checked::Verdict(verdict) => verdict,
        Checked::TooOften { seconds, message } => {
            let mut response = refused(request, &submission, Vec::new(), Some(message), StatusCode::TOO_MANY_REQUESTS)?;
            retry_after(&mut response, seconds);
            return Ok(response);
        }
    };
    let contact = site.host.brand().contact.clone();
    let message = match verdict.get("kind").and_then(Json::as_str) {
        Some("accepted") => return accepted(request, &submission, &verdict["value"]),
        Some("must_change") => {
            let link = verdict["value"].as_str().unwrap_or_default();
            // The same page at the address of this one: a form can't lead to another origin.
            let here = link.strip_prefix(&site.host.origin()).filter(|path| path.starts_with('/'));
            return Ok(answer::see_other(here.unwrap_or(link)));
        }
        Some("temporary_ended") => {
            let until = verdict["value"].as_i64().unwrap_or_default();
            let time = words.host.time(until, site.host.now(), &site.host.brand().zone);
            words.fill("sign-in-temporary-ended", &[("time", &time), ("contact", &contact)])
        }
        Some("suspended") => words.fill("sign-in-suspended", &[("contact", &contact)]),
        _ => words.get("sign-in-wrong").to_owned(),
    };
    refused(request, &submission, Vec::new(), Some(message), unprocessable)
}

/// The sign-in hook's answer about a name and a form's password.
pub enum Checked {
    Verdict(Json),
    TooOften {
        /// Seconds to wait.
        seconds: u32,
        /// For the reader.
        message: String,
    },
}

/// Calls the hook anonymously, and wipes the arguments.
pub fn check(request: &Request, submission: &Submission, name: &str) -> Result<Checked, Failed> {
    let site = &request.site;
    let password = submission.password("password").map_or("", |password| password.as_str());
    let mut asked = Wiped(json!({"login_or_email": name, "password": password}));
    if let Some(device) = cookie(&request.headers, device_cookie(site.https)) {
        asked.0["device"] = device.into();
    }
    let verdict = site.host.call(&request.visitor.anonymous(), &site.verify, &asked, None);
    drop(asked);
    match verdict {
        Ok(verdict) => Ok(Checked::Verdict(verdict)),
        Err(CallError::Failed(Failure::Throttled(seconds))) => {
            let words = request.words();
            let time = words.host.duration(u64::from(seconds));
            Ok(Checked::TooOften { seconds, message: words.fill("sign-in-wait", &[("time", &time)]) })
        }
        Err(cause) => Err(cause.into()),
    }
}

fn refused(
    request: &mut Request,
    submission: &Submission,
    problems: Vec<view::FieldError>,
    message: Option<String>,
    status: StatusCode,
) -> Result<Response, Failed> {
    let [next, carried] = ["next", "carried"].map(|name| text(submission, name).to_owned());
    let along = Along { next, carried, ..Along::default() };
    let corrections = submission.corrections(problems, message);
    draw(request, &along, Some(&corrections), &Markup::default(), status)
}

/// A new session with a new cookie, whatever cookie came.
fn accepted(request: &mut Request, submission: &Submission, signed_in: &Json) -> Result<Response, Failed> {
    let broken = || Failed::Broken("the sign-in hook answered no account of this panel".to_owned());
    let account: AccountId = signed_in["account"].as_str().and_then(|id| id.parse().ok()).ok_or_else(broken)?;
    let epoch = signed_in["session_epoch"].as_str().ok_or_else(broken)?;
    let id: i64 = account.key().parse().map_err(|_| broken())?;
    let site = request.site.clone();
    let person = site.people.person(id)?.filter(|person| person.account().as_ref() == Some(&account));
    person.ok_or_else(broken)?;
    if let Some(before) = &request.visitor.session {
        site.people.end_session(before.id)?;
    }
    let carried = Some(text(submission, "carried")).filter(|carried| !carried.is_empty());
    let now = site.host.now();
    let cookie = request.visitor.with_origin(|origin| site.people.begin_session(id, epoch, origin, carried, now))?;
    site.people.signed_in(id, now)?;
    request.set_cookie(session_cookie(request.site.https), &cookie, None);
    // If it doesn't fit a cookie, it is not kept: the browser is then unknown.
    let device = signed_in["device"]
        .as_str()
        .filter(|device| device.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)));
    if let Some(device) = device {
        request.set_cookie(device_cookie(request.site.https), device, Some(DEVICE_AGE));
    }
    Ok(answer::see_other(local(text(submission, "next"))))
}

/// People who changed their own password stay signed in, with a new cookie. Their other sessions have ended.
pub fn renew(request: &mut Request, epoch: &str) -> Result<(), Failed> {
    let person = request.person()?;
    let site = request.site.clone();
    let now = site.host.now();
    let begin = |origin: crate::session::Origin<'_>| site.people.begin_session(person.id, epoch, origin, None, now);
    let cookie = request.visitor.with_origin(begin)?;
    request.set_cookie(session_cookie(request.site.https), &cookie, None);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn who_signs_in_is_sent_to_a_page_of_this_panel_only() {
        for ours in ["/", "/customers?q=a&show=active", "/customers/3/details"] {
            assert_eq!(local(ours), ours);
        }
        for other in
            ["", "//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nSet-Cookie: x", "customers"]
        {
            assert_eq!(local(other), "/");
        }
    }
}
