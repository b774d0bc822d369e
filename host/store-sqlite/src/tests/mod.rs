mod flood;
mod replaced;
mod wiped;

use std::collections::BTreeMap;
use std::path::PathBuf;

use rusqlite::Connection;

use super::*;
use keyturn_accounts as sql;
use keyturn_core::accounts::Matched;
use keyturn_core::accounts::Why;
use keyturn_store::outbox::*;
use keyturn_store::testing::*;
use keyturn_store::*;

const PANEL: &str = "
    CREATE TABLE customers (id INTEGER PRIMARY KEY, login TEXT, password TEXT);
    CREATE TABLE sessions (token TEXT, customer INTEGER);
    INSERT INTO customers VALUES (1, 'ana', 'h0'), (2, 'ben', 'h0');
    INSERT INTO sessions VALUES ('a', 1), ('b', 2);
";

struct Panel {
    path: PathBuf,
    keys: Arc<Keys>,
    _dir: tempfile::TempDir,
}

impl Panel {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("panel.db");
        Connection::open(&path).expect("opened").execute_batch(PANEL).expect("panel");
        Self { path, keys: Arc::new(Keys::random()), _dir: dir }
    }

    fn open(&self, options: Options) -> Store {
        crate::open(&self.path, self.keys.clone(), provider(), options).expect("opened")
    }

    fn raw(&self) -> Connection {
        let db = Connection::open(&self.path).expect("opened");
        db.busy_timeout(Duration::from_secs(5)).expect("set");
        db
    }
}

fn beside() -> Options {
    Options { beside_server: true, ..Options::default() }
}

fn provider() -> Arc<dyn Provider> {
    let realms: BTreeMap<String, sql::Mapping> = toml::from_str(
        "customer = { table = 'customers', id = 'id', login = 'login', hash = 'password',
                      sessions = { table = 'sessions', account = 'customer' } }",
    )
    .expect("realms");
    Arc::new(sql::Sql::new(realms, &crate::Sqlite).expect("provider"))
}

fn settled(mut so: impl FnMut() -> bool) -> bool {
    (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        so()
    })
}

#[test]
fn a_lock_of_the_panels_is_waited_for_and_then_the_database_is_busy() {
    let panel = Panel::new();
    let storage = panel.open(Options { busy: Duration::from_millis(200), ..Options::default() });
    let raw = panel.raw();
    raw.execute_batch("BEGIN IMMEDIATE").expect("locked");
    assert_eq!(storage.commit(commit(vec![put("k", "v")])), Err(StorageError::Busy));
    assert_eq!(value(&storage, "k"), None, "reading goes on");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| storage.commit(commit(vec![put("k", "v")])));
        std::thread::sleep(Duration::from_millis(50));
        raw.execute_batch("COMMIT").expect("unlocked");
        assert_eq!(waiting.join().expect("joined"), Ok(()));
    });
}

#[test]
fn a_file_that_is_not_there_is_made_only_if_that_is_wanted() {
    let panel = Panel::new();
    let path = panel.path.with_file_name("other.db");
    let options = Options { create: false, ..Options::default() };
    let error = crate::open(&path, panel.keys.clone(), provider(), options).err().expect("refused");
    assert!(error.to_string().contains("other.db"), "{error}");
    assert!(!path.exists());
}

#[test]
fn one_database_has_one_server_and_any_number_of_commands() {
    let panel = Panel::new();
    let server = panel.open(Options::default());
    let second = crate::open(&panel.path, panel.keys.clone(), provider(), Options::default()).err().expect("refused");
    assert!(
        matches!(&second, StorageError::Served(said) if said.contains("A database can have only one server")),
        "{second}"
    );
    panel.open(beside()).commit(commit(vec![put("k", "v")])).expect("committed");
    assert_eq!(value(&server, "k").as_deref(), Some("v"));
    drop(server);
    panel.open(Options::default());
}

#[test]
fn a_panels_file_keeps_its_journal_mode_and_one_of_ours_is_in_wal_mode() {
    let mode = |path: &std::path::Path| {
        let db = Connection::open(path).expect("opened");
        db.query_row("PRAGMA journal_mode", [], |row| row.get::<_, String>(0)).expect("read")
    };
    let panel = Panel::new();
    panel.open(Options::default()).commit(commit(vec![put("k", "v")])).expect("committed");
    assert_eq!(mode(&panel.path), "delete");
    panel.open(Options { journal: Journal::Wal, ..Options::default() });
    assert_eq!(mode(&panel.path), "wal");
    panel.open(Options::default());
    assert_eq!(mode(&panel.path), "wal", "it was so");
    let ours = panel.path.with_file_name("ours.db");
    drop(crate::open(&ours, panel.keys.clone(), provider(), Options::default()).expect("opened"));
    assert_eq!(mode(&ours), "wal");
}

