//! The audit log's chain, with a server that chains it and `keyturn audit verify`.

use serde_json::{Value, json};

use super::server::{PASSWORD, Panel, Server};

const MAY: &str = "password/set-password,password/verify,without-step-up,accounts";

/// What `audit verify` answers, with its exit code.
fn verify(panel: &Panel, more: &[&str]) -> (Option<i32>, Value) {
    let output = panel.run(&[&["audit", "verify", "--json"], more].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    let answer = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}"));
    (output.status.code(), answer)
}

/// Waits until everything is chained.
fn chained(server: &Server) -> Value {
    for _ in 0..600 {
        let (code, answer) = verify(&server.panel, &[]);
        assert_eq!(code, Some(0), "{answer}");
        if answer["chains"][0]["waiting"] == 0 {
            return answer["chains"][0].clone();
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("entries stay without a place: {}", server.log());
}

fn set(server: &Server, token: &str, times: usize) {
    for _ in 0..times {
        let arguments = json!({"account": "customer:1", "new": PASSWORD, "must_change": false});
        server.call(token, "password/set-password", &arguments).done();
    }
}

/// The last end of the entries' chain that stands in the log, as it is there.
fn logged(server: &Server) -> String {
    let log = server.log();
    let head = log.rsplit_once("entries=").map(|(_, rest)| rest.split_whitespace().next().unwrap_or_default());
    head.unwrap_or_else(|| panic!("no head: {log}")).to_owned()
}

#[test]
fn a_change_from_outside_shows_and_so_does_an_end_that_was_cut_off_by_a_head_from_the_log() {
    let panel = Panel::new();
    let token = panel.key("billing", MAY, &[]);
    let server = panel.serve();
    set(&server, &token, 2);
    let first = chained(&server)["rows"].as_i64().expect("a number");
    server
        .panel
        .database()
        .execute_batch("CREATE TABLE stolen AS SELECT * FROM keyturnhost_audit_chains")
        .expect("copied");
    set(&server, &token, 3);
    // Killed at whatever it does; what was acknowledged is chained by the next one.
    server.signal("KILL");
    let (_, panel) = server.ends();
    let server = panel.serve();
    assert_eq!(chained(&server)["rows"], first + 3);
    server.signal("TERM");
    server.logs(&format!("entries=entries:{}:", first + 3));
    let head = logged(&server);
    let (code, panel) = server.ends();
    assert_eq!(code, Some(0));
    assert_eq!(verify(&panel, &["--head", &head]).0, Some(0));
    let said = panel.done(&["audit", "verify"]);
    assert!(said.contains(&format!("{} entries verified", first + 3)) && said.contains(&head), "{said}");

    let database = panel.database();
    let row = "SELECT id, outcome FROM keyturnhost_audit WHERE sequence = 2 AND times IS NULL";
    let (number, outcome): (i64, String) =
        database.query_row(row, [], |row| Ok((row.get(0)?, row.get(1)?))).expect("read");
    let change = |outcome: &str| {
        let changed = database.execute("UPDATE keyturnhost_audit SET outcome = ?1 WHERE id = ?2", (outcome, number));
        assert_eq!(changed, Ok(1));
    };
    change("trap");
    let (code, answer) = verify(&panel, &[]);
    let problem = json!([{"kind": "changed", "number": number}]);
    assert_eq!((code, &answer["intact"], &answer["chains"][0]["problems"]), (Some(1), &json!(false), &problem));
    let output = panel.run(&["audit", "verify"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains(&format!("entry {number} was changed")), "{said}");
    change(&outcome);
    assert_eq!(verify(&panel, &[]).0, Some(0));

    // By somebody who has kept how the chain stood.
    database
        .execute_batch(&format!(
            "DELETE FROM keyturnhost_audit WHERE times IS NULL AND sequence > {first};
             DELETE FROM keyturnhost_audit_chains; INSERT INTO keyturnhost_audit_chains SELECT * FROM stolen;"
        ))
        .expect("cut off");
    assert_eq!(verify(&panel, &[]).0, Some(0), "nothing in the database knows better");
    let (code, answer) = verify(&panel, &["--head", &head]);
    let problem = json!([{"kind": "cut", "sequence": first + 3}]);
    assert_eq!((code, &answer["chains"][0]["problems"]), (Some(1), &problem));
    let wrong = panel.run(&["audit", "verify", "--head", "812"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("32 hexadecimal digits"));
}
