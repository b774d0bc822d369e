//! The hooks of all plugins as an OpenAPI 3.1 document, drawn from their components' types and their WIT's words.

mod own;
mod schema;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use wasmtime::component::types::Type;

use super::problem::KINDS;
use crate::plugin::admit::{Hook, Plugin};
use crate::plugin::docs::{FunctionDocs, Said};
use crate::plugin::manifest::Role;
use crate::values::snake;
use keyturn_runtime::call::error::is_failure;
use schema::{Names, Schemas, Way};

/// The hooks that machines may call, each with its plugin.
pub(super) fn served(plugins: &[Arc<Plugin>]) -> impl Iterator<Item = (&Plugin, &Hook)> {
    plugins.iter().flat_map(|plugin| {
        let hooks = plugin.hooks.iter().filter(|hook| hook.operation.actors.contains(&Role::ServiceKey));
        hooks.map(move |hook| (&**plugin, hook))
    })
}

/// What a hook answers when it did it: the `ok` of a result, or all of it.
pub(super) fn answer(hook: &Hook) -> Option<Type> {
    match &hook.result {
        Some(Type::Result(result)) => result.ok(),
        other => other.clone(),
    }
}

/// The error of a plugin's own type that a hook may answer.
fn own_error(hook: &Hook) -> Option<Type> {
    match &hook.result {
        Some(Type::Result(result)) => result.err().filter(|ty| !is_failure(ty)),
        _ => None,
    }
}

/// The document.
pub(super) fn document(brand: &str, plugins: &[Arc<Plugin>]) -> Value {
    let names = Names::of(plugins.iter().map(|plugin| &plugin.manifest.docs));
    let mut schemas = Schemas::new(&names);
    let (mut paths, mut tags) = (Map::new(), Map::new());
    for (plugin, hook) in served(plugins) {
        let docs = plugin.manifest.docs.interfaces.get(&hook.export);
        let text = docs.map_or("", |docs| docs.docs.as_str());
        tags.insert(hook.interface.clone(), json!({ "name": hook.interface, "description": text }));
        let path = format!("/v1/hooks/{}/{}", hook.interface, hook.operation.name);
        paths.insert(path, json!({ "post": operation(plugin, hook, &mut schemas) }));
    }
    paths.extend(own::paths().map(|(path, operation)| (path.to_owned(), operation)));
    let mut components = schemas.done();
    components.insert("Problem".to_owned(), problem());
    components.extend(own::schemas().map(|(name, schema)| (name.to_owned(), schema)));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": format!("{brand}: hooks"),
            "version": "1",
            "description": "The hooks of the plugins that are admitted here, for machines that hold a service key.",
        },
        "servers": [{ "url": "/" }],
        "tags": tags.into_iter().map(|(_, tag)| tag).collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": problems(),
            "parameters": { "IdempotencyKey": idempotency_key(), "ClientAddress": client_address() },
            "headers": headers(),
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "kt_ID_SECRET",
                    "description": "A service key, made by `keyturn keys add`. Instead of bearing it, a request may be signed \
                                    with it: HTTP Message Signatures (RFC 9421), hmac-sha256.",
                },
            },
        },
    })
}

fn operation(plugin: &Plugin, hook: &Hook, schemas: &mut Schemas<'_>) -> Value {
    let docs = &plugin.manifest.docs;
    let none = FunctionDocs::default();
    let words = docs.function(&hook.export, &hook.operation.name).unwrap_or(&none);
    let parameters = hook
        .parameters
        .iter()
        .enumerate()
        .map(|(at, (name, ty))| (name.as_str(), ty.clone(), words.parameters.get(at).unwrap_or(&Said::Plain), ""));
    let arguments = schemas.object(parameters, docs, Way::Asked);
    let scope = hook.operation.scope().unwrap_or_default();
    let mut about = words.docs.clone();
    about.push_str(&format!("\n\nScope `{scope}`"));
    if hook.operation.step_up {
        about.push_str(", and `without-step-up`");
    }
    about.push_str(&format!(". From the plugin {} {}.", plugin.name, plugin.manifest.version));
    let is_result = matches!(hook.result, Some(Type::Result(_)));
    let said = if is_result { words.result.part(0) } else { &words.result };
    let mut responses = Map::new();
    match answer(hook) {
        Some(ty) => responses.insert(
            "200".to_owned(),
            json!({
                "description": "Done.",
                "headers": answer_headers(),
                "content": { "application/json": { "schema": schemas.schema(&ty, said, docs, Way::Answered) } },
            }),
        ),
        None => responses.insert("204".to_owned(), json!({ "description": "Done.", "headers": answer_headers() })),
    };
    for status in statuses() {
        responses.insert(status.to_string(), json!({ "$ref": format!("#/components/responses/{status}") }));
    }
    if let Some(ty) = own_error(hook) {
        let error = schemas.schema(&ty, words.result.part(1), docs, Way::Answered);
        responses.insert(
            "422".to_owned(),
            json!({
                "description": codes(422),
                "headers": answer_headers(),
                "content": { "application/problem+json": { "schema": {
                    "allOf": [{ "$ref": "#/components/schemas/Problem" }, { "properties": { "error": error } }],
                } } },
            }),
        );
    }
    let required = hook.parameters.iter().any(|(_, ty)| !matches!(ty, Type::Option(_)));
    json!({
        "operationId": format!("{}_{}", snake(&hook.interface), snake(&hook.operation.name)),
        "tags": [hook.interface],
        "summary": words.first_sentence().unwrap_or(&scope),
        "description": about.trim(),
        "security": [{ "key": [scope] }],
        "parameters": [
            { "$ref": "#/components/parameters/IdempotencyKey" },
            { "$ref": "#/components/parameters/ClientAddress" },
        ],
        "requestBody": { "required": required, "content": { "application/json": { "schema": arguments } } },
        "responses": responses,
    })
}

