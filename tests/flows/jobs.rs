//! `keyturn jobs`, and what `keyturn check` says of them.

use std::path::PathBuf;

use keyturn_tests::demo_folder;
use serde_json::Value;

use super::{done, err, keyturn, out};

struct Panel {
    _folder: tempfile::TempDir,
    config: PathBuf,
    database: rusqlite::Connection,
}

/// A panel that nobody serves, and whose mail would go into a folder.
fn panel() -> Panel {
    let folder = tempfile::tempdir().expect("a folder");
    let config = demo_folder(folder.path(), "https://panel.example");
    let text = std::fs::read_to_string(&config).expect("reads");
    let mail = "[mail]\ntransport = \"folder\"\nfrom = \"no-reply@northwind.example\"\n\n[mail.folder]";
    std::fs::write(&config, text.replace("[mail.folder]", mail)).expect("writes");
    let database = rusqlite::Connection::open(folder.path().join("panel.db")).expect("opens");
    database
        .execute_batch(
            "CREATE TABLE people (id INTEGER PRIMARY KEY, kind TEXT, login TEXT UNIQUE, email TEXT, name TEXT, locale TEXT,
                 state TEXT, reseller_id INTEGER, password_hash TEXT, created_at TEXT, updated_at TEXT);
             CREATE TABLE sessions (token BLOB PRIMARY KEY, person_id INTEGER);",
        )
        .expect("rows");
    Panel { _folder: folder, config, database }
}

#[test]
fn jobs_are_counted_by_check_listed_with_what_became_of_them_and_run_again() {
    let panel = panel();
    let check = || out(&keyturn(&panel.config, &["check"], ""));
    assert!(!check().contains("jobs of"), "{}", check());
    let grants = panel.config.with_file_name("plugins.d").join("keyturn-password.toml");
    let granted = std::fs::read_to_string(&grants).expect("reads");
    std::fs::write(&grants, format!("{granted}\n[limits]\nwaiting-jobs = 2\n")).expect("writes");
    let ask = |name: &str| {
        let arguments = format!("{{\"login_or_email\": \"{name}\"}}");
        keyturn(&panel.config, &["call", "password/request-reset", &arguments], "")
    };
    done(&ask("marta"));
    assert!(check().contains("note   jobs of keyturn-password: 1 are waiting"), "{}", check());
    done(&ask("omar"));
    let full = ask("nobody");
    assert_eq!((full.status.code(), err(&full).contains("very busy right now")), (Some(75), true), "{}", err(&full));
    assert!(err(&full).contains("the limit of waiting jobs is reached"), "{}", err(&full));
    let said = check();
    assert!(said.contains("wrong  jobs of keyturn-password: 2 are waiting, which is the limit"), "{said}");
    assert!(said.contains("no worker has run") && said.contains("fix:  start a worker"), "{said}");

    let jobs = |arguments: &[&str]| keyturn(&panel.config, &[&["jobs"], arguments].concat(), "");
    let listed: Value = serde_json::from_str(&done(&jobs(&["list", "--json"]))).expect("JSON");
    let id = listed[0]["id"].as_str().expect("an id").to_owned();
    assert_eq!((listed[0]["name"].as_str(), listed[0]["whole"].as_bool()), (Some("find-and-mail"), Some(true)));
    assert_eq!(jobs(&["run-again", &id]).status.code(), Some(1), "it has not failed");
    assert_eq!(jobs(&["run-again", "x"]).status.code(), Some(2));
    panel
        .database
        .execute_batch(
            "UPDATE keyturnhost_tasks SET due = NULL, state = 'gave-up', attempts = 8, outcome = 'limit: per-minute'",
        )
        .expect("failed");
    let failed = done(&jobs(&["list", "--failed"]));
    assert!(failed.contains("find-and-mail of keyturn-password") && failed.contains("limit: per-minute"), "{failed}");
    assert!(failed.contains("8 of 8"), "{failed}");
    assert!(check().contains("2 failed for good within the last 30 days"), "{}", check());
    let some = jobs(&["run-again", &id, &"0".repeat(32)]);
    assert_eq!((some.status.code(), out(&some).as_str()), (Some(3), "1 of 2 run again.\n"));
    assert_eq!(done(&jobs(&["run-again", "--failed"])), "1 of 1 run again.\n");
    assert!(err(&jobs(&["list", "--failed"])).contains("Nothing has failed."));
    let audit = done(&keyturn(&panel.config, &["audit", "list"], ""));
    assert!(audit.contains("jobs-run-again"), "{audit}");
}
