//! `keyturn mail test` and what `keyturn check` says of mail, against servers that say what they are told to.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use keyturn_host::config::Config;
use keyturn_tests::demo_folder;
use serde_json::Value;

use super::{done, err, keyturn, out};

/// The demo's configuration with `[mail]` as given.
fn configured(mail: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let config = demo_folder(folder.path(), "https://panel.example");
    let text = std::fs::read_to_string(&config).expect("reads");
    let (before, after) = text.split_once("[mail.folder]\npath = \"mail\"\n").expect("the demo names a folder");
    std::fs::write(&config, format!("{before}{after}\n{mail}")).expect("writes");
    // An empty file is an empty database.
    std::fs::write(folder.path().join("panel.db"), "").expect("writes");
    (folder, config)
}

/// A server in clear that gives these answers, one a line of what it hears; the mail's text is heard to its end.
fn server(answers: &'static [&'static str]) -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("somebody comes");
        let mut heard = BufReader::new(stream.try_clone().expect("a second handle"));
        for (at, answer) in answers.iter().enumerate() {
            let mut line = String::new();
            let to_the_end = at > 0 && answers[at - 1].starts_with("354");
            while at > 0 && heard.read_line(&mut line).unwrap_or(0) > 0 && to_the_end && line != ".\r\n" {
                line.clear();
            }
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    port
}

fn smtp(port: u16, more: &str) -> (tempfile::TempDir, PathBuf) {
    configured(&format!(
        "[mail]\ntransport = \"smtp\"\nfrom = \"accounts@northwind.example\"\n\n[mail.smtp]\nhost = \"127.0.0.1\"\n\
         port = {port}\nencryption = \"none\"\n{more}"
    ))
}

fn line_of(config: &Path, setting: &str) -> usize {
    let text = std::fs::read_to_string(config).expect("reads");
    text.lines().position(|line| line.starts_with(setting)).expect("there") + 1
}

#[test]
fn a_test_mail_into_a_folder_is_there_whole() {
    let mail =
        "[mail]\ntransport = \"folder\"\nfrom = \"accounts@northwind.example\"\n[mail.folder]\npath = \"sent\"\n";
    let (folder, config) = configured(mail);
    let said = done(&keyturn(&config, &["mail", "test", "ana@northwind.example", "--locale", "es"], ""));
    assert!(said.contains("accepted the test email to ana@northwind.example: "), "{said}");
    let mut files: Vec<_> =
        std::fs::read_dir(folder.path().join("sent")).expect("made").flatten().map(|file| file.path()).collect();
    files.sort();
    let [file, json] = files.as_slice() else { panic!("{files:?}") };
    let mail = std::fs::read_to_string(file).expect("text");
    assert!(mail.contains("From: \"Northwind Hosting\" <accounts@northwind.example>\r\n"), "{mail}");
    assert!(mail.contains("Subject: Correo de prueba de Northwind Hosting\r\n"), "{mail}");
    let filed: Value = serde_json::from_slice(&std::fs::read(json).expect("reads")).expect("JSON");
    assert_eq!(filed["to"], "ana@northwind.example");
    assert_eq!(filed["subject"], "Correo de prueba de Northwind Hosting");
    assert_eq!(json.with_extension("eml"), *file);
    for file in &files {
        assert_eq!(std::fs::metadata(file).expect("there").permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_server_that_takes_the_mail_is_quoted_and_each_step_can_be_seen() {
    let port = server(&[
        "220 mx1.example ESMTP\r\n",
        "250 mx1.example\r\n",
        "250 2.1.0 ok\r\n",
        "250 2.1.5 ok\r\n",
        "354 go\r\n",
        "250 2.0.0 Ok: queued as 4WQ7\r\n",
    ]);
    let (_folder, config) = smtp(port, "");
    let said = done(&keyturn(&config, &["mail", "test", "ana@northwind.example", "--verbose"], ""));
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("STEP"), "{said}");
    for (line, words) in
        lines[1..].iter().zip([["look-up", "127.0.0.1"], ["connect", "220 mx1.example ESMTP"], ["handover", "4WQ7"]])
    {
        assert!(words.iter().all(|word| line.contains(word)) && line.contains(" ms "), "{line}");
    }
    assert!(said.contains(&format!(
        "127.0.0.1:{port} accepted the test email to ana@northwind.example: 250 2.0.0 Ok: queued as 4WQ7"
    )));
    assert!(said.ends_with("It may still be in a spam folder.\n"), "{said}");
}

#[test]
fn a_refused_login_says_the_step_the_words_the_settings_and_what_to_try() {
    const ANSWERS: &[&str] =
        &["220 mx\r\n", "250-mx\r\n250 AUTH PLAIN\r\n", "535 5.7.8 authentication failed for hush-hush-52\r\n"];
    let port = server(ANSWERS);
    let (folder, config) = smtp(port, "username = \"panel\"\npassword-file = \"password\"\n");
    let password = folder.path().join("password");
    std::fs::write(&password, "hush-hush-52\n").expect("written");
    std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o600)).expect("mode");
    let output = keyturn(&config, &["mail", "test", "ana@northwind.example"], "");
    let (first, last) = (line_of(&config, "username"), line_of(&config, "password-file"));
    assert_eq!(
        err(&output),
        format!(
            "error: the email was not accepted by 127.0.0.1:{port}
  step   login (look-up and connect worked)
  said   535 5.7.8 authentication failed for ••••
  set    mail.smtp.username and mail.smtp.password-file   (keyturn.toml, lines {first}-{last})
  try    keyturn mail test ana@northwind.example --verbose
"
        )
    );
    assert_eq!((output.status.code(), out(&output).as_str()), (Some(75), ""));
    let checked = keyturn(&smtp_check(&config, server(ANSWERS), port), &["check"], "");
    let said = out(&checked);
    assert!(said.contains("login (look-up and connect worked)") && said.contains("fix:  mail.smtp.username"), "{said}");
    assert_eq!(checked.status.code(), Some(6));
}

