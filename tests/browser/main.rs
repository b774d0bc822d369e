//! A person's way through the example panel, in Debian's Chromium: `walk.mjs` takes it, this starts the panel for it.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use keyturn_tests::{Stopped, demo_folder, free_port};

#[test]
fn a_person_walks_manage_must_change_choose_and_my_account() {
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
    let facts = serde_json::json!({ "base": base, "password": "violet harbour tram 52" });
    let walk = Command::new("node")
        .current_dir(browser)
        .args(["walk.mjs", &facts.to_string()])
        .output()
        .expect("node runs; `cargo xtask test` installs what this test needs");
    println!("{}", String::from_utf8_lossy(&walk.stdout));
    assert!(walk.status.success(), "{}", String::from_utf8_lossy(&walk.stderr));
}
