//! Link pages. The mailed address holds a token; a GET changes nothing but where the token stands: it goes into a
//! cookie that only the clean address `/PAGE/~HANDLE` gets, and the reader is sent there. The handle is a MAC of the
//! token, so two links in two tabs do not mix. Whoever is signed in, a link page and its form are called as nobody. A
//! mailed address asks for the language of its mail, and so do the addresses that follow from it.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, State};
use axum::http::{Extensions, HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Served, css_url, icon_url, js_url, page_headers, reader, theme_url, with_query};
use crate::accounts::Reach;
use crate::call::{CallError, Failure};
use crate::caller::{Actor, Caller};
use crate::embed::{NOTICE_COOKIE, SubmitError, Submitted, Surface};
use crate::storage::StorageError;
use crate::view::form::{BODY, FormError};
use crate::view::html::Html;
use crate::view::nodes::{Intent, Target};
use crate::view::shell::parts::button_link;
use crate::view::words::Words;
use crate::view::{Corrections, Page, shell};

/// The cookie that holds a link's token, sealed.
const TOKEN_COOKIE: &str = "kt-link";
/// Seconds that the cookie lives; the link's own end is the plugin's affair.
const TOKEN_SECONDS: u32 = 3_600;

pub(super) fn routes(page: &str) -> Router<Served> {
    let page: &'static str = Box::leak(page.to_owned().into_boxed_str());
    let opened = move |served: State<Served>,
                       path: Path<String>,
                       uri: Uri,
                       headers: HeaderMap,
                       extensions: Extensions| async move {
        blocking(move || open(&served.0, page, &path.0, &uri, &headers, &extensions)).await
    };
    let posted = move |served: State<Served>,
                       path: Path<String>,
                       uri: Uri,
                       headers: HeaderMap,
                       extensions: Extensions,
                       body: Bytes| async move {
        blocking(move || post(&served.0, page, &path.0, &uri, &headers, &extensions, &body)).await
    };
    Router::new().route(&format!("/{page}/{{secret}}"), get(opened).post(posted)).layer(DefaultBodyLimit::max(BODY))
}