/// The same configuration, for a fresh server.
fn smtp_check(config: &Path, port: u16, before: u16) -> PathBuf {
    let text = std::fs::read_to_string(config).expect("reads");
    std::fs::write(config, text.replace(&format!("port = {before}"), &format!("port = {port}"))).expect("writes");
    config.to_owned()
}

#[test]
fn each_end_has_its_exit_code_and_its_document() {
    for (answer, code, verdict, advice) in [
        (
            "550 5.1.1 nobody of that name\r\n",
            1,
            "refused",
            "check  whether ana@northwind.example is right; otherwise set mail.from",
        ),
        ("451 4.7.1 come again\r\n", 75, "delayed", "wait   it may accept it later"),
    ] {
        let answers: &'static [&'static str] =
            Box::leak(Box::new(["220 mx\r\n", "250 mx\r\n", "250 ok\r\n", answer, "250 ok\r\n"]));
        let (_folder, config) = smtp(server(answers), "");
        let output = keyturn(&config, &["mail", "test", "ana@northwind.example"], "");
        assert!(err(&output).contains(advice), "{}", err(&output));
        let (_folder, config) = smtp(server(answers), "");
        let output = keyturn(&config, &["mail", "test", "ana@northwind.example", "--json"], "");
        let document: Value = serde_json::from_str(&out(&output)).expect("JSON");
        assert_eq!((output.status.code(), document["verdict"].as_str()), (Some(code), Some(verdict)), "{document}");
        let last = document["steps"].as_array().and_then(|steps| steps.last()).expect("steps");
        assert_eq!((last["step"].as_str(), last["said"].as_str()), (Some("handover"), Some(answer.trim())));
    }
    let (_folder, off) = configured("");
    let output = keyturn(&off, &["mail", "test", "ana@northwind.example"], "");
    assert_eq!(output.status.code(), Some(6));
    assert!(err(&output).contains("mail is off: set mail.transport"), "{}", err(&output));
    assert!(out(&keyturn(&off, &["check"], "")).contains("note   mail is off"));
    let output = keyturn(&off, &["mail", "test", "ana"], "");
    assert_eq!((output.status.code(), err(&output).contains("it has no @")), (Some(2), true));
    let (_folder, wrong) = configured("[mail]\ntransport = \"smtp\"\nfrom = \"a@b.example\"\n");
    let output = keyturn(&wrong, &["mail", "test", "ana@northwind.example"], "");
    let said = "mail.smtp.host must be set, because mail.transport is \"smtp\"";
    assert_eq!((output.status.code(), err(&output).contains(said)), (Some(6), true), "{}", err(&output));
}

