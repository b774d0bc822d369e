//! The OpenAPI document as a page for people. Plugins' texts go through the same escaping as all text.

use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use serde_json::Value;

use crate::reader;
use crate::served::Served;
use keyturn_core::words::Words;
use keyturn_ui::html::table::Grid;
use keyturn_ui::html::{Html, Markup};
use keyturn_ui::nodes::ColumnKind;
use keyturn_ui::shell;

use super::problem::KINDS;

pub(super) fn show(served: &Served, document: &Value, uri: &Uri, headers: &HeaderMap) -> Response {
    let locale = reader::locale(uri, headers);
    let words = Words::of(&locale);
    let address = |tag: &str| format!("/v1/?lang={tag}");
    let page = body(document, words);
    served.shell(&locale, headers, address, |chrome| shell::document(chrome, words.get("hooks-title"), &page))
}

fn body(document: &Value, words: Words) -> Markup {
    let mut html = Html::new();
    html.element("h1", &[], words.get("hooks-title"));
    html.open("p", &[("class", Some("kt-lead"))]).text(words.get("hooks-lead")).text(" ");
    html.element("a", &[("href", Some("/v1/openapi.json"))], "/v1/openapi.json").close("p");
    for tag in document["tags"].as_array().into_iter().flatten() {
        let name = text(&tag["name"]);
        html.class("section", "kt-section").element("h2", &[], name);
        prose(&mut html, text(&tag["description"]));
        for (path, methods) in document["paths"].as_object().into_iter().flatten() {
            if methods["post"]["tags"][0] == tag["name"] {
                hook(&mut html, path, &methods["post"], words);
            }
        }
        html.close("section");
    }
    types(&mut html, &document["components"]["schemas"], words);
    problems(&mut html, words);
    html.done()
}

fn hook(html: &mut Html, path: &str, hook: &Value, words: Words) {
    html.open("h3", &[("id", hook["operationId"].as_str())]).element("code", &[], &format!("POST {path}")).close("h3");
    prose(html, text(&hook["description"]));
    let arguments = &hook["requestBody"]["content"]["application/json"]["schema"];
    if arguments["properties"].as_object().is_some_and(|properties| !properties.is_empty()) {
        members(html, arguments, words.get("hooks-body"), words);
    }
    let answer = &hook["responses"]["200"]["content"]["application/json"]["schema"];
    html.open("p", &[]).text(words.get("hooks-answers")).text(" ");
    if answer.is_null() {
        html.text(words.get("hooks-nothing"));
    } else {
        kind(html, answer);
    }
    html.close("p");
}

/// Paragraphs and lists of Markdown, as far as docs use it. Nothing in it is markup here.
fn prose(html: &mut Html, docs: &str) {
    for paragraph in docs.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty()) {
        if paragraph.lines().all(|line| line.starts_with("- ")) {
            html.class("ul", "kt-points");
            for line in paragraph.lines() {
                html.open("li", &[]);
                code(html, &line[2..]);
                html.close("li");
            }
            html.close("ul");
        } else {
            html.open("p", &[]);
            code(html, paragraph);
            html.close("p");
        }
    }
}

/// Text in backticks.
fn code(html: &mut Html, docs: &str) {
    for (at, part) in docs.split('`').enumerate() {
        if at % 2 == 1 {
            html.element("code", &[], part)
        } else {
            html.text(part)
        };
    }
}

/// Fields of an object, or cases of a variant.
fn members(html: &mut Html, schema: &Value, caption: &str, words: Words) {
    let mut rows = Vec::new();
    let mut row = |name: &str, ty: Option<&Value>, docs: &str| {
        let mut cell = Html::new();
        let name = cell.element("code", &[], name).done();
        ty.iter().for_each(|ty| kind(&mut cell, ty));
        let ty = cell.done();
        code(&mut cell, docs);
        rows.push((vec![name, ty, cell.done()], Markup::default()));
    };
    for (name, ty) in schema["properties"].as_object().into_iter().flatten() {
        row(name, Some(ty), text(&ty["description"]));
    }
    for case in schema["oneOf"].as_array().into_iter().flatten() {
        let value = case["properties"].get("value").filter(|value| value["type"] != "null");
        row(text(&case["properties"]["kind"]["const"]), value, text(&case["description"]));
    }
    let heads = ["hooks-name", "hooks-type", "hooks-meaning"];
    // WIT has no docs of parameters, only of the function.
    let said = rows.iter().any(|(cells, _)| cells.last().is_some_and(|meaning| !meaning.is_empty()));
    table(html, caption, if said { &heads } else { &heads[..2] }, &rows, words);
}

