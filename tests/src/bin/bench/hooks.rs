//! Hooks over HTTP, as a billing system calls them, and views, as a panel in another language asks for them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use keyturn_host::seal;
use keyturn_tests::client::Client;
use keyturn_tests::signed::{digest, seconds, sign};
use keyturn_tests::sink::Sink;
use serde_json::{Value, json};

use super::load::{Load, cpu, memory};
use super::panel::{PEOPLE, Panel};
use super::{PASSWORD_TEXT, ms, say};

/// How long each is called.
const WHILE: Duration = Duration::from_secs(2);

pub fn measure() {
    let sink = Sink::start(false);
    let panel = Panel::start(&sink, true);
    let token = panel.key();
    let id = |login: &str| -> i64 {
        panel.database().query_row("SELECT id FROM people WHERE login = ?1", [login], |row| row.get(0)).expect("there")
    };
    let (first, signs_in) = (id("customer-0"), id("customer-39999"));
    let set = json!({ "account": format!("customer:{signs_in}"), "new": PASSWORD_TEXT, "must_change": false });
    let mut machine = Client::bearing(panel.address, &token);
    assert_eq!(machine.json("/v1/hooks/password/set-password", &set).status, 200);
    let nth = |nth: usize| format!("customer:{}", first + (nth % (PEOPLE - 1)) as i64);
    for way in [Way::Borne, Way::Signed] {
        call(&panel, (&token, way), "account-status", &|at| json!({ "account": nth(at) }));
    }
    views(&panel, &token, first);
    let login = format!("customer-{}", PEOPLE - 1);
    call(&panel, (&token, Way::Borne), "verify", &|_| json!({ "login_or_email": login, "password": PASSWORD_TEXT }));
    call(&panel, (&token, Way::Borne), "reset-and-mail", &|at| json!({ "account": nth(at), "mode": "temporary" }));
}

/// How a machine says who it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Borne,
    Signed,
}

fn call(panel: &Panel, (token, way): (&str, Way), hook: &str, arguments: &(dyn Fn(usize) -> Value + Sync)) {
    let path = format!("/v1/hooks/password/{hook}");
    for callers in [1, 8, 64] {
        panel.idle();
        let client = || match way {
            Way::Borne => Client::bearing(panel.address, token),
            Way::Signed => Client::new(panel.address),
        };
        let clients = (0..callers).map(|_| client()).collect();
        let before = cpu(panel.process());
        let load = Load::during(WHILE, clients, |client, at| {
            let body = arguments(at).to_string();
            if way == Way::Signed {
                let digest = digest(body.as_bytes());
                let components =
                    [("@method", "POST".to_owned()), ("@path", path.clone()), ("content-digest", digest.clone())];
                let signed = sign(token, &components, seconds(), &seal::hex(&seal::random::<16>()));
                client.headers = signed.map(|(name, value)| (name.to_owned(), value)).into();
                client.headers.push(("Content-Digest".to_owned(), digest));
            }
            let request = client.request("POST", &path, "application/json", &body);
            let began = Instant::now();
            let answer = client.send(&request);
            let took = began.elapsed();
            assert_eq!(answer.status, 200, "{}", answer.body);
            took
        });
        let each = (cpu(panel.process()) - before) / load.count() as u32;
        let (signed, memory) = (if way == Way::Signed { ", signed" } else { "" }, memory(panel.process()));
        let words = format!("{}   CPU a call {}   {memory}", load.words(), ms(each));
        say(&format!("hook {hook}{signed}, {callers} callers"), &words);
    }
}

/// A region of a customer's page, each request signed for its reader.
fn views(panel: &Panel, token: &str, first: i64) {
    for readers in [1, 8, 64] {
        panel.idle();
        let before = cpu(panel.process());
        let load = read(panel.address, token, readers, &|at| first + (at % (PEOPLE - 1)) as i64);
        let each = (cpu(panel.process()) - before) / load.count() as u32;
        let memory = memory(panel.process());
        let words = format!("{}   CPU a region {}   {memory}", load.words(), ms(each));
        say(&format!("region, {readers} readers"), &words);
    }
    panel.idle();
    let load = std::thread::scope(|scope| {
        let until = Instant::now() + 2 * WHILE;
        for at in 0..64 {
            scope.spawn(move || {
                let mut client = Client::bearing(panel.address, token);
                let typed = json!({ "login_or_email": format!("customer-{at}"), "password": "not this one" });
                while Instant::now() < until {
                    let answer = client.json("/v1/hooks/password/verify", &typed);
                    assert!([200, 429, 503].contains(&answer.status), "{}", answer.body);
                }
            });
        }
        std::thread::sleep(WHILE / 4);
        read(panel.address, token, 8, &|at| first + (at % (PEOPLE - 1)) as i64)
    });
    say("region, 8 readers beside 64 sign-ins", &load.words());
}

/// Each reader asks for one customer's after another's.
pub fn read(host: SocketAddr, token: &str, readers: usize, nth: &(dyn Fn(usize) -> i64 + Sync)) -> Load {
    let person = json!({
        "audience": format!("http://{host}"), "who": "desk:1", "reach": { "customer": "all" },
        "session": "0123456789abcdef", "verified_at": null, "locale": "en", "address": null, "operator": false,
    });
    let person = BASE64.encode(person.to_string());
    let clients = (0..readers).map(|_| Client::new(host)).collect();
    let path = "/v1/views/slots/customer.sections";
    Load::during(WHILE, clients, |client: &mut Client, at| {
        let account = nth(at);
        let query = format!("kt-for=customer%3A{account}&kt-url=%2Fcustomer");
        let components = [
            ("@method", "GET".to_owned()),
            ("@path", path.to_owned()),
            ("@query", format!("?{query}")),
            ("keyturn-on-behalf", person.clone()),
        ];
        let signed = sign(token, &components, seconds(), &seal::hex(&seal::random::<16>()));
        client.headers = signed.map(|(name, value)| (name.to_owned(), value)).into();
        client.headers.push(("Keyturn-On-Behalf".to_owned(), person.clone()));
        let request = client.request("GET", &format!("{path}?{query}"), "", "");
        let began = Instant::now();
        let answer = client.send(&request);
        let took = began.elapsed();
        assert_eq!(answer.status, 200, "{}", answer.body);
        took
    })
}
