mod addresses;
mod audit;
mod deliveries;
mod outbox;
mod replaced;
mod settings;
mod tasks;

use std::collections::BTreeMap;
use std::path::PathBuf;

use rusqlite::Connection;
use zeroize::Zeroizing;

use super::*;
use keyturn_accounts as sql;
use keyturn_core::accounts::Why;
use keyturn_core::accounts::{AccountId, Matched};
use keyturn_store::deliveries::*;
use keyturn_store::outbox::*;
use keyturn_store::tasks::*;
use keyturn_store::*;

const NOW: i64 = 1_764_000_000_000;

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

fn keeping(keeps: Keeps) -> Options {
    Options { keeps, ..Options::default() }
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

fn id(key: &str) -> AccountId {
    AccountId::new("customer", key).expect("id")
}

fn commit(effects: Vec<Effect>) -> Commit {
    Commit {
        plugin: "p".to_owned(),
        now: NOW,
        reads: Vec::new(),
        effects,
        audit: None,
        record: None,
        quotas: Quotas { stored_bytes: 1_000_000, ..Quotas::NONE },
        task: None,
    }
}

fn put(key: &str, value: &str) -> Effect {
    put_until(key, value, None)
}

fn put_until(key: &str, value: &str, expires: Option<i64>) -> Effect {
    Effect::Put { key: key.to_owned(), value: Zeroizing::new(value.as_bytes().to_vec()), expires }
}

fn replace(key: &str, hash: &str, why: Why, epoch: &str) -> Effect {
    Effect::Replace { id: id(key), hash: hash.to_owned(), why, epoch: epoch.to_owned() }
}

fn read(storage: &Store, key: &str) -> Read {
    let version = storage.get("p", key, NOW).expect("read").map(|(_, version)| version);
    Read::Data { key: key.to_owned(), version }
}

fn value(storage: &Store, key: &str) -> Option<String> {
    storage.get("p", key, NOW).expect("read").map(|(value, _)| String::from_utf8(value).expect("text"))
}

fn entry(operation: &str, subject: &str) -> AuditEntry {
    AuditEntry {
        at: NOW,
        plugin: "p".to_owned(),
        operation: operation.to_owned(),
        actor: "console".to_owned(),
        key: Some("panel".to_owned()),
        subjects: vec![(id(subject), Role::Subject), (id(subject), Role::Password)],
        outcome: "done".to_owned(),
        address: Some("192.0.2.1".to_owned()),
        request: "r".to_owned(),
        times: None,
    }
}

fn record_key(key: &str) -> RecordKey {
    RecordKey { caller: "customer:1 session".to_owned(), operation: "p/set".to_owned(), key: key.to_owned() }
}

fn record(answer: &str) -> Record {
    Record { body: [7; 32], answer: answer.as_bytes().to_vec() }
}

fn settled(mut so: impl FnMut() -> bool) -> bool {
    (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        so()
    })
}