/// Two programs of the panel's write, one reads long, and the host writes, all in one file without WAL.
#[test]
fn without_wal_nothing_acknowledged_is_lost_among_writers_and_readers_of_the_panels() {
    const EACH: usize = 40;
    let panel = Panel::new();
    let patient = Options { busy: Duration::from_secs(120), ..Options::default() };
    let storage = panel.open(patient);
    let panel_writes = |customer: i64| {
        let db = panel.raw();
        db.busy_timeout(Duration::from_secs(120)).expect("set");
        for n in 0..EACH {
            db.execute("INSERT INTO sessions VALUES (?1, ?2)", rusqlite::params![format!("{customer}/{n}"), customer])
                .expect("the panel writes");
        }
    };
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let looks_on = scope.spawn(|| {
            let db = panel.raw();
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let mut rows = db.prepare("SELECT login FROM customers").expect("prepared");
                let mut rows = rows.query([]).expect("asked");
                while rows.next().expect("read").is_some() {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        });
        let panels = [scope.spawn(|| panel_writes(1)), scope.spawn(|| panel_writes(2))];
        let hosts: Vec<_> = (0..4)
            .map(|thread| {
                let storage = &storage;
                scope.spawn(move || {
                    for n in 0..EACH {
                        let hash = replace("1", &format!("h{thread}/{n}"), Why::Upgrade, "e");
                        let key = format!("{thread}/{n}");
                        let effects = if n % 2 == 0 { vec![put(&key, "v")] } else { vec![put(&key, "v"), hash] };
                        storage.commit(commit(effects)).expect("committed");
                        assert_eq!(value(storage, &key).as_deref(), Some("v"), "what is acknowledged is read");
                    }
                })
            })
            .collect();
        hosts.into_iter().chain(panels).for_each(|writer| writer.join().expect("joined"));
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        looks_on.join().expect("joined");
    });
    assert_eq!(storage.scan("p", "", None, 1000, NOW).expect("scanned").len(), 4 * EACH);
    drop(storage);
    let count = "SELECT (SELECT count(*) FROM sessions) || ' ' || (SELECT mode FROM (SELECT journal_mode AS mode FROM pragma_journal_mode))";
    let counted: String = panel.raw().query_row(count, [], |row| row.get(0)).expect("counted");
    assert_eq!(counted, format!("{} delete", 2 + 2 * EACH));
}

#[test]
fn who_looks_changes_not_a_byte_and_sees_the_tables_as_they_will_be() {
    let files = |panel: &Panel| {
        let folder = panel.path.parent().expect("a folder");
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .expect("read")
            .map(|entry| entry.expect("an entry").path())
            .map(|path| (path.clone(), std::fs::read(path).expect("read")))
            .collect();
        files.sort();
        files
    };
    for wal in [false, true] {
        let panel = Panel::new();
        if wal {
            panel.raw().query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).expect("turned");
        }
        let before = files(&panel);
        assert_eq!(before.len(), 1);
        let (storage, found) = crate::look(&panel.path, panel.keys.clone(), provider()).expect("opened");
        assert_eq!(found, Found { wal, version: None, newest: schema::NEWEST });
        assert_eq!(storage.find("ana", &["customer"], 10), Ok(vec![(id("1"), Matched::Login)]));
        assert_eq!(storage.service_keys().map(|keys| keys.len()), Ok(0));
        let refused = storage.commit(commit(vec![put("k", "v")])).expect_err("refused").to_string();
        assert!(refused.contains("read-only"), "{refused}");
        drop(storage);
        assert!(files(&panel) == before, "wal {wal}");
    }
    // Beside a server, whatever it has written.
    let panel = Panel::new();
    let server = panel.open(Options { journal: Journal::Wal, ..Options::default() });
    server.commit(commit(vec![put("k", "v")])).expect("committed");
    let before = files(&panel);
    let (storage, found) = crate::look(&panel.path, panel.keys.clone(), provider()).expect("opened");
    assert_eq!((found.wal, found.version), (true, Some(schema::NEWEST)));
    assert_eq!(value(&storage, "k").as_deref(), Some("v"));
    let other = crate::look(&panel.path, Arc::new(Keys::random()), provider()).err();
    assert_eq!(other, Some(StorageError::OtherKey));
    drop(storage);
    let names = |files: &[(PathBuf, Vec<u8>)]| files.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>();
    assert_eq!(names(&files(&panel)), names(&before));
}

