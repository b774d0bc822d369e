//! What is said of hooks: the document and the page, drawn from each component's own types and its WIT's words.

use keyturn_tests::FOREIGN;
use serde_json::{Value, json};

use crate::hooks::server::{Panel, Server};

fn document(server: &Server) -> Value {
    let answer = server.ask("GET", "/v1/openapi.json", &[], b"");
    answer.done()
}

/// One row of a manifest's operations, taken away.
fn without(operation: &str) -> String {
    let row = format!("[[operations]]\nname = \"{operation}\"");
    let (before, after) = FOREIGN.manifest.split_once(&row).expect("there");
    let (_, after) = after.split_once("\n\n").expect("a row ends");
    format!("{before}{after}")
}

#[test]
fn types_are_named_and_explained_as_their_wit_does() {
    let server = Panel::new().serve();
    let document = document(&server);
    assert_eq!(document["openapi"], "3.1.0");
    let verify = &document["paths"]["/v1/hooks/password/verify"]["post"];
    assert!(verify["summary"] == "Checks a password at sign-in", "{verify}");
    assert_eq!(verify["security"], json!([{"key": ["password/verify"]}]));
    let answer = &verify["responses"]["200"]["content"]["application/json"]["schema"];
    assert_eq!(answer, &json!({"$ref": "#/components/schemas/Verdict"}));
    let schemas = &document["components"]["schemas"];
    let verdict = &schemas["Verdict"];
    assert_eq!(
        verdict["description"],
        "The result of a sign-in. Only somebody with the right password gets a result other than `rejected`."
    );
    let must_change = verdict["oneOf"]
        .as_array()
        .expect("cases")
        .iter()
        .find(|case| case["properties"]["kind"]["const"] == "must_change");
    let must_change = must_change.expect("there");
    assert_eq!(
        must_change["description"],
        "Start no session yet: send the person to this page, to choose a new password."
    );
    let link =
        must_change["properties"]["value"]["$ref"].as_str().and_then(|name| name.rsplit('/').next()).expect("named");
    assert_eq!((&schemas[link]["type"], &schemas[link]["format"]), (&json!("string"), &json!("uri")));
    let status = &document["paths"]["/v1/hooks/password/account-status"]["post"]["requestBody"]["content"]["application/json"]
        ["schema"];
    assert_eq!(status["properties"]["account"], json!({"$ref": "#/components/schemas/AccountId"}));
    assert!(schemas["AccountId"]["description"].as_str().is_some_and(|text| text.contains("`customer:42`")));
    assert!(document["paths"].get("/v1/hooks/password/change-own").is_none(), "not for machines");
    // Of a component that nobody knew, the same.
    let window = &schemas["Window"]["oneOf"];
    assert_eq!(window[1]["properties"]["value"]["prefixItems"][1], json!({"$ref": "#/components/schemas/Unit"}));
    let refused = &document["paths"]["/v1/hooks/report/summarise"]["post"]["responses"]["422"]["content"];
    let error = &refused["application/problem+json"]["schema"]["allOf"][1]["properties"]["error"];
    assert_eq!(error, &json!({"$ref": "#/components/schemas/Trouble"}));
}

#[test]
fn one_more_function_of_a_plugins_is_one_more_address_document_and_scope() {
    let panel = Panel::new();
    panel.foreign(&FOREIGN.packed_as(&without("summarise")));
    let token = panel.key("billing", "report/greet", &[]);
    let server = panel.serve();
    let arguments = json!({"window": {"kind": "all"}, "marks": [], "digest": "", "weights": []});
    let path = "/v1/hooks/report/summarise";
    assert!(document(&server)["paths"].get(path).is_none());
    server.call(&token, "report/summarise", &arguments).problem(404, "no-such-hook");
    let add = ["keys", "add", "more", "--may", "report/summarise", "--accounts", "customer"];
    assert_eq!(server.panel.run(&add).status.code(), Some(5), "no such scope");

    server.panel.foreign(&FOREIGN.packed());
    server.signal("HUP");
    server.logs("reload finished");
    assert_eq!(document(&server)["paths"][path]["post"]["operationId"], "report_summarise");
    server.call(&token, "report/summarise", &arguments).problem(403, "not-allowed");
    let token = server.panel.key("more", "report/summarise", &[]);
    assert_eq!(server.call(&token, "report/summarise", &arguments).done()["total"], 0);
    let page = server.ask("GET", "/v1/", &[], b"");
    assert_eq!(page.status, 200);
    assert!(page.body.contains("POST /v1/hooks/report/summarise") && page.body.contains("Says hello"), "{}", page.body);
    assert!(page.header("content-security-policy").is_some_and(|policy| policy.contains("default-src 'none'")));
}

#[test]
fn every_answer_fits_the_document() {
    let server = Panel::new().serve();
    let document = document(&server);
    let text = document.to_string();
    // Every reference leads somewhere.
    for target in text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(document.pointer(target).is_some(), "{target} leads nowhere");
    }
    // Every problem's type leads to its row on the page.
    let page = server.ask("GET", "/v1/", &[], b"").body;
    let codes = document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"].clone();
    for code in codes.as_array().expect("codes") {
        assert!(page.contains(&format!("<code id={code}>")), "{code}");
    }
}
