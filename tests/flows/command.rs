//! `keyturn` on a panel's database.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use keyturn_tests::demo_folder;
use serde_json::{Value, json};

use super::{done, err, fed, keyturn, out};

const NEW: &str = "copper lantern oats";

struct Panel {
    _folder: tempfile::TempDir,
    config: PathBuf,
}

fn panel() -> Panel {
    let folder = tempfile::tempdir().expect("a folder");
    let config = demo_folder(folder.path(), "https://panel.example");
    let database = rusqlite::Connection::open(folder.path().join("panel.db")).expect("opens");
    database
        .execute_batch(
            "CREATE TABLE people (id INTEGER PRIMARY KEY, kind TEXT, login TEXT UNIQUE, email TEXT, name TEXT, locale TEXT,
                 state TEXT, reseller_id INTEGER, password_hash TEXT, created_at TEXT, updated_at TEXT);
             CREATE TABLE sessions (token BLOB PRIMARY KEY, person_id INTEGER);
             INSERT INTO people (id, kind, login, email, name, locale, state) VALUES
                 (1, 'customer', 'marta', 'marta@vidal.example', 'Marta Vidal', 'en', 'active'),
                 (2, 'customer', 'twin', 'both@vidal.example', 'Twin', 'en', 'active'),
                 (3, 'customer', 'other', 'both@vidal.example', 'Other', 'en', 'active');
             INSERT INTO sessions VALUES (x'01', 1), (x'02', 1), (x'03', 2);",
        )
        .expect("rows");
    Panel { _folder: folder, config }
}

impl Panel {
    fn verdict(&self, login: &str, password: &str) -> Value {
        let input = json!({"login_or_email": login, "password": password}).to_string();
        serde_json::from_str(&done(&keyturn(&self.config, &["call", "password/verify", "-"], &input))).expect("JSON")
    }
}

#[test]
fn a_password_from_standard_input_is_set_and_signs_in() {
    let panel = panel();
    let text = done(&keyturn(&panel.config, &["reset-password", "MARTA@vidal.example"], &format!("{NEW}\n")));
    assert_eq!(text, "The password of MARTA@vidal.example (customer:1) has been changed. 2 sessions were ended.\n");
    assert_eq!(panel.verdict("marta", NEW)["kind"], "accepted");
    assert_eq!(panel.verdict("marta", "another one entirely")["kind"], "rejected");
    let audit = done(&keyturn(&panel.config, &["audit", "list", "--json", "--account", "customer:1"], ""));
    assert!(audit.contains("set-password") && audit.contains("console") && !audit.contains(NEW), "{audit}");
}

