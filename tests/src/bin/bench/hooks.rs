//! Hooks over HTTP, as a billing system calls them.

use std::time::{Duration, Instant};

use keyturn_tests::client::Client;
use keyturn_tests::sink::Sink;
use serde_json::{Value, json};

use super::load::{Load, cpu};
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
    call(&panel, &token, "account-status", &|at| json!({ "account": nth(at) }));
    let login = format!("customer-{}", PEOPLE - 1);
    call(&panel, &token, "verify", &|_| json!({ "login_or_email": login, "password": PASSWORD_TEXT }));
    call(&panel, &token, "reset-and-mail", &|at| json!({ "account": nth(at), "mode": "temporary" }));
}

fn call(panel: &Panel, token: &str, hook: &str, arguments: &(dyn Fn(usize) -> Value + Sync)) {
    let path = format!("/v1/hooks/password/{hook}");
    for callers in [1, 8, 64] {
        panel.idle();
        let clients = (0..callers).map(|caller| (caller, Client::bearing(panel.address, token))).collect();
        let before = cpu(panel.process());
        let load = Load::of(clients, |(caller, client)| {
            let (until, mut times, mut at) = (Instant::now() + WHILE, Vec::new(), *caller);
            while Instant::now() < until {
                let request = client.request("POST", &path, "application/json", &arguments(at).to_string());
                let began = Instant::now();
                let answer = client.send(&request);
                times.push(began.elapsed());
                assert_eq!(answer.status, 200, "{}", answer.body);
                at += callers;
            }
            times
        });
        let each = (cpu(panel.process()) - before) / load.count() as u32;
        say(&format!("hook {hook}, {callers} callers"), &format!("{}   CPU a call {}", load.words(), ms(each)));
    }
}
