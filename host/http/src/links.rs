//! Link pages. The emailed address contains a token. A GET changes nothing, but moves the token into a cookie that only the
//! clean address `/PAGE/~HANDLE` gets, and redirects there. The handle begins with a MAC of the token, so links in two tabs
//! don't mix. It ends with its time of creation, so that a browser without cookies is recognised by the missing cookie.
//! Characters that mail programs and people put around an address are removed. A link page and its form are always called as
//! anonymous, whoever is signed in. An emailed address has the language of its email, and so have the addresses that follow
//! from it.

use std::borrow::Cow;
use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use form_urlencoded::Serializer;
use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

use super::body::{Unread, whole};
use super::reader;
use super::serve::NoRoom;
use super::served::{NO_REFERRER, Served};
use keyturn_core::accounts::Reach;
use keyturn_core::caller::{Actor, Caller};
use keyturn_core::origin::with_query;
use keyturn_core::seal::Keys;
use keyturn_core::time::now;
use keyturn_core::words::Words;
use keyturn_pages::{NOTICE_COOKIE, SubmitError, Submitted, Surface};
use keyturn_runtime::capabilities::RETRY_SECONDS;
use keyturn_runtime::surroundings::LINK_OF;
use keyturn_runtime::{CallError, Failure};
use keyturn_store::StorageError;
use keyturn_ui::form::{BODY, FormError};
use keyturn_ui::html::Html;
use keyturn_ui::nodes::{Intent, Target};
use keyturn_ui::shell::parts::button_link;
use keyturn_ui::{Corrections, Page, shell};

/// The cookie that holds a link's token, sealed.
const TOKEN_COOKIE: &str = "kt-link";
/// Seconds that the cookie lives; the plugin decides when the link itself expires.
const TOKEN_SECONDS: u32 = 3_600;
/// Seconds within which a browser comes back with its new cookie. Later, the address may have been opened in another browser.
const BACK_SECONDS: i64 = 120;

pub(super) fn routes(page: &str) -> Router<Served> {
    let page: &'static str = Box::leak(page.to_owned().into_boxed_str());
    let opened = move |served: State<Served>, parts: Parts| async move {
        blocking(move || open(&Visit::new(&served.0, page, &parts))).await
    };
    let posted = move |served: State<Served>, parts: Parts, body: Body| async move {
        let body = whole(body, BODY).await;
        blocking(move || post(&Visit::new(&served.0, page, &parts), body)).await
    };
    let methods = get(opened).post(posted);
    // With two slashes before it, if somebody has joined the origin and the path.
    let routes = ["", "/"].map(|slash| format!("{slash}/{page}/{{*rest}}"));
    routes.iter().fold(Router::new(), |router, route| router.route(route, methods.clone()))
}

/// The part of an address after the page's name.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Token(String),
    /// The handle of its cookie, see [`handle`].
    Handle(String),
    /// Neither of them.
    Cut,
}

impl Said {
    /// Leaves out what can't be part of a token: slashes, brackets, quotes, a sentence's full stop, and line ends where the
    /// address was too long for one line.
    fn read(path: &str, page: &str) -> Self {
        let rest = path.trim_start_matches('/').strip_prefix(page).unwrap_or_default();
        let rest = percent_decode_str(rest).decode_utf8_lossy();
        let rest: String = rest.chars().filter(char::is_ascii_graphic).collect();
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let runs = rest.split(|c: char| !is_part(c)).filter(|run| (16..=128).contains(&run.len()));
        let Some(run) = runs.max_by_key(|run| run.len()) else { return Self::Cut };
        match rest.contains(&format!("~{run}")) {
            true => Self::Handle(format!("~{run}")),
            false => Self::Token(run.to_owned()),
        }
    }
}

/// Characters of a handle that come from the token: they are the same for a browser that opens a link twice.
const OF_TOKEN: usize = 25;

