//! The host's own pages, with the panel's navigation. The outbox and one email are for people who manage others: the host shows
//! them the emails that they reach. The trial inbox is for people who run the panel; email settings, webhooks and service keys
//! are for its owner.

use axum::body::Body;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::response::Response;
use keyturn_host::operator::{AskedKeys, Document, Listed, ListedDeliveries, OperatorPage, OperatorSurface};
use keyturn_host::view::{Corrections, Page};

use crate::answer::Failed;
use crate::pages::forms::{self, Draw};
use crate::people::{Kind, Person};
use crate::request::Request;

pub const OUTBOX: &str = "/mail/outbox";
pub const INBOX: &str = "/mail/inbox";
pub const SETTINGS: &str = "/mail/settings";

pub const WEBHOOKS: &str = "/webhooks";
pub const KEYS: &str = "/keys";

/// Whether somebody runs this panel.
pub fn runs(person: &Person) -> bool {
    matches!(person.kind, Kind::Owner | Kind::Administrator)
}

/// Whether somebody manages others.
pub fn manages(person: &Person) -> bool {
    person.kind != Kind::Customer
}

fn staff(request: &Request) -> Result<(), Failed> {
    if runs(&request.person()?) { Ok(()) } else { Err(Failed::Forbidden) }
}

fn managers(request: &Request) -> Result<(), Failed> {
    if manages(&request.person()?) { Ok(()) } else { Err(Failed::Forbidden) }
}

/// GET: the outbox.
pub fn outbox(request: &mut Request) -> Result<Response, Failed> {
    managers(request)?;
    let asked = Listed::asked(request.query.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    show(request, &OperatorPage::Outbox(asked), None)
}

/// GET: one email.
pub fn one(request: &mut Request) -> Result<Response, Failed> {
    managers(request)?;
    let id = request.param("id").parse().map_err(|_| Failed::NoPage)?;
    show(request, &OperatorPage::Mail(id), None)
}

fn tends(request: &Request) -> Result<(), Failed> {
    staff(request)?;
    if request.site.host.may_tend_webhooks(&request.visitor.caller()) { Ok(()) } else { Err(Failed::Forbidden) }
}

/// GET: webhooks.
pub fn webhooks(request: &mut Request) -> Result<Response, Failed> {
    tends(request)?;
    let asked = ListedDeliveries::asked(request.query.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    show(request, &OperatorPage::Webhooks(asked), None)
}

/// GET: one delivery of a webhook.
pub fn delivery(request: &mut Request) -> Result<Response, Failed> {
    tends(request)?;
    let id = request.param("id").parse().map_err(|_| Failed::NoPage)?;
    show(request, &OperatorPage::Delivery(id), None)
}

/// POST, on the webhooks and on one delivery.
pub fn post_webhooks(request: &mut Request) -> Result<Response, Failed> {
    tends(request)?;
    run(request, |_, _| Err(Failed::Forged))
}

/// GET: the inbox.
pub fn inbox(request: &mut Request) -> Result<Response, Failed> {
    staff(request)?;
    show(request, &OperatorPage::Inbox, None)
}

/// GET: one email of the inbox.
pub fn inbox_one(request: &mut Request) -> Result<Response, Failed> {
    staff(request)?;
    let page = OperatorPage::InboxMail(request.param("name").to_owned());
    show(request, &page, None)
}

/// GET: its HTML, for the frame in its page.
pub fn inbox_html(request: &mut Request) -> Result<Response, Failed> {
    staff(request)?;
    let caller = request.visitor.caller();
    let document = request.site.host.inbox_document(&caller, request.param("name"))?;
    let mut response = Response::new(Body::from(document.html.to_string()));
    response.headers_mut().extend(Document::headers());
    Ok(response)
}

/// POST, on the outbox and on one email.
pub fn post(request: &mut Request) -> Result<Response, Failed> {
    managers(request)?;
    run(request, |_, _| Err(Failed::Forged))
}

fn run(request: &mut Request, draw: Draw) -> Result<Response, Failed> {
    let caller = request.visitor.caller();
    let submit_url = request.address(&[]);
    let submitted = {
        let surface = request.surface(&submit_url, None);
        request.site.host.operator_submit(&caller, &request.body, &surface)?
    };
    forms::settled(request, submitted, draw)
}

fn show(request: &mut Request, page: &OperatorPage, corrections: Option<&Corrections>) -> Result<Response, Failed> {
    let caller = request.visitor.caller();
    let submit_url = request.address(&[]);
    let drawn: Page = {
        let surface = request.surface(&submit_url, corrections);
        let surface = OperatorSurface {
            surface,
            outbox: OUTBOX,
            inbox: INBOX,
            webhooks: WEBHOOKS,
            keys: KEYS,
            start: &request.site.start,
        };
        request.site.host.operator_page(&caller, page, &surface)?
    };
    let mut response = forms::plugin_page(request, &drawn, None);
    if let Some(csp) = page.csp().and_then(|csp| csp.parse().ok()) {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, csp);
    }
    Ok(response)
}

/// GET: the email settings. The host checks who may see them.
pub fn settings(request: &mut Request) -> Result<Response, Failed> {
    staff(request)?;
    // The contents of a form that came too late, or waited for its sender's password.
    let carried = forms::carried(request)?;
    draw_settings(request, carried.as_ref())
}

/// POST.
pub fn post_settings(request: &mut Request) -> Result<Response, Failed> {
    staff(request)?;
    run(request, draw_settings)
}

fn draw_settings(request: &mut Request, corrections: Option<&Corrections>) -> Result<Response, Failed> {
    show(request, &OperatorPage::EmailSettings, corrections)
}

fn tends_keys(request: &Request) -> Result<(), Failed> {
    staff(request)?;
    if request.site.host.may_tend_keys(&request.visitor.caller()) { Ok(()) } else { Err(Failed::Forbidden) }
}

/// GET: service keys.
pub fn keys(request: &mut Request) -> Result<Response, Failed> {
    tends_keys(request)?;
    let carried = forms::carried(request)?;
    draw_keys(request, carried.as_ref())
}

/// POST.
pub fn post_keys(request: &mut Request) -> Result<Response, Failed> {
    tends_keys(request)?;
    run(request, draw_keys)
}

fn draw_keys(request: &mut Request, corrections: Option<&Corrections>) -> Result<Response, Failed> {
    let asked = AskedKeys::asked(request.query.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    show(request, &OperatorPage::Keys(asked), corrections)
}
