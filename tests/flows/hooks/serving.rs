//! How the server begins, changes and ends.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use keyturn_tests::FOREIGN;
use serde_json::{Value, json};

use crate::hooks::server::{ANOTHER, PASSWORD, Panel, Server};

fn sign_in() -> Value {
    json!({"login_or_email": "marta", "password": PASSWORD})
}

#[test]
fn what_was_begun_is_finished_when_it_is_told_to_stop() {
    let panel = Panel::new();
    panel.edit("even-ms = 0", "even-ms = 2000");
    let token = panel.key("billing", "password/verify", &[]);
    let server = panel.serve();
    let body = sign_in().to_string();
    let mut stream = server.connect();
    let request = format!(
        "POST /v1/hooks/password/verify HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: \
         application/json\r\nIdempotency-Key: begun\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("sent");
    // Its commit shows that it was begun; its answer waits for the time grid.
    let until = Instant::now() + Duration::from_secs(30);
    let audited = "SELECT count(*) FROM keyturnhost_audit WHERE operation = 'verify'";
    while server.panel.database().query_row(audited, [], |row| row.get::<_, i64>(0)).expect("counts") == 0 {
        assert!(Instant::now() < until, "it was never begun");
        std::thread::sleep(Duration::from_millis(10));
    }
    server.signal("TERM");
    server.logs("stopping after the running requests");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("read");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("rejected"), "{answer}");
    let (code, _) = server.ends();
    assert_eq!(code, Some(0));
}