/// The part of a clean address that comes from the token.
fn handle(keys: &Keys, page: &str, token: &str) -> String {
    let mac = keys.mac("link handle", &[page.as_bytes(), token.as_bytes()]);
    format!("~{}", URL_SAFE_NO_PAD.encode(&mac[..18]))
}

/// The part after it: when the cookie was set, in Unix seconds, with a MAC.
fn made(keys: &Keys, page: &str, handle: &str, at: i64) -> String {
    let at = u32::try_from(at).unwrap_or_default().to_be_bytes();
    let mac = keys.mac("link handle made", &[page.as_bytes(), handle.as_bytes(), &at]);
    URL_SAFE_NO_PAD.encode([&at[..], &mac[..8]].concat())
}

/// When a cookie was set for this handle; none if the host never set one.
fn made_at(keys: &Keys, page: &str, said: &str) -> Option<i64> {
    let (handle, rest) = said.split_at_checked(OF_TOKEN)?;
    let at = URL_SAFE_NO_PAD.decode(rest).ok()?;
    let at = i64::from(u32::from_be_bytes(*at.first_chunk::<4>()?));
    (made(keys, page, handle, at) == rest).then_some(at)
}

async fn blocking(work: impl FnOnce() -> Response + Send + 'static) -> Response {
    match tokio::task::spawn_blocking(work).await {
        Ok(response) => response,
        Err(cause) => {
            tracing::error!("a link page failed: {cause}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// One request of a link page.
struct Visit<'a> {
    served: &'a Served,
    page: &'a str,
    caller: Caller,
    parts: &'a Parts,
    said: Said,
    /// The plugin that the address names as the link's maker.
    whose: Option<String>,
}

impl<'a> Visit<'a> {
    fn new(served: &'a Served, page: &'a str, parts: &'a Parts) -> Self {
        let said = Said::read(parts.uri.path(), page);
        let handle = match &said {
            Said::Handle(said) => said.get(..OF_TOKEN).unwrap_or(said),
            Said::Token(_) | Said::Cut => "",
        };
        let mut caller = Caller::new(Actor::Anonymous, Reach::none());
        caller.address = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|client| client.0.ip());
        caller.locale = reader::locale(&parts.uri, &parts.headers);
        caller.session = format!("link {page} {handle}");
        let whose = reader::asked(&parts.uri, LINK_OF).map(Cow::into_owned);
        Self { served, page, caller, parts, said, whose }
    }

    fn path(&self) -> &'a str {
        self.parts.uri.path()
    }

    fn words(&self) -> Words {
        Words::of(&self.caller.locale)
    }

    fn place(&self) -> [&'a str; 2] {
        [TOKEN_COOKIE, self.page]
    }

    fn keys(&self) -> &Keys {
        self.served.host.keys()
    }

    /// The token in the cookie, if it belongs to this handle.
    fn token(&self, said: &str) -> Option<String> {
        let token = self.keys().open_text(&self.place(), reader::cookie(&self.parts.headers, TOKEN_COOKIE)?).ok()?;
        let token = String::from_utf8(token.to_vec()).ok()?;
        (said.get(..OF_TOKEN) == Some(&handle(self.keys(), self.page, &token))).then_some(token)
    }

    /// Whether the cookie was set a moment ago, so that a browser that keeps cookies would have sent it.
    fn was_just_set(&self, said: &str) -> bool {
        let at = made_at(self.keys(), self.page, said);
        at.is_some_and(|at| (0..=BACK_SECONDS).contains(&(now().div_euclid(1_000) - at)))
    }

    /// Lax: the reader comes from an email, and Strict would withhold the cookie on the very redirect that sets it.
    fn cookie(&self, name: &str, value: &str, path: &str, seconds: u32) -> String {
        let secure = if self.served.host.origin().starts_with("https://") { "; Secure" } else { "" };
        format!("{name}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
    }

    /// An address of this host, in the language of this one.
    fn in_language(&self, address: &str) -> String {
        let asked = reader::asked_locale(&self.parts.uri).map(|tag| format!("lang={tag}"));
        with_query(address, &asked.unwrap_or_default())
    }

    /// An address of this page, for the same plugin's link.
    fn of_this_link(&self, address: &str) -> String {
        self.of_this_plugin(&self.in_language(address))
    }

    fn of_this_plugin(&self, address: &str) -> String {
        let whose =
            self.whose.as_ref().map(|plugin| Serializer::new(String::new()).append_pair(LINK_OF, plugin).finish());
        with_query(address, &whose.unwrap_or_default())
    }

    /// Whether an address is on another origin. A panel there can't read this host's cookie, and the policy lets no form
    /// redirect there. So the result is shown here.
    fn is_elsewhere(&self, address: &str) -> bool {
        let whole = address.starts_with("http://") || address.starts_with("https://");
        let rest = address.strip_prefix(&self.served.host.origin());
        whole && !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The result of this link is shown at its own address only, so nobody can plant it at another.
    fn done_here(&self) -> [&str; 2] {
        ["link done", self.path()]
    }

    /// The result of the form that was posted here, with a button to the panel; none if there is no such result.
    fn done(&self) -> Option<Response> {
        let panel = self.served.links.url("", &Target::SignIn);
        let cookie = reader::cookie(&self.parts.headers, NOTICE_COOKIE).filter(|_| self.is_elsewhere(&panel))?;
        let notice = self.keys().open_text(&self.done_here(), cookie).ok()?;
        let notice = std::str::from_utf8(&notice).ok()?;
        let said = self.served.host.notice(notice, &self.surface(self.path(), None))?;
        let words = self.words();
        let title = words.get("link-done-title");
        let on = words.fill("link-done", &[("brand", &self.served.host.brand().name)]);
        let on = button_link(shell::Link { label: &on, url: &panel }, Intent::Primary);
        let mut html = Html::new();
        html.class("div", "kt-section").markup(&said).element("h1", &[], title);
        html.class("div", "kt-buttons").markup(&on).close("div").close("div");
        Some(self.shell(StatusCode::OK, &Page { title: title.to_owned(), html: html.done() }))
    }

    /// From the emailed address to the clean one.
    fn clean(&self, token: &str) -> Response {
        let handle = handle(self.keys(), self.page, token);
        let made = made(self.keys(), self.page, &handle, now().div_euclid(1_000));
        let path = format!("/{}/{handle}{made}", self.page);
        let sealed = self.keys().seal_text(&self.place(), token.as_bytes());
        let cookie = self.cookie(TOKEN_COOKIE, &sealed, &path, TOKEN_SECONDS);
        redirect(&self.of_this_link(&path), Some(&cookie))
    }

    fn surface<'s>(&'s self, submit_url: &'s str, corrections: Option<&'s Corrections>) -> Surface<'s> {
        Surface { caller: &self.caller, submit_url, join: None, links: &*self.served.links, corrections }
    }

    fn show(&self, token: &str, corrections: Option<&Corrections>) -> Response {
        let submit_url = &self.of_this_link(self.path());
        let surface = self.surface(submit_url, corrections);
        match self.served.host.link_page(self.page, self.whose.as_deref(), token, &surface) {
            Ok(page) if corrections.is_some() => self.shell(StatusCode::UNPROCESSABLE_ENTITY, &page),
            Ok(page) => self.shell(StatusCode::OK, &page),
            Err(error) => self.error(&error),
        }
    }

    fn shell(&self, status: StatusCode, page: &Page) -> Response {
        let in_language = |tag: &str| self.of_this_plugin(&format!("{}?lang={tag}", self.path()));
        let shown = self.served.shell(&self.caller.locale, &self.parts.headers, in_language, |chrome| {
            shell::public(chrome, &page.title, &page.html)
        });
        (status, shown).into_response()
    }

    /// A page that says what happened, and what to do.
    fn calm(&self, status: StatusCode, title: &str, text: &str) -> Response {
        let words = self.words();
        let title = words.get(&format!("{title}-title")).to_owned();
        let mut html = Html::new();
        html.element("h1", &[], &title);
        html.element("p", &[], &words.fill(text, &[("request", &self.caller.request)]));
        self.shell(status, &Page { title, html: html.done() })
    }

    fn lost(&self, status: StatusCode) -> Response {
        self.calm(status, "link-lost", "link-lost")
    }

    fn error(&self, error: &CallError) -> Response {
        tracing::warn!(request = self.caller.request, page = self.page, "{error}");
        let (status, key) = match error {
            CallError::Busy(_) | CallError::Failed(Failure::Unavailable(_)) => {
                (StatusCode::SERVICE_UNAVAILABLE, "busy")
            }
            CallError::LeftOut { .. } => (StatusCode::SERVICE_UNAVAILABLE, "left-out"),
            CallError::Conflict => (StatusCode::CONFLICT, "conflict"),
            CallError::Indeterminate => (StatusCode::GATEWAY_TIMEOUT, "unsure"),
            CallError::Storage(StorageError::Replaced(_)) => (StatusCode::SERVICE_UNAVAILABLE, "broken"),
            CallError::Failed(Failure::Expired | Failure::NotFound) | CallError::NoSuch(_) => {
                (StatusCode::GONE, "link-lost")
            }
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "broken"),
        };
        let mut response = self.calm(status, key, key);
        if let CallError::Busy(seconds) | CallError::Failed(Failure::Unavailable(seconds)) = error {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(*seconds));
        }
        response
    }
}

