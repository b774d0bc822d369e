//! A person's way through the example panel: at its console, and in Debian's Chromium, where `walk.mjs` goes it and this
//! starts the panel for it.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use keyturn_tests::{Stopped, demo_folder, free_port};

#[test]
fn a_person_walks_all_ways_to_a_new_password() {
    let folder = tempfile::tempdir().expect("a folder");
    let port = free_port();
    let base = format!("http://127.0.0.1:{port}");
    let config = demo_folder(folder.path(), &base);
    let panel = Command::new(env!("CARGO_BIN_EXE_keyturn-example-panel"))
        .arg("--config")
        .arg(&config)
        .args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--demo"])
        .stdout(Stdio::null())
        .spawn()
        .expect("the panel starts");
    let _panel = Stopped(panel);
    let until = Instant::now() + Duration::from_secs(60);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < until, "the panel did not start");
        std::thread::sleep(Duration::from_millis(50));
    }
    let browser = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/browser");
    let mails = folder.path().join("mail");
    let facts = serde_json::json!({ "base": base, "password": "violet harbour tram 52", "mails": mails });
    let walk = Command::new("node")
        .current_dir(browser)
        .args(["walk.mjs", &facts.to_string()])
        .output()
        .expect("node runs; `cargo xtask test` installs what this test needs");
    println!("{}", String::from_utf8_lossy(&walk.stdout));
    assert!(walk.status.success(), "{}", String::from_utf8_lossy(&walk.stderr));
}

#[test]
fn an_empty_database_gets_its_first_owner_at_the_console_and_no_second_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = demo_folder(folder.path(), "http://127.0.0.1:1");
    let weak = create_owner(&config, "ana.ferrer", "short\n");
    let said = String::from_utf8_lossy(&weak.stderr);
    assert!(!weak.status.success() && said.contains("no owner was made") && said.contains("15"), "{said}");
    let made = create_owner(&config, "ana.ferrer", "violet harbour tram 52\n");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    assert!(String::from_utf8_lossy(&made.stdout).contains("ana.ferrer owns this panel now"));

    let host = keyturn_host::config::Config::read(&config).and_then(|config| config.host()).expect("a host");
    let nobody = keyturn_host::caller::Caller::new(keyturn_host::caller::Actor::Anonymous, Default::default());
    let typed = serde_json::json!({"login_or_email": "ana.ferrer", "password": "violet harbour tram 52"});
    assert_eq!(host.call(&nobody, "password/verify", &typed, None).expect("answers")["kind"], "accepted");
    drop(host);

    let second = create_owner(&config, "eve", "violet harbour tram 52\n");
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(!second.status.success() && said.contains("there is an owner already"), "{said}");
}

fn create_owner(config: &Path, login: &str, typed: &str) -> Output {
    let mut panel = Command::new(env!("CARGO_BIN_EXE_keyturn-example-panel"))
        .arg("--config")
        .arg(config)
        .args(["create-owner", login])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the panel starts");
    // One that refuses before it reads has closed its end already.
    let _ = panel.stdin.take().expect("piped").write_all(typed.as_bytes());
    panel.wait_with_output().expect("it ends")
}
