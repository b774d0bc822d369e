//! Plugins' views, and the host's own pages, for a panel in another program. The panel asks for a region or a page while it
//! answers one of its readers, puts the HTML into its own page, and passes on the forms that come back. A signed header names
//! the reader ([`on_behalf`]); the host sets no cookie and has no session there.
//!
//! Parameters that begin with `kt-` are the host's; the others are arguments of the page. So a panel has one address for all
//! pages of plugins, and passes on its query unchanged.

mod on_behalf;

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{answering, machine};
use super::hooks::arguments;
use super::problem::{self, Problem};
use super::request::{Asked, json_answer};
use crate::served::Served;
use keyturn_core::accounts::AccountId;
use keyturn_core::caller::Actor;
use keyturn_core::origin::{leads_somewhere, with_query};
use keyturn_core::seal::Keys;
use keyturn_core::words::Words;
use keyturn_operator::{OWN, OperatorPage};
use keyturn_package::manifest::SLOTS;
use keyturn_pages::{Broken, SubmitError, Submitted, Surface};
use keyturn_runtime::CallError;
use keyturn_ui::form::{FormError, Generated};
use keyturn_ui::html::{Html, Markup};
use keyturn_ui::nodes::PageTarget;
use keyturn_ui::shell::within;
use keyturn_ui::{Corrections, Page, Row, json, look};
use on_behalf::OnBehalf;

/// The page's address: its forms post there.
const URL: &str = "kt-url";
/// The account that it is about.
const FOR: &str = "kt-for";
/// The plugin.
const PLUGIN: &str = "kt-plugin";
/// The page.
const PAGE: &str = "kt-page";
/// The level of a region's headings.
const LEVEL: &str = "kt-level";
/// The media type of views as data, for a panel that draws them itself.
const VIEW: &str = "application/vnd.keyturn.view+json";
/// The most subjects of one request.
const SUBJECTS: usize = 100;

pub(super) fn routes() -> Router<Served> {
    // By POST, corrections of a form come along; they may be long.
    let drawn = |handler| machine(get(answering(handler)).post(answering(handler)), "GET, HEAD, POST");
    Router::new()
        .route("/v1/views/slots/{slot}", drawn(slot))
        .route("/v1/views/rows/{slot}", drawn(rows))
        .route("/v1/views/page", drawn(page))
        .route("/v1/views/notice", machine(post(answering(notice)), "POST"))
        .route("/v1/views/submit", machine(post(answering(submit)), "POST"))
        .route("/v1/views/held", machine(post(answering(held)), "POST"))
}

/// The address of a plugin's page under the panel's one address for all of them, as `GET /v1/views/page` reads it.
pub fn page_address(panel: &str, plugin: &str, page: &PageTarget) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair(PLUGIN, plugin).append_pair(PAGE, &page.page);
    if let Some(subject) = &page.subject {
        query.append_pair(FOR, subject);
    }
    query.extend_pairs(&page.arguments);
    with_query(panel, &query.finish())
}

/// A panel's request for one reader of its pages: a view, or the result of a form.
struct Wanted<'a> {
    asked: &'a Asked,
    person: OnBehalf,
    url: String,
    corrections: Option<Corrections>,
}

impl<'a> Wanted<'a> {
    fn of(asked: &'a Asked) -> Result<Self, Problem> {
        Ok(Self { asked, person: OnBehalf::of(asked)?, url: page_url(asked)?, corrections: None })
    }

    /// With the corrections of the form posted last, if they come along.
    fn to_draw(asked: &'a Asked) -> Result<Self, Problem> {
        let mut wanted = Self::of(asked)?;
        if !asked.received.body.is_empty() {
            let Drawn { corrections } = body(asked)?;
            wanted.corrections = corrections.map(|sealed| opened(&sealed, asked, &wanted.person)).transpose()?;
        }
        Ok(wanted)
    }