fn idempotency_key() -> Value {
    json!({
        "name": "Idempotency-Key",
        "in": "header",
        "required": false,
        "description": "The same request under it is done once and answered the same, for 24 hours. 1 to 255 visible characters.",
        "schema": { "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$" },
    })
}

fn client_address() -> Value {
    json!({
        "name": "Keyturn-Client-Address",
        "in": "header",
        "required": false,
        "description": "The IP address of the person for whom the machine calls: attempts count for it, and the audit log \
                        names it. The key needs the scope `client-address`; a signature must cover the header.",
        "schema": { "type": "string", "anyOf": [{ "format": "ipv4" }, { "format": "ipv6" }] },
    })
}

fn headers() -> Value {
    let text = |description: &str| json!({ "description": description, "schema": { "type": "string" } });
    json!({
        "RequestId": text("Stands in the host's log and audit."),
        "RateLimitPolicy": text("How many requests the key may make, and within how many seconds."),
        "RateLimit": text("How many are left, and after how many seconds there are all again."),
    })
}

fn answer_headers() -> Value {
    let header = |name: &str| json!({ "$ref": format!("#/components/headers/{name}") });
    json!({
        "X-Request-Id": header("RequestId"),
        "RateLimit-Policy": header("RateLimitPolicy"),
        "RateLimit": header("RateLimit"),
    })
}

fn problem() -> Value {
    let codes: Vec<&str> = KINDS.iter().map(|kind| kind.code).collect();
    let text = json!({ "type": "string" });
    json!({
        "type": "object",
        "description": "A problem document (RFC 9457). A client acts on its code.",
        "properties": {
            "type": { "type": "string", "format": "uri-reference" },
            "title": text,
            "status": { "type": "integer" },
            "code": { "type": "string", "enum": codes },
            "detail": text,
            "request": { "type": "string", "description": "Stands in the host's log and audit." },
            "path": { "type": "string", "description": "Of `arguments`: the member that does not fit, from the body's root." },
            "errors": {
                "type": "array",
                "description": "Of `invalid`.",
                "items": {
                    "type": "object",
                    "properties": { "path": text, "code": text, "message": text },
                    "required": ["path", "code", "message"],
                },
            },
            "reason": { "type": "string", "description": "Of `refused`: the plugin's own code." },
            "error": { "description": "Of `error`: of the plugin's own type." },
            "limit": { "type": "string", "description": "Of `limit` and `deadline`: the limit's setting." },
        },
        "required": ["type", "title", "status", "code", "request"],
    })
}

fn statuses() -> Vec<u16> {
    let mut statuses: Vec<u16> = KINDS.iter().map(|kind| kind.status).collect();
    statuses.dedup();
    statuses
}

/// The codes of a status, each with its title.
fn codes(status: u16) -> String {
    let kinds = KINDS.iter().filter(|kind| kind.status == status);
    kinds.map(|kind| format!("`{}`: {}", kind.code, kind.title)).collect::<Vec<_>>().join("\n\n")
}

fn problems() -> Value {
    let response = |status: u16| {
        let mut response = json!({
            "description": codes(status),
            "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
        });
        if matches!(status, 429 | 503) {
            let seconds = json!({ "description": "Seconds to wait.", "schema": { "type": "integer", "minimum": 1 } });
            response["headers"] = json!({ "Retry-After": seconds });
        }
        (status.to_string(), response)
    };
    Value::Object(statuses().into_iter().map(response).collect::<BTreeMap<_, _>>().into_iter().collect())
}
