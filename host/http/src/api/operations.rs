//! `GET /v1/operations/KEY`: the state of a request, for a machine that got no answer.

use axum::response::Response;
use serde_json::{Value, json};

use super::problem::{self, Problem};
use super::request::{Asked, is_idempotency_key, json_answer};

/// Done, with its answer; under way; or not done: nothing was changed under this key within the 24 hours for which keys are
/// kept.
pub(super) fn show(asked: &Asked) -> Result<Response, Problem> {
    let key = asked.parameter("key");
    if !is_idempotency_key(key) {
        return Err(Problem::from(&problem::IDEMPOTENCY_KEY));
    }
    // Before the look-up, which then finds a request that ends in between.
    let under_way = asked.served.traffic.is_under_way(&asked.caller.session, key);
    let document = match asked.served.host.operation(&asked.caller, key).map_err(Problem::of)? {
        Some((hook, answer)) => json!({ "state": "done", "hook": hook, "answer": answer }),
        None => {
            json!({ "state": if under_way { "under_way" } else { "not_done" }, "hook": Value::Null, "answer": Value::Null })
        }
    };
    Ok(json_answer(&document))
}
