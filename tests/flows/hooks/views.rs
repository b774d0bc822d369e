//! Views for a panel that is not in the host's program: for whom a panel may speak, and what is drawn, sealed and run for them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use keyturn_tests::signed::{digest, seconds, sign};
use serde_json::{Value, json};

use crate::hooks::server::{ANOTHER, Answer, Panel, Server};

const ORIGIN: &str = "http://127.0.0.1:8089";
const SLOT: &str = "/v1/views/slots/customer.details?kt-for=customer%3A1&kt-url=%2Fedit.php%3Fid%3D1";
const SUBMIT: &str = "/v1/views/submit?kt-url=%2Fedit.php%3Fid%3D1";
const FORM: &str = "application/x-www-form-urlencoded";

/// A request of a panel's.
struct Asks<'a> {
    token: &'a str,
    person: Value,
    method: &'a str,
    target: &'a str,
    kind: &'a str,
    body: Vec<u8>,
    accept: &'a str,
    /// What of it is signed otherwise than it should be.
    covers_person: bool,
    nonce: String,
}

/// An administrator, who is in no mapped table and has just given a password.
fn admin() -> Value {
    json!({
        "audience": ORIGIN, "who": "desk:1", "reach": {"customer": "all"}, "session": "0123456789abcdef",
        "verified_at": seconds(), "locale": "en", "address": "192.0.2.7", "operator": false,
    })
}

fn with(mut person: Value, name: &str, value: Value) -> Value {
    person[name] = value;
    person
}

impl<'a> Asks<'a> {
    fn new(token: &'a str, person: Value, target: &'a str) -> Self {
        let nonce = keyturn_host::caller::request_id() + &keyturn_host::caller::request_id();
        Self {
            token,
            person,
            method: "GET",
            target,
            kind: "",
            body: Vec::new(),
            accept: "*/*",
            covers_person: true,
            nonce,
        }
    }

    fn post(token: &'a str, person: Value, target: &'a str, kind: &'a str, body: &str) -> Self {
        Self { method: "POST", kind, body: body.as_bytes().to_vec(), ..Self::new(token, person, target) }
    }

    fn send(&self, server: &Server) -> Answer {
        let person = BASE64.encode(self.person.to_string());
        self.send_as(server, &person, &person)
    }

    /// Signs one, and sends another.
    fn send_as(&self, server: &Server, signed: &str, sent: &str) -> Answer {
        let (path, query) = self.target.split_once('?').unwrap_or((self.target, ""));
        let digest = digest(&self.body);
        let mut values = vec![("@method", self.method.to_owned()), ("@path", path.to_owned())];
        if self.target.contains('?') {
            values.push(("@query", format!("?{query}")));
        }
        if self.method == "POST" {
            values.push(("content-digest", digest.clone()));
        }
        if self.covers_person {
            values.push(("keyturn-on-behalf", signed.to_owned()));
        }
        let [(_, input), (_, signature)] = sign(self.token, &values, seconds(), &self.nonce);
        let mut headers = vec![
            ("Keyturn-On-Behalf", sent),
            ("Signature-Input", input.as_str()),
            ("Signature", signature.as_str()),
            ("Accept", self.accept),
        ];
        if self.method == "POST" {
            headers.extend([("Content-Digest", digest.as_str()), ("Content-Type", self.kind)]);
        }
        server.ask(self.method, self.target, &headers, &self.body)
    }
}

fn panel() -> (Panel, String) {
    let panel = Panel::new();
    let token = panel.key("panel", "views", &[]);
    (panel, token)
}

/// The sealed value of the form in a region.
fn sealed(html: &str) -> &str {
    html.split("name=\"kt\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a form")
}

fn set(sealed: &str, new: &str, again: &str) -> String {
    let field = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!("kt={sealed}&new={}&new~again={}", field(new), field(again))
}

