//! Forgotten password, as visitors ask for it on the panel's page, and the mail behind it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use keyturn_tests::client::Client;
use keyturn_tests::sink::Sink;
use serde_json::json;

use super::load::{Load, cpu, part_of};
use super::panel::{PEOPLE, Panel};
use super::{console, ms, say};

const FORGOT: &str = "/plugins/keyturn-password/forgot";
/// Requests of all clients together, by how many clients there are.
const REQUESTS: [(usize, usize); 3] = [(1, 1_500), (8, 6_000), (64, 12_000)];

/// A visitor and the requests that they are about to send: each form was drawn for them, and runs once.
struct Visitor {
    client: Client,
    ready: Vec<(String, Vec<u8>)>,
}

/// Names are asked for once each, known ones and others.
#[derive(Default)]
struct Names(AtomicUsize);

impl Names {
    fn next(&self, half_known: bool) -> String {
        let nth = self.0.fetch_add(1, Ordering::Relaxed);
        let known = half_known && nth.is_multiple_of(2);
        let who = if known { "customer" } else { "stranger" };
        format!("{who}-{}@mail.example", nth / 2 % PEOPLE)
    }
}

fn visitors(panel: &Panel, names: &Names, clients: usize, requests: usize, half_known: bool) -> Vec<Visitor> {
    let draw = |nth: usize| {
        let mut client = panel.visitor(nth);
        let ready = (0..requests / clients)
            .map(|_| {
                let (form, typed) = (client.get(FORGOT), names.next(half_known));
                let request = client.posting(FORGOT, &[("kt", form.hidden("kt")), ("login-or-email", &typed)]);
                (typed, request)
            })
            .collect();
        Visitor { client, ready }
    };
    (0..clients).map(draw).collect()
}

pub fn measure() {
    let sink = Sink::start(true);
    let panel = Panel::start(&sink, true);
    let names = Names::default();
    for half_known in [false, true] {
        for (clients, requests) in REQUESTS {
            let visitors = visitors(&panel, &names, clients, requests, half_known);
            panel.idle();
            drop(sink.remembered());
            let before = (cpu(panel.process()), sink.count(), Instant::now());
            let load = Load::of(visitors, |visitor| {
                let mut times = Vec::with_capacity(visitor.ready.len());
                for (_, request) in &visitor.ready {
                    let began = Instant::now();
                    let status = visitor.client.send(request).status;
                    times.push(began.elapsed());
                    assert_eq!(status, 303);
                }
                times
            });
            let (answered, asked) = (cpu(panel.process()), before.2.elapsed());
            let mails_meanwhile = (sink.count() - before.1) as f64 / asked.as_secs_f64();
            panel.idle();
            let each = |from: Duration| ms((cpu(panel.process()) - from) / load.count() as u32);
            let whom = if half_known { "half known" } else { "unknown" };
            say(&format!("Forgotten password, {clients} clients, {whom}"), &load.words());
            let answer = ms((answered - before.0) / load.count() as u32);
            let mails = if half_known { format!("   {mails_meanwhile:.0} mails/s meanwhile") } else { String::new() };
            say(
                "  CPU a request: until answered, with all work behind",
                &format!("{answer}, {}{mails}", each(before.0)),
            );
        }
    }
    delay(&panel, &sink, &names);
    drop(panel);
    mails(&sink);
}

/// From the request to the server's word that it has the mail, where nothing else is to be done.
fn delay(panel: &Panel, sink: &Sink, names: &Names) {
    let mut visitors = visitors(panel, names, 1, 200, true);
    drop(sink.remembered());
    let mut asked = HashMap::new();
    for visitor in &mut visitors {
        for (typed, request) in &visitor.ready {
            asked.insert(typed.clone(), Instant::now());
            visitor.client.send(request);
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    panel.idle();
    let mut delays: Vec<Duration> =
        sink.remembered().into_iter().filter_map(|(to, at)| Some(at - *asked.get(&to)?)).collect();
    delays.sort_unstable();
    let (median, last) = (part_of(&delays, 0.5), part_of(&delays, 0.99));
    say("from the request until a server has the mail", &format!("p50 {}   p99 {}", ms(median), ms(last)));
}

/// What waits goes out: job, link, mail, server.
fn mails(sink: &Sink) {
    const MAILS: usize = 10_000;
    let panel = Panel::start(sink, false);
    let host = panel.host();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                while let nth @ 0..MAILS = next.fetch_add(1, Ordering::Relaxed) {
                    let arguments = json!({ "login_or_email": format!("customer-{nth}@mail.example") });
                    host.call(&console(), "password/request-reset", &arguments, None).expect("asked");
                }
            });
        }
    });
    drop(host);
    // The last ones are due after so long.
    std::thread::sleep(Duration::from_secs(2));
    let before = sink.count();
    let work = panel.work();
    assert!(sink.has_taken(before + 1, Duration::from_secs(60)), "no mail goes");
    let (began, used) = (Instant::now(), cpu(work.0.id()));
    assert!(sink.has_taken(before + MAILS as u64, Duration::from_secs(300)), "not all mails went");
    let rate = (MAILS - 1) as f64 / began.elapsed().as_secs_f64();
    let each = (cpu(work.0.id()) - used) / MAILS as u32;
    say("mails end to end, from waiting jobs to the server", &format!("{rate:>7.0}/s   CPU a mail {}", ms(each)));
}
