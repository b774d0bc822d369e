//! Plugins' hooks for machines: `POST /v1/hooks/INTERFACE/FUNCTION`, JSON by the component's own types. Nothing here knows
//! any hook: one more function in a plugin is one more address.

mod openapi;
mod operations;
mod page;
pub(crate) mod problem;
mod signature;
pub(crate) mod traffic;
mod who;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, FromRequestParts as _, RawPathParams, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get, post};
use serde_json::{Map, Value};

use super::{Served, reader};
use crate::call::CallError;
use crate::caller::{Caller, request_id};
use crate::host::Host;
use crate::service_key::ServiceKey;
use crate::values::read_json;
use problem::Problem;

/// Bytes of a body at most.
pub(super) const BODY: usize = 256 * 1024;
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// What machines call.
pub(super) fn routes() -> Router<Served> {
    Router::new()
        .route("/v1/hooks/{interface}/{function}", machine(post(answering(hook)), "POST"))
        .route("/v1/operations/{key}", machine(get(answering(operations::show)), "GET, HEAD"))
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
    key: Arc<ServiceKey>,
    caller: Caller,
    parameters: Vec<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
}

impl Asked {
    fn parameter(&self, name: &str) -> &str {
        self.parameters.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
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
            let request = id.clone();
            let work = move || asked(served.host, &method, &uri, headers, body, address, parameters, &request, handler);
            tokio::task::spawn_blocking(work).await.unwrap_or_else(|cause| {
                tracing::error!(request = id, "a request's thread ended: {cause}");
                Problem::from(&problem::INTERNAL).response(&id)
            })
        }
    };
    let status = response.status().as_u16();
    tracing::info!(request = id, path, status, ms = began.elapsed().as_secs_f64() * 1_000.0, "answered");
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// All of a body, if there is not too much of it.
async fn whole(headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let too_large = || Problem::from(&problem::TOO_LARGE).detail(format!("At most {BODY} bytes are read."));
    if declared.is_some_and(|length| length > BODY as u64) {
        return Err(too_large());
    }
    to_bytes(body, BODY).await.map_err(|cause| {
        let limit =
            std::error::Error::source(&cause).is_some_and(|cause| cause.is::<http_body_util::LengthLimitError>());
        if limit { too_large() } else { Problem::from(&problem::BODY_LATE) }
    })
}

#[allow(clippy::too_many_arguments)]
fn asked(
    host: Host,
    method: &Method,
    uri: &Uri,
    headers: HeaderMap,
    body: Bytes,
    address: Option<IpAddr>,
    parameters: Vec<(String, String)>,
    request: &str,
    handler: Handler,
) -> Response {
    let key = match who::key(&host, method, uri, &headers, &body, address) {
        Ok(key) => Arc::new(key),
        Err(problem) => {
            tracing::warn!(request, code = problem.kind.code, "a machine was turned away");
            return problem.response(request);
        }
    };
    let allowance = host.0.traffic.count(&key.id, host.0.requests_per_minute, Instant::now());
    let mut caller = key.caller();
    request.clone_into(&mut caller.request);
    caller.address = address;
    caller.locale = reader::locale(uri, &headers);
    // Its id and not its name: what one key has done is no other's to ask for.
    caller.session = format!("key {}", key.id);
    let mut response = if allowance.within {
        let asked = Asked { host: host.clone(), key: Arc::clone(&key), caller, parameters, headers, body };
        handler(&asked).unwrap_or_else(|problem| {
            tracing::info!(request, key = asked.key.name, code = problem.kind.code, "refused");
            problem.response(request)
        })
    } else {
        Problem::from(&problem::RATE).retry_after(allowance.seconds()).response(request)
    };
    allowance.write(response.headers_mut());
    if key.use_is_due() {
        // Behind the answer: it may wait for the disk.
        tokio::task::spawn_blocking(move || host.note_use(&key, address));
    }
    response
}

/// Calls a hook.
fn hook(asked: &Asked) -> Result<Response, Problem> {
    let hook = format!("{}/{}", asked.parameter("interface"), asked.parameter("function"));
    if !asked.host.has_hook(&hook) {
        return Err(Problem::of(CallError::NoSuch(format!("hook {hook}"))));
    }
    let arguments = arguments(&asked.headers, &asked.body)?;
    let key = idempotency_key(&asked.headers)?;
    let _under_way = key.map(|key| asked.host.0.traffic.begin(&asked.caller.session, key));
    let answer = asked.host.call(&asked.caller, &hook, &arguments, key);
    match answer {
        Ok(answer) => Ok(json_answer(&answer)),
        Err(error) => {
            if matches!(error, CallError::Storage(_) | CallError::Indeterminate) {
                tracing::error!(request = asked.caller.request, hook, "{error}");
            }
            Err(Problem::of(error))
        }
    }
}

/// 204 where there is nothing to say.
fn json_answer(answer: &Value) -> Response {
    if answer.is_null() {
        return StatusCode::NO_CONTENT.into_response();
    }
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], answer.to_string()).into_response()
}

/// The arguments in a body. An empty one is an empty object, for hooks without parameters.
fn arguments(headers: &HeaderMap, body: &[u8]) -> Result<Value, Problem> {
    if body.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let mut parts = kind.split(';').map(str::trim);
    let json = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"))
        && parts.all(|parameter| ["charset=utf-8", "charset=\"utf-8\""].contains(&&*parameter.to_ascii_lowercase()));
    let plain = headers.get(header::CONTENT_ENCODING).is_none_or(|coding| coding == "identity");
    if !json || !plain {
        return Err(Problem::from(&problem::MEDIA_TYPE)
            .header(header::ACCEPT, "application/json")
            .detail(format!("It says “{}”.", kind.escape_debug())));
    }
    let text = std::str::from_utf8(body).map_err(|cause| Problem::from(&problem::JSON).detail(cause.to_string()))?;
    read_json(text).map_err(|cause| Problem::from(&problem::JSON).detail(cause.to_string()))
}

fn is_idempotency_key(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// 1 to 255 visible characters, taken as they are.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => match value.to_str() {
            Ok(key) if is_idempotency_key(key) => Ok(Some(key)),
            _ => Err(Problem::from(&problem::IDEMPOTENCY_KEY)),
        },
        _ => Err(Problem::from(&problem::IDEMPOTENCY_KEY).detail("It stands more than once.")),
    }
}