#[test]
fn a_manager_sets_a_customers_password_by_the_form_that_was_drawn_for_him() {
    let (panel, token) = panel();
    let verify = panel.key("verify", "password/verify", &[]);
    let server = panel.serve();
    let region = Asks::new(&token, admin(), SLOT).send(&server).done();
    let html = region["html"].as_str().expect("text");
    assert!(html.starts_with("<div class=\"kt\" lang=\"en\"") && html.contains("action=\"/edit.php?id=1\""), "{html}");
    for file in ["css", "js"] {
        let file = server.ask("GET", region[file].as_str().expect("an address"), &[], b"");
        assert_eq!(file.status, 200);
        assert_eq!(file.header("cross-origin-resource-policy"), Some("cross-origin"));
    }
    // What is wrong comes back sealed, and is laid on the form.
    let wrong = set(sealed(html), ANOTHER, "something else");
    let again = Asks::post(&token, admin(), SUBMIT, FORM, &wrong).send(&server).done();
    assert_eq!(again["kind"], "again");
    let body = json!({"corrections": again["corrections"]}).to_string();
    let drawn = Asks::post(&token, admin(), SLOT, "application/json", &body).send(&server).done();
    assert!(drawn["summary"].as_str().is_some_and(|html| html.contains("The two passwords differ.")), "{drawn}");
    assert!(!drawn.to_string().contains(ANOTHER));

    let right = set(sealed(drawn["html"].as_str().expect("text")), ANOTHER, ANOTHER);
    let done = Asks::post(&token, admin(), SUBMIT, FORM, &right).send(&server).done();
    assert_eq!((&done["kind"], &done["epoch"]), (&json!("done"), &Value::Null), "{done}");
    let notice = json!({"notice": done["notice"]}).to_string();
    let notice = Asks::post(&token, admin(), "/v1/views/notice", "application/json", &notice).send(&server).done();
    assert!(notice["html"].as_str().is_some_and(|html| html.contains("Password saved")), "{notice}");
    let typed = json!({"login_or_email": "marta", "password": ANOTHER});
    assert_eq!(server.call(&verify, "password/verify", &typed).done()["kind"], "accepted");
    let audit: Value = serde_json::from_str(&server.panel.done(&["--json", "audit", "list"])).expect("JSON");
    let entries = audit.as_array().expect("a list").iter().map(|line| &line["entry"]);
    let set = entries.clone().find(|entry| entry["operation"] == "set-password" && entry["outcome"] == "done");
    let set = set.expect("who did it stands in the audit");
    assert_eq!(
        (&set["actor"], &set["key"], &set["address"]),
        (&json!("desk:1"), &json!("panel"), &json!("192.0.2.7")),
        "and who has carried it"
    );
    let verified = entries.clone().find(|entry| entry["operation"] == "verify").expect("one");
    assert_eq!((&verified["actor"], &verified["key"]), (&json!("service-key:verify"), &json!("verify")));
    let shown = server.panel.done(&["audit", "list"]);
    let line = shown.lines().find(|line| line.contains("desk:1")).expect("a line");
    assert!(shown.lines().next().is_some_and(|head| head.contains("KEY")) && line.contains(" panel "), "{shown}");
}

#[test]
fn a_panel_cannot_speak_for_a_reader_who_passes_for_a_service_key() {
    let (panel, token) = panel();
    panel.key("full", "password/verify", &[]);
    let server = panel.serve();
    for who in ["service-key:full", "console:1", "system:1", "anonymous:1"] {
        let problem = Asks::new(&token, with(admin(), "who", json!(who)), SLOT).send(&server);
        let detail = problem.problem(401, "on-behalf")["detail"].to_string();
        assert!(detail.contains("belong to the host"), "{who}: {detail}");
    }
    let audit = server.panel.done(&["--json", "audit", "list"]);
    assert!(!audit.contains("service-key:full"), "{audit}");
}

