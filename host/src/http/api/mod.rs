//! What machines call, under `/v1/`: plugins' hooks ([`hooks`]); the state of a request ([`operations`]) and of an email
//! ([`mails`]); accounts ([`accounts`]); and plugins' views for the pages of a panel that is not in this program ([`views`]).
//! Each request has a service key or is signed with one ([`who`]), and each refusal is a problem document ([`problem`]).

mod accounts;
mod hooks;
mod mails;
mod openapi;
mod operations;
mod page;
pub(crate) mod problem;
mod signature;
pub(crate) mod traffic;
pub(super) mod views;
mod who;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, FromRequestParts as _, RawPathParams, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get, post};
use serde_json::Value;
use zeroize::Zeroizing;

use super::body::{self, Unread};
use super::serve::NoRoom;
use super::{Served, Site, reader};
use crate::caller::{Caller, request_id};
use crate::host::Host;
use crate::service_key::ServiceKey;
use keyturn_runtime::capabilities::RETRY_SECONDS;
use problem::Problem;

/// Bytes of a body at most.
pub(super) const BODY: usize = 256 * 1024;
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What machines call.
pub(super) fn routes() -> Router<Served> {
    Router::new()
        .route("/v1/hooks/{interface}/{function}", machine(post(answering(hooks::call)), "POST"))
        .route("/v1/operations/{key}", machine(get(answering(operations::show)), "GET, HEAD"))
        .route("/v1/accounts", machine(get(answering(accounts::find)), "GET, HEAD"))
        .route("/v1/accounts/{account}/epoch", machine(get(answering(accounts::epoch)), "GET, HEAD"))
        .route("/v1/mails/{mail}", machine(get(answering(mails::show)), "GET, HEAD"))
        .merge(views::routes())
        .route("/v1/", machine(get(readable), "GET, HEAD"))
        .route("/v1/openapi.json", machine(get(openapi), "GET, HEAD"))
        .route("/v1/{*rest}", axum::routing::any(nothing))
}

/// Anything but its own method is refused, whatever it is called; asking which there are is not.
fn machine(methods: MethodRouter<Served>, allowed: &'static str) -> MethodRouter<Served> {
    let allow = move || format!("{allowed}, OPTIONS");
    methods.options(move || async move { (StatusCode::NO_CONTENT, [(header::ALLOW, allow())]) }).fallback(
        move || async move { Problem::from(&problem::METHOD).header(header::ALLOW, allow()).response(&request_id()) },
    )
}

fn described(served: &Served) -> Value {
    openapi::document(&served.host.brand().name, &served.host.plugins())
}

async fn openapi(State(served): State<Served>) -> Response {
    json_answer(&described(&served))
}

async fn readable(State(served): State<Served>, uri: Uri, headers: HeaderMap) -> Response {
    page::show(&served, &described(&served), &uri, &headers)
}

async fn nothing() -> Response {
    Problem::from(&problem::NO_SUCH_PAGE).response(&request_id())
}

/// One request of a machine whose key was found good.
struct Asked {
    host: Host,
    site: Arc<dyn Site>,
    key: Arc<ServiceKey>,
    caller: Caller,
    received: Received,
}

impl Asked {
    /// A part of the address, by its name in the route.
    fn parameter(&self, name: &str) -> &str {
        let mut parameters = self.received.parameters.iter();
        parameters.find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The parameters of the address's query, in their order.
    fn query(&self) -> impl Iterator<Item = (std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)> {
        form_urlencoded::parse(self.received.uri.query().unwrap_or_default().as_bytes())
    }

    /// What is the host's own to give is given to a key with that scope.
    fn needs(&self, scope: &str) -> Result<(), Problem> {
        if self.key.scopes.contains(scope) {
            return Ok(());
        }
        Err(Problem::from(&problem::NOT_ALLOWED).detail(format!("The key lacks the scope {scope}.")))
    }
}

/// A request as it came.
struct Received {
    id: String,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Zeroizing<Vec<u8>>,
    address: Option<IpAddr>,
    parameters: Vec<(String, String)>,
}

type Handler = fn(&Asked) -> Result<Response, Problem>;
type Answering = std::pin::Pin<Box<dyn Future<Output = Response> + Send>>;

fn answering(handler: Handler) -> impl Fn(State<Served>, Request) -> Answering + Clone + Send + Sync + 'static {
    move |State(served), request| Box::pin(answer(served, request, handler))
}