fn redirect(to: &str, cookie: Option<&str>) -> Response {
    let mut response = (StatusCode::SEE_OTHER, NO_REFERRER).into_response();
    let headers = response.headers_mut();
    for (name, value) in [(header::LOCATION, Some(to)), (header::SET_COOKIE, cookie)] {
        headers.extend(value.and_then(|value| HeaderValue::from_str(value).ok()).map(|value| (name, value)));
    }
    response
}

fn open(visit: &Visit<'_>) -> Response {
    let handle = match &visit.said {
        Said::Token(token) => return visit.clean(token),
        Said::Cut => return visit.calm(StatusCode::GONE, "link-lost", "link-cut"),
        Said::Handle(handle) => handle,
    };
    // Only the clean address gets the cookie.
    let path = format!("/{}/{handle}", visit.page);
    if visit.path() != path {
        return redirect(&visit.of_this_link(&path), None);
    }
    if let Some(done) = visit.done() {
        return done;
    }
    match visit.token(handle) {
        Some(token) => visit.show(&token, None),
        None if visit.was_just_set(handle) => visit.calm(StatusCode::FORBIDDEN, "link-cookie", "link-cookie"),
        None => visit.lost(StatusCode::GONE),
    }
}

fn post(visit: &Visit<'_>, body: Result<Zeroizing<Vec<u8>>, Unread>) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(error) if NoRoom::is_why(&error) => return visit.error(&CallError::Busy(RETRY_SECONDS)),
        Err(error) => {
            tracing::warn!(request = visit.caller.request, "{error}");
            let status = match error {
                Unread::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
                Unread::Broken(_) => StatusCode::BAD_REQUEST,
            };
            return visit.lost(status);
        }
    };
    let submit_url = &visit.of_this_link(visit.path());
    match visit.served.host.submit(&body, &visit.surface(submit_url, None)) {
        Ok(Submitted::Done { url, notice, .. }) => {
            let (url, path, notice) = match visit.is_elsewhere(&url) {
                true => {
                    let sealed = visit.keys().seal_text(&visit.done_here(), notice.as_bytes());
                    (visit.of_this_plugin(visit.path()), visit.path(), sealed)
                }
                false => (url, "/", notice),
            };
            let cookie = visit.cookie(NOTICE_COOKIE, &notice, path, 60);
            redirect(&visit.in_language(&url), Some(&cookie))
        }
        Ok(Submitted::Reveal(page)) => visit.shell(StatusCode::OK, &page),
        Ok(Submitted::Script(json)) => ([(header::CONTENT_TYPE, "application/json")], json.to_string()).into_response(),
        // An anonymous caller can't confirm an identity.
        Ok(Submitted::StepUp(_)) => visit.lost(StatusCode::FORBIDDEN),
        Ok(Submitted::Again(corrections)) => again(visit, &corrections),
        Ok(Submitted::Stale(stale)) => again(visit, &stale.corrections),
        Err(SubmitError::Call(error)) => visit.error(&error),
        Err(SubmitError::Form(error)) => {
            tracing::warn!(request = visit.caller.request, "{error}");
            let status = match error {
                FormError::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
                FormError::Malformed(_) => StatusCode::BAD_REQUEST,
                FormError::Foreign | FormError::Stale(_) => StatusCode::FORBIDDEN,
            };
            visit.lost(status)
        }
    }
}

