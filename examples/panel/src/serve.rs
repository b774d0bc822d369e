//! Addresses and their handlers. Everything that blocks runs on a thread of its own.

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRequestParts as _, RawPathParams, Request as HttpRequest, State};
use axum::http::Method;
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use keyturn_host::http::body::whole;
use keyturn_host::http::harden;
use keyturn_host::http::serve::{NoRoom, serve};
use keyturn_host::view::form::BODY;
use tokio::net::TcpListener;
use tokio::task::spawn_blocking;

use crate::answer::{self, Failed};
use crate::pages::{account, details, home, operator, overview, people, plugin, sign_in, step_up};
use crate::request::Request;
use crate::site::Site;
use crate::visitor::{Visitor, from_elsewhere};

/// The first segments of the panel's own addresses: no plugin's link page can have one of them.
const OWN_ADDRESSES: [&str; 10] = [
    "sign-in",
    "sign-out",
    "operator",
    "step-up",
    "theme",
    "account",
    "plugins",
    "customers",
    "resellers",
    "administrators",
];
/// Seconds until there may be room for a body again.
const AGAIN: u32 = 5;

type Handler = fn(&mut Request) -> Result<Response, Failed>;

/// All addresses of the panel, and beside them the host's own: link pages, and the files of the look.
pub fn router(site: Arc<Site>) -> Router {
    site.host.reserve(&OWN_ADDRESSES);
    let hosts = keyturn_host::http::router(site.host.clone(), site.clone());
    Router::new()
        .route("/", only(home::show))
        .route("/sign-in", both(sign_in::show, sign_in::enter))
        .route("/sign-out", posting(home::sign_out))
        .route("/operator/{page}", both(operator::show, operator::post))
        .route("/operator/inbox-html", only(operator::inbox_html))
        .route("/step-up", both(step_up::show, step_up::post))
        .route("/theme", posting(home::theme))
        .route("/account", both(account::show, account::post))
        .route("/.well-known/change-password", only(home::change_password))
        .route("/plugins/{plugin}/{page}", both(plugin::show, plugin::post))
        .route("/{folk}", both(people::show, people::post))
        .route("/{folk}/{id}", both(overview::show, overview::post))
        .route("/{folk}/{id}/details", both(details::show, details::post))
        .fallback(answering(home::nothing))
        .with_state(site)
        .merge(hosts)
}

fn only(show: Handler) -> MethodRouter<Arc<Site>> {
    get(answering(show)).fallback(|| async { answer::wrong_method("GET, HEAD") })
}

fn posting(run: Handler) -> MethodRouter<Arc<Site>> {
    post(answering(run)).fallback(|| async { answer::wrong_method("POST") })
}

fn both(show: Handler, run: Handler) -> MethodRouter<Arc<Site>> {
    get(answering(show)).post(answering(run)).fallback(|| async { answer::wrong_method("GET, HEAD, POST") })
}

type Answering = std::pin::Pin<Box<dyn Future<Output = Response> + Send>>;

fn answering(handler: Handler) -> impl Fn(State<Arc<Site>>, HttpRequest) -> Answering + Clone + Send + Sync + 'static {
    move |State(site), request| Box::pin(answer(site, request, handler))
}

async fn answer(site: Arc<Site>, request: HttpRequest, handler: Handler) -> Response {
    let (mut parts, body) = request.into_parts();
    let params = match RawPathParams::from_request_parts(&mut parts, &()).await {
        Ok(params) => params.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        Err(_) => Vec::new(),
    };
    let body = whole(body, BODY).await;
    let answered = spawn_blocking(move || {
        let query: Vec<(String, String)> =
            form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        let visitor = Visitor::of(&site, &parts);
        let (visitor, unread) = match visitor {
            Ok(visitor) => (visitor, None),
            Err(failed) => (Visitor::nobody(), Some(failed)),
        };
        let (body, unread) = match body {
            Ok(body) => (body, unread),
            Err(cause) if NoRoom::is_why(&cause) => (Default::default(), unread.or(Some(Failed::Busy(AGAIN)))),
            Err(_) => (Default::default(), unread.or(Some(Failed::TooLarge))),
        };
        let mut request = Request {
            site,
            visitor,
            path: parts.uri.path().to_owned(),
            query,
            params,
            headers: parts.headers,
            body,
            cookies: Vec::new(),
            notice: Default::default(),
        };
        request.hear();
        let result = match unread {
            Some(failed) => Err(failed),
            None if parts.method == Method::POST && from_elsewhere(&request.headers) => Err(Failed::Forged),
            None => handler(&mut request),
        };
        let response = result.unwrap_or_else(|failed| request.failed(&failed));
        request.finish(response)
    });
    answered.await.unwrap_or_else(|cause| {
        tracing::error!("a request's thread ended: {cause}");
        let mut response = answer::page(axum::http::StatusCode::INTERNAL_SERVER_ERROR, &Default::default());
        harden(response.headers_mut(), false);
        response
    })
}

/// Serves until `until`, then finishes the running requests.
pub async fn run(site: Arc<Site>, listener: TcpListener, until: impl Future<Output = ()>) {
    let manners = site.manners.clone();
    serve(listener, router(site), manners, until).await;
}