#[test]
fn who_looks_at_tables_of_an_older_version_finds_in_them_what_they_hold() {
    let panel = Panel::new();
    let raw = panel.raw();
    raw.execute_batch("CREATE TABLE keyturnhost_migrations (version INTEGER PRIMARY KEY, applied INTEGER)")
        .expect("made");
    for (at, sql) in schema::MIGRATIONS.iter().take(3).enumerate() {
        raw.execute_batch(sql).expect("made");
        raw.execute("INSERT INTO keyturnhost_migrations VALUES (?1, 0)", [at as i64 + 1]).expect("noted");
    }
    raw.execute_batch("INSERT INTO keyturnhost_workers VALUES (1, 42)").expect("a sign of life");
    let (storage, found) = crate::look(&panel.path, panel.keys.clone(), provider()).expect("opened");
    assert_eq!(found.version, Some(3));
    assert_eq!(storage.last_beat().expect("read").at, Some(42));
    assert_eq!(storage.service_keys().map(|keys| keys.len()), Ok(0), "a table of a later version");
    let tables = "SELECT count(*) FROM sqlite_schema WHERE name = 'keyturnhost_service_keys'";
    assert_eq!(raw.query_row(tables, [], |row| row.get::<_, i64>(0)), Ok(0));
}

/// The tables as they were before what waits in them had the same columns, with rows sealed as that version sealed them.
#[test]
fn what_waits_in_tables_of_an_older_version_waits_on_and_opens_as_it_did() {
    let panel = Panel::new();
    let raw = panel.raw();
    raw.execute_batch("CREATE TABLE keyturnhost_migrations (version INTEGER PRIMARY KEY, applied INTEGER DEFAULT 0)")
        .expect("made");
    for (at, sql) in schema::MIGRATIONS.iter().take(10).enumerate() {
        raw.execute_batch(sql).expect("made");
        raw.execute("INSERT INTO keyturnhost_migrations (version) VALUES (?1)", [at as i64 + 1]).expect("noted");
    }
    let seal = |parts: &[&str], text: &str| panel.keys.seal(parts, text.as_bytes());
    let task = "INSERT INTO keyturnhost_tasks (id, kind, plugin, charged, name, payload, depth, attempts, due, lease, asked_at,
        outcome) VALUES (?1, 'job', 'p', 'p', ?1, ?2, 0, ?3, ?4, ?5, 7, ?6)";
    for (id, attempts, due, lease, outcome) in [
        ("fresh", 0, Some(1), None, None),
        ("again", 3, Some(2), None, Some("trap")),
        ("running", 1, Some(3), Some("token"), None),
        ("lost", 8, Some(4), Some("token"), None),
        ("failed", 8, None, None, Some("deadline")),
    ] {
        let payload = seal(&["keyturnhost_tasks", id, "p", "job", id, "", "0"], id);
        raw.execute(task, rusqlite::params![id, payload, attempts, due, lease, outcome]).expect("a task");
    }
    let mail = "0123456789abcdef0123456789abcdef";
    let place = |part| ["keyturnhost_outbox", part, mail, "p", "customer:1", "07", "5", "9000000000000"];
    let template = r#"{"texts":{},"variables":{}}"#;
    raw.execute(
        "INSERT INTO keyturnhost_outbox (id, plugin, recipient, template_name, template, variables, secrets, state, attempts,
            due, asked_at, changed_at, expires) VALUES (?1, 'p', 'customer:1', 't', x'07', ?2, ?3, 'delayed', 2, 1, 5, 6,
            9000000000000)",
        rusqlite::params![
            mail,
            seal(&place("open"), r#"{"variables":[],"origin":null,"message_id":"m@x"}"#),
            seal(&place("secrets"), "[]")
        ],
    )
    .expect("a mail");
    let kept = seal(&["keyturnhost_templates", "07"], template);
    raw.execute("INSERT INTO keyturnhost_templates VALUES (x'07', ?1)", [kept]).expect("its template");
    let delivery = "msg_0123456789abcdef0123456789abcdef";
    raw.execute(
        "INSERT INTO keyturnhost_deliveries (id, destination, plugin, event, payload, state, attempts, due, asked_at,
            changed_at, tried) VALUES (?1, 'd', 'p', 'e', ?2, 'delayed', 1, 1, 5, 6,
            '[{\"at\":6,\"took_ms\":1,\"status\":500,\"said\":\"no\"}]')",
        rusqlite::params![delivery, seal(&["keyturnhost_deliveries", delivery, "d", "p", "e"], "body")],
    )
    .expect("a delivery");

    let storage = panel.open(Options::default());
    let states: Vec<(String, String, i64)> = raw
        .prepare("SELECT id, state, changed_at FROM keyturnhost_tasks ORDER BY number")
        .and_then(|mut rows| {
            rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect::<Result<Vec<_>, _>>()
        })
        .expect("read");
    let expected = [("fresh", "queued"), ("again", "delayed"), ("running", "sending"), ("lost", "sending")];
    let expected = expected.into_iter().chain([("failed", "gave-up")]);
    assert_eq!(states, expected.map(|(id, state)| (id.to_owned(), state.to_owned(), 7)).collect::<Vec<_>>());
    let failed = || storage.tasks(true, 10).expect("read").into_iter().map(|task| (task.id, task.outcome));
    assert_eq!(failed().collect::<Vec<_>>(), [("failed".to_owned(), Some("deadline".to_owned()))]);
    let mut run = Vec::new();
    while let Some(leased) = storage.lease_tasks(1, 60_000).expect("leased").pop() {
        run.push((leased.name, leased.payload.expect("ours").to_string(), leased.attempts));
    }
    let expected = [("fresh", 1), ("again", 4), ("running", 2)];
    assert_eq!(run, expected.map(|(id, attempts)| (id.to_owned(), id.to_owned(), attempts)));
    let lost = ("lost".to_owned(), Some("lost".to_owned()));
    assert_eq!(failed().collect::<Vec<_>>(), [("failed".to_owned(), Some("deadline".to_owned())), lost]);
    let leased = storage.lease_mail(10, 60_000, None).expect("leased").remove(0);
    let filling = leased.filling.expect("ours");
    assert_eq!((leased.mail.attempts, filling.message_id.as_str()), (3, "m@x"));
    let leased = storage.lease_delivery("d", "", 60_000).expect("leased").expect("due");
    assert_eq!((leased.body.as_deref().map(String::as_str), leased.delivery.tried.len()), (Ok("body"), 1));
}

