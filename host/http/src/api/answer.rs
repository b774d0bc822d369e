//! Each request: its body, key, allowance and handler; its answer and its line in the log.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{ConnectInfo, FromRequestParts as _, RawPathParams, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::MethodRouter;
use keyturn_core::caller::request_id;
use keyturn_operator::service_key::ServiceKey;
use keyturn_runtime::capabilities::RETRY_SECONDS;
use zeroize::Zeroizing;

use super::problem::{self, Problem, REQUEST_ID};
use super::request::{Asked, Handler, Received};
use super::{traffic, who};
use crate::body::{self, Unread};
use crate::reader;
use crate::serve::NoRoom;
use crate::served::Served;

/// The most bytes of a body.
const BODY: usize = 256 * 1024;

type Answering = std::pin::Pin<Box<dyn Future<Output = Response> + Send>>;

/// Refuses every other method, whatever its name; OPTIONS is answered.
pub(super) fn machine(methods: MethodRouter<Served>, allowed: &'static str) -> MethodRouter<Served> {
    let allow = move || format!("{allowed}, OPTIONS");
    methods.options(move || async move { (StatusCode::NO_CONTENT, [(header::ALLOW, allow())]) }).fallback(
        move || async move { Problem::from(&problem::METHOD).header(header::ALLOW, allow()).response(&request_id()) },
    )
}

pub(super) fn answering(
    handler: Handler,
) -> impl Fn(State<Served>, Request) -> Answering + Clone + Send + Sync + 'static {
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

/// Reads a body, if it isn't too large.
async fn whole(headers: &HeaderMap, body: Body) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let too_large = || problem::TOO_LARGE.detail(format!("Send at most {BODY} bytes."));
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

fn asked(served: Served, received: Received, handler: Handler) -> Response {
    let (host, recent) = (served.host.clone(), Arc::clone(&served.traffic));
    let (request, address) = (received.id.clone(), received.address);
    let turned_away = |problem: Problem| {
        tracing::warn!(request, code = problem.kind.code, "a request was refused");
        problem.response(&request)
    };
    let asker = match who::asker(&host, &recent, &received) {
        Ok(asker) => asker,
        Err(problem) => return turned_away(problem),
    };
    let key = Arc::clone(&asker.key);
    let allowance = traffic::allowance(&recent, &host.limits, &key.id, received.uri.path());
    // The nonce after the allowance: refused requests must not fill the memory.
    let mut response = if !allowance.within {
        Problem::from(&problem::RATE).retry_after(allowance.seconds).response(&request)
    } else if let Err(problem) = asker.once(&recent) {
        turned_away(problem)
    } else {
        let mut caller = key.caller();
        caller.request.clone_from(&request);
        caller.once = asker.to_store();
        caller.locale = reader::locale(&received.uri, &received.headers);
        // The key's id and not its name: what one key did is nobody else's.
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
                handler(&Asked { served, key: Arc::clone(&key), caller, received }).unwrap_or_else(refused)
            }
        }
    };
    allowance.write(response.headers_mut());
    response.extensions_mut().insert(Arc::clone(&key));
    if key.use_is_due() {
        // After the answer, because it may wait for the disk.
        tokio::task::spawn_blocking(move || host.note_use(&key, address));
    }
    response
}