#[test]
fn a_replaced_component_is_taken_without_losing_a_request_and_a_bad_one_is_not() {
    let panel = Panel::new();
    panel.edit("[database]", "[limits]\nrequests-per-minute = 1000000\n\n[database]");
    let token = panel.key("billing", "report/greet", &[]);
    let server = panel.serve();
    let (stop, served) = (AtomicBool::new(false), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let answer = server.call(&token, "report/greet", &json!({"name": "Ana"}));
                    assert_eq!(answer.status, 200, "{}", answer.body);
                    served.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let more = FOREIGN.manifest.replace("version = \"2.3.0\"", "version = \"2.4.0\"");
        server.panel.foreign(&FOREIGN.packed_as(&more));
        server.signal("HUP");
        server.logs("version=\"2.4.0\"");
        server.panel.foreign(b"no component");
        server.signal("HUP");
        server.logs("it stays as it was");
        let (before, until) = (served.load(Ordering::Relaxed), Instant::now() + Duration::from_secs(30));
        while served.load(Ordering::Relaxed) < before + 10 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        stop.store(true, Ordering::Relaxed);
        assert!(served.load(Ordering::Relaxed) >= before + 10, "nothing was served afterwards");
    });
    std::fs::remove_file(server.panel.folder.path().join("plugins.d/acme-report.toml")).expect("taken away");
    server.signal("HUP");
    let until = Instant::now() + Duration::from_secs(30);
    while server.call(&token, "report/greet", &json!({"name": "Ana"})).status != 404 {
        assert!(Instant::now() < until, "a plugin whose grants are gone goes on");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn who_sends_much_and_never_ends_takes_no_room_from_whoever_calls() {
    let panel = Panel::new();
    let token = panel.key("billing", "report/greet", &[]);
    let server = panel.serve();
    // Nobody has shown a key yet.
    let half = |_| {
        let mut stream = server.connect();
        let head = "POST /v1/hooks/report/greet HTTP/1.1\r\nHost: x\r\nContent-Length: 262144\r\n\r\n";
        // One for whom there is no room any more is told so at once.
        let _ = stream.write_all(&[head.as_bytes(), &[b' '; 262_000]].concat());
        stream
    };
    let mut halves: Vec<_> = (0..300).map(half).collect();
    let large = json!({"name": "a".repeat(100_000)});
    let until = Instant::now() + Duration::from_secs(20);
    let refused = loop {
        let answer = server.call(&token, "report/greet", &large);
        if answer.status == 503 || Instant::now() > until {
            break answer;
        }
        // It came before one of them, which found no room then.
        halves.extend((0..20).map(half));
    };
    refused.problem(503, "busy");
    assert!(refused.header("retry-after").is_some());
    server.call(&token, "report/greet", &json!({"name": "Ana"})).done();
    drop(halves);
    while server.call(&token, "report/greet", &large).status == 503 {
        assert!(Instant::now() < until, "what was given up still takes room");
    }
}

#[test]
fn one_client_behind_the_proxy_has_his_share_and_the_log_names_the_limit_that_he_met() {
    let panel = Panel::new();
    panel.edit(
        "[database]",
        "[server]\nproxies = [\"127.0.0.1\"]\n\n[limits]\nconnections-per-address = 3\n\n[database]",
    );
    let token = panel.key("billing", "report/greet", &[]);
    let server = panel.serve();
    let half = || {
        let mut stream = server.connect();
        let head = "POST /v1/hooks/report/greet HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.9\r\n\
                    Content-Length: 10\r\n\r\n{";
        let _ = stream.write_all(head.as_bytes());
        stream
    };
    let call =
        |from: &str| server.call_with(&token, "report/greet", &json!({"name": "Ana"}), &[("X-Forwarded-For", from)]);
    let (mut halves, until) = (Vec::new(), Instant::now() + Duration::from_secs(20));
    let refused = loop {
        halves.push(half());
        let answer = call("203.0.113.9");
        if answer.status == 503 || Instant::now() > until {
            break answer;
        }
    };
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")), "{}", refused.body);
    server.logs("limits.connections-per-address");
    assert!(server.log().contains("203.0.113.9"), "{}", server.log());
    call("203.0.113.10").done();
    drop(halves);
    while call("203.0.113.9").status == 503 {
        assert!(Instant::now() < until, "what was given up still takes its share");
    }
}

#[test]
fn it_says_that_it_lives_and_that_it_can_do_something() {
    let server = Panel::new().serve();
    let lives = server.ask("GET", "/healthz", &[], b"");
    assert_eq!((lives.status, lives.body.as_str()), (200, "alive\n"));
    let until = Instant::now() + Duration::from_secs(30);
    while server.ask("GET", "/readyz", &[], b"").status != 200 {
        assert!(Instant::now() < until, "it is never ready");
        std::thread::sleep(Duration::from_millis(20));
    }
    server.panel.database().execute("ALTER TABLE keyturnhost_hosts RENAME TO gone", []).expect("renamed");
    let ready = server.ask("GET", "/readyz", &[], b"");
    assert_eq!((ready.status, ready.body.as_str()), (503, "the database does not answer\n"));
}

#[test]
fn a_second_server_on_the_same_database_is_refused_and_the_command_line_is_not() {
    let server = Panel::new().serve();
    let second = server.panel.run(&["serve", "--listen", "127.0.0.1:0"]);
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(75), "{said}");
    assert!(said.contains(&format!("as process {}", server.process())) && said.contains("panel.db"), "{said}");
    assert!(server.panel.done(&["keys", "list"]).is_empty());
    let replaced = server.panel.run(&["key", "replace", "--yes"]);
    assert_eq!(replaced.status.code(), Some(75), "what a server has sealed is not voided under it");
    server.signal("TERM");
    let (_, panel) = server.ends();
    panel.serve();
}