#[test]
fn without_group_commit_everything_holds_too() {
    let panel = Panel::new();
    let storage = panel.open(Options { group_commit: false, ..Options::default() });
    let won: usize = std::thread::scope(|scope| {
        let rounds: Vec<_> = (0..8)
            .map(|n: i32| {
                let storage = &storage;
                scope.spawn(move || {
                    let reads = vec![Read::Data { key: "token".to_owned(), version: None }];
                    let commit = Commit { reads, ..commit(vec![put("token", &n.to_string())]) };
                    usize::from(storage.commit(commit).is_ok())
                })
            })
            .collect();
        rounds.into_iter().map(|round| round.join().expect("joined")).sum()
    });
    assert_eq!(won, 1);
}

#[test]
fn after_shutdown_nothing_is_left_in_the_log() {
    let panel = Panel::new();
    let storage = panel.open(Options { journal: Journal::Wal, ..Options::default() });
    storage.commit(commit(vec![put("k", "v")])).expect("committed");
    storage.shutdown();
    drop(storage);
    assert!(std::fs::metadata(panel.path.with_extension("db-wal")).map_or(0, |wal| wal.len()) == 0);
}

/// What a server begins with is what migrations have made of a file.
#[test]
fn the_tables_in_neutral_words_are_those_that_the_migrations_make() {
    let described = |db: &Connection| {
        let sql = "SELECT m.name || ' ' || p.name || ' ' || p.type || ' ' || (p.\"notnull\" OR p.pk > 0) || ' ' || (p.pk > 0)
                   FROM sqlite_schema m JOIN pragma_table_info(m.name) p WHERE m.type = 'table' AND m.name LIKE 'keyturnhost%'
                   UNION ALL
                   SELECT m.name || ' on ' || m.tbl_name || ' unique ' || l.\"unique\" || ' partial ' || l.partial || ' ' ||
                       (SELECT group_concat(x.name) FROM pragma_index_info(m.name) x)
                   FROM sqlite_schema m JOIN pragma_index_list(m.tbl_name) l ON l.name = m.name
                   WHERE m.type = 'index' AND m.name LIKE 'keyturnhost%'
                   ORDER BY 1";
        let mut rows = db.prepare(sql).expect("prepared");
        let rows = rows.query_map([], |row| row.get::<_, String>(0)).expect("read");
        rows.map(|row| row.expect("a row")).collect::<Vec<_>>()
    };
    let made = |sqls: &[&str]| {
        let db = Connection::open_in_memory().expect("opened");
        let versions =
            "CREATE TABLE IF NOT EXISTS keyturnhost_migrations (version INTEGER PRIMARY KEY, applied INTEGER NOT NULL)";
        for statement in sqls.iter().flat_map(|sql| schema::statements(sql)).chain([versions]) {
            db.execute_batch(&crate::dialect::words(statement)).expect("made");
        }
        described(&db)
    };
    assert_eq!(made(&[schema::TABLES]), made(schema::MIGRATIONS));
}