    fn surface(&self) -> Surface<'_> {
        let (caller, corrections) = (&self.person.caller, self.corrections.as_ref());
        Surface { caller, submit_url: &self.url, join: None, links: &*self.asked.served.links, corrections }
    }

    /// One line for the reader, instead of a plugin that failed.
    fn or_broken(&self, said: Vec<Result<Value, Broken>>) -> Vec<Value> {
        let caller = &self.person.caller;
        let line =
            |Broken| json!({ "broken": Words::of(&caller.locale).get("slot-broken"), "request": caller.request });
        said.into_iter().map(|said| said.unwrap_or_else(line)).collect()
    }

    /// Runs a form that the panel passed on.
    fn run(&self, form: &[u8]) -> Result<Response, Problem> {
        let (host, caller) = (&self.asked.served.host, &self.person.caller);
        let surface = self.surface();
        let form = host.read_form(caller, form).map_err(of_form)?;
        let submitted = match form.plugin() == OWN {
            true => {
                self.person.operates()?;
                host.operator_submit(form, &surface)
            }
            false => host.submit_form(form, &surface),
        };
        let submitted = submitted.map_err(|error| match error {
            SubmitError::Form(error) => of_form(error),
            SubmitError::Call(error) => refused(error, &self.person),
        })?;
        let keys = host.keys();
        let answer = match submitted {
            Submitted::Done { url, notice, own_epoch } => {
                json!({ "kind": "done", "url": url, "notice": notice, "epoch": own_epoch })
            }
            Submitted::Reveal(page) => {
                let mut answer = dressed(whole(&page, &self.person));
                answer["kind"] = "reveal".into();
                answer
            }
            Submitted::Script(json) => json!({ "kind": "script", "json": json.as_str() }),
            Submitted::StepUp(held) => json!({ "kind": "step-up", "held": held }),
            Submitted::Again(corrections) => {
                json!({ "kind": "again", "corrections": sealed(&corrections, keys, &self.person) })
            }
            Submitted::Stale(stale) => {
                let corrections = sealed(&stale.corrections, keys, &self.person);
                json!({ "kind": "stale", "corrections": corrections, "sign_in_as": stale.sign_in_as })
            }
        };
        let mut response = json_answer(&answer);
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(response)
    }

    fn subject(&self) -> Result<Option<AccountId>, Problem> {
        self.asked.word(FOR).map(|id| account(&id)).transpose()
    }
}

/// Whether a panel draws views itself, and wants JSON.
fn as_json(asked: &Asked) -> bool {
    let accepts = asked.received.headers.get(header::ACCEPT).and_then(|accepts| accepts.to_str().ok());
    accepts.is_some_and(|accepts| accepts.split([',', ';']).any(|kind| kind.trim() == VIEW))
}

fn json_view(view: &Value) -> Response {
    let mut response = json_answer(view);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(VIEW));
    response
}

/// What may come along with a request for a view.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Drawn {
    corrections: Option<String>,
}

/// The page's address: in the panel and nowhere else, because what people type goes there.
fn page_url(asked: &Asked) -> Result<String, Problem> {
    let url = asked.word(URL).unwrap_or_default();
    let home = asked.served.links.home();
    let in_panel = url.starts_with('/') || origin(&url).is_some_and(|own| origin(home) == Some(own));
    if leads_somewhere(&url) && in_panel {
        return Ok(url);
    }
    let detail = format!("{URL} must be the page's own address: a path, or an address under server.panel.");
    Err(Problem::argument(URL, detail))
}

/// Scheme, host and port of an absolute address.
fn origin(address: &str) -> Option<&str> {
    let host = address.find("://")? + 3;
    Some(&address[..address[host..].find(['/', '?', '#']).map_or(address.len(), |end| host + end)])
}

fn account(id: &str) -> Result<AccountId, Problem> {
    id.parse().map_err(|_| {
        let detail = format!("{FOR} must name accounts, each like customer:42.");
        Problem::argument(FOR, detail)
    })
}

fn body<T: for<'de> Deserialize<'de>>(asked: &Asked) -> Result<T, Problem> {
    serde_json::from_value(arguments(&asked.received.headers, &asked.received.body)?)
        .map_err(|cause| Problem::argument("", cause.to_string()))
}

/// What the panel's page needs besides the HTML.
fn dressed(mut answer: Value) -> Value {
    answer["css"] = look::EMBED_CSS.url().into();
    answer["js"] = look::JS.url().into();
    answer
}