#[test]
fn a_database_that_was_replaced_is_said_and_nothing_is_done_or_mailed_until_the_next_start() {
    let panel = Panel::new();
    let may = "password/set-password,password/verify,password/reset-and-mail,without-step-up";
    let token = panel.key("billing", may, &[]);
    let server = panel.serve();
    let set = |server: &Server, new: &str| {
        let arguments = json!({"account": "customer:1", "new": new, "must_change": false});
        server.call(&token, "password/set-password", &arguments)
    };
    set(&server, PASSWORD).done();
    let folder = server.panel.folder.path().to_owned();
    let until = Instant::now() + Duration::from_secs(30);
    let waiting = "SELECT count(*) FROM keyturnhost_outbox WHERE due IS NOT NULL";
    while server.panel.database().query_row(waiting, [], |row| row.get::<_, i64>(0)).expect("counts") > 0 {
        assert!(Instant::now() < until, "a mail is never sent");
        std::thread::sleep(Duration::from_millis(20));
    }
    let mails = || std::fs::read_dir(folder.join("mail")).map_or(0, Iterator::count);
    let before = mails();
    let backup = folder.join("backup.db");
    server.panel.database().execute("VACUUM INTO ?1", [backup.to_str()]).expect("backed up");
    std::fs::rename(&backup, folder.join("panel.db")).expect("restored");

    set(&server, ANOTHER).problem(503, "unavailable");
    let reset = json!({"account": "customer:1", "mode": "temporary"});
    server.call(&token, "password/reset-and-mail", &reset).problem(503, "unavailable");
    let refused = server.call(&token, "password/verify", &sign_in());
    refused.problem(503, "unavailable");
    assert!(refused.header("retry-after").is_some() && refused.body.contains("Restart the server"), "{}", refused.body);
    let ready = server.ask("GET", "/readyz", &[], b"");
    assert!(ready.status == 503 && ready.body.contains("replaced"), "{} {}", ready.status, ready.body);
    server.logs("panel.db was replaced while it was in use");
    assert_eq!(server.log().matches("until the next start").count(), 1, "{}", server.log());

    server.signal("TERM");
    let (code, panel) = server.ends();
    assert_eq!((code, mails()), (Some(0), before));
    let server = panel.serve();
    assert_eq!(server.call(&token, "password/verify", &sign_in()).done()["kind"], "accepted", "as it was restored");
    set(&server, ANOTHER).done();
}

#[test]
fn a_port_in_use_and_a_folder_that_cannot_be_written_are_named_with_what_to_do() {
    let panel = Panel::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let output = panel.run(&["serve", "--listen", &address]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(6), "{said}");
    assert!(said.contains(&address) && said.contains("in use") && said.contains("server.listen"), "{said}");

    // Root may write everywhere; as the database's owner, whom it becomes, it may not.
    let folder = panel.folder.path().to_owned();
    if nix::unistd::Uid::effective().is_root() {
        let nobody = Some(65_534);
        for entry in std::fs::read_dir(&folder).expect("reads") {
            chown(entry.expect("an entry").path(), nobody, nobody).expect("given away");
        }
        chown(&folder, nobody, nobody).expect("given away");
    }
    std::fs::remove_file(folder.join("panel.db-server")).expect("removed");
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o555)).expect("set");
    let output = panel.run(&["serve", "--listen", "127.0.0.1:0"]);
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).expect("set");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(6), "{said}");
    assert!(said.contains("panel.db-server") && said.contains("Permission denied"), "{said}");
}

/// The value of a hidden input.
fn hidden<'a>(page: &'a str, name: &str) -> &'a str {
    let at = page.find(&format!("name=\"{name}\"")).unwrap_or_else(|| panic!("no {name} in {page}"));
    page[at..].split("value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a value")
}