/// Cells without a heading are left out.
fn table(html: &mut Html, caption: &str, heads: &[&str], rows: &[(Vec<Markup>, Markup)], words: Words) {
    let columns: Vec<_> = heads.iter().map(|head| (words.get(head), ColumnKind::Text, false)).collect();
    html.markup(&Grid { caption, columns: &columns, rows, empty: &Markup::default() }.draw(words));
}

/// What a schema accepts, in a few words.
fn kind(html: &mut Html, schema: &Value) {
    if let Some(name) = schema["$ref"].as_str().and_then(|target| target.rsplit('/').next()) {
        html.element("a", &[("href", Some(&format!("#type-{name}")))], name);
    } else if let Some(choices) = schema["anyOf"].as_array() {
        kinds(html, choices, " | ");
    } else if let Some(names) = schema["enum"].as_array() {
        let names: Vec<String> = names.iter().map(Value::to_string).collect();
        html.element("code", &[], &names.join(" | "));
    } else if let Some(items) = schema["prefixItems"].as_array() {
        html.text("[");
        kinds(html, items, ", ");
        html.text("]");
    } else if schema["type"] == "array" {
        html.text("[");
        kind(html, &schema["items"]);
        html.text(", …]");
    } else {
        let encoding = schema["contentEncoding"].as_str().or_else(|| schema["format"].as_str());
        let name = match &schema["type"] {
            Value::String(name) => name.clone(),
            Value::Array(names) => names.iter().map(text).collect::<Vec<_>>().join(" | "),
            _ => "object".to_owned(),
        };
        html.text(&match encoding {
            Some(encoding) => format!("{name} ({encoding})"),
            None => name,
        });
    }
}

fn kinds(html: &mut Html, schemas: &[Value], between: &str) {
    for (at, schema) in schemas.iter().enumerate() {
        html.text(if at > 0 { between } else { "" });
        kind(html, schema);
    }
}

fn types(html: &mut Html, schemas: &Value, words: Words) {
    html.class("section", "kt-section").element("h2", &[], words.get("hooks-types"));
    for (name, schema) in schemas.as_object().into_iter().flatten() {
        html.element("h3", &[("id", Some(&format!("type-{name}")))], name);
        prose(html, text(&schema["description"]));
        if schema.get("properties").is_some() || schema.get("oneOf").is_some() {
            members(html, schema, name, words);
        } else {
            html.open("p", &[]);
            kind(html, schema);
            html.close("p");
        }
    }
    html.close("section");
}

/// Each code, with the fragment that a problem's `type` links to.
fn problems(html: &mut Html, words: Words) {
    html.class("section", "kt-section").element("h2", &[], words.get("hooks-problems"));
    let rows = KINDS.iter().map(|known| {
        let code = Html::new().element("code", &[("id", Some(known.code))], known.code).done();
        (vec![code, Markup::text(&known.status.to_string()), Markup::text(known.title)], Markup::default())
    });
    let rows: Vec<_> = rows.collect();
    let heads = ["hooks-code", "hooks-status", "hooks-meaning"];
    table(html, words.get("hooks-problems"), &heads, &rows, words);
    html.close("section");
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_plugin_says_is_text_and_nothing_else() {
        let document = json!({
            "tags": [{ "name": "<b>tag", "description": "<script>alert(1)</script>" }],
            "paths": { "/v1/hooks/x/y": { "post": {
                "tags": ["<b>tag"], "operationId": "x\" onclick=\"y", "description": "- `<i>`\n- two\n\n<img src=x>",
                "requestBody": { "content": { "application/json": { "schema": {
                    "properties": { "<u>": { "$ref": "#/components/schemas/\"><s>" } },
                } } } },
                "responses": {},
            } } },
            "components": { "schemas": { "\"><s>": { "enum": ["</code>"], "description": "<em>" } } },
        });
        let drawn = body(&document, Words::default()).as_str().to_owned();
        for raw in ["<script", "<b>", "<i>", "<img", "<u>", "<s>", "<em>", "onclick=\"", "</code></code>"] {
            assert!(!drawn.contains(raw), "{raw} in {drawn}");
        }
        assert!(drawn.contains("<li><code>&lt;i&gt;</code></li>"), "{drawn}");
    }

    #[test]
    fn a_column_in_which_nothing_stands_is_not_drawn() {
        let drawn = |schema: Value| {
            let mut html = Html::new();
            members(&mut html, &schema, "Body", Words::default());
            html.done().as_str().to_owned()
        };
        let bare = drawn(json!({ "properties": { "account": { "type": "string" } } }));
        assert!(!bare.contains("What it means") && bare.matches("<th").count() - 1 == 3, "{bare}");
        let told = drawn(
            json!({ "properties": { "a": { "type": "string" }, "b": { "type": "string", "description": "B." } } }),
        );
        assert!(told.contains("What it means") && told.contains(">B.</td>"), "{told}");
    }
}
