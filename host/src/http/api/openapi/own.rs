//! What the host itself offers to machines, in the document.

use serde_json::{Map, Value, json};

use super::answer_headers;
use crate::storage::outbox::MailState;

/// Paths, and the schemas that they name. Views are left out: a panel asks for them on behalf of somebody, in signed requests,
/// and they answer parts of a page. `docs/embedding.md` describes them.
pub(super) fn paths() -> [(&'static str, Value); 4] {
    let key = json!({ "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$" });
    let account = json!({ "type": "string", "minLength": 3, "maxLength": 64, "pattern": "^[a-z0-9-]+:[!-~]+$" });
    [
        (
            "/v1/operations/{key}",
            get(
                "operation",
                "Reads the result of a request, by its Idempotency-Key",
                "Ask this if the answer did not come. It is kept for 24 hours, for the key that sent the request.",
                None,
                json!({ "name": "key", "in": "path", "required": true, "schema": key }),
                "Operation",
            ),
        ),
        (
            "/v1/accounts",
            get(
                "accounts",
                "Finds the accounts with a login or an address",
                "Answers accounts that the key reaches, logins first, at most `limits.accounts-per-address`. Case-insensitive.",
                Some("accounts"),
                json!({
                    "name": "named", "in": "query", "required": true, "schema": { "type": "string", "minLength": 1 },
                    "description": "A complete login or address.",
                }),
                "Accounts",
            ),
        ),
        (
            "/v1/accounts/{account}/epoch",
            get(
                "epoch",
                "Reads the session epoch of an account",
                "Keep it with a session and compare it at each request. If it differs, end the session.",
                Some("accounts"),
                json!({ "name": "account", "in": "path", "required": true, "schema": account }),
                "Epoch",
            ),
        ),
        (
            "/v1/mails/{mail}",
            get(
                "mail",
                "Reads the state of an email",
                "By the id from a hook such as `password/reset-and-mail`.",
                Some("mails"),
                json!({ "name": "mail", "in": "path", "required": true, "schema": key }),
                "Mail",
            ),
        ),
    ]
}

fn get(id: &str, summary: &str, about: &str, scope: Option<&str>, parameter: Value, answer: &str) -> Value {
    let mut responses = Map::from_iter([(
        "200".to_owned(),
        json!({
            "description": "Found.",
            "headers": answer_headers(),
            "content": { "application/json": { "schema": { "$ref": format!("#/components/schemas/{answer}") } } },
        }),
    )]);
    for status in [400, 401, 403, 404, 405, 408, 413, 429, 500, 503] {
        responses.insert(status.to_string(), json!({ "$ref": format!("#/components/responses/{status}") }));
    }
    let about = scope.map_or_else(|| about.to_owned(), |scope| format!("{about}\n\nScope `{scope}`."));
    json!({ "get": {
        "operationId": id,
        "summary": summary,
        "description": about,
        "security": [{ "key": scope.into_iter().collect::<Vec<_>>() }],
        "parameters": [parameter],
        "responses": responses,
    } })
}

/// The schemas of what they answer.
pub(super) fn schemas() -> [(&'static str, Value); 4] {
    let text = json!({ "type": "string" });
    let time = |about: &str| json!({ "type": "integer", "description": format!("{about}, Unix milliseconds.") });
    let states: Vec<&str> = MailState::ALL.iter().map(|state| state.name()).collect();
    [
        (
            "Operation",
            object(json!({
                "state": {
                    "type": "string",
                    "enum": ["done", "under_way", "not_done"],
                    "description": "`not_done`: nothing was changed under this key.",
                },
                "hook": { "type": ["string", "null"], "description": "If done: INTERFACE/FUNCTION." },
                "answer": { "description": "If done: the hook's answer." },
            })),
        ),
        (
            "Accounts",
            object(json!({ "accounts": {
                "type": "array",
                "items": object(json!({
                    "account": text,
                    "matched": { "type": "string", "enum": ["login", "email"] },
                    "is_address": {
                        "type": "boolean",
                        "description": "Whether it is exactly the account's own address, apart from the case of a-z. Texts that only count as the same, such as ß and ss, can be mailboxes of two people.",
                    },
                })),
            } })),
        ),
        ("Epoch", object(json!({ "epoch": text }))),
        (
            "Mail",
            object(json!({
                "mail": text,
                "account": { "type": ["string", "null"], "description": "The account that it goes to; null: the operators." },
                "state": { "type": "string", "enum": states },
                "to": { "type": ["string", "null"], "description": "The address on file now." },
                "attempts": { "type": "integer", "minimum": 0 },
                "server": { "type": ["string", "null"], "description": "The server of the last attempt." },
                "answer": { "type": ["string", "null"], "description": "The last answer of a server or the system." },
                "asked_at": time("When it was queued"),
                "changed_at": time("When it got its current state"),
                "next_attempt": { "type": ["integer", "null"], "description": "Unix milliseconds." },
                "sentence": { "type": "string", "description": "Its state as a sentence, in the language of Accept-Language: en, es. Times are in UTC." },
            })),
        ),
    ]
}

fn object(properties: Value) -> Value {
    let required: Vec<&String> = properties.as_object().into_iter().flat_map(Map::keys).collect();
    json!({ "type": "object", "required": required, "properties": properties, "additionalProperties": false })
}