#[test]
fn a_link_page_is_served_and_a_proxy_of_ours_says_who_used_it() {
    let panel = Panel::new();
    panel.edit(
        "[database]",
        "[server]\nproxies = [\"127.0.0.1\"]\nsign-in = \"https://panel.example/login.php\"\n\n[database]",
    );
    let token = panel.key("billing", "password/make-link,without-step-up", &[]);
    let server = panel.serve();
    let made = server.call(&token, "password/make-link", &json!({"account": "customer:1"})).done();
    let link = made["link"].as_str().expect("a link").strip_prefix("http://127.0.0.1:8089").expect("the link origin");
    let client = ("X-Forwarded-For", "203.0.113.9");
    let opened = server.ask("GET", link, &[client], b"");
    assert_eq!(opened.status, 303);
    let clean = opened.header("location").expect("the clean address").to_owned();
    let cookie = opened.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a cookie").to_owned();
    let page = server.ask("GET", &clean, &[client, ("Cookie", &cookie)], b"");
    assert_eq!(page.status, 200, "{}", page.body);
    let sealed = hidden(&page.body, "kt").to_owned();
    let new = PASSWORD.replace(' ', "+");
    let form = format!("kt={}&new={new}&new~again={new}", sealed.replace('+', "%2B"));
    let headers = [client, ("Cookie", cookie.as_str()), ("Content-Type", "application/x-www-form-urlencoded")];
    let saved = server.ask("POST", &clean, &headers, form.as_bytes());
    // The panel is elsewhere, and reads no cookie of ours: what was done is said here, with the way on.
    assert_eq!((saved.status, saved.header("location")), (303, Some(clean.as_str())), "{}", saved.body);
    let notice = saved.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a notice").to_owned();
    let cookies = format!("{cookie}; {notice}");
    let done = server.ask("GET", &clean, &[client, ("Cookie", &cookies)], b"");
    assert!(done.body.contains("Your password has been changed"), "{}", done.body);
    assert!(done.body.contains("href=\"https://panel.example/login.php\""), "{}", done.body);
    // Planted at another link's address it says nothing there.
    let other = server.ask("GET", "/choose/~AAAAAAAAAAAAAAAAAAAAAAAA", &[client, ("Cookie", &notice)], b"");
    assert_eq!(other.status, 410, "{}", other.body);
    let later = server.ask("GET", &clean, &[client, ("Cookie", &cookie)], b"");
    assert!(later.body.contains("This link was already used"), "{}", later.body);
    let audit = server.panel.done(&["audit", "list", "--json", "--operation", "complete-reset"]);
    let entries: Value = serde_json::from_str(&audit).expect("JSON");
    assert_eq!(
        (&entries[0]["entry"]["outcome"], &entries[0]["entry"]["address"]),
        (&json!("done"), &json!("203.0.113.9"))
    );
    let log = server.log();
    assert!(!log.contains(link.rsplit('/').next().expect("a token")), "the link's token stands in the log");
}

#[test]
fn a_bent_link_leads_to_its_page_and_a_browser_that_keeps_no_cookies_is_told_so() {
    let panel = Panel::new();
    let token = panel.key("billing", "password/make-link,without-step-up", &[]);
    let server = panel.serve();
    let made = server.call(&token, "password/make-link", &json!({"account": "customer:1"})).done();
    let link = made["link"].as_str().expect("a link").strip_prefix("http://127.0.0.1:8089").expect("the link origin");
    let (path, query) = link.split_once('?').map_or((link, String::new()), |(path, query)| (path, format!("?{query}")));
    let encoded = path.replace('-', "%2D").replace('_', "%5f");
    for bent in [
        path.to_owned(),
        encoded,
        format!("{path}/"),
        format!("/{path}"),
        path.replace("/choose/", "/choose//"),
        format!("{path}%3E"),
        format!("{path}."),
        format!("{path})"),
        format!("{path}%22"),
    ] {
        let opened = server.ask("GET", &format!("{bent}{query}"), &[], b"");
        assert_eq!(opened.status, 303, "{bent}: {}", opened.body);
        let clean = opened.header("location").expect("the clean address").to_owned();
        let cookie = opened.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a cookie");
        let page = server.ask("GET", &clean, &[("Cookie", cookie)], b"");
        assert_eq!(page.status, 200, "{bent}: {}", page.body);
        assert!(page.body.contains("name=\"kt\""), "{bent}: {}", page.body);
        // The clean address bent leads to the one that the cookie is for.
        let clean_path = clean.split('?').next().expect("a path");
        let back = server.ask("GET", &format!("{clean_path}/"), &[("Cookie", cookie)], b"");
        assert_eq!((back.status, back.header("location")), (303, Some(clean_path)), "{bent}");
        let without = server.ask("GET", &clean, &[], b"");
        assert_eq!(without.status, 403, "{bent}: {}", without.body);
        assert!(without.body.contains("Your browser blocks cookies"), "{bent}: {}", without.body);
    }
    // Made by nobody here: nothing is said of cookies.
    let foreign = server.ask("GET", &format!("/choose/~{}", "A".repeat(40)), &[], b"");
    assert!(foreign.status == 410 && !foreign.body.contains("cookies"), "{}", foreign.body);
    let cut = server.ask("GET", "/choose/short", &[], b"");
    assert!(cut.status == 410 && cut.body.contains("This link is incomplete"), "{}", cut.body);
}