/// The requested slot. A slot that no panel has would otherwise stay empty, and nobody would know why.
fn slot_name(asked: &Asked) -> Result<&str, Problem> {
    let name = asked.parameter("slot");
    let there = || format!("There is no slot {name}; there are {}.", SLOTS.join(", "));
    SLOTS.contains(&name).then_some(name).ok_or_else(|| problem::NO_SUCH_PAGE.detail(there()))
}

/// A region of one of the panel's pages.
fn slot(asked: &Asked) -> Result<Response, Problem> {
    let name = slot_name(asked)?;
    let wanted = Wanted::to_draw(asked)?;
    let level = match asked.word(LEVEL).as_deref() {
        None | Some("2") => 2,
        Some("3") => 3,
        Some(_) => {
            return Err(Problem::argument(LEVEL, format!("{LEVEL} must be 2 or 3.")));
        }
    };
    let caller = &wanted.person.caller;
    if as_json(asked) {
        let subject = wanted.subject()?;
        let regions = asked.served.host.slot_as(name, subject.as_ref(), &wanted.surface(), json::region);
        return Ok(json_view(&json!({ "regions": wanted.or_broken(regions) })));
    }
    let region = asked.served.host.slot(name, wanted.subject()?.as_ref(), level, &wanted.surface());
    let words = Words::of(&caller.locale);
    let (html, summary) = (within(&region.html, words), within(&region.summary.draw(words), words));
    Ok(json_answer(&dressed(json!({ "html": html.as_str(), "summary": summary.as_str() }))))
}

/// What plugins say in the rows of a list, or beside a heading: for each subject, in their order.
fn rows(asked: &Asked) -> Result<Response, Problem> {
    let name = slot_name(asked)?;
    let wanted = Wanted::to_draw(asked)?;
    let subjects = asked.query().filter(|(name, _)| name == FOR).map(|(_, id)| account(&id));
    let subjects = subjects.collect::<Result<Vec<_>, _>>()?;
    if !(1..=SUBJECTS).contains(&subjects.len()) {
        let detail = format!("{FOR} must be there 1 to {SUBJECTS} times.");
        return Err(Problem::argument(FOR, detail));
    }
    if as_json(asked) {
        let rows = asked.served.host.rows_as(name, &subjects, &wanted.surface(), json::row);
        let said = rows.into_iter().zip(&subjects);
        let said = said.map(|(row, subject)| json!({ "subject": subject, "regions": wanted.or_broken(row) }));
        return Ok(json_view(&json!({ "rows": said.collect::<Vec<_>>() })));
    }
    let rows = asked.served.host.rows(name, &subjects, &wanted.surface());
    let words = Words::of(&wanted.person.caller.locale);
    let drawn = rows.iter().zip(&subjects).map(|(plugins, subject)| {
        let join = |part: fn(&Row) -> &Markup| {
            let mut html = Html::new();
            plugins.iter().for_each(|row| {
                html.markup(part(row));
            });
            within(&html.done(), words).as_str().to_owned()
        };
        json!({ "subject": subject, "sentence": join(|row| &row.sentence), "actions": join(|row| &row.actions) })
    });
    Ok(json_answer(&dressed(json!({ "rows": drawn.collect::<Vec<_>>() }))))
}

