//! A person's way through the example panel: at its console, and in Debian's Chromium, where the scripts beside this go it.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::panels::{Differs, PASSWORD, Panel};
use keyturn_tests::browser::walk;
use keyturn_tests::mail_server::{Aiosmtpd, python};
use keyturn_tests::{demo_folder, free_port};
use serde_json::json;

#[test]
fn a_person_walks_all_ways_to_a_new_password() {
    let panel = Panel::start(&Differs::default());
    walk("walk.mjs", &json!({ "base": panel.base, "password": PASSWORD, "mails": panel.file("mail") }));
}

#[test]
fn a_mail_that_is_refused_is_watched_told_and_mended() {
    let taken = tempfile::tempdir().expect("a folder");
    let server = Aiosmtpd::start(&json!({ "folder": taken.path() }));
    let smtp = smtp(server.port);
    let panel = Panel::start(&Differs { config: &to_server(&smtp), ..Differs::default() });
    walk("refused.mjs", &json!({ "base": panel.base, "password": PASSWORD, "mails": taken.path() }));
}

#[test]
fn where_no_mail_can_go_everybody_is_told_the_truth_and_what_to_do() {
    let none = [("[mail.folder]", "[mail]\ntransport = \"off\"\n[mail.folder]")];
    let off = Panel::start(&Differs { config: &none, ..Differs::default() });
    let stopped = Panel::start(&Differs { without_workers: true, ..Differs::default() });
    let facts = json!({
        "base": off.base, "stopped": stopped.base, "password": PASSWORD, "mails": stopped.file("mail"),
        "python": python(), "database": stopped.file("panel.db"), "program": env!("CARGO_BIN_EXE_keyturn-example-panel"),
    });
    walk("unsent.mjs", &facts);
}

#[test]
fn every_kind_of_reset_is_walked_and_asks_for_ones_own_password_when_that_was_long_ago() {
    let all = [("[settings]\n", "[settings]\nreset-modes = [\"temporary\", \"link\", \"permanent\"]\n")];
    let panel = Panel::start(&Differs { grants: &all, ..Differs::default() });
    let facts = json!({
        "base": panel.base, "password": PASSWORD, "mails": panel.file("mail"),
        "python": python(), "database": panel.file("panel.db"),
    });
    walk("modes.mjs", &facts);
}

/// `[mail]` and `[mail.smtp]` for a server in clear on this machine.
fn smtp(port: u16) -> String {
    format!("[mail]\ntransport = \"smtp\"\n[mail.smtp]\nhost = \"localhost\"\nport = {port}\nencryption = \"none\"\n")
}

/// The demo's mail, sent by a server instead of written into a folder.
fn to_server(smtp: &str) -> [(&'static str, &str); 1] {
    [("[mail.folder]\npath = \"mail\"\n", smtp)]
}

#[test]
fn an_owner_sets_up_mail_tries_it_and_mail_goes_by_it() {
    let (taken, secret) = (tempfile::tempdir().expect("a folder"), "hush-hush-52");
    let told = json!({ "folder": taken.path(), "username": "panel", "password": secret });
    let server = Aiosmtpd::start(&told);
    let panel = Panel::start(&Differs::default());
    let facts = json!({
        "base": panel.base, "password": PASSWORD, "mails": taken.path(), "port": server.port, "secret": secret,
    });
    walk("settings.mjs", &facts);
}

#[test]
fn a_webhook_that_is_gone_is_seen_enabled_and_its_event_sent_again() {
    use std::os::unix::fs::PermissionsExt as _;
    let (folder, port) = (tempfile::tempdir().expect("a folder"), free_port());
    let secret = folder.path().join("secret");
    std::fs::write(&secret, keyturn_host::webhooks::secret::Secret::made().as_str()).expect("written");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).expect("mode");
    let webhook = format!(
        "[[webhooks]]\nname = \"billing\"\nurl = \"http://127.0.0.1:{port}/hooks/keyturn\"\nsecret-file = \"{}\"\n\
         events = [\"password.changed\"]\nallow-private = true\n\n[mail.folder]",
        secret.display()
    );
    let panel = Panel::start(&Differs { config: &[("[mail.folder]", &webhook)], ..Differs::default() });
    walk("webhooks.mjs", &json!({ "base": panel.base, "password": PASSWORD, "port": port }));
}

#[test]
fn a_key_is_made_calls_a_hook_and_is_revoked_and_its_token_is_shown_once() {
    let panel = Panel::start(&Differs { logs: true, ..Differs::default() });
    let facts = json!({
        "base": panel.base, "password": PASSWORD, "python": python(), "database": panel.file("panel.db"),
    });
    walk("keys.mjs", &facts);
    let log = std::fs::read(panel.file("log")).expect("a log");
    let log = String::from_utf8_lossy(&log);
    assert!(log.contains("/v1/hooks/password/account-status"), "{log}");
    let secret = |word: &str| word.len() == 52 && word.bytes().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7'));
    assert!(!log.split(|c: char| !c.is_ascii_alphanumeric()).any(secret), "a token is in the log");
}

#[test]
fn an_empty_database_gets_its_first_owner_at_the_console_and_no_second_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = demo_folder(folder.path(), "http://127.0.0.1:1");
    let weak = create_owner(&config, "ana.ferrer", "short\n");
    let said = String::from_utf8_lossy(&weak.stderr);
    assert!(!weak.status.success() && said.contains("no owner was created") && said.contains("15"), "{said}");
    let made = create_owner(&config, "ana.ferrer", "violet harbour tram 52\n");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    assert!(String::from_utf8_lossy(&made.stdout).contains("ana.ferrer owns this panel now"));

    let host =
        keyturn_host::config::Config::read(&config).and_then(|config| config.beside_server().host()).expect("a host");
    let nobody = keyturn_host::caller::Caller::new(keyturn_host::caller::Actor::Anonymous, Default::default());
    let typed = serde_json::json!({"login_or_email": "ana.ferrer", "password": "violet harbour tram 52"});
    assert_eq!(host.call(&nobody, "password/verify", &typed, None).expect("answers")["kind"], "accepted");
    drop(host);

    let second = create_owner(&config, "eve", "violet harbour tram 52\n");
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(!second.status.success() && said.contains("there is already an owner"), "{said}");
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