#[test]
fn pages_of_the_hosts_own_have_the_operators_colours_if_they_can_be_read() {
    let panel = Panel::new();
    panel.edit("[database]", "[brand.look]\naccent = \"#0b5d3b #7fd6ac\"\nradius = \"2px\"\n\n[database]");
    let server = panel.serve();
    let page = server.ask("GET", "/choose/~AAAAAAAAAAAAAAAAAAAAAAAA", &[], b"").body;
    let link = page.split("href=\"").find(|part| part.contains(".theme.css")).expect("a style sheet");
    let css = server.ask("GET", link.split('"').next().expect("an address"), &[], b"");
    assert_eq!((css.status, css.header("content-type")), (200, Some("text/css; charset=utf-8")));
    assert!(css.body.contains("--kt-accent:#0b5d3b;") && css.body.contains("--kt-radius:2px;"), "{}", css.body);
    server.panel.edit("#0b5d3b #7fd6ac", "#ffffff #7fd6ac");
    let check = server.panel.run(&["check"]);
    let said = String::from_utf8_lossy(&check.stderr).into_owned();
    assert_eq!(check.status.code(), Some(6));
    assert!(said.contains("brand.look --kt-") && said.contains("contrast of 1.0"), "{said}");
}

#[test]
fn a_full_disk_is_said_and_what_was_asked_is_not_half_done() {
    let panel = Panel::new();
    let token = panel.key("billing", "password/set-password,password/verify,without-step-up", &[]);
    let server = panel.serve_on_a_small_disk("8m");
    let set = |key: &str, new: &str| {
        let arguments = json!({"account": "customer:1", "new": new, "must_change": false});
        server.call_with(&token, "password/set-password", &arguments, &[("Idempotency-Key", key)])
    };
    let signs_in = |password: &str| {
        let typed = json!({"login_or_email": "marta", "password": password});
        server.call(&token, "password/verify", &typed).done()["kind"] == "accepted"
    };
    set("first", PASSWORD).done();
    // The disk as the server sees it.
    let disk = format!("/proc/{}/root{}/disk", server.process(), server.panel.folder.path().display());
    let filler = std::path::Path::new(&disk).join("filler");
    let mut file = std::fs::File::create(&filler).expect("a file");
    let filled = std::iter::repeat_with(|| file.write_all(&[7; 4096])).find_map(Result::err).expect("it fills");
    assert_eq!(filled.kind(), std::io::ErrorKind::StorageFull);
    // What has room in the log is still taken; then nothing more is.
    let mut turn = 0;
    let refused = loop {
        turn += 1;
        let answer = set(&format!("turn {turn}").replace(' ', "-"), &format!("{ANOTHER} {turn}"));
        if answer.status != 200 {
            break answer;
        }
        assert!(turn < 200, "the disk is full, and everything goes on");
    };
    refused.problem(500, "storage");
    server.logs("full");
    drop(file);
    std::fs::remove_file(&filler).expect("there is room again");
    let last = if turn == 1 { PASSWORD.to_owned() } else { format!("{ANOTHER} {}", turn - 1) };
    assert!(signs_in(&last), "what was done before stayed done");
    assert!(!signs_in(&format!("{ANOTHER} {turn}")), "what was refused was not done");
    set(&format!("turn-{turn}"), &format!("{ANOTHER} {turn}")).done();
    assert!(signs_in(&format!("{ANOTHER} {turn}")));
}