/// On a terminal of its own, made by `script`: what is typed there is not shown.
#[test]
fn on_a_terminal_the_password_is_asked_for_twice_and_not_shown() {
    let panel = panel();
    let line = format!("{} --config {} reset-password marta", env!("CARGO_BIN_EXE_keyturn"), panel.config.display());
    let answer = |first: &str, second: &str| {
        let mut script = Command::new("script")
            .args(["--quiet", "--return", "--command", &line, "/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("script runs; Debian has it in bsdutils");
        let (mut keyboard, mut screen) = (script.stdin.take().expect("piped"), script.stdout.take().expect("piped"));
        let mut seen = String::new();
        // Like a person, only after the question.
        for (question, typed) in [("New password: ", first), ("Repeat the new password: ", second)] {
            let mut byte = [0];
            while !seen.ends_with(question) && screen.read(&mut byte).expect("reads") == 1 {
                seen.push(char::from(byte[0]));
            }
            // The terminal stops showing what is typed just after the question.
            std::thread::sleep(Duration::from_millis(300));
            writeln!(keyboard, "{typed}").expect("typed");
        }
        screen.read_to_string(&mut seen).expect("reads");
        (script.wait().expect("ends").success(), seen)
    };
    let (done, seen) = answer(NEW, "another one entirely");
    assert!(!done && seen.contains("the two passwords differ; nothing was changed"), "{seen}");
    let (done, seen) = answer(NEW, NEW);
    assert!(done && seen.contains("The password of marta (customer:1) has been changed."), "{seen}");
    assert!(!seen.contains(NEW), "{seen}");
    assert_eq!(panel.verdict("marta", NEW)["kind"], "accepted");
}

#[test]
fn a_link_stands_alone_on_its_line_and_leads_to_the_page_to_choose() {
    let panel = panel();
    let output = keyturn(&panel.config, &["reset-password", "marta", "--link"], "");
    let link = done(&output);
    assert!(link.starts_with("https://panel.example/choose/") && link.lines().count() == 1, "{link}");
    assert!(err(&output).contains("works once, until"), "{}", err(&output));
}

#[test]
fn what_the_policy_refuses_ends_with_its_reason_and_its_code() {
    let panel = panel();
    for (new, word) in
        [("short", "at least 15"), ("marta vidal marta vidal", "contains"), ("aaaaaaaaaaaaaaaaaaaaaa", "")]
    {
        let output = keyturn(&panel.config, &["reset-password", "marta"], new);
        assert_eq!(output.status.code(), Some(5), "{}", err(&output));
        assert!(err(&output).starts_with("error:") && err(&output).contains(word), "{}", err(&output));
    }
    assert_eq!(panel.verdict("marta", "short")["kind"], "rejected");
}

#[test]
fn each_way_to_fail_has_its_code_and_names_what_to_do() {
    let panel = panel();
    let config = &panel.config;
    for (arguments, input, code, word) in [
        (&["reset-password", "nobody"][..], NEW, 4, "nobody has the login"),
        (&["reset-password", "both@vidal.example"], NEW, 5, "customer:2, customer:3"),
        (&["reset-password", "marta"], "", 2, "standard input"),
        (&["call", "password/unheard-of", "{}"], "", 4, "password/unheard-of"),
        (&["call", "password/account-status", "{}"], "", 2, "arguments.account: is missing"),
        (&["call", "password/account-status", "{"], "", 2, "not valid JSON"),
        (&["call", "password/account-status", r#"{"account": "customer:77"}"#], "", 4, "it doesn't exist"),
        (&["call", "password/change-own", "{}"], "a\nb\n", 5, "console isn't allowed to do change-own"),
        (&["unheard-of"], "", 2, "unheard-of"),
    ] {
        let output = keyturn(config, arguments, input);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}{}", out(&output), err(&output));
        assert!(err(&output).contains(word), "{arguments:?}: {}", err(&output));
    }
}

#[test]
fn a_secret_is_taken_from_standard_input_and_refused_as_an_argument() {
    let panel = panel();
    for (hook, arguments, secret) in [
        ("set-password", json!({"account": "customer:1", "new": NEW, "must_change": false}), "new"),
        ("verify", json!({"login_or_email": "marta", "password": NEW}), "password"),
        ("complete-reset", json!({"token": "0123456789abcdef", "new": NEW}), "token"),
        ("recognise-hash", json!({"hash": "$2y$10$"}), "hash"),
    ] {
        let output = keyturn(&panel.config, &["call", &format!("password/{hook}"), &arguments.to_string()], "");
        assert_eq!(output.status.code(), Some(2), "{}", err(&output));
        assert!(
            err(&output).contains(&format!("“{secret}” is a secret")) && !err(&output).contains(NEW),
            "{}",
            err(&output)
        );
    }
    let set = ["call", "password/set-password", r#"{"account": "customer:1", "must_change": false}"#];
    let nothing = keyturn(&panel.config, &set, "");
    assert_eq!(
        (nothing.status.code(), err(&nothing).contains("has no line for it")),
        (Some(2), true),
        "{}",
        err(&nothing)
    );
    assert_eq!(panel.verdict("marta", NEW)["kind"], "rejected", "nothing was done so far");
    done(&keyturn(&panel.config, &set, &format!("{NEW}\n")));
    let verify = ["call", "password/verify", r#"{"login_or_email": "marta"}"#];
    let verdict = done(&keyturn(&panel.config, &verify, NEW));
    assert!(verdict.contains("accepted"), "{verdict}");
}

#[test]
fn a_wrong_configuration_is_named_by_file_line_and_setting() {
    let panel = panel();
    let text = std::fs::read_to_string(&panel.config).expect("reads");
    for (from, to, word) in [
        ("[database]", "[database]\nspeed = 9", "speed"),
        ("https://panel.example", "panel.example", "brand.link-origin"),
        ("Europe/Madrid", "Europe/Atlantis", "brand.time-zone"),
        ("[database]", "[database", "line "),
    ] {
        std::fs::write(&panel.config, text.replacen(from, to, 1)).expect("writes");
        let output = keyturn(&panel.config, &["check"], "");
        assert_eq!(output.status.code(), Some(6), "{}{}", out(&output), err(&output));
        assert!(err(&output).contains("keyturn.toml") && err(&output).contains(word), "{word}: {}", err(&output));
    }
}

#[test]
fn a_lost_key_file_is_named_and_replaced_only_on_purpose() {
    let panel = panel();
    done(&keyturn(&panel.config, &["reset-password", "marta"], NEW));
    let key = panel.config.with_file_name("keyturn.key");
    std::fs::remove_file(&key).expect("lost");
    for command in [&["check"][..], &["reset-password", "marta", "--link"], &["audit", "list"]] {
        let output = keyturn(&panel.config, command, "");
        assert_eq!(output.status.code(), Some(6), "{}{}", out(&output), err(&output));
        let said = out(&output) + &err(&output);
        assert!(said.contains("keyturn.key is missing") && said.contains("keyturn key replace"), "{said}");
        assert!(!key.exists(), "none is made in its place");
    }
    std::fs::write(&key, "07".repeat(32)).expect("written");
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("set");
    for command in [&["check"][..], &["audit", "list"]] {
        let output = keyturn(&panel.config, command, "");
        let said = out(&output) + &err(&output);
        assert_eq!(output.status.code(), Some(6), "{said}");
        assert!(said.contains("sealed with another key file") && said.contains("keyturn key replace"), "{said}");
    }
    std::fs::remove_file(&key).expect("lost");
    assert_eq!(keyturn(&panel.config, &["key", "replace"], "").status.code(), Some(2));
    done(&keyturn(&panel.config, &["key", "replace", "--yes"], ""));
    assert_eq!(panel.verdict("marta", NEW)["kind"], "accepted", "passwords stay");
    // Whatever a hash costs on this machine.
    let text = std::fs::read_to_string(&panel.config).expect("reads");
    std::fs::write(&panel.config, text.replace("even-ms = 250", "even-ms = 10000")).expect("writes");
    assert!(done(&keyturn(&panel.config, &["check"], "")).contains("Nothing is wrong."));
}

#[test]
fn what_could_be_read_in_two_ways_is_not_read() {
    let panel = panel();
    let twice = r#"{"account": "customer:1", "account": "customer:2"}"#;
    let output = keyturn(&panel.config, &["call", "password/account-status", twice], "");
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("“account” is there twice"), "{}", err(&output));
    let output = keyturn(&panel.config, &["reset-password", "marta"], "copper lantern oats\nand another line");
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("several lines"), "{}", err(&output));
}

#[test]
fn where_there_is_no_configuration_it_says_where_it_looked_and_what_to_type() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut keyturn = Command::new(env!("CARGO_BIN_EXE_keyturn"));
    let output = keyturn.arg("check").current_dir(folder.path()).env_remove("KEYTURN_CONFIG").output().expect("runs");
    assert_eq!(output.status.code(), Some(6));
    let place = folder.path().canonicalize().expect("a path");
    assert_eq!(
        err(&output),
        format!(
            "error: there is no configuration keyturn.toml in {}\n  set    --config FILE, or the variable KEYTURN_CONFIG\n  \
             try    keyturn --config /srv/panel/keyturn.toml check\n",
            place.display()
        )
    );
}

#[test]
fn check_says_what_it_found_and_what_is_wrong() {
    let panel = panel();
    let text = out(&keyturn(&panel.config, &["check"], ""));
    assert!(text.contains("good") && text.contains("plugin keyturn-password"), "{text}");
    let grants = panel.config.with_file_name("plugins.d").join("keyturn-password.toml");
    let granted = std::fs::read_to_string(&grants).expect("reads");
    std::fs::write(&grants, granted.replace("kdf = true", "kdf = false")).expect("writes");
    let output = keyturn(&panel.config, &["check"], "");
    assert_eq!(output.status.code(), Some(6));
    assert!(out(&output).contains("`grants.kdf`"), "{}", out(&output));
    let said = out(&output);
    let wrong: Vec<&str> = said.lines().filter(|line| line.starts_with("wrong")).collect();
    assert_eq!(wrong.len(), 1, "what follows from it is not said again: {said}");

    std::fs::write(&grants, granted.replacen("\"customer\"]", "\"custmer\"]", 1)).expect("writes");
    let output = keyturn(&panel.config, &["check"], "");
    assert_eq!(output.status.code(), Some(6));
    assert!(out(&output).contains("grants.accounts.realms names custmer, which is not mapped"), "{}", out(&output));
    assert!(out(&output).contains("mapped realms: customer, reseller, staff"), "{}", out(&output));
}

#[test]
fn check_changes_nothing_and_says_what_the_first_start_will_make() {
    let panel = panel();
    let config = std::fs::read_to_string(&panel.config).expect("reads");
    let folder = panel.config.parent().expect("a folder").to_owned();
    let files = || {
        let mut files = Vec::new();
        let mut folders = vec![folder.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("reads") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path)
                } else {
                    files.push((std::fs::read(&path).expect("reads"), path))
                }
            }
        }
        files.sort();
        files
    };
    let before = files();
    let said = out(&keyturn(&panel.config, &["check"], ""));
    assert!(files() == before, "{said}");
    for word in
        ["keyturn.key: it doesn't exist yet", "tables don't exist yet", "without WAL; Keyturn keeps it", "is wrong"]
    {
        assert!(said.contains(word), "{word}: {said}");
    }
    // As a mail server's map has it.
    let uri = format!("file:{}?mode=ro", folder.join("panel.db").display());
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_URI;
    let reader = rusqlite::Connection::open_with_flags(uri, flags).expect("opens");
    let count = |sql: &str| reader.query_row(sql, [], |row| row.get::<_, i64>(0));
    done(&keyturn(&panel.config, &["keys", "list"], ""));
    assert_eq!(count("SELECT count(*) FROM people"), Ok(3), "a command makes tables, and the reader goes on");
    assert!(!folder.join("panel.db-wal").exists());

    std::fs::write(&panel.config, config.replace("[database]", "[database]\njournal = \"wal\"")).expect("writes");
    assert!(out(&keyturn(&panel.config, &["check"], "")).contains("the next start changes the file to WAL"));
    done(&keyturn(&panel.config, &["keys", "list"], ""));
    assert!(out(&keyturn(&panel.config, &["check"], "")).contains("good   journal mode: WAL"));
    std::fs::remove_file(folder.join("keyturn.key")).expect("removed");
    let said = out(&keyturn(&panel.config, &["check"], ""));
    assert!(said.contains("keyturn.key is missing") && said.contains("restore it from the backup"), "{said}");
    assert!(!folder.join("keyturn.key").exists());
}

