//! Several hosts on one database server: they see each other and in what they differ, and one whose clock is wrong keeps back.

use std::path::PathBuf;
use std::time::Duration;

use keyturn_servers::{Database, mariadb, postgres};
use serde_json::{Value, json};

use super::server::{PASSWORD, Panel, Server};
use super::servers::{MAY, comes, mails, panel, set, verify, with_people};

fn hosts(panel: &Panel) -> Vec<Value> {
    serde_json::from_str(&panel.done(&["hosts", "list", "--json"])).expect("JSON")
}

/// The host that a server is.
#[track_caller]
fn of(server: &Server, hosts: &[Value]) -> Value {
    let process = format!("/{}", server.process());
    let own = |host: &&Value| host["name"].as_str().is_some_and(|name| name.ends_with(&process));
    hosts.iter().find(own).unwrap_or_else(|| panic!("{process}: {hosts:?}")).clone()
}

fn three_hosts_of_which_one_is_set_up_in_another_way(database: &Database<'_>) {
    const DIFFER: [&str; 2] = ["acme-report.toml: grants.jobs", "mail.from"];
    with_people(database);
    let one = panel(database).serve();
    let other = panel(database).serve();
    let odd = panel(database);
    odd.edit("no-reply@northwind.example", "secret-sender@northwind.example");
    let grants = odd.folder.path().join("plugins.d/acme-report.toml");
    let granted = std::fs::read_to_string(&grants).expect("reads");
    std::fs::write(&grants, format!("{granted}jobs = true\n")).expect("writes");
    let odd = odd.serve();
    odd.logs(&format!("has other settings or grants: {}", DIFFER.join(", ")));
    assert!(!other.log().contains("other settings"), "{}", other.log());
    let listed = hosts(&one.panel);
    assert_eq!(listed.len(), 3, "{listed:?}");
    for server in [&one, &other, &odd] {
        let host = of(server, &listed);
        assert_eq!((&host["state"], &host["clock_is_off"]), (&json!("running"), &json!(false)), "{host}");
        assert_eq!(host["version"], env!("CARGO_PKG_VERSION"));
    }
    assert_eq!(of(&odd, &listed)["differs"], json!(DIFFER));
    assert_eq!((&of(&one, &listed)["differs"], &of(&other, &listed)["differs"]), (&json!([]), &json!([])));
    assert_eq!(of(&one, &hosts(&odd.panel))["differs"], json!(DIFFER), "seen from there");
    comes("work", || {
        let listed = hosts(&one.panel);
        [&one, &other, &odd].iter().all(|server| of(server, &listed)["works_queues"] == true).then_some(())
    });
    let table = one.panel.done(&["hosts", "list"]);
    assert!(table.contains("WORKS QUEUES") && table.contains(&DIFFER.join(", ")), "{table}");
    let checked = one.panel.run(&["check"]);
    let checked = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.contains(&format!("than these files: {}", DIFFER.join(", "))), "{checked}");
    for said in [&odd.log(), &table, &checked] {
        assert!(!said.contains("secret-sender"), "a name, never a value: {said}");
    }
    // A change that it reads while it runs is seen, too.
    std::fs::write(&grants, granted).expect("writes");
    odd.signal("HUP");
    comes("the new grants", || (of(&odd, &hosts(&one.panel))["differs"] == json!(["mail.from"])).then_some(()));
    // None may go on with another key, and each says when it stops.
    let replaced = one.panel.run(&["key", "replace", "--yes"]);
    assert_eq!(replaced.status.code(), Some(75), "{}", String::from_utf8_lossy(&replaced.stderr));
    odd.signal("TERM");
    let process = format!("/{}", odd.process());
    let (code, panel) = odd.ends();
    assert_eq!(code, Some(0), "{}", std::fs::read_to_string(panel.folder.path().join("server.log")).expect("a log"));
    let listed = hosts(&one.panel);
    let stopped = |host: &&Value| host["name"].as_str().is_some_and(|name| name.ends_with(&process));
    assert_eq!(listed.iter().find(stopped).expect("still listed")["state"], "stopped");
    other.signal("TERM");
    other.ends();
    one.signal("TERM");
    let (_, panel) = one.ends();
    panel.done(&["key", "replace", "--yes"]);
}