async fn blocking(work: impl FnOnce() -> Response + Send + 'static) -> Response {
    match tokio::task::spawn_blocking(work).await {
        Ok(response) => response,
        Err(cause) => {
            tracing::error!("a link page broke: {cause}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// One request of a link page.
struct Visit<'a> {
    served: &'a Served,
    page: &'a str,
    caller: Caller,
    uri: &'a Uri,
    headers: &'a HeaderMap,
}

impl<'a> Visit<'a> {
    fn new(
        served: &'a Served,
        page: &'a str,
        handle: &str,
        uri: &'a Uri,
        headers: &'a HeaderMap,
        extensions: &Extensions,
    ) -> Self {
        let mut caller = Caller::new(Actor::Anonymous, Reach::none());
        caller.address = extensions.get::<ConnectInfo<SocketAddr>>().map(|client| client.0.ip());
        caller.locale = reader::locale(uri, headers);
        caller.session = format!("link {page} {handle}");
        Self { served, page, caller, uri, headers }
    }

    fn words(&self) -> Words {
        Words::of(&self.caller.locale)
    }

    fn place(&self) -> [&'a str; 2] {
        [TOKEN_COOKIE, self.page]
    }

    fn handle(&self, token: &str) -> String {
        let mac = self.served.host.0.keys.mac("link handle", &[self.page.as_bytes(), token.as_bytes()]);
        format!("~{}", URL_SAFE_NO_PAD.encode(&mac[..18]))
    }

    /// The token of the cookie, if it is this handle's.
    fn token(&self, handle: &str) -> Option<String> {
        let sealed = URL_SAFE_NO_PAD.decode(reader::cookie(self.headers, TOKEN_COOKIE)?).ok()?;
        let token = self.served.host.0.keys.open_sealed(&self.place(), &sealed).ok()?;
        let token = String::from_utf8(token.to_vec()).ok()?;
        (self.handle(&token) == handle).then_some(token)
    }

    fn secure(&self) -> &'static str {
        if self.served.host.origin().starts_with("https://") { "; Secure" } else { "" }
    }

    /// An address of ours, in the language that this one asks for.
    fn in_language(&self, address: &str) -> String {
        let asked = reader::asked_locale(self.uri).map(|tag| format!("lang={tag}"));
        with_query(address, &asked.unwrap_or_default())
    }

    /// Whether an address is one of a panel on another origin: it reads no cookie of ours, and our policy lets no form lead
    /// there. So what was done is said here.
    fn is_elsewhere(&self, address: &str) -> bool {
        let whole = address.starts_with("http://") || address.starts_with("https://");
        let rest = address.strip_prefix(&self.served.host.origin());
        whole && !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// What was done by this link is said at its own address alone: nobody can plant it at another's.
    fn done_here(&self) -> [&str; 2] {
        ["link done", self.uri.path()]
    }

    /// What the form that was posted here has done, and the way on to the panel; none if this is no such visit.
    fn done(&self) -> Option<Response> {
        let links = self.served.site.links();
        let panel = links.url("", &Target::SignIn);
        let cookie = reader::cookie(self.headers, NOTICE_COOKIE).filter(|_| self.is_elsewhere(&panel))?;
        let sealed = URL_SAFE_NO_PAD.decode(cookie).ok()?;
        let notice = self.served.host.0.keys.open_sealed(&self.done_here(), &sealed).ok()?;
        let notice = std::str::from_utf8(&notice).ok()?;
        let surface = Surface { submit_url: self.uri.path(), join: None, links, corrections: None };
        let said = self.served.host.notice(&self.caller, notice, &surface)?;
        let words = self.words();
        let title = words.get("link-done-title");
        let on = words.fill("link-done", &[("brand", &self.served.host.brand().name)]);
        let on = button_link(shell::Link { label: &on, url: &panel }, Intent::Primary);
        let mut html = Html::new();
        html.class("div", "kt-section").markup(&said).element("h1", &[], title);
        html.class("div", "kt-buttons").markup(&on).close("div").close("div");
        Some(self.shell(StatusCode::OK, &Page { title: title.to_owned(), html: html.done() }))
    }

    /// From the mailed address to the clean one.
    fn clean(&self, token: &str) -> Response {
        let handle = self.handle(token);
        let path = format!("/{}/{handle}", self.page);
        let sealed = URL_SAFE_NO_PAD.encode(self.served.host.0.keys.seal(&self.place(), token.as_bytes()));
        // Lax: the reader comes from his mail, and Strict would withhold the cookie on this very redirect.
        let cookie = format!(
            "{TOKEN_COOKIE}={sealed}; Path={path}; Max-Age={TOKEN_SECONDS}; HttpOnly; SameSite=Lax{}",
            self.secure()
        );
        redirect(&self.in_language(&path), Some(&cookie))
    }

    fn show(&self, token: &str, corrections: Option<&Corrections>) -> Response {
        let submit_url = &self.in_language(self.uri.path());
        let surface = Surface { submit_url, join: None, links: self.served.site.links(), corrections };
        match self.served.host.link_page(&self.caller, self.page, token, &surface) {
            Ok(page) if corrections.is_some() => self.shell(StatusCode::UNPROCESSABLE_ENTITY, &page),
            Ok(page) => self.shell(StatusCode::OK, &page),
            Err(error) => self.error(&error),
        }
    }

    fn shell(&self, status: StatusCode, page: &Page) -> Response {
        let site = &self.served.site;
        let languages: Vec<String> =
            crate::view::words::LANGUAGES.iter().map(|(tag, _)| format!("{}?lang={tag}", self.uri.path())).collect();
        let languages: Vec<&str> = languages.iter().map(String::as_str).collect();
        let (icon, css, js, theme_css) = (icon_url(), css_url(), js_url(), theme_url(&self.served.host));
        let chrome = shell::Chrome {
            locale: &self.caller.locale,
            theme: reader::theme(self.headers),
            brand: &self.served.host.brand().name,
            home: site.home(),
            logo: None,
            icon: &icon,
            css: &css,
            theme_css: theme_css.as_deref(),
            js: &js,
            languages: &languages,
            themes: site.themes(),
            help: site.help(),
        };
        let html = shell::public(&chrome, &page.title, &page.html);
        (status, page_headers(), html.as_str().to_owned()).into_response()
    }

    /// A calm page: what happened, and what can be done.
    fn calm(&self, status: StatusCode, title: &str, text: &str) -> Response {
        let words = self.words();
        let mut html = Html::new();
        html.element("h1", &[], words.get(title));
        html.element("p", &[], &words.fill(text, &[("request", &self.caller.request)]));
        let page = Page { title: words.get(title).to_owned(), html: html.done() };
        self.shell(status, &page)
    }

    fn error(&self, error: &CallError) -> Response {
        tracing::warn!(request = self.caller.request, page = self.page, "{error}");
        match error {
            CallError::Busy(seconds) | CallError::Failed(Failure::Unavailable(seconds)) => {
                let mut response = self.calm(StatusCode::SERVICE_UNAVAILABLE, "busy-title", "busy");
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(*seconds));
                response
            }
            CallError::Conflict => self.calm(StatusCode::CONFLICT, "conflict-title", "conflict"),
            CallError::Indeterminate => self.calm(StatusCode::GATEWAY_TIMEOUT, "unsure-title", "unsure"),
            CallError::Storage(StorageError::Replaced(_)) => {
                self.calm(StatusCode::SERVICE_UNAVAILABLE, "broken-title", "broken")
            }
            CallError::Failed(Failure::Expired | Failure::NotFound) | CallError::NoSuch(_) => {
                self.calm(StatusCode::GONE, "link-lost-title", "link-lost")
            }
            _ => self.calm(StatusCode::INTERNAL_SERVER_ERROR, "broken-title", "broken"),
        }
    }
}

fn redirect(to: &str, cookie: Option<&str>) -> Response {
    let mut response = (StatusCode::SEE_OTHER, page_headers()).into_response();
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_TYPE);
    if let Ok(to) = HeaderValue::from_str(to) {
        headers.insert(header::LOCATION, to);
    }
    if let Some(cookie) = cookie.and_then(|cookie| HeaderValue::from_str(cookie).ok()) {
        headers.append(header::SET_COOKIE, cookie);
    }
    response
}

fn open(
    served: &Served,
    page: &str,
    secret: &str,
    uri: &Uri,
    headers: &HeaderMap,
    extensions: &Extensions,
) -> Response {
    let visit = Visit::new(served, page, secret, uri, headers, extensions);
    if secret.starts_with('~') {
        if let Some(done) = visit.done() {
            return done;
        }
        return match visit.token(secret) {
            Some(token) => visit.show(&token, None),
            None => visit.calm(StatusCode::GONE, "link-lost-title", "link-lost"),
        };
    }
    let well_formed = (16..=128).contains(&secret.len())
        && secret.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if well_formed { visit.clean(secret) } else { visit.calm(StatusCode::GONE, "link-lost-title", "link-cut") }
}

fn post(
    served: &Served,
    page: &str,
    handle: &str,
    uri: &Uri,
    headers: &HeaderMap,
    extensions: &Extensions,
    body: &[u8],
) -> Response {
    let visit = Visit::new(served, page, handle, uri, headers, extensions);
    let submit_url = &visit.in_language(uri.path());
    let surface = Surface { submit_url, join: None, links: served.site.links(), corrections: None };
    match served.host.submit(&visit.caller, body, &surface) {
        Ok(Submitted::Done { url, notice, .. }) => {
            let (url, path, notice) = match visit.is_elsewhere(&url) {
                true => {
                    let sealed = visit.served.host.0.keys.seal(&visit.done_here(), notice.as_bytes());
                    (uri.path().to_owned(), uri.path(), URL_SAFE_NO_PAD.encode(sealed))
                }
                false => (url, "/", notice),
            };
            let cookie =
                format!("{NOTICE_COOKIE}={notice}; Path={path}; Max-Age=60; HttpOnly; SameSite=Lax{}", visit.secure());
            redirect(&visit.in_language(&url), Some(&cookie))
        }
        Ok(Submitted::Reveal(page)) => visit.shell(StatusCode::OK, &page),
        Ok(Submitted::Rate(json)) => for_script(json),
        Ok(Submitted::Generated(json)) => for_script(json.to_string()),
        // Nobody in particular cannot prove who he is.
        Ok(Submitted::StepUp(_)) => visit.calm(StatusCode::FORBIDDEN, "link-lost-title", "link-lost"),
        Ok(Submitted::Again(corrections)) => again(&visit, &corrections),
        Ok(Submitted::Stale(stale)) => again(&visit, &stale.corrections),
        Err(SubmitError::Call(error)) => visit.error(&error),
        Err(SubmitError::Form(error)) => {
            tracing::warn!(request = visit.caller.request, "{error}");
            let status = match error {
                FormError::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
                FormError::Malformed(_) => StatusCode::BAD_REQUEST,
                FormError::Foreign | FormError::Stale(_) => StatusCode::FORBIDDEN,
            };
            visit.calm(status, "link-lost-title", "link-lost")
        }
    }
}

fn for_script(json: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, json).into_response()
}

/// The form once more. Its token comes from the form itself, so that a late Save works without the cookie too.
fn again(visit: &Visit<'_>, corrections: &Corrections) -> Response {
    match corrections.place().token() {
        Some(token) => visit.show(token, Some(corrections)),
        None => visit.calm(StatusCode::GONE, "link-lost-title", "link-lost"),
    }
}
