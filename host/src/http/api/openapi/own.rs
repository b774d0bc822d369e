//! What the host itself offers to machines, in the document.

use serde_json::{Map, Value, json};

use super::answer_headers;
use crate::storage::outbox::MailState;

/// Paths, and the schemas that they name. Views are not among them: they are asked for on behalf of somebody, in requests
/// that are signed for him, and answer what is for a page; `docs/embedding.md` describes them.
pub(super) fn paths() -> [(&'static str, Value); 4] {
    let key = json!({ "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$" });
    let account = json!({ "type": "string", "minLength": 3, "maxLength": 64, "pattern": "^[a-z0-9-]+:[!-~]+$" });
    [
        (
            "/v1/operations/{key}",
            get(
                "operation",
                "What became of a request, by its Idempotency-Key",
                "For whoever has not got the answer. It is kept for 24 hours, and told to the key that asked.",
                None,
                json!({ "name": "key", "in": "path", "required": true, "schema": key }),
                "Operation",
            ),
        ),
        (
            "/v1/accounts",
            get(
                "accounts",
                "Which accounts have a login or an address",
                "Those that the key reaches, logins first, ten at most. Letters great and small are the same here.",
                Some("accounts"),
                json!({
                    "name": "named", "in": "query", "required": true, "schema": { "type": "string", "minLength": 1 },
                    "description": "A login or an address, whole.",
                }),
                "Accounts",
            ),
        ),
        (
            "/v1/accounts/{account}/epoch",
            get(
                "epoch",
                "The session epoch of an account",
                "To be kept with a session and compared at its requests: another one ends it.",
                Some("accounts"),
                json!({ "name": "account", "in": "path", "required": true, "schema": account }),
                "Epoch",
            ),
        ),
        (
            "/v1/mails/{mail}",
            get(
                "mail",
                "What became of a mail",
                "By the name that a hook has answered, such as `password/reset-and-mail`.",
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
                "hook": { "type": ["string", "null"], "description": "INTERFACE/FUNCTION, of one that is done." },
                "answer": { "description": "What the hook has answered, of one that is done." },
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
                        "description": "Whether it is the account's own address to the letter, a-z and A-Z alike. Texts that are only taken for the same, such as ß and ss, can be mailboxes of two people.",
                    },
                })),
            } })),
        ),
        ("Epoch", object(json!({ "epoch": text }))),
        (
            "Mail",
            object(json!({
                "mail": text,
                "account": { "type": ["string", "null"], "description": "Whose it is; null: the operators'." },
                "state": { "type": "string", "enum": states },
                "to": { "type": ["string", "null"], "description": "The address on file now." },
                "attempts": { "type": "integer", "minimum": 0 },
                "server": { "type": ["string", "null"], "description": "Of the latest attempt, in words." },
                "answer": { "type": ["string", "null"], "description": "What was said last, by a server or the system." },
                "asked_at": time("When it was asked for"),
                "changed_at": time("When it came to its state"),
                "next_attempt": { "type": ["integer", "null"], "description": "Unix milliseconds." },
                "sentence": { "type": "string", "description": "How it stands, in the language of Accept-Language: en, es. Times in it are in UTC." },
            })),
        ),
    ]
}

fn object(properties: Value) -> Value {
    let required: Vec<&String> = properties.as_object().into_iter().flat_map(Map::keys).collect();
    json!({ "type": "object", "required": required, "properties": properties, "additionalProperties": false })
}
