//! The operator's pages, which the host draws: each is below [`ADDRESS`] under its name, and its arguments are the query. Mail
//! is for people who manage others: the host shows them the emails that they reach. Everything else is for people who run the
//! panel; what concerns everybody, the host shows to the owner only.

use axum::body::Body;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::response::Response;
use keyturn_host::operator::{OperatorPage, document_headers};
use keyturn_host::view::Corrections;

use crate::answer::Failed;
use crate::pages::forms;
use crate::people::{Kind, Person};
use crate::request::Request;

/// The beginning of their addresses.
pub const ADDRESS: &str = "/operator";

/// Whether somebody runs this panel.
pub fn runs(person: &Person) -> bool {
    matches!(person.kind, Kind::Owner | Kind::Administrator)
}

fn may(person: &Person, page: &OperatorPage) -> bool {
    if page.under() == "outbox" { person.kind != Kind::Customer } else { runs(person) }
}

/// Label, address, and whether it is the current page.
type Item = (String, String, bool);

/// The navigation entries for this visitor: groups of label, address, and whether it is the current page.
pub fn navigation(request: &Request, person: &Person) -> Vec<(String, Vec<Item>)> {
    let here = request.path.strip_prefix(ADDRESS).and_then(|path| OperatorPage::named(path.trim_start_matches('/')));
    let mut groups: Vec<(String, Vec<Item>)> = Vec::new();
    let pages = request.site.host.operator_pages(&request.visitor.caller());
    for page in pages.into_iter().filter(|page| may(person, page)) {
        let Some((group, label)) = page.navigation(&request.visitor.locale) else { continue };
        let current = here.is_some_and(|here| here.under() == page.name);
        let item = (label, format!("{ADDRESS}/{}", page.name), current);
        match groups.last_mut() {
            Some((last, items)) if *last == group => items.push(item),
            _ => groups.push((group, vec![item])),
        }
    }
    groups
}

fn asked(request: &Request) -> Result<&'static OperatorPage, Failed> {
    let page = OperatorPage::named(request.param("page")).ok_or(Failed::NoPage)?;
    if may(&request.person()?, page) { Ok(page) } else { Err(Failed::Forbidden) }
}

/// GET.
pub fn show(request: &mut Request) -> Result<Response, Failed> {
    asked(request)?;
    // The contents of a form that came too late, or waited for its sender's password.
    let carried = forms::carried(request)?;
    draw(request, carried.as_ref())
}

/// POST.
pub fn post(request: &mut Request) -> Result<Response, Failed> {
    asked(request)?;
    let caller = request.visitor.caller();
    let submit_url = request.address(&[]);
    let submitted = {
        let (host, surface) = (&request.site.host, request.surface(&caller, &submit_url, None));
        host.operator_submit(host.read_form(&caller, &request.body)?, &surface)?
    };
    forms::settled(request, submitted, draw)
}

fn draw(request: &mut Request, corrections: Option<&Corrections>) -> Result<Response, Failed> {
    let page = asked(request)?;
    let caller = request.visitor.caller();
    let submit_url = request.address(&[]);
    let drawn = {
        let (site, surface) = (&request.site, request.surface(&caller, &submit_url, corrections));
        site.host.operator_page(page, &request.query, &surface, &site.start)?
    };
    let mut response = forms::plugin_page(request, &drawn, None);
    if let Some(csp) = page.csp().and_then(|csp| csp.parse().ok()) {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, csp);
    }
    Ok(response)
}

/// GET: the HTML of an email of the inbox, for the frame in its page.
pub fn inbox_html(request: &mut Request) -> Result<Response, Failed> {
    if !runs(&request.person()?) {
        return Err(Failed::Forbidden);
    }
    let caller = request.visitor.caller();
    let document = request.site.host.inbox_document(&caller, request.asked("name"))?;
    let mut response = Response::new(Body::from(document.to_string()));
    response.headers_mut().extend(document_headers());
    Ok(response)
}
