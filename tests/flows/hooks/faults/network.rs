//! A network that stalls in the midst of a COMMIT: its answer is never "nothing was done" and never a success that nobody confirmed.

use keyturn_servers::{Database, Fault, Proxy, Server, mariadb, postgres};
use serde_json::json;

use super::rounds;
use crate::hooks::server::Answer;
use crate::hooks::servers::{MAY, comes, panel, with_people};

/// What is said in a transaction of the hook, and in no other.
const HOOK: &str = "visit";

/// Each fault, of a request with an idempotency key and of one without.
fn network_fails(name: &str, server: &Server, faults: &[Fault]) {
    let database = server.database();
    with_people(&database);
    let proxy = Proxy::before(server);
    let panel = panel(&database);
    let token = panel.key("billing", MAY, &[]);
    panel.edit(&format!("127.0.0.1:{}", server.port), &format!("127.0.0.1:{}", proxy.port));
    let host = panel.serve();
    let visit = |page: &str, key: &str| {
        let key = [("Idempotency-Key", key)];
        let key: &[(&str, &str)] = if key[0].1.is_empty() { &[] } else { &key };
        host.call_with(&token, "report/visit", &json!({ "page_name": page }), key)
    };
    let done = |database: &Database<'_>| {
        let done = "SELECT count(*) FROM keyturnhost_audit WHERE operation = 'visit' AND outcome = 'done'";
        database.sql(done).trim().parse::<usize>().expect("a number")
    };
    let again =
        |page: &str, key: &str| comes("an answer", || Some(visit(page, key)).filter(|answer| answer.status == 200));
    assert_eq!(visit("first", "first").done(), 1);
    let (mut expected, mut settled, mut indeterminate) = (1, 0, 0);
    for round in 0..rounds(1) {
        for fault in faults {
            let page = format!("{fault:?}-{round}");
            let struck = proxy.struck();
            proxy.strike(HOOK, *fault);
            let answer = visit(&page, &page);
            assert_eq!(proxy.struck(), struck + 1, "{page}: it was in the midst of its commit");
            proxy.resume();
            match answer.status {
                // The host has asked the server once more, and was told.
                200 => {
                    assert_ne!(*fault, Fault::Stall, "{page}: nobody could be asked");
                    settled += 1;
                }
                _ => {
                    assert_eq!(*fault, Fault::Stall, "{page}: {}", answer.body);
                    answer.problem(504, "indeterminate");
                    indeterminate += 1;
                }
            }
            assert_eq!(again(&page, &page).done(), 1, "{page}: done once");
            expected += 1;
            assert_eq!(done(&database), expected, "{page}");
            // Nobody can say of this one what became of it, and nobody does.
            let page = format!("{page}-without");
            proxy.strike(HOOK, *fault);
            let answer: Answer = visit(&page, "");
            proxy.resume();
            answer.problem(504, "indeterminate");
            indeterminate += 1;
            assert!(visit(&page, "").done() == if reaches(*fault) { 2 } else { 1 }, "{page}");
            expected += if reaches(*fault) { 2 } else { 1 };
            assert_eq!(done(&database), expected, "{page}");
        }
    }
    println!(
        "network fails, {name}: {expected} done once each, {settled} settled, {indeterminate} indeterminate (504)"
    );
}

/// Whether the server has got the COMMIT when all is over.
fn reaches(fault: Fault) -> bool {
    match fault {
        Fault::Swallow | Fault::Late | Fault::Cut | Fault::Stall => true,
        Fault::Withhold => false,
    }
}

const ALL: [Fault; 5] = [Fault::Cut, Fault::Swallow, Fault::Withhold, Fault::Late, Fault::Stall];

#[test]
fn network_to_postgresql() {
    network_fails("PostgreSQL", postgres(), &ALL);
}

/// The driver waits for 40 seconds, where the network is silent.
#[test]
fn network_cut_to_mariadb() {
    network_fails("MariaDB, cut", mariadb(), &[Fault::Cut]);
}

#[test]
#[ignore = "`cargo xtask faults` runs it"]
fn network_to_mariadb() {
    network_fails("MariaDB", mariadb(), &ALL[1..]);
}
