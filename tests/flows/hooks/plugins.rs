//! Several plugins beside one another, some of them broken: one that can't be admitted harms nobody else, and nobody gets what
//! is another's.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use keyturn_host::plugin::grants::digest;
use keyturn_tests::{COURIER, FOREIGN, PASSWORD as PASSWORD_PLUGIN};
use serde_json::{Value, json};

use crate::hooks::server::{PASSWORD, Panel, Server};

const NOBODY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn plugins(panel: &Panel) -> PathBuf {
    panel.folder.path().join("plugins.d")
}

/// Lays a component and a grants file for it.
fn grant(panel: &Panel, name: &str, component: &[u8], grants: &str) {
    std::fs::write(plugins(panel).join(format!("{name}.wasm")), component).expect("written");
    let text = format!("component = \"{name}.wasm\"\nsha256 = \"{}\"\n[grants]\n{grants}\n", digest(component));
    std::fs::write(plugins(panel).join(format!("{name}.toml")), text).expect("written");
}

/// What a table of a manifest begins with.
fn without_operations(manifest: &str) -> String {
    manifest.split("\n[[").filter(|part| !part.starts_with("operations]]")).collect::<Vec<_>>().join("\n[[")
}

/// Pages only, one of them a link page.
fn drawing(page: &str) -> Vec<u8> {
    let manifest = without_operations(FOREIGN.manifest);
    let own = "name = \"visits\"\nactors = [\"anonymous\", \"self\", \"manager\"]";
    assert!(manifest.contains(own));
    let link = format!("name = \"{page}\"\nlink = true\nactors = [\"anonymous\"]");
    FOREIGN.packed_as(&manifest.replace(own, &link))
}

/// Another file than the one that is granted.
fn break_plugin(panel: &Panel, name: &str) -> Vec<u8> {
    let file = plugins(panel).join(format!("{name}.wasm"));
    let whole = std::fs::read(&file).expect("read");
    std::fs::write(&file, &whole[..whole.len() / 2]).expect("written");
    whole
}

fn repair_plugin(panel: &Panel, name: &str, component: &[u8]) {
    std::fs::write(plugins(panel).join(format!("{name}.wasm")), component).expect("written");
}

