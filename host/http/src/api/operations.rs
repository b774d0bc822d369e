//! `GET /v1/operations/KEY`: what became of a request, for a machine whose answer did not come.

use axum::response::Response;
use serde_json::{Value, json};

use super::problem::{self, Problem};
use super::request::{Asked, is_idempotency_key, json_answer};

/// Done, with the answer that was given; under way; or not done: nothing was changed under that key, within the 24 hours
/// that it is kept.
pub(super) fn show(asked: &Asked) -> Result<Response, Problem> {
    let key = asked.parameter("key");
    if !is_idempotency_key(key) {
        return Err(Problem::from(&problem::IDEMPOTENCY_KEY));
    }
    // Before the look-up: what ends between the two is found by it.
    let under_way = asked.traffic.is_under_way(&asked.caller.session, key);
    let document = match asked.host.operation(&asked.caller, key).map_err(Problem::of)? {
        Some((hook, answer)) => json!({ "state": "done", "hook": hook, "answer": answer }),
        None => {
            json!({ "state": if under_way { "under_way" } else { "not_done" }, "hook": Value::Null, "answer": Value::Null })
        }
    };
    Ok(json_answer(&document))
}