#[test]
fn a_key_file_of_another_user_than_the_databases_is_said_to_be_just_that() {
    use std::os::unix::fs::{PermissionsExt as _, chown};
    let panel = panel();
    done(&keyturn(&panel.config, &["keys", "list"], ""));
    let folder = panel.config.parent().expect("a folder");
    if nix::unistd::Uid::effective().is_root() {
        // As the database's owner, whom it becomes, root may not read what is root's.
        let nobody = Some(65_534);
        for path in [folder.to_owned(), folder.join("panel.db"), panel.config.clone()] {
            chown(path, nobody, nobody).expect("given away");
        }
    } else {
        let unreadable = std::fs::Permissions::from_mode(0o000);
        std::fs::set_permissions(folder.join("keyturn.key"), unreadable).expect("set");
    }
    for command in [&["keys", "list"][..], &["check"]] {
        let output = keyturn(&panel.config, command, "");
        let said = out(&output) + &err(&output);
        assert_eq!(output.status.code(), Some(6), "{said}");
        assert!(
            said.contains("keyturn.key: reading it is refused") && said.contains("owner of the database"),
            "{said}"
        );
        assert!(!said.contains("backup"), "it is not lost: {said}");
    }
}

#[test]
fn what_is_wrong_in_the_configuration_is_said_without_the_passwords_in_it() {
    let panel = panel();
    let config = std::fs::read_to_string(&panel.config).expect("reads");
    let grants = panel.config.with_file_name("plugins.d").join("keyturn-password.toml");
    let granted = std::fs::read_to_string(&grants).expect("reads");
    for line in [
        "[server]\npanel = \"ftp://ana:hunter2@panel.example/\"",
        "[server]\nproxies = [\"http://ana:hunter2@proxy.example\"]",
        "[server]\nproxy = \"http://ana:hunter2@proxy.example\"",
        "[[webhooks]]\nname = \"a\"\nurl = \"ftp://ana:hunter2@h\"\nsecret-file = \"s\"\nevents = [\"a.b\"]",
        "[mail.smtp]\nhost = \"smtp://ana:hunter2@mail.example\"",
        "[mail.smtp]\nhost = \"mail.example\"\npassword = \"hunter2\"",
        "[mail.smtp]\nhost = \"mail.example\"\npassword = hunter2",
    ] {
        std::fs::write(&panel.config, format!("{config}\n{line}\n")).expect("writes");
        let output = keyturn(&panel.config, &["check"], "");
        let said = out(&output) + &err(&output);
        assert_eq!(output.status.code(), Some(6), "{line}: {said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    std::fs::write(&panel.config, config).expect("writes");
    let setting = "[settings]\noutput = \"https://ana:hunter2@h\"";
    std::fs::write(&grants, granted.replace("[settings]", setting).replace("output = \"argon2id\"", ""))
        .expect("writes");
    let said = out(&keyturn(&panel.config, &["check"], ""));
    assert!(said.contains("settings.output") && !said.contains("hunter2"), "{said}");
}

#[test]
fn where_little_address_space_is_allowed_commands_work_and_a_pool_that_is_insisted_on_names_the_limit() {
    let panel = panel();
    let limited = |arguments: &[&str], input: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", "ulimit -v 2097152; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_keyturn"), "--config"]);
        fed(shell.arg(&panel.config).args(arguments), input)
    };
    done(&limited(&["audit", "list"], ""));
    done(&limited(&["reset-password", "marta"], NEW));
    assert_eq!(panel.verdict("marta", NEW)["kind"], "accepted");
    let config = std::fs::read_to_string(&panel.config).expect("reads");
    let pool = config.replace("[database]", "[limits]\nguest-memory = \"pool\"\n\n[database]");
    std::fs::write(&panel.config, pool).expect("writes");
    let output = limited(&["reset-password", "marta"], NEW);
    assert!(
        !output.status.success() && err(&output).contains("2048 MiB of address space (RLIMIT_AS"),
        "{}",
        err(&output)
    );
    done(&limited(&["audit", "list"], ""));
}

#[test]
fn a_database_that_is_not_there_is_not_made() {
    let panel = panel();
    let config = std::fs::read_to_string(&panel.config).expect("reads");
    std::fs::write(&panel.config, config.replace("panel.db", "nope.db")).expect("writes");
    let key = panel.config.with_file_name("keyturn.key");
    for command in [&["check"][..], &["keys", "list"], &["serve", "--listen", "127.0.0.1:0"]] {
        let output = keyturn(&panel.config, command, "");
        assert_eq!(output.status.code(), Some(6), "{command:?}");
        let said = out(&output) + &err(&output);
        assert!(said.contains("nope.db, which doesn't exist"), "{said}");
    }
    assert!(!panel.config.with_file_name("nope.db").exists() && !key.exists(), "nothing is made");
}

#[test]
fn inspect_shows_wanted_against_granted_and_runs_nothing() {
    let panel = panel();
    let folder = panel.config.with_file_name("plugins.d");
    let (file, grants) = (folder.join("keyturn-password.wasm"), folder.join("keyturn-password.toml"));
    let arguments = ["plugin", "inspect", file.to_str().expect("text"), "--grants", grants.to_str().expect("text")];
    let text = done(&keyturn(&panel.config, &arguments, ""));
    assert!(text.contains("keyturn:panel/kdf") && text.contains("password/verify"), "{text}");
    let setting = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    assert!(setting("output ").contains("argon2id, bcrypt"), "{text}");
    assert!(setting("min-length ").contains("15  ") && setting("min-length ").contains("8 to 128"), "{text}");
    assert!(!text.contains("wasi:sockets") && !text.contains("wasi:filesystem"), "{text}");
}

#[test]
fn the_audit_shows_what_was_only_counted_and_prunes_what_is_older_than_it_keeps() {
    let panel = panel();
    let database = rusqlite::Connection::open(panel.config.with_file_name("panel.db")).expect("opens");
    let audit = |arguments: &[&str]| keyturn(&panel.config, &[&["audit"], arguments].concat(), "");
    done(&audit(&["list"]));
    database
        .execute_batch(
            "INSERT INTO keyturnhost_audit (at, plugin, operation, actor, outcome, address, request, times) VALUES
                (unixepoch() * 1000 - 800 * 86400000, 'p', 'verify', 'anonymous', 'accepted', '192.0.2.7', 'r1', NULL),
                (unixepoch() * 1000 - 100 * 86400000, 'p', 'verify', 'anonymous', 'accepted', '192.0.2.7', 'r2', NULL),
                (unixepoch() * 1000 - 60000, 'p', 'request-reset', 'anonymous', 'throttled', '192.0.2.0/24', '', 412);
             DELETE FROM keyturnhost_audit_chains;", // As hosts left it that did not chain it yet.
        )
        .expect("rows");
    let shown = done(&audit(&["list"]));
    assert!(shown.contains("412 times throttled from 192.0.2.0/24 within the minute"), "{shown}");
    let list = || -> Vec<Value> { serde_json::from_str(&done(&audit(&["list", "--json"]))).expect("JSON") };
    assert_eq!((list()[0]["entry"]["times"].as_u64(), list()[1]["entry"]["times"].as_u64()), (Some(412), None));

    let dry = done(&audit(&["prune", "--dry-run"]));
    assert!(dry.contains("older than 730 days: 1 entry and 0 lines of counts, the oldest from "), "{dry}");
    assert_eq!(list().len(), 3, "nothing was deleted");
    done(&audit(&["prune"]));
    let left: Vec<String> = list().iter().map(|line| line["entry"]["outcome"].to_string()).collect();
    assert!(left.len() == 3 && left[0].contains("done: 1 before"), "that it was done stands there: {left:?}");
    let json = done(&audit(&["prune", "--older-than", "90", "--json"]));
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&json["deleted"], &json["entries"], &json["counted"]), (&json!(1), &json!(1), &json!(0)));
    let none = done(&audit(&["prune"]));
    assert!(none.contains("No entry is older than 730 days."), "{none}");

    let text = std::fs::read_to_string(&panel.config).expect("reads");
    std::fs::write(&panel.config, format!("{text}\n[audit]\nkeep-days = 0\n")).expect("written");
    let wrong = audit(&["list"]);
    assert!(
        !wrong.status.success() && err(&wrong).contains("audit.keep-days must be 1 to 36500, not 0"),
        "{}",
        err(&wrong)
    );
}
