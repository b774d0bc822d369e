//! The hooks of all plugins as an OpenAPI 3.1 document, from their components' types and their WIT docs. `own.json` has what
//! doesn't depend on plugins. Views are not in it: they are requested for a reader, in signed requests, and their answers are
//! for a page; `docs/embedding.md` describes them.

mod schema;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use serde_json::{Map, Value, json};
use wasmtime::component::types::Type;

use super::problem::KINDS;
use keyturn_core::words::Language;
use keyturn_operator::service_key::hooks;
use keyturn_package::docs::{FunctionDocs, Said};
use keyturn_runtime::admit::{Hook, Plugin};
use keyturn_runtime::call::error::is_failure;
use keyturn_runtime::values::snake;
use keyturn_store::outbox::MailState;
use schema::{Schemas, Way};

/// The document without plugins. Their parts come before its own.
static OWN: LazyLock<Value> = LazyLock::new(|| {
    let tags = Language::ALL.map(Language::tag).join(", ");
    let mut own: Value =
        serde_json::from_str(&include_str!("own.json").replace("@LANGUAGES@", &tags)).unwrap_or_default();
    for operation in own["paths"].as_object_mut().into_iter().flat_map(Map::values_mut) {
        for status in OWN_STATUSES {
            operation["get"]["responses"][status.to_string()] = response(status);
        }
    }
    let codes: Vec<&str> = KINDS.iter().map(|kind| kind.code).collect();
    let states = MailState::ALL.map(|state| state.name());
    let schemas = &mut own["components"]["schemas"];
    schemas["Problem"]["properties"]["code"]["enum"] = json!(codes);
    schemas["Mail"]["properties"]["state"]["enum"] = json!(states);
    own["components"]["responses"] = problems();
    own
});

/// With the refusals of the host's own addresses.
const OWN_STATUSES: [u16; 10] = [400, 401, 403, 404, 405, 408, 413, 429, 500, 503];

/// What a successful hook answers: the `ok` of a result, or all of it.
pub(super) fn answer(hook: &Hook) -> Option<Type> {
    match &hook.result {
        Some(Type::Result(result)) => result.ok(),
        other => other.clone(),
    }
}

/// The error of a plugin's own type, if the hook has one.
fn own_error(hook: &Hook) -> Option<Type> {
    match &hook.result {
        Some(Type::Result(result)) => result.err().filter(|ty| !is_failure(ty)),
        _ => None,
    }
}

pub(super) fn document(brand: &str, plugins: &[Arc<Plugin>]) -> Value {
    let mut schemas = Schemas::of(plugins.iter().map(|plugin| &plugin.manifest.docs));
    let (mut paths, mut tags) = (Map::new(), Map::new());
    for (plugin, hook) in hooks(plugins) {
        let docs = plugin.manifest.docs.interfaces.get(&hook.export);
        let text = docs.map_or("", |docs| docs.docs.as_str());
        tags.insert(hook.interface.clone(), json!({ "name": hook.interface, "description": text }));
        let path = format!("/v1/hooks/{}/{}", hook.interface, hook.operation.name);
        paths.insert(path, json!({ "post": operation(plugin, hook, &mut schemas) }));
    }
    let mut document = OWN.clone();
    document["info"]["title"] = format!("{brand}: hooks").into();
    document["tags"] = tags.into_iter().map(|(_, tag)| tag).collect();
    put_before(&mut document["paths"], paths);
    put_before(&mut document["components"]["schemas"], schemas.done());
    document
}

/// If both have the same name, the host's own counts.
fn put_before(own: &mut Value, mut first: Map<String, Value>) {
    if let Value::Object(own) = own {
        first.append(own);
        *own = first;
    }
}

fn response(status: u16) -> Value {
    json!({ "$ref": format!("#/components/responses/{status}") })
}

fn operation(plugin: &Plugin, hook: &Hook, schemas: &mut Schemas) -> Value {
    let docs = &plugin.manifest.docs;
    let none = FunctionDocs::default();
    let words = docs.function(&hook.export, &hook.operation.name).unwrap_or(&none);
    let said = |at| words.parameters.get(at).unwrap_or(&Said::Plain);
    let parameters = hook.parameters.iter().enumerate();
    let parameters = parameters.map(|(at, (name, ty))| (name.as_str(), ty.clone(), said(at), ""));
    let arguments = schemas.object(parameters, docs, Way::Asked);
    let scope = hook.operation.scope().unwrap_or_default();
    let step_up = if hook.operation.step_up { ", and `without-step-up`" } else { "" };
    let from = format!("From the plugin {} {}.", plugin.name, plugin.manifest.version);
    let about = format!("{}\n\nScope `{scope}`{step_up}. {from}", words.docs);
    let is_result = matches!(hook.result, Some(Type::Result(_)));
    let said = if is_result { words.result.part(0) } else { &words.result };
    let mut responses = json!({});
    match answer(hook) {
        Some(ty) => {
            let schema = schemas.schema(&ty, said, docs, Way::Answered);
            responses["200"] = answered("Done.", json!({ "application/json": { "schema": schema } }));
        }
        None => responses["204"] = answered("Done.", Value::Null),
    }
    for status in statuses() {
        responses[status.to_string()] = response(status);
    }
    if let Some(ty) = own_error(hook) {
        let error = schemas.schema(&ty, words.result.part(1), docs, Way::Answered);
        let schema = json!({
            "allOf": [{ "$ref": "#/components/schemas/Problem" }, { "properties": { "error": error } }],
        });
        responses["422"] = answered(&codes(422), json!({ "application/problem+json": { "schema": schema } }));
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

/// An answer with the headers that each has.
fn answered(description: &str, content: Value) -> Value {
    let mut answer = json!({ "description": description, "headers": {} });
    for (header, name) in
        [("X-Request-Id", "RequestId"), ("RateLimit-Policy", "RateLimitPolicy"), ("RateLimit", "RateLimit")]
    {
        answer["headers"][header] = json!({ "$ref": format!("#/components/headers/{name}") });
    }
    if !content.is_null() {
        answer["content"] = content;
    }
    answer
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_file_says_is_whole_with_the_lists_that_stand_elsewhere() {
        let document = document("Northwind", &[]);
        let text = document.to_string();
        assert!(text.starts_with(r#"{"openapi":"3.1.0","info":{"title":"Northwind: hooks","version":"1","#), "{text}");
        for empty in ["@", "\"enum\":[]", "\"responses\":{}"] {
            assert!(!text.contains(empty), "{empty} is left to be filled");
        }
        for target in text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(document.pointer(target).is_some(), "{target} leads nowhere");
        }
        let states = &document["components"]["schemas"]["Mail"]["properties"]["state"]["enum"];
        assert!(states.as_array().is_some_and(|states| states.len() == MailState::ALL.len()), "{states}");
        let responses = &document["paths"]["/v1/mails/{mail}"]["get"]["responses"];
        let statuses: Vec<&String> = responses.as_object().expect("responses").keys().collect();
        assert_eq!(statuses, ["200", "400", "401", "403", "404", "405", "408", "413", "429", "500", "503"]);
    }
}