/// The form again. Its token comes from the form itself, so a late Save works without the cookie, too.
fn again(visit: &Visit<'_>, corrections: &Corrections) -> Response {
    match corrections.place.token() {
        Some(token) => visit.show(token, Some(corrections)),
        None => visit.lost(StatusCode::GONE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "7RkTq2vXw9c2QeLm4Zs8Pa-_7RkTq2vX";

    #[test]
    fn a_link_that_a_mail_program_or_a_person_has_bent_is_read_as_it_was_made() {
        for bent in [
            "/choose/T",
            "/choose/T/",
            "/choose//T",
            "//choose/T",
            "/choose/T//",
            "/choose/T>",
            "/choose/T%3E",
            "/choose/T%3e",
            "/choose/<T>",
            "/choose/%3CT%3E",
            "/choose/T.",
            "/choose/T,",
            "/choose/T)",
            "/choose/T);",
            "/choose/T\"",
            "/choose/%22T%22",
            "/choose/T'",
            "/choose/T%E2%80%9D",
            "/choose/T%0D%0A",
            "/choose/%20T%20",
            "/choose/T%C2%A0",
            "/choose/T%3Cbr%3E",
            "/choose/T*",
            "/choose/T%",
            "/choose/T%FF",
            "/choose/T]",
            "/choose/T~",
        ] {
            let path = bent.replace('T', TOKEN);
            assert_eq!(Said::read(&path, "choose"), Said::Token(TOKEN.to_owned()), "{path}");
            let path = bent.replace('T', &format!("~{TOKEN}"));
            assert_eq!(Said::read(&path, "choose"), Said::Handle(format!("~{TOKEN}")), "{path}");
        }
        for (encoded, what) in [
            (TOKEN.replace('-', "%2D").replace('_', "%5F"), "in capitals"),
            (TOKEN.replace('-', "%2d").replace('_', "%5f"), "in small letters"),
            (format!("{}%0D%0A%20{}", &TOKEN[..12], &TOKEN[12..]), "over two lines"),
            (format!("{}%E2%80%8B{}", &TOKEN[..12], &TOKEN[12..]), "with a space of no width"),
        ] {
            assert_eq!(Said::read(&format!("/choose/{encoded}"), "choose"), Said::Token(TOKEN.to_owned()), "{what}");
        }
        for cut in ["/choose/", "/choose/%3E", "/choose/short", "/choose/~", "/other/7RkTq2vXw9c2QeLm4Zs8Pa"] {
            assert_eq!(Said::read(cut, "choose"), Said::Cut, "{cut}");
        }
        assert_eq!(Said::read(&format!("/choose/%7E{TOKEN}"), "choose"), Said::Handle(format!("~{TOKEN}")));
    }
}
