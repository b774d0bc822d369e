//! Ten thousand people have forgotten their passwords, and nobody does the work behind the page. And a stranger guesses at a
//! name for as long as it is allowed.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::panels::{Differs, PASSWORD, Panel};
use keyturn_host::accounts::Reach;
use keyturn_host::caller::{Actor, Caller};
use keyturn_host::config::Config;
use keyturn_host::service_key::NewKey;
use keyturn_tests::Stopped;
use keyturn_tests::client::{Answer, Client};
use serde_json::json;

const FORGOT: &str = "/plugins/keyturn-password/forgot";
/// `limits.waiting-jobs`, as it is by itself.
const MOST: u32 = 10_000;

fn ask(client: &mut Client, typed: &str) -> Answer {
    let form = client.get(FORGOT);
    client.post(FORGOT, &[("kt", form.hidden("kt")), ("login-or-email", typed)])
}

#[test]
fn where_no_more_jobs_may_wait_everybody_is_told_to_come_back_until_somebody_does_them() {
    let panel = Panel::start(&Differs { without_workers: true, logs: true, ..Differs::default() });
    let host =
        Config::read(&panel.file("keyturn.toml")).and_then(|config| config.beside_server().host()).expect("a host");
    let console = Caller::new(Actor::Console, Reach::none());
    let asked = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while let nth @ 0..MOST = asked.fetch_add(1, Ordering::Relaxed) {
                    let arguments = json!({ "login_or_email": format!("nobody {nth}") });
                    host.call(&console, "password/request-reset", &arguments, None).expect("there is room");
                }
            });
        }
    });
    let new = NewKey {
        name: "billing".to_owned(),
        scopes: ["password/request-reset".to_owned()].into(),
        realms: ["customer".to_owned()].into(),
        ..NewKey::default()
    };
    let (_, token) = host.add_service_key(&console, new).expect("a key");

    let address = panel.base.strip_prefix("http://").and_then(|address| address.parse().ok()).expect("an address");
    let mut visitor = Client::new(address);
    // Known by login and by address, suspended, without an address, unknown, and one whose like waits.
    let mut answers = BTreeSet::new();
    for typed in
        ["marta.vidal", "marta@estudiovidal.example", "kringvarp", "epetrova", "somebody@nowhere.example", "nobody 7"]
    {
        let Answer { status, mut headers, body } = ask(&mut visitor, typed);
        assert!(body.contains("busy"), "{body}");
        headers.retain(|(name, _)| name != "date");
        answers.insert((status, headers, body.replace(typed, "TYPED")));
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    let (status, headers, _) = answers.first().expect("an answer");
    assert_eq!(*status, 503);
    assert!(headers.iter().any(|(name, value)| name == "retry-after" && value == "5"), "{headers:?}");
    let mut machine = Client::bearing(address, &token);
    let refused = machine.json("/v1/hooks/password/request-reset", &json!({ "login_or_email": "marta.vidal" }));
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")), "{}", refused.body);
    let log = std::fs::read_to_string(panel.file("log")).expect("reads");
    assert_eq!(
        log.matches("the limit of waiting jobs is reached").count(),
        1,
        "the operator is told, and not by each visitor"
    );

    let mut work = Command::new(env!("CARGO_BIN_EXE_keyturn-example-panel"));
    let work = work.arg("--config").arg(panel.file("keyturn.toml")).arg("work").stdout(Stdio::null()).spawn();
    let _work = Stopped(work.expect("somebody works"));
    let until = Instant::now() + Duration::from_secs(60);
    while ask(&mut visitor, "gmarchetti").status != 303 {
        assert!(Instant::now() < until, "nobody is let in again");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_browser_that_has_signed_in_before_gets_in_while_a_stranger_guesses_from_the_same_address() {
    let panel = Panel::start(&Differs::default());
    let address = panel.base.strip_prefix("http://").and_then(|address| address.parse().ok()).expect("an address");
    let sign_in = |client: &mut Client, typed: &str| {
        let form = client.get("/sign-in");
        client.post("/sign-in", &[("kt", form.hidden("kt")), ("name", "marta.vidal"), ("password", typed)])
    };
    let (mut own, mut stranger, mut new) = (Client::new(address), Client::new(address), Client::new(address));
    let signed_in = sign_in(&mut own, PASSWORD);
    assert_eq!(signed_in.status, 303, "{}", signed_in.body);
    let cookies: Vec<&str> = signed_in
        .headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"))
        .map(|(_, value)| value.as_str())
        .collect();
    let device = cookies.iter().find(|cookie| cookie.starts_with("device=")).expect("a cookie of its own");
    assert!(
        device.contains("HttpOnly") && device.contains("SameSite=Lax") && device.contains("Max-Age=15552000"),
        "{device}"
    );
    let refused = (0..11).map(|_| sign_in(&mut stranger, "a stranger's guess").status).last();
    assert_eq!(refused, Some(429));
    assert_eq!(sign_in(&mut new, PASSWORD).status, 429, "from there nobody else gets in");
    let page = own.get("/account");
    assert_eq!(own.post("/sign-out", &[("token", page.hidden("token"))]).status, 303);
    assert_eq!(sign_in(&mut own, PASSWORD).status, 303);
}
