//! The host's own pages about mail, under the panel's navigation: the outbox and one mail, for who manages others, of whom the
//! host shows him those that he reaches; the inbox of a trial and how mail is set up, for those who run the panel.

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::response::Response;
use keyturn_host::operator::{Document, Listed, OperatorPage, OperatorSurface};
use keyturn_host::view::nodes::{Node, Value};
use keyturn_host::view::shell::Heading;
use keyturn_host::view::{Corrections, Page};

use crate::answer::{self, Failed};
use crate::pages::forms;
use crate::pages::overview::fact;
use crate::people::{Kind, Person};
use crate::request::{Request, Sheet};

/// Address of the outbox.
pub const OUTBOX: &str = "/mail/outbox";
/// Address of the inbox.
pub const INBOX: &str = "/mail/inbox";
/// Address of how mail is set up.
pub const SETTINGS: &str = "/mail/settings";

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
    show(request, &OperatorPage::Outbox(asked))
}

/// GET: one mail.
pub fn one(request: &mut Request) -> Result<Response, Failed> {
    managers(request)?;
    let id = request.param("id").parse().map_err(|_| Failed::NoPage)?;
    show(request, &OperatorPage::Mail(id))
}

/// GET: the inbox.
pub fn inbox(request: &mut Request) -> Result<Response, Failed> {
    staff(request)?;
    show(request, &OperatorPage::Inbox)
}

/// GET: one mail of the inbox.
pub fn inbox_one(request: &mut Request) -> Result<Response, Failed> {
    staff(request)?;
    let page = OperatorPage::InboxMail(request.param("name").to_owned());
    show(request, &page)
}

/// GET: its HTML, framed by its page.
pub fn inbox_html(request: &mut Request) -> Result<Response, Failed> {
    staff(request)?;
    let caller = request.visitor.caller();
    let document = request.site.host.inbox_document(&caller, request.param("name"))?;
    let mut response = Response::new(Body::from(document.html.to_string()));
    response.headers_mut().extend(Document::headers());
    Ok(response)
}

/// POST, on the outbox and on one mail.
pub fn post(request: &mut Request) -> Result<Response, Failed> {
    managers(request)?;
    let caller = request.visitor.caller();
    let submit_url = request.address(&[]);
    let submitted = {
        let surface = operators(request, &submit_url, None);
        request.site.host.operator_submit(&caller, &request.body, &surface)?
    };
    forms::settled(request, submitted, |_, _| Err(Failed::Forged))
}

fn operators<'a>(
    request: &'a Request,
    submit_url: &'a str,
    corrections: Option<&'a Corrections>,
) -> OperatorSurface<'a> {
    let surface = request.surface(submit_url, corrections);
    OperatorSurface { surface, outbox: OUTBOX, inbox: INBOX, start: &request.site.start }
}

fn show(request: &mut Request, page: &OperatorPage) -> Result<Response, Failed> {
    let caller = request.visitor.caller();
    let submit_url = request.address(&[]);
    let drawn: Page = {
        let surface = operators(request, &submit_url, None);
        request.site.host.operator_page(&caller, page, &surface)?
    };
    let mut response = forms::plugin_page(request, &drawn, None);
    if let Some(csp) = page.csp().and_then(|csp| csp.parse().ok()) {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, csp);
    }
    Ok(response)
}

/// GET: how mail is set up. It is set in the configuration, whose words are the operator's.
pub fn settings(request: &mut Request) -> Result<Response, Failed> {
    staff(request)?;
    let person = request.person()?;
    let words = request.words();
    let way = match request.site.mail_way.as_deref() {
        Some(way) => vec![Value::Code(way.to_owned())],
        None => vec![Value::Text(words.get("mail-off").to_owned())],
    };
    let from = request.site.mail_from.clone().map_or_else(Vec::new, |from| vec![Value::Code(from)]);
    let code = |text: &str| vec![Value::Code(text.to_owned())];
    let facts = vec![
        fact(words.get("mail-way"), way),
        fact(words.get("mail-from"), from),
        fact(words.get("mail-where"), code("keyturn.toml, [mail]")),
        fact(words.get("mail-try"), code("keyturn mail test ADDRESS")),
    ];
    let nodes = [Node::Heading(words.get("mail-settings").to_owned()), Node::Facts(facts)];
    let region = request.region("mail-settings", None, &nodes, &request.surface("", None))?;
    let title = words.get("mail-settings");
    let sheet = Sheet {
        title,
        under: None,
        above: &[],
        heading: Some(Heading { text: title, badge: None, actions: &Default::default() }),
        summary: &region.summary.draw(words.host),
        body: &region.html,
    };
    let html = request.sheet(&person, &sheet);
    Ok(answer::page(StatusCode::OK, &html))
}
