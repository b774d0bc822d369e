//! Plugins' hooks: `POST /v1/hooks/INTERFACE/FUNCTION`, as JSON by the component's own types. This code knows no hook: one more
//! function in a plugin is one more address.

use axum::http::{HeaderMap, header};
use axum::response::Response;
use serde_json::{Map, Value};

use super::problem::{self, Problem};
use super::request::{Asked, is_idempotency_key, json_answer};
use super::signature::IDEMPOTENCY_KEY;
use keyturn_runtime::CallError;
use keyturn_runtime::values::{Wiped, read_json};
use keyturn_store::StorageError;

pub(super) fn call(asked: &Asked) -> Result<Response, Problem> {
    let hook = format!("{}/{}", asked.parameter("interface"), asked.parameter("function"));
    if !asked.served.host.has_hook(&hook) {
        return Err(Problem::of(asked.served.host.no_hook(&hook)));
    }
    let arguments = Wiped(arguments(&asked.received.headers, &asked.received.body)?);
    let key = idempotency_key(&asked.received.headers)?;
    let _under_way = key.map(|key| asked.served.traffic.begin(&asked.caller.session, key));
    let answer = asked.served.host.call(&asked.caller, &hook, &arguments, key);
    match answer {
        Ok(answer) => Ok(json_answer(&answer)),
        Err(error) => {
            // A replaced file is logged once, elsewhere.
            let known = matches!(error, CallError::Storage(StorageError::Replaced(_)));
            if !known && matches!(error, CallError::Storage(_) | CallError::Indeterminate) {
                tracing::error!(request = asked.caller.request, hook, "{error}");
            }
            Err(Problem::of(error))
        }
    }
}

/// The arguments in a body. An empty one is an empty object, for hooks without parameters.
pub(super) fn arguments(headers: &HeaderMap, body: &[u8]) -> Result<Value, Problem> {
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
    let text = std::str::from_utf8(body).map_err(|cause| problem::JSON.detail(cause.to_string()))?;
    read_json(text).map_err(|cause| problem::JSON.detail(cause.to_string()))
}

/// 1 to 255 visible characters, taken unchanged.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => match value.to_str() {
            Ok(key) if is_idempotency_key(key) => Ok(Some(key)),
            _ => Err(Problem::from(&problem::IDEMPOTENCY_KEY)),
        },
        _ => Err(problem::IDEMPOTENCY_KEY.detail("The header is there more than once.")),
    }
}