fn reloads(server: &Server) {
    let before = server.log().matches("reload finished").count();
    server.signal("HUP");
    let until = Instant::now() + Duration::from_secs(60);
    while server.log().matches("reload finished").count() == before {
        assert!(Instant::now() < until, "{}", server.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn readiness(server: &Server, status: u16) -> String {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let answer = server.ask("GET", "/readyz", &[], b"");
        if answer.status == status || Instant::now() > until {
            assert_eq!(answer.status, status, "{}", answer.body);
            return answer.body;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn findings(panel: &Panel) -> (Option<i32>, String) {
    let output = panel.run(&["check", "--json"]);
    (output.status.code(), String::from_utf8(output.stdout).expect("text"))
}

/// What is shown at a link's address.
fn opened(server: &Server, address: &str) -> (u16, String) {
    let opened = server.ask("GET", address, &[], b"");
    if opened.status != 303 {
        return (opened.status, opened.body);
    }
    let clean = opened.header("location").expect("the clean address").to_owned();
    let cookie = opened.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a cookie").to_owned();
    let page = server.ask("GET", &clean, &[("Cookie", &cookie)], b"");
    (page.status, page.body)
}

fn linked(made: &Value) -> &str {
    made["link"].as_str().expect("a link").strip_prefix("http://127.0.0.1:8089").expect("the link origin")
}

#[test]
fn one_that_cannot_be_admitted_is_left_out_and_harms_nobody_else() {
    let panel = Panel::new();
    let component = FOREIGN.packed();
    grant(&panel, "another-file", &component, "database = true");
    break_plugin(&panel, "another-file");
    grant(&panel, "no-file", &component, "database = true");
    std::fs::remove_file(plugins(&panel).join("no-file.wasm")).expect("removed");
    grant(&panel, "not-granted", &component, "");
    grant(&panel, "no-manifest", &FOREIGN.component(), "database = true");
    grant(&panel, "no-component", b"not one", "database = true");
    std::fs::write(plugins(&panel).join("no-grants.toml"), "component = 7").expect("written");
    grant(&panel, "reserved", &drawing("vi"), "database = true");
    let broken = ["another-file", "no-file", "not-granted", "no-manifest", "no-component", "no-grants"];

    // The rescue works, and says what is broken.
    let rescue = panel.run(&["reset-password", "marta", "--link"]);
    assert!(rescue.status.success(), "{}", String::from_utf8_lossy(&rescue.stderr));
    let (code, said) = findings(&panel);
    assert_eq!(code, Some(6));
    for name in broken {
        assert!(said.contains(&format!("plugin {name} is left out")), "{name}: {said}");
    }
    let token = panel.key("billing", "password/verify,report/greet", &[]);
    let server = panel.serve();
    assert_eq!(readiness(&server, 200), "degraded: a plugin is left out\n");
    for name in broken {
        server.logs(&format!("plugin=\"{name}\""));
    }
    let typed = json!({"login_or_email": "marta", "password": PASSWORD});
    assert_eq!(server.call(&token, "password/verify", &typed).done()["kind"], "rejected");
    server.call(&token, "report/greet", &json!({"name": "Ana"})).done();
    // What was repaired comes back without a new start; it wants what another has, and is refused by name.
    repair_plugin(&server.panel, "another-file", &component);
    reloads(&server);
    server.logs("another-file has hooks of the interface report, and so has acme-report");
}

#[test]
fn without_the_plugin_that_sign_in_asks_it_is_not_ready_and_its_links_wait() {
    let panel = Panel::new();
    let token = panel.key("billing", "password/verify,password/make-link,report/greet,without-step-up", &[]);
    let server = panel.serve();
    let made = server.call(&token, "password/make-link", &json!({"account": "customer:1"})).done();
    let link = linked(&made).to_owned();
    server.signal("TERM");
    let (_, panel) = server.ends();
    let whole = break_plugin(&panel, "keyturn-password");
    // Somebody else's plugin, with the same hooks and the same link page, is there now.
    grant(
        &panel,
        "zz-another",
        &PASSWORD_PLUGIN.packed(),
        "database = true\nkeys = true\nkdf = true\njobs = true\nevents = true\n\
        input = true\npasswords = true\nmail = { recipients = [\"customer\"] }\n\
        accounts = { realms = [\"customer\"], read = [\"login\", \"email\", \"name\", \"locale\", \"state\"], credential = true }",
    );
    let server = panel.serve();
    assert!(readiness(&server, 503).contains("sign-in"));
    let typed = json!({"login_or_email": "marta", "password": PASSWORD});
    let refused = server.call(&token, "password/verify", &typed);
    refused.problem(503, "unavailable");
    assert!(refused.header("retry-after").is_some());
    server.logs("zz-another has hooks of the interface password, and so has keyturn-password");
    server.call(&token, "report/greet", &json!({"name": "Ana"})).done();
    let (status, page) = opened(&server, &link);
    assert_eq!(status, 503, "{page}");
    assert!(page.contains("Your link stays valid"), "{page}");
    let rescue = server.panel.run(&["reset-password", "marta", "--link"]);
    let said = String::from_utf8_lossy(&rescue.stderr).into_owned();
    assert!(!rescue.status.success() && said.contains("keyturn-password is left out"), "{said}");

    repair_plugin(&server.panel, "keyturn-password", &whole);
    reloads(&server);
    assert_eq!(readiness(&server, 200), "degraded: a plugin is left out\n");
    let (status, page) = opened(&server, &link);
    assert_eq!(status, 200, "{page}");
    assert_eq!(server.call(&token, "password/verify", &typed).done()["kind"], "rejected");
}

#[test]
fn a_link_belongs_to_the_plugin_that_made_it_whatever_is_admitted_later() {
    let panel = Panel::new();
    let component = drawing("visits");
    grant(&panel, "one", &component, "database = true");
    grant(&panel, "two", &component, "database = true");
    // Two with one link page: neither start nor reload breaks.
    let server = panel.serve();
    server.logs("two has the link page visits, and so has one");
    reloads(&server);
    let (status, page) = opened(&server, &format!("/visits/{NOBODY}"));
    assert_eq!(status, 200, "{page}");
    // The first one goes, for good. Its links are not shown to the other one.
    std::fs::remove_file(plugins(&server.panel).join("one.toml")).expect("removed");
    reloads(&server);
    let (status, page) = opened(&server, &format!("/visits/{NOBODY}"));
    assert_eq!(status, 410, "{page}");
    let (status, page) = opened(&server, &format!("/visits/{NOBODY}?of=two"));
    assert_eq!(status, 200, "{page}");
    assert!(page.contains("?lang=es&amp;of=two"), "in another language it is another plugin's link: {page}");
    // And back: after a new start too.
    server.signal("TERM");
    let (_, panel) = server.ends();
    grant(&panel, "one", &component, "database = true");
    let server = panel.serve();
    let (status, page) = opened(&server, &format!("/visits/{NOBODY}"));
    assert_eq!(status, 200, "{page}");
    // The other one's links wait for it, and are not shown to the first one.
    let (status, page) = opened(&server, &format!("/visits/{NOBODY}?of=two"));
    assert_eq!(status, 503, "{page}");
}

#[test]
fn the_plugin_that_the_configuration_names_for_sign_in_keeps_its_hooks() {
    let panel = Panel::new();
    let grants = std::fs::read_to_string(plugins(&panel).join("keyturn-password.toml")).expect("read");
    std::fs::write(plugins(&panel).join("a-password.toml"), grants).expect("written");
    let (_, said) = findings(&panel);
    assert!(said.contains("sign-in.plugin names neither"), "{said}");
    assert!(said.contains("keyturn-password has hooks of the interface password, and so has a-password"), "{said}");
    panel.edit("[sign-in]", "[sign-in]\nplugin = \"keyturn-password\"");
    let (_, said) = findings(&panel);
    assert!(!said.contains("names neither"), "{said}");
    assert!(said.contains("a-password has hooks of the interface password, and so has keyturn-password"), "{said}");
    // Nobody takes its place while it is broken, or before it is there.
    std::fs::remove_file(plugins(&panel).join("keyturn-password.toml")).expect("removed");
    let (code, said) = findings(&panel);
    assert_eq!(code, Some(6));
    assert!(said.contains("there is no grants file of that name"), "{said}");
    let refused = panel.run(&["reset-password", "marta", "--link"]);
    assert!(!refused.status.success());
    let server = panel.serve();
    assert!(readiness(&server, 503).contains("sign-in"));
}

#[test]
fn an_event_waits_for_a_plugin_that_is_left_out() {
    let panel = Panel::new();
    let grants = "database = true\njobs = true\nevents = true\ninput = true\npasswords = true\n\
                  mail = { recipients = [\"customer\"], operators = true, text = true }";
    grant(&panel, "courier", &COURIER.packed(), grants);
    let listens = without_operations(COURIER.manifest);
    grant(&panel, "second", &COURIER.packed_as(&listens), grants);
    let tell = || {
        panel.done(&["call", "courier/emit", r#"{"name": "courier.news", "number": 1}"#]);
        let waiting = "SELECT count(*) FROM keyturnhost_tasks WHERE plugin = 'second'";
        panel.database().query_row(waiting, [], |row| row.get::<_, i64>(0)).expect("counted")
    };
    assert_eq!(tell(), 1);
    break_plugin(&panel, "second");
    assert_eq!(tell(), 2, "the event is lost for a plugin that is down");
    std::fs::remove_file(plugins(&panel).join("second.toml")).expect("removed");
    assert_eq!(tell(), 2, "nobody listens any more");
}