#[test]
fn data_is_an_ordered_map_that_another_plugin_does_not_see() {
    let panel = Panel::new();
    let storage = panel.open(Options::default());
    let keys = ["a", "a/1", "a/2", "a/é", "b"];
    storage.commit(commit(keys.iter().map(|key| put(key, key)).collect())).expect("committed");
    let scan = |plugin: &str, prefix: &str, after: Option<&str>, limit| {
        let found = storage.scan(plugin, prefix, after, limit, NOW).expect("scanned");
        found
            .into_iter()
            .map(|(key, value)| {
                assert_eq!(key.as_bytes(), value);
                key
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(scan("p", "", None, 10), keys);
    assert_eq!(scan("p", "a/", None, 10), ["a/1", "a/2", "a/é"]);
    assert_eq!(scan("p", "a/", Some("a/1"), 1), ["a/2"]);
    assert_eq!(scan("p", "a/", Some("a"), 1), ["a/1"]);
    assert_eq!(scan("p", "a/", Some("b"), 10), Vec::<String>::new());
    assert_eq!(scan("q", "", None, 10), Vec::<String>::new());
    storage.commit(commit(vec![Effect::Delete { key: "a".to_owned() }, put("b", "b")])).expect("committed");
    assert_eq!(scan("p", "", None, 10), &keys[1..]);
    assert_eq!(storage.get("q", "b", NOW), Ok(None));
}

#[test]
fn a_value_reads_as_absent_from_its_end_on_and_that_is_no_change_for_a_call_that_began_before() {
    let panel = Panel::new();
    let storage = panel.open(Options::default());
    storage.commit(commit(vec![put_until("k", "v", Some(NOW + 10))])).expect("committed");
    let seen = read(&storage, "k");
    assert_eq!(storage.get("p", "k", NOW + 10), Ok(None));
    assert_eq!(storage.still("p", std::slice::from_ref(&seen), NOW), Ok(true));
    assert_eq!(storage.still("p", &[seen], NOW + 10), Ok(false));
    let absent = Read::Data { key: "k".to_owned(), version: None };
    assert_eq!(storage.still("p", &[absent], NOW + 10), Ok(true));
}

#[test]
fn of_two_calls_that_read_one_key_and_write_it_one_succeeds() {
    let panel = Panel::new();
    let storage = panel.open(Options::default());
    let absent = read(&storage, "k");
    let first = Commit { reads: vec![absent.clone()], ..commit(vec![put("k", "v")]) };
    storage.commit(first).expect("committed");
    let second = Commit { reads: vec![absent], ..commit(vec![put("k", "w"), put("other", "w")]) };
    assert_eq!(storage.commit(second), Err(StorageError::Changed));
    assert_eq!((value(&storage, "k").as_deref(), value(&storage, "other")), (Some("v"), None));
    let seen = read(&storage, "k");
    storage.commit(commit(vec![put("k", "v")])).expect("committed");
    assert_eq!(storage.still("p", &[seen], NOW), Ok(false), "the same value written again is another writing");
}

#[test]
fn a_change_to_any_part_of_an_account_that_was_read_is_a_conflict() {
    let panel = Panel::new();
    let storage = panel.open(Options::default());
    for change in [
        "UPDATE customers SET login = 'x' WHERE id = 1",
        "UPDATE customers SET password = 'x' WHERE id = 1",
        "DELETE FROM customers WHERE id = 1",
    ] {
        let seen = storage.account(&id("1")).expect("read");
        panel.raw().execute_batch(change).expect("changed");
        let reads = vec![Read::Account { id: id("1"), seen: seen.map(Box::new) }];
        assert_eq!(
            storage.commit(Commit { reads, ..commit(vec![put("k", "v")]) }),
            Err(StorageError::Changed),
            "{change}"
        );
    }
    let reads = vec![Read::Account { id: id("1"), seen: None }];
    storage.commit(Commit { reads, ..commit(vec![put("k", "v")]) }).expect("absent is still so");
}

#[test]
fn values_and_answers_are_sealed_and_a_moved_or_prolonged_row_is_an_error_that_tells_no_value() {
    let panel = Panel::new();
    let storage = panel.open(Options::default());
    let with_record = Commit {
        record: Some((record_key("k"), record("secret-answer"))),
        ..commit(vec![put("a", "secret-a"), put_until("b", "secret-b", Some(NOW + 10))])
    };
    storage.commit(with_record).expect("committed");
    let raw = panel.raw();
    for table in ["keyturnhost_data", "keyturnhost_records"] {
        let leaks = format!(
            "SELECT count(*) FROM {table} WHERE instr(CAST({} AS TEXT), 'secret')",
            if table.ends_with("data") { "value" } else { "answer" }
        );
        assert_eq!(raw.query_row(&leaks, [], |row| row.get::<_, i64>(0)).expect("read"), 0);
    }
    raw.execute_batch("UPDATE keyturnhost_data SET expires = expires + 1000 WHERE key = 'b'").expect("forged");
    raw.execute_batch("UPDATE keyturnhost_data SET key = 'c' WHERE key = 'a'").expect("moved");
    raw.execute_batch("UPDATE keyturnhost_records SET answer = zeroblob(100)").expect("forged");
    for error in [
        storage.get("p", "b", NOW).expect_err("prolonged"),
        storage.get("p", "c", NOW).expect_err("moved"),
        storage.scan("p", "", None, 10, NOW).expect_err("moved"),
    ] {
        let text = error.to_string();
        assert!(text.contains("keyturnhost_data of p") && !text.contains("secret"), "{text}");
    }
    let error = storage.record(&record_key("k"), NOW).expect_err("forged").to_string();
    assert!(error.contains("keyturnhost_records of p/set"), "{error}");
}

#[test]
fn an_epoch_moves_with_every_new_password_whoever_set_it_and_stays_with_an_upgrade() {
    let panel = Panel::new();
    let storage = panel.open(Options::default());
    let known = || storage.account(&id("1")).expect("read").expect("there");
    let mut held = vec![known().epoch];
    storage.commit(commit(vec![replace("1", "h1", Why::Upgrade, &held[0])])).expect("committed");
    assert_eq!((known().epoch, known().account.hash.as_deref()), (held[0].clone(), Some("h1")));
    assert_eq!(storage.sessions(&id("1")), Ok(Some(1)), "an upgrade ends no session");
    storage.commit(commit(vec![replace("1", "h2", Why::Password, "fresh")])).expect("committed");
    assert_eq!(known().epoch, "fresh");
    assert_eq!(storage.sessions(&id("1")), Ok(Some(0)));
    held.push(known().epoch);
    for hash in ["'h3'", "'h4'", "NULL"] {
        panel.raw().execute_batch(&format!("UPDATE customers SET password = {hash} WHERE id = 1")).expect("written");
        assert!(!held.contains(&known().epoch), "{hash}");
        held.push(known().epoch);
        let upgraded = replace("1", &format!("up{}", held.len()), Why::Upgrade, &known().epoch);
        storage.commit(commit(vec![upgraded])).expect("committed");
        assert_eq!(held.last(), Some(&known().epoch));
    }
    assert_eq!(storage.account(&id("2")).expect("read").expect("there").account.hash.as_deref(), Some("h0"));
    assert_eq!(
        storage.commit(commit(vec![put("k", "v"), replace("9", "h", Why::Password, "e")])),
        Err(StorageError::Changed)
    );
    assert_eq!(value(&storage, "k"), None);
}

#[test]
fn a_record_met_again_gives_its_answer_and_writes_nothing_for_a_day() {
    let panel = Panel::new();
    let storage = panel.open(Options::default());
    let press = |answer: &str, now: i64, effect| {
        storage.commit(Commit { now, record: Some((record_key("k"), record(answer))), ..commit(vec![effect]) })
    };
    press("first", NOW, put("k", "first")).expect("committed");
    assert_eq!(press("second", NOW + 1, put("k", "second")), Err(StorageError::Recorded(record("first"))));
    assert_eq!(press("x", NOW, replace("1", "h", Why::Password, "e")), Err(StorageError::Recorded(record("first"))));
    assert_eq!(value(&storage, "k").as_deref(), Some("first"));
    assert_eq!(storage.record(&record_key("k"), NOW), Ok(Some(record("first"))));
    assert_eq!(storage.record(&record_key("other"), NOW), Ok(None));
    let day = 24 * 3600 * 1000;
    assert_eq!(storage.record(&record_key("k"), NOW + day), Ok(None));
    press("next day", NOW + day, put("k", "next day")).expect("committed");
    let text: Vec<u8> =
        panel.raw().query_row("SELECT id FROM keyturnhost_records", [], |row| row.get(0)).expect("read");
    assert!(!String::from_utf8_lossy(&text).contains("session"), "a session is nobody's to read");
}

#[test]
fn what_has_ended_is_removed_in_idle_time_and_the_total_shrinks_with_it() {
    let panel = Panel::new();
    let storage = panel.open(Options::default());
    let old = commit(vec![put_until("old", "v", Some(NOW + 1)), put("kept", "v")]);
    storage.commit(Commit { record: Some((record_key("k"), record("a"))), ..old }).expect("committed");
    storage.commit(Commit { now: NOW + 25 * 3600 * 1000, ..commit(vec![put("kept", "w")]) }).expect("committed");
    let raw = panel.raw();
    let counts = "SELECT (SELECT count(*) FROM keyturnhost_records) || ' ' || (SELECT group_concat(key) FROM keyturnhost_data)
                  || ' ' || (SELECT bytes - (SELECT sum(length(CAST(key AS BLOB)) + length(value)) FROM keyturnhost_data) FROM keyturnhost_totals)";
    let read = || raw.query_row(counts, [], |row| row.get::<_, String>(0)).expect("read");
    assert!(settled(|| read() == "0 kept 0"), "{}", read());
}

#[test]
fn a_plugin_stores_no_more_than_its_limit_and_may_still_shrink() {
    let panel = Panel::new();
    let storage = panel.open(Options::default());
    let within = |stored_bytes, effects| {
        let quotas = Quotas { stored_bytes, ..Quotas::NONE };
        storage.commit(Commit { quotas, ..commit(effects) })
    };
    within(400, vec![put("a", &"x".repeat(100)), put("b", &"x".repeat(100))]).expect("committed");
    assert_eq!(within(400, vec![put("k", ""), put("c", &"x".repeat(100))]), Err(StorageError::Limit("stored-bytes")));
    assert_eq!(value(&storage, "k"), None);
    within(400, vec![put("a", ""), put("c", &"x".repeat(100))]).expect("what is replaced does not count");
    within(10, vec![Effect::Delete { key: "b".to_owned() }]).expect("shrinking is no growth");
    assert_eq!(within(10, vec![put("d", "")]), Err(StorageError::Limit("stored-bytes")));
}

#[test]
fn counters_count_at_once_outlive_a_restart_and_begin_anew_when_forgotten() {
    let panel = Panel::new();
    let storage = panel.open(keeping(Keeps { counters: 2, ..Keeps::default() }));
    let within = |storage: &Store, window, limit, now| {
        storage.count("p", &[Bound { key: "a".to_owned(), window, limit }], now).expect("counted") == Counted::Within
    };
    for n in 1..=3 {
        assert!(within(&storage, 60, n, NOW) && !within(&storage, 60, n, NOW), "{n}");
    }
    assert!(within(&storage, 3600, 1, NOW), "each window has its own");
    drop(storage);
    let storage = panel.open(Options::default());
    assert!(!within(&storage, 60, 3, NOW + 1) && within(&storage, 60, 4, NOW + 1));
    assert!(within(&storage, 60, 1, NOW + 120_000));
    let failed = Commit {
        reads: vec![Read::Data { key: "x".to_owned(), version: Some(Version([0; 24])) }],
        ..commit(vec![Effect::Forget { key: "a".to_owned() }])
    };
    assert_eq!(storage.commit(failed), Err(StorageError::Changed));
    assert!(!within(&storage, 3600, 1, NOW), "a call that failed forgets nothing");
    storage.commit(commit(vec![Effect::Forget { key: "a".to_owned() }])).expect("committed");
    assert!(within(&storage, 3600, 1, NOW));
    drop(storage);
    assert!(!within(&panel.open(Options::default()), 3600, 1, NOW));
}

#[test]
fn counters_are_written_behind_within_seconds() {
    let panel = Panel::new();
    let storage = panel.open(Options::default());
    storage.count("p", &[Bound { key: "a".to_owned(), window: 60, limit: 1 }], NOW).expect("counted");
    let raw = panel.raw();
    let written =
        || raw.query_row("SELECT coalesce(sum(count), 0) FROM keyturnhost_counters", [], |row| row.get::<_, i64>(0));
    assert!(settled(|| written() == Ok(1)));
}

#[test]
fn the_audit_lists_newest_first_by_account_and_operation_and_page() {
    let panel = Panel::new();
    let storage = panel.open(Options::default());
    for (operation, subject) in [("set", "1"), ("set", "2"), ("verify", "1"), ("set", "1")] {
        storage.commit(Commit { audit: Some(entry(operation, subject)), ..commit(vec![]) }).expect("committed");
    }
    let list = |subject: Option<&str>, operation: Option<&str>, before, limit| {
        let filter = AuditFilter {
            subject: subject.map(id),
            operation: operation.map(str::to_owned),
            before,
            limit,
            ..AuditFilter::default()
        };
        storage.audit(&filter).expect("listed").into_iter().map(|(number, _)| number).collect::<Vec<_>>()
    };
    assert_eq!(list(None, None, None, 10), [4, 3, 2, 1]);
    assert_eq!(list(None, None, Some(4), 2), [3, 2]);
    assert_eq!(list(Some("1"), None, None, 10), [4, 3, 1]);
    assert_eq!(list(Some("1"), Some("set"), Some(4), 10), [1]);
    assert_eq!(list(None, Some("set"), None, 2), [4, 2]);
    let all = storage.audit(&AuditFilter { limit: 1, ..AuditFilter::default() }).expect("listed");
    assert_eq!(all[0].1, entry("set", "1"));
}

/// What the panel's triggers may do to a new password, and what the rest of the queue sees of it: nothing.
#[test]
fn a_trigger_of_the_panels_that_rolls_back_harms_no_strangers_commit() {
    for (trigger, kind) in [
        ("BEFORE UPDATE OF password ON customers BEGIN SELECT RAISE(ROLLBACK, 'no'); END", "rolls back"),
        ("BEFORE UPDATE OF password ON customers BEGIN SELECT RAISE(ABORT, 'no'); END", "aborts"),
        ("AFTER UPDATE OF password ON customers BEGIN SELECT RAISE(FAIL, 'no'); END", "fails"),
        ("BEFORE UPDATE OF password ON customers BEGIN SELECT RAISE(IGNORE); END", "ignores"),
        (
            "AFTER UPDATE OF password ON customers WHEN NEW.password = 'h1' BEGIN UPDATE customers SET password = 'other' WHERE id = NEW.id; END",
            "rewrites",
        ),
        ("AFTER DELETE ON sessions BEGIN SELECT RAISE(ROLLBACK, 'no'); END", "rolls back late"),
    ] {
        let panel = Panel::new();
        panel.raw().execute_batch(&format!("CREATE TRIGGER t {trigger};")).expect("trigger");
        let storage = panel.open(Options::default());
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let storage = &storage;
                scope.spawn(move || {
                    for n in 0..10 {
                        let key = format!("{thread}/{n}");
                        if n % 3 == 0 {
                            let bad =
                                commit(vec![put(&format!("bad/{key}"), "v"), replace("1", "h1", Why::Password, "e")]);
                            let bad = storage.commit(Commit { audit: Some(entry("bad", "1")), ..bad });
                            assert!(matches!(bad, Err(StorageError::Failed { .. })), "{kind}: {bad:?}");
                        }
                        storage
                            .commit(Commit { audit: Some(entry("good", "2")), ..commit(vec![put(&key, &key)]) })
                            .expect("committed");
                    }
                });
            }
        });
        assert_eq!(storage.scan("p", "", None, 1000, NOW).expect("scanned").len(), 80, "{kind}");
        let audit = storage.audit(&AuditFilter { limit: 1000, ..AuditFilter::default() }).expect("listed");
        assert!(audit.len() == 80 && audit.iter().all(|(_, entry)| entry.operation == "good"), "{kind}");
        let known = storage.account(&id("1")).expect("read").expect("there");
        assert_eq!(known.account.hash.as_deref(), Some("h0"), "{kind}");
        assert_eq!(storage.sessions(&id("1")), Ok(Some(1)), "{kind}");
    }
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
fn a_database_of_a_newer_version_is_refused_and_an_older_one_is_brought_up_once() {
    let panel = Panel::new();
    drop(panel.open(Options::default()));
    drop(panel.open(Options::default()));
    panel.raw().execute_batch("INSERT INTO keyturnhost_migrations VALUES (99, 0)").expect("forged");
    let refused = crate::open(&panel.path, panel.keys.clone(), provider(), Options::default()).err().expect("refused");
    assert!(refused.to_string().contains("version 99") && refused.to_string().contains("newer program"), "{refused}");
}

#[test]
fn several_processes_may_prepare_one_file_at_once() {
    let panel = Panel::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| panel.open(beside()).commit(commit(vec![put("k", "v")])).expect("committed"));
        }
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
fn after_shutdown_commits_fail_by_name_and_what_was_committed_stays() {
    let panel = Panel::new();
    let storage = panel.open(Options::default());
    storage.commit(commit(vec![put("k", "v")])).expect("committed");
    storage.shutdown();
    let error = storage.commit(commit(vec![put("k", "w")])).expect_err("closed");
    assert!(error.to_string().contains("shut down"), "{error}");
    assert_eq!(value(&storage, "k").as_deref(), Some("v"));
    drop(storage);
    assert!(std::fs::metadata(panel.path.with_extension("db-wal")).map_or(0, |wal| wal.len()) == 0);
}

#[test]
fn a_reader_cannot_write() {
    let panel = Panel::new();
    let storage = panel.open(Options::default());
    let written = storage.read(|sql| sql.execute("DELETE FROM customers", &[]));
    assert!(matches!(written, Err(StorageError::Failed { .. })));
    assert_eq!(
        storage.read(|sql| sql.rows("SELECT count(*) FROM customers", &[])),
        Ok(vec![vec![keyturn_store::Value::Integer(2)]])
    );
}

#[test]
fn a_find_in_another_script_reads_by_the_same_fold() {
    let panel = Panel::new();
    panel.raw().execute_batch("UPDATE customers SET login = 'ΣΊΣΥΦΟΣ' WHERE id = 2").expect("written");
    let storage = panel.open(Options::default());
    assert_eq!(storage.find(" σίσυφος", &["customer"], 10), Ok(vec![(id("2"), Matched::Login)]));
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