#[test]
fn what_was_set_on_the_page_is_what_the_command_line_sends_by_and_check_says_which_is_whose() {
    use keyturn_host::accounts::Reach;
    use keyturn_host::caller::{Actor, Caller};
    use keyturn_host::mail::config::Way;
    use keyturn_host::mail::setup::{Chosen, ChosenServer};
    use keyturn_host::mail::transport::smtp::Encryption;

    const ANSWERS: &[&str] =
        &["220 mx\r\n", "250-mx\r\n250 AUTH PLAIN\r\n", "535 5.7.8 authentication failed for hush-hush-52\r\n"];
    let (_folder, config) = configured("[mail]\nfrom = \"accounts@northwind.example\"\n");
    let set = |port: u16| {
        let chosen = Chosen {
            transport: Some(Way::Smtp),
            server: Some(ChosenServer {
                host: "127.0.0.1".to_owned(),
                port: Some(port),
                encryption: Encryption::None,
                username: Some("panel".to_owned()),
                password_at: None,
            }),
            ..Chosen::default()
        };
        let console = Caller::new(Actor::Console, Reach::none());
        let host = Config::read(&config).and_then(|config| config.beside_server().empty_host()).expect("a host");
        host.set_mail(&console, chosen, Some("hush-hush-52".to_owned().into())).expect("set");
    };
    let port = server(ANSWERS);
    set(port);
    let output = keyturn(&config, &["mail", "test", "ana@northwind.example"], "");
    let said = err(&output);
    assert!(said.starts_with(&format!("error: the email was not accepted by 127.0.0.1:{port}\n")), "{said}");
    assert!(said.contains("  step   login (look-up and connect worked)\n"), "{said}");
    let place = "  set    mail.smtp.username and mail.smtp.password   (the panel's page Email settings)\n";
    assert!(said.contains(place) && !said.contains("hush"), "{said}");
    let port = server(ANSWERS);
    set(port);
    let said = out(&keyturn(&config, &["check"], ""));
    let line = line_of(&config, "from");
    for (setting, value, source) in [
        ("mail.transport", "smtp", "page Email settings".to_owned()),
        ("mail.smtp.port", &port.to_string(), "page Email settings".to_owned()),
        ("mail.smtp.password", "••••", "page Email settings".to_owned()),
        ("mail.from", "accounts@northwind.example", format!("keyturn.toml, line {line}")),
        (
            "brand.link-origin",
            "https://panel.example",
            format!("keyturn.toml, line {}", line_of(&config, "link-origin")),
        ),
    ] {
        let row: Vec<&str> = said
            .lines()
            .find(|line| line.trim_start().starts_with(setting))
            .expect(setting)
            .split("  ")
            .map(str::trim)
            .filter(|cell| !cell.is_empty())
            .collect();
        assert_eq!(row, [setting, value, &source], "{said}");
    }
    assert!(!said.contains("hush") && said.contains("fix:  mail.smtp.username and mail.smtp.password"), "{said}");
    let document: Value = serde_json::from_str(&out(&keyturn(&config, &["check", "--json"], ""))).expect("JSON");
    let from =
        document["mail"].as_array().expect("settings").iter().find(|row| row["setting"] == "mail.from").expect("one");
    assert_eq!((from["from"].as_str(), from["line"].as_u64()), (Some("file"), Some(line as u64)));
}