/// A plugin's page, or one of the host's own.
fn page(asked: &Asked) -> Result<Response, Problem> {
    let wanted = Wanted::to_draw(asked)?;
    let needed = |name| {
        let detail = || format!("{name} must name the page.");
        asked.word(name).ok_or_else(|| Problem::argument(name, detail()))
    };
    let (plugin, name) = (needed(PLUGIN)?, needed(PAGE)?);
    let arguments = asked.query().filter(|(name, _)| !name.starts_with("kt-") && name != "lang");
    let arguments: Vec<(String, String)> = arguments.map(|(n, v)| (n.into_owned(), v.into_owned())).collect();
    let (subject, surface) = (wanted.subject()?, wanted.surface());
    let no = |error| refused(error, &wanted.person);
    let drawn = if plugin == OWN {
        // For readers whom the panel lets use it.
        wanted.person.operates()?;
        let page = OperatorPage::named(&name).filter(|page| page.remote);
        let page = page.ok_or_else(|| Problem::from(&problem::NOT_FOUND))?;
        asked.served.host.operator_page(page, &arguments, &surface, "keyturn serve").map_err(no)?
    } else if as_json(asked) {
        let host = &asked.served.host;
        let view = host.page_as(&plugin, &name, subject.as_ref(), &arguments, &surface, json::view);
        return Ok(json_view(&view.map_err(no)?));
    } else {
        asked.served.host.page(&plugin, &name, subject.as_ref(), &arguments, &surface).map_err(no)?
    };
    Ok(json_answer(&dressed(whole(&drawn, &wanted.person))))
}

fn whole(page: &Page, person: &OnBehalf) -> Value {
    json!({ "title": page.title, "html": within(&page.html, Words::of(&person.caller.locale)).as_str() })
}

/// A page that may be for one person: the reader isn't asked to sign in.
fn refused(error: CallError, person: &OnBehalf) -> Problem {
    match error {
        CallError::Denied { .. } if person.caller.actor == Actor::Anonymous => Problem::from(&problem::SIGN_IN),
        error => Problem::of(error),
    }
}

/// The notice of a finished form, to stand before the page's h1; null if it is somebody else's, or too late.
fn notice(asked: &Asked) -> Result<Response, Problem> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Kept {
        notice: String,
    }
    let person = OnBehalf::of(asked)?;
    let Kept { notice } = body(asked)?;
    let caller = &person.caller;
    let surface = Surface { caller, submit_url: "", join: None, links: &*asked.served.links, corrections: None };
    let html = asked.served.host.notice(&notice, &surface);
    let html = html.map(|html| within(&html, Words::of(&caller.locale)).as_str().to_owned());
    Ok(json_answer(&dressed(json!({ "html": html }))))
}

/// A form, as the reader's browser posted it to the panel.
fn submit(asked: &Asked) -> Result<Response, Problem> {
    let wanted = Wanted::of(asked)?;
    let kind = asked.received.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(
            problem::MEDIA_TYPE.detail("Pass on a form as application/x-www-form-urlencoded, as it was posted.")
        );
    }
    wanted.run(&asked.received.body)
}

/// A form that waited until its sender confirmed their identity.
fn held(asked: &Asked) -> Result<Response, Problem> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Held {
        held: String,
    }
    let wanted = Wanted::of(asked)?;
    let Held { held } = body(asked)?;
    let form = asked.served.host.held(&wanted.person.caller, &held).map_err(of_form)?;
    wanted.run(&form)
}

fn of_form(error: FormError) -> Problem {
    match error {
        FormError::TooLarge => Problem::from(&problem::TOO_LARGE),
        FormError::Malformed(_) | FormError::Foreign | FormError::Stale(_) => {
            problem::FOREIGN_FORM.detail(error.to_string())
        }
    }
}

/// Corrections on their way back: sealed for the reader, together with a generated password.
fn sealed(corrections: &Corrections, keys: &Keys, person: &OnBehalf) -> String {
    let mut sealed = corrections.seal(keys, &person.caller.actor);
    if let Some(generated) = &corrections.generated {
        sealed.push('.');
        sealed.push_str(&generated.seal(keys, &person.caller));
    }
    sealed
}

fn opened(sealed: &str, asked: &Asked, person: &OnBehalf) -> Result<Corrections, Problem> {
    let (sealed, generated) = match sealed.split_once('.') {
        Some((sealed, generated)) => (sealed, Some(generated)),
        None => (sealed, None),
    };
    let foreign = || problem::FOREIGN_FORM.detail("corrections are not this reader's.");
    let keys = asked.served.host.keys();
    let mut corrections = Corrections::open(sealed, keys, &person.caller.actor).ok_or_else(foreign)?;
    if let Some(generated) = generated {
        corrections.generated = Some(Box::new(Generated::open(generated, keys, &person.caller).ok_or_else(foreign)?));
    }
    Ok(corrections)
}