async fn answer(served: Served, request: Request, handler: Handler) -> Response {
    let (id, began) = (request_id(), Instant::now());
    let (mut parts, body) = request.into_parts();
    let parameters = match RawPathParams::from_request_parts(&mut parts, &()).await {
        Ok(params) => params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        Err(_) => Vec::new(),
    };
    let address = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|client| client.0.ip());
    let (method, uri, headers) = (parts.method, parts.uri, parts.headers);
    let path = uri.path().to_owned();
    let mut response = match whole(&headers, body).await {
        Err(problem) => problem.response(&id),
        Ok(body) => {
            let received = Received { id: id.clone(), method, uri, headers, body, address, parameters };
            let work = move || asked(served, received, handler);
            tokio::task::spawn_blocking(work).await.unwrap_or_else(|cause| {
                tracing::error!(request = id, "a request's thread ended: {cause}");
                Problem::from(&problem::INTERNAL).response(&id)
            })
        }
    };
    let status = response.status().as_u16();
    let key = response.extensions_mut().remove::<Arc<ServiceKey>>();
    let key = key.as_ref().map(|key| key.name.as_str());
    tracing::info!(request = id, key, path, status, ms = began.elapsed().as_secs_f64() * 1_000.0, "answered");
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// All of a body, if there is not too much of it.
async fn whole(headers: &HeaderMap, body: Body) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let too_large = || Problem::from(&problem::TOO_LARGE).detail(format!("Send at most {BODY} bytes."));
    if declared.is_some_and(|length| length > BODY as u64) {
        return Err(too_large());
    }
    body::whole(body, BODY).await.map_err(|cause| {
        if matches!(cause, Unread::TooLarge) {
            too_large()
        } else if NoRoom::is_why(&cause) {
            Problem::from(&problem::BUSY).retry_after(RETRY_SECONDS)
        } else {
            Problem::from(&problem::BODY_LATE)
        }
    })
}

fn asked(Served { host, site }: Served, received: Received, handler: Handler) -> Response {
    let (request, address) = (received.id.clone(), received.address);
    let turned_away = |problem: Problem| {
        tracing::warn!(request, code = problem.kind.code, "a request was refused");
        problem.response(&request)
    };
    let asker = match who::asker(&host, &received) {
        Ok(asker) => asker,
        Err(problem) => return turned_away(problem),
    };
    let key = Arc::clone(&asker.key);
    let allowance = traffic::allowance(&host, &key.id, received.uri.path());
    // The nonce after the allowance: what is turned away fills no memory.
    let mut response = if !allowance.within {
        Problem::from(&problem::RATE).retry_after(allowance.seconds()).response(&request)
    } else if let Err(problem) = asker.once(&host) {
        turned_away(problem)
    } else {
        let mut caller = key.caller();
        caller.request.clone_from(&request);
        caller.locale = reader::locale(&received.uri, &received.headers);
        // Its id and not its name: what one key has done is no other's to ask for.
        caller.session = format!("key {}", key.id);
        let refused = |problem: Problem| {
            tracing::info!(request, key = key.name, code = problem.kind.code, "refused");
            problem.response(&request)
        };
        match who::client_address(&key, &received.headers) {
            Err(problem) => refused(problem),
            Ok(client) => {
                caller.handed_on = client.is_some();
                caller.address = client.or(address);
                handler(&Asked { host: host.clone(), site, key: Arc::clone(&key), caller, received })
                    .unwrap_or_else(refused)
            }
        }
    };
    allowance.write(response.headers_mut());
    response.extensions_mut().insert(Arc::clone(&key));
    if key.use_is_due() {
        // Behind the answer: it may wait for the disk.
        tokio::task::spawn_blocking(move || host.note_use(&key, address));
    }
    response
}

/// 204 where there is nothing to say.
fn json_answer(answer: &Value) -> Response {
    if answer.is_null() {
        return StatusCode::NO_CONTENT.into_response();
    }
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], answer.to_string()).into_response()
}

fn is_idempotency_key(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}