#[test]
fn a_panel_that_draws_by_itself_gets_what_a_plugin_says_as_json() {
    const VIEW: &str = "application/vnd.keyturn.view+json";
    let (panel, token) = panel();
    let server = panel.serve();
    let ask = |target: &str| Asks { accept: VIEW, ..Asks::new(&token, admin(), target) }.send(&server).done();
    let view = ask(SLOT);
    let form = view["regions"][0]["nodes"].as_array().expect("nodes").iter().find(|node| node["kind"] == "form");
    let form = form.expect("a form");
    assert_eq!((&form["post"]["url"], &form["submit"]["label"]), (&json!("/edit.php?id=1"), &json!("Save")));
    let field = &form["fields"][0];
    assert_eq!(
        (&field["name"], &field["kind"], &field["min_length"]),
        (&json!("new"), &json!("new-password"), &json!(15))
    );
    assert_eq!(field["repeat"]["name"], "new~again");
    // What it bears unseen is the same form as that of the HTML.
    let wrong = set(form["post"]["hidden"]["kt"].as_str().expect("text"), ANOTHER, "something else");
    let again = Asks::post(&token, admin(), SUBMIT, FORM, &wrong).send(&server).done();
    let body = json!({"corrections": again["corrections"]}).to_string();
    let drawn =
        Asks { accept: VIEW, ..Asks::post(&token, admin(), SLOT, "application/json", &body) }.send(&server).done();
    let text = drawn.to_string();
    assert!(text.contains(r#""repeat":{"name":"new~again","errors":["The two passwords differ."]}"#), "{text}");

    let page = ask("/v1/views/page?kt-url=%2Fk&kt-plugin=keyturn-password&kt-page=reset&kt-for=customer%3A1");
    assert_eq!(page["title"], "Reset & mail the password of Marta Vidal?");
    let rows = ask("/v1/views/rows/customer.actions?kt-url=%2F&kt-for=customer%3A1&kt-for=customer%3A2");
    assert_eq!(rows["rows"][1]["subject"], "customer:2");
    let action = &rows["rows"][0]["regions"][0]["nodes"][0]["actions"][0];
    assert_eq!(action["label"], "Reset & mail password");
    assert!(action["run"]["go"].is_string() || action["run"]["post"].is_object(), "{action}");
}

#[test]
fn only_a_signed_word_of_the_panels_own_key_says_who_asks() {
    let (panel, token) = panel();
    let other = panel.key("other", "password/verify", &[]);
    let server = panel.serve();
    let ask = |person: Value| Asks::new(&token, person, SLOT).send(&server);
    assert_eq!(ask(admin()).status, 200);

    let person = BASE64.encode(admin().to_string());
    let bearer = format!("Bearer {token}");
    let borne = [("Authorization", bearer.as_str()), ("Keyturn-On-Behalf", person.as_str())];
    server.ask("GET", SLOT, &borne, b"").problem(401, "bad-signature");
    server.ask("GET", SLOT, &borne[..1], b"").problem(401, "on-behalf");
    server.ask("GET", SLOT, &borne[1..], b"").problem(401, "no-key");

    let uncovered = Asks { covers_person: false, ..Asks::new(&token, admin(), SLOT) };
    let why = uncovered.send(&server).problem(401, "bad-signature");
    assert!(why["detail"].as_str().is_some_and(|why| why.contains("must cover keyturn-on-behalf")), "{why}");
    let owner = BASE64.encode(with(admin(), "operator", json!(true)).to_string());
    Asks::new(&token, admin(), SLOT).send_as(&server, &person, &owner).problem(401, "bad-signature");
    let once = Asks::new(&token, admin(), SLOT);
    assert_eq!(once.send(&server).status, 200);
    once.send(&server).problem(401, "bad-signature");

    Asks::new(&other, admin(), SLOT).send(&server).problem(403, "not-allowed");
    ask(with(admin(), "audience", json!("https://staging.example"))).problem(401, "on-behalf");
    ask(with(admin(), "session", json!("short"))).problem(401, "on-behalf");
    ask(with(admin(), "who", json!("nonsense"))).problem(401, "on-behalf");
    ask(with(admin(), "more", json!(1))).problem(401, "on-behalf");
    // Milliseconds, or a day that has not come, are no proof; nor does a number break anything.
    for at in [seconds() * 1_000, seconds() + 86_400, -1, i64::MIN, i64::MAX] {
        ask(with(admin(), "verified_at", json!(at))).problem(401, "on-behalf");
    }
    let mut less = admin();
    less.as_object_mut().expect("an object").remove("verified_at");
    ask(less).problem(401, "on-behalf");
}

#[test]
fn of_whom_a_panel_speaks_is_said_in_one_form_only() {
    let (panel, token) = panel();
    let server = panel.serve();
    for (name, values) in [
        (
            "who",
            json!([
                "customer:",
                ":1",
                "customer",
                "Customer:1",
                "customer:1 ",
                " customer:1",
                "customer:1\n",
                1,
                [],
                {},
                true
            ]),
        ),
        ("who", json!([format!("customer:{}", "1".repeat(64))])),
        (
            "reach",
            json!([{"customer": "everybody"}, {"customer": null}, {"customer": "All"}, ["customer"], null, "all"]),
        ),
        ("session", json!(["0123456789 abcdef", "0123456789abcde\u{e9}", "x".repeat(129), null, 16])),
        ("verified_at", json!([1.5, "1", true, [1], 1e40])),
        ("locale", json!([null, 1, ["en"]])),
        ("address", json!(["192.0.2.7:80", "::1%lo", "localhost", "192.0.2.007", "", 7])),
        ("operator", json!([1, 0, "true", null, "false"])),
        ("audience", json!([format!("{ORIGIN}/"), ORIGIN.to_uppercase(), format!(" {ORIGIN}"), null, [ORIGIN]])),
    ] {
        for value in values.as_array().expect("a list") {
            let refused = Asks::new(&token, with(admin(), name, value.clone()), SLOT).send(&server);
            refused.problem(401, "on-behalf");
        }
    }
    let said = admin().to_string();
    let twice = said.replacen('{', "{\"operator\":true,", 1);
    let after = format!("{said}{{}}");
    for json in [twice.as_str(), &after, "[]", "", "null"] {
        let person = BASE64.encode(json);
        Asks::new(&token, admin(), SLOT).send_as(&server, &person, &person).problem(401, "on-behalf");
    }
    let base64 = BASE64.encode(&said);
    for person in
        [base64.trim_end_matches('=').to_owned() + "!", base64.replacen('a', "-", 1), format!("{base64} {base64}")]
    {
        Asks::new(&token, admin(), SLOT).send_as(&server, &person, &person).problem(401, "on-behalf");
    }
    // Whoever is not there under that very name is nobody who could be spoken for as himself.
    for who in ["customer:01", "customer:+1", "customer:1.0", "customer:0x1"] {
        let person = with(with(admin(), "who", json!(who)), "reach", json!({}));
        let region = Asks::new(&token, person, SLOT).send(&server).done();
        assert!(
            !region.to_string().contains("Marta") && !region.to_string().contains("name=\\\"kt\\\""),
            "{who}: {region}"
        );
    }
}

#[test]
fn a_page_stands_in_the_panel_whatever_its_address_is_made_to_look_like() {
    let (panel, token) = panel();
    panel.edit("[database]", "[server]\npanel = \"https://panel.example/admin\"\n\n[database]");
    let server = panel.serve();
    let at = |url: &str| {
        let url: String = form_urlencoded::byte_serialize(url.as_bytes()).collect();
        let target = format!("/v1/views/slots/customer.details?kt-for=customer%3A1&kt-url={url}");
        Asks::new(&token, admin(), &target).send(&server)
    };
    for url in [
        "",
        "x",
        " /x",
        "//evil.example/x",
        "/\\evil.example/x",
        "\\\\evil.example/x",
        "/\tx",
        "/\t/evil.example",
        "/x\r\nSet-Cookie: a=b",
        "/x\0",
        "/\u{e9}",
        "/a b",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "https:panel.example/",
        "https:///panel.example/",
        "HTTPS://panel.example/",
        "http://panel.example/",
        "https://panel.example.evil/",
        "https://panel.example:8443/",
        "https://panel.example:443/",
        "https://panel.example@evil.example/",
        "https://panel.example\\@evil.example/",
        "https://user:word@panel.example/",
        "https://evil.example/?https://panel.example/",
        "https://evil.example#https://panel.example/",
    ] {
        assert_eq!(at(url).problem(400, "arguments")["path"], "kt-url", "{url}");
    }
    for (url, action) in [
        ("/x?a=\"><script>", "action=\"/x?a=&quot;&gt;&lt;script&gt;\""),
        ("https://panel.example", "action=\"https://panel.example\""),
        ("https://panel.example/x?y#z", "action=\"https://panel.example/x?y#z\""),
    ] {
        let region = at(url).done();
        let html = region["html"].as_str().expect("text");
        assert!(html.contains(action) && !html.contains("<script"), "{url}: {html}");
    }
    // The first of two is the one.
    let two = "/v1/views/slots/customer.details?kt-for=customer%3A1&kt-url=%2F%2Fevil.example&kt-url=%2Fx";
    Asks::new(&token, admin(), two).send(&server).problem(400, "arguments");
}

#[test]
fn nobody_reaches_further_than_the_key() {
    let (panel, token) = panel();
    let server = panel.serve();
    let ask = |person: Value| Asks::new(&token, person, SLOT).send(&server);
    ask(with(admin(), "reach", json!({"reseller": "all"}))).problem(403, "not-allowed");
    // Resellers are mapped, and the key does not reach them: it cannot speak for one either.
    ask(with(admin(), "who", json!("reseller:7"))).problem(403, "not-allowed");
    // Accounts that the reader doesn't manage don't exist for them: no form, and no name.
    for person in [
        with(admin(), "reach", json!({})),
        with(admin(), "who", json!("customer:2")),
        with(admin(), "who", Value::Null),
    ] {
        let person = with(person, "reach", json!({}));
        let region = ask(person).done();
        assert!(!region["html"].as_str().expect("text").contains("name=\"kt\""), "{region}");
        assert!(!region.to_string().contains("can&#39;t be shown"), "nothing has failed: {region}");
    }
    // A list may hold people who are not mapped: their rows are empty, and spoil no others.
    let list = "/v1/views/rows/customer.actions?kt-url=%2F&kt-for=staff%3A1&kt-for=customer%3A1&kt-for=customer%3A999";
    let rows = Asks::new(&token, admin(), list).send(&server).done();
    let with_button = |at: usize| rows["rows"][at]["actions"].as_str().is_some_and(|html| html.contains("Reset &amp;"));
    assert_eq!([0, 1, 2].map(with_button), [false, true, false], "{rows}");
    assert!(!rows.to_string().contains("can&#39;t be shown"), "{rows}");
    let page = "/v1/views/page?kt-url=%2Fkeyturn.php&kt-plugin=host&kt-page=outbox";
    Asks::new(&token, admin(), page).send(&server).problem(403, "forbidden");
    let operator = with(admin(), "operator", json!(true));
    assert!(
        Asks::new(&token, operator, page).send(&server).done()["html"]
            .as_str()
            .is_some_and(|html| html.contains("<h1"))
    );
    let nobody = with(with(admin(), "who", Value::Null), "operator", json!(true));
    Asks::new(&token, nobody, page).send(&server).problem(403, "forbidden");
    let refused =
        server.panel.run(&["keys", "add", "two", "--may", "views", "--accounts", "customer", "--managed-by", "7"]);
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("speaks for everyone"));
}

#[test]
fn by_which_key_somebody_was_spoken_for_stands_in_the_log() {
    let (panel, token) = panel();
    let server = panel.serve();
    let answer = Asks::new(&token, admin(), SLOT).send(&server);
    let request = answer.header("x-request-id").expect("an id").to_owned();
    Asks::new("kt_abcdefghijkl_abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst", admin(), SLOT).send(&server);
    server.logs(&format!("answered request=\"{request}\" key=\"panel\""));
    assert_eq!(server.log().matches("key=\"panel\"").count(), 1, "{}", server.log());
}

#[test]
fn a_form_is_for_its_reader_his_session_and_its_key() {
    let (panel, token) = panel();
    let second = panel.key("second", "views", &[]);
    let server = panel.serve();
    let region = Asks::new(&token, admin(), SLOT).send(&server).done();
    let form = set(sealed(region["html"].as_str().expect("text")), ANOTHER, ANOTHER);
    let post = |token: &str, person: Value| Asks::post(token, person, SUBMIT, FORM, &form).send(&server);
    for (token, person) in [
        (&token, with(admin(), "session", json!("another-session-id"))),
        (&token, with(admin(), "who", json!("desk:2"))),
        (&second, admin()),
    ] {
        let answer = post(token, person);
        // After a new sign-in it may be filled in again; it isn't run.
        assert!(answer.status == 403 || answer.done()["kind"] == "stale", "{}", answer.body);
    }
    let status = server
        .panel
        .database()
        .query_row("SELECT password_hash FROM people WHERE id = 1", [], |row| row.get::<_, Option<String>>(0));
    assert_eq!(status.expect("a row"), None, "nothing was set");
    assert_eq!(post(&token, admin()).done()["kind"], "done");
}

#[test]
fn who_proved_himself_long_ago_is_asked_again_and_his_form_is_kept_for_him_alone() {
    let (panel, token) = panel();
    let server = panel.serve();
    let late = || with(admin(), "verified_at", json!(seconds() - 3_600));
    let region = Asks::new(&token, late(), SLOT).send(&server).done();
    let form = set(sealed(region["html"].as_str().expect("text")), ANOTHER, ANOTHER);
    let answer = Asks::post(&token, late(), SUBMIT, FORM, &form).send(&server).done();
    assert_eq!(answer["kind"], "step-up");
    assert!(!answer.to_string().contains("velvet"), "it is sealed");
    let held = json!({"held": answer["held"]}).to_string();
    let target = SUBMIT.replace("submit", "held");
    let other = with(admin(), "session", json!("another-session-id"));
    Asks::post(&token, other, &target, "application/json", &held).send(&server).problem(403, "foreign-form");
    let still_late = Asks::post(&token, late(), &target, "application/json", &held).send(&server).done();
    assert_eq!(still_late["kind"], "step-up");
    assert_eq!(Asks::post(&token, admin(), &target, "application/json", &held).send(&server).done()["kind"], "done");
}

#[test]
fn a_key_makes_no_keys_whoever_it_speaks_for() {
    let panel = Panel::new();
    let token = panel.key("panel", "views", &["--accounts", "reseller,staff"]);
    let server = panel.serve();
    let everybody = json!({"customer": "all", "reseller": "all", "staff": "all"});
    let owner = with(with(admin(), "operator", json!(true)), "reach", everybody);
    let page = |name: &str| format!("/v1/views/page?kt-url=%2Fkeyturn.php&kt-plugin=host&kt-page={name}");
    for name in ["outbox", "webhooks", "email-settings"] {
        Asks::new(&token, owner.clone(), &page(name)).send(&server).done();
    }
    for query in ["keys", "keys&new=1", "keys&rotate=panel"] {
        Asks::new(&token, owner.clone(), &page(query)).send(&server).problem(404, "not-found");
    }
}

#[test]
fn what_a_panel_hands_on_wrongly_is_refused_by_name() {
    let (panel, token) = panel();
    let server = panel.serve();
    for (target, path) in [
        ("/v1/views/slots/customer.details?kt-for=customer%3A1", "kt-url"),
        ("/v1/views/slots/customer.details?kt-for=customer%3A1&kt-url=javascript:alert(1)", "kt-url"),
        ("/v1/views/slots/customer.details?kt-for=customer%3A1&kt-url=%2F%5Cevil.example%2Fx", "kt-url"),
        ("/v1/views/slots/customer.details?kt-for=customer%3A1&kt-url=https%3A%2F%2Fevil.example%2Fx", "kt-url"),
        ("/v1/views/slots/customer.details?kt-for=nonsense&kt-url=%2F", "kt-for"),
        ("/v1/views/slots/customer.details?kt-for=customer%3A1&kt-url=%2F&kt-level=1", "kt-level"),
        ("/v1/views/rows/customers.row?kt-url=%2F", "kt-for"),
        ("/v1/views/page?kt-url=%2F", "kt-plugin"),
        ("/v1/views/page?kt-url=%2F&kt-plugin=host", "kt-page"),
    ] {
        assert_eq!(
            Asks::new(&token, admin(), target).send(&server).problem(400, "arguments")["path"],
            path,
            "{target}"
        );
    }
    for kind in ["slots", "rows"] {
        let misspelt = format!("/v1/views/{kind}/customer.row?kt-url=%2F&kt-for=customer%3A1");
        let why = Asks::new(&token, admin(), &misspelt).send(&server).problem(404, "no-such-address");
        assert!(
            why["detail"].as_str().is_some_and(|why| why.contains("there are sign-in.below, customers.row")),
            "{why}"
        );
    }
    let many: String = (1..=101).map(|id| format!("&kt-for=customer%3A{id}")).collect();
    let rows = format!("/v1/views/rows/customers.row?kt-url=%2F{many}");
    Asks::new(&token, admin(), &rows).send(&server).problem(400, "arguments");
    Asks::post(&token, admin(), SUBMIT, "application/json", "{}").send(&server).problem(415, "media-type");
    Asks::post(&token, admin(), SUBMIT, FORM, "kt=forged&new=x").send(&server).problem(403, "foreign-form");
    let page = "/v1/views/page?kt-url=%2F&kt-plugin=keyturn-password&kt-page=reset&kt-for=customer%3A1";
    Asks::new(&token, with(with(admin(), "who", Value::Null), "reach", json!({})), page)
        .send(&server)
        .problem(401, "sign-in");
    Asks::new(&token, admin(), "/v1/views/page?kt-url=%2F&kt-plugin=nobody&kt-page=x")
        .send(&server)
        .problem(404, "no-such-hook");
}