/// Changes the clock of a server by a file, in seconds.
struct Shifted {
    by: PathBuf,
}

impl Shifted {
    fn serve(panel: Panel, seconds: i64) -> (Self, Server) {
        let by = panel.folder.path().join("clock");
        let shifted = Self { by };
        shifted.set(seconds);
        let mut command = panel.command(&["serve", "--listen", "127.0.0.1:0"]);
        // Only what is asked for the time of day: not for how long something took, and not for a file's age.
        command.env("LD_PRELOAD", library()).env("FAKETIME_TIMESTAMP_FILE", &shifted.by);
        command.envs([("FAKETIME_NO_CACHE", "1"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1"), ("NO_FAKE_STAT", "1")]);
        let server = Server::start(panel, command);
        (shifted, server)
    }

    fn set(&self, seconds: i64) {
        let fresh = self.by.with_extension("fresh");
        std::fs::write(&fresh, format!("{seconds:+}s\n")).expect("written");
        std::fs::rename(fresh, &self.by).expect("renamed");
    }
}

fn library() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").expect("reads").flatten();
    let library = folders.map(|folder| folder.path().join("faketime/libfaketime.so.1")).find(|file| file.exists());
    library.expect("the package faketime")
}

fn a_host_whose_clock_is_wrong_keeps_back_until_it_is_right(database: &Database<'_>) {
    with_people(database);
    let panel = panel(database);
    let token = panel.key("billing", MAY, &[]);
    let (clock, host) = Shifted::serve(panel, -60);
    let ready = || {
        let ready = host.ask("GET", "/readyz", &[], b"");
        (ready.status, ready.body)
    };
    let (status, said) = ready();
    assert!(
        status == 503 && said.starts_with("the clock is ") && said.ends_with(" s behind the database's\n"),
        "{said}"
    );
    host.logs("behind the database's: this host claims no work");
    assert_eq!(of(&host, &hosts(&host.panel))["clock_is_off"], true);
    let checked = String::from_utf8_lossy(&host.panel.run(&["check"]).stdout).into_owned();
    assert!(checked.contains("behind the database's, so it claims no work"), "{checked}");
    // It serves, as long as somebody asks it.
    host.call(&token, "password/set-password", &set(PASSWORD)).done();
    assert_eq!(verify(&host, &token, PASSWORD), "accepted");
    let mailed = json!({"account": "customer:2", "mode": "link"});
    host.call(&token, "password/reset-and-mail", &mailed).done();
    // It has looked for work more than once by then.
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(mails(&host), <[String; 0]>::default());
    clock.set(0);
    comes("the mail", || mails(&host).iter().any(|mail| mail.contains("omar@haddad.example")).then_some(()));
    comes("readiness", || (ready() == (200, "ready\n".to_owned())).then_some(()));
    host.logs("this machine's clock is right again");
    // Another time of day is no reason to go wrong in the middle of it.
    clock.set(60);
    comes("the reason", || ready().1.ends_with(" s ahead of the database's\n").then_some(()));
}

#[test]
fn three_hosts_on_postgresql() {
    three_hosts_of_which_one_is_set_up_in_another_way(&postgres().database());
}

#[test]
fn three_hosts_on_mariadb() {
    three_hosts_of_which_one_is_set_up_in_another_way(&mariadb().database());
}

#[test]
fn a_wrong_clock_on_postgresql() {
    a_host_whose_clock_is_wrong_keeps_back_until_it_is_right(&postgres().database());
}

#[test]
fn a_wrong_clock_on_mariadb() {
    a_host_whose_clock_is_wrong_keeps_back_until_it_is_right(&mariadb().database());
}
