//! A request of a machine.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use keyturn_core::caller::Caller;
use keyturn_operator::service_key::ServiceKey;
use serde_json::Value;
use zeroize::Zeroizing;

use super::problem::{self, Problem};
use crate::served::Served;

/// A machine's request with a valid key.
pub(super) struct Asked {
    pub(super) served: Served,
    pub(super) key: Arc<ServiceKey>,
    pub(super) caller: Caller,
    pub(super) received: Received,
}

impl Asked {
    /// A placeholder of the route, by its name.
    pub(super) fn parameter(&self, name: &str) -> &str {
        let mut parameters = self.received.parameters.iter();
        parameters.find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The parameters of the address's query, in their order.
    pub(super) fn query(&self) -> impl Iterator<Item = (std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)> {
        form_urlencoded::parse(self.received.uri.query().unwrap_or_default().as_bytes())
    }

    /// The first of them of this name.
    pub(super) fn word(&self, name: &str) -> Option<String> {
        self.query().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
    }

    /// Checks that the key has the scope for something of the host's own.
    pub(super) fn needs(&self, scope: &str) -> Result<(), Problem> {
        if self.key.scopes.contains(scope) {
            return Ok(());
        }
        Err(problem::NOT_ALLOWED.detail(format!("The key lacks the scope {scope}.")))
    }
}

/// A request as it came.
pub(super) struct Received {
    pub(super) id: String,
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) body: Zeroizing<Vec<u8>>,
    pub(super) address: Option<IpAddr>,
    pub(super) parameters: Vec<(String, String)>,
}

pub(super) type Handler = fn(&Asked) -> Result<Response, Problem>;

/// 204 if there is nothing to say.
pub(super) fn json_answer(answer: &Value) -> Response {
    if answer.is_null() {
        return StatusCode::NO_CONTENT.into_response();
    }
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], answer.to_string()).into_response()
}

pub(super) fn is_idempotency_key(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}
