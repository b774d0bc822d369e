use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use keyturn_store::database::Database as _;
use keyturn_store::database::{Upkeep, Work, Write};
use keyturn_store::{Read, schema};
use keyturn_store_server::{Pooling, Server as Pool};

use super::*;

struct Nothing;

impl Upkeep for Nothing {
    fn write_behind(&self, _: &dyn Fn(&Work<'_>) -> Result<(), StorageError>) {}

    fn tidy(&self, _: &dyn Fn(&Work<'_>) -> Result<(), StorageError>) -> bool {
        false
    }
}

/// The store's pool, without a store.
fn pool(database: &keyturn_servers::Database<'_>) -> Pool<Connector> {
    let connector = Connector { address: address(database), looks: false };
    Pool::new(connector, Pooling::default(), Arc::new(Nothing)).expect("a pool")
}

fn written(work: impl Fn(&dyn Connection) -> Result<(), StorageError> + Send + 'static) -> Write {
    Write { work: Box::new(work), done: None, alone: false }
}

#[test]
fn what_was_put_is_there_and_also_after_the_next_start() {
    let database = server().database();
    let store = opened(&database);
    store.commit(put("a", "1")).expect("committed");
    store.commit(put("a", "2")).expect("committed");
    assert_eq!(held(&store, "a").as_deref(), Some("2"));
    assert_eq!(held(&store, "A"), None, "keys are compared as bytes");
    drop(store);
    let store = opened(&database);
    assert_eq!(held(&store, "a").as_deref(), Some("2"));
    store.commit(Commit::bare("p", NOW, vec![Effect::Delete { key: "a".to_owned() }])).expect("committed");
    assert_eq!(held(&store, "a"), None);
    store.tidy(NOW, 100).expect("tidied");
}

#[test]
fn of_two_first_writers_of_a_key_one_wins_and_the_other_sees_it() {
    let database = server().database();
    let store = Arc::new(opened(&database));
    for round in 0..25 {
        let key = format!("k{round}");
        let ready = Barrier::new(2);
        let write = |value: &'static str| {
            let first = store.get("p", &key, NOW).expect("read");
            assert!(first.is_none());
            ready.wait();
            let read = Read::Data { key: key.clone(), version: None };
            store.commit(Commit { reads: vec![read], ..put(&key, value) })
        };
        let ends = thread::scope(|scope| {
            [scope.spawn(|| write("a")), scope.spawn(|| write("b"))].map(|end| end.join().expect("ended"))
        });
        let won = held(&store, &key).expect("written");
        let lost = if won == "a" { &ends[1] } else { &ends[0] };
        assert_eq!(ends.iter().filter(|end| end.is_ok()).count(), 1, "{ends:?}");
        assert_eq!(*lost, Err(StorageError::Changed), "round {round}");
    }
}

#[test]
fn no_addition_is_lost_however_many_add() {
    let database = server().database();
    let store = opened(&database);
    thread::scope(|scope| {
        for thread in 0..6 {
            let store = &store;
            scope.spawn(move || {
                (0..20).for_each(|n| store.commit(put(&format!("{thread}-{n}"), "x")).expect("committed"))
            });
        }
    });
    let total = database.sql(
        "SELECT bytes = (SELECT sum(length(value) + length(`key`)) FROM keyturnhost_data) FROM keyturnhost_totals",
    );
    assert_eq!(total.trim(), "1");
}

#[test]
fn who_loses_a_deadlock_tries_again() {
    let database = server().database();
    database.sql("CREATE TABLE v (id INT PRIMARY KEY, v INT); INSERT INTO v VALUES (1, 0), (2, 0)");
    let pool = pool(&database);
    let (meet, tries) = (Arc::new(Barrier::new(2)), Arc::new(AtomicUsize::new(0)));
    let both = |first: i64, second: i64| {
        let (meet, tries, mine) = (Arc::clone(&meet), Arc::clone(&tries), AtomicUsize::new(0));
        written(move |db| {
            let add = "UPDATE v SET v = v + 1 WHERE id = ?1";
            db.change(add, &[first.bind()])?;
            tries.fetch_add(1, Ordering::SeqCst);
            if mine.fetch_add(1, Ordering::SeqCst) == 0 {
                meet.wait();
            }
            db.change(add, &[second.bind()])
        })
    };
    thread::scope(|scope| {
        let ends = [scope.spawn(|| pool.write(both(1, 2))), scope.spawn(|| pool.write(both(2, 1)))];
        ends.into_iter().for_each(|end| end.join().expect("ended").expect("committed"));
    });
    assert!(tries.load(Ordering::SeqCst) > 2, "none of them lost");
    assert_eq!(database.sql("SELECT sum(v) FROM v").trim(), "4");
}

#[test]
fn the_panel_waits_for_a_call_that_read_its_row_and_never_loses_against_it() {
    let database = server().database();
    database.sql("CREATE TABLE v (id INT PRIMARY KEY, v INT); INSERT INTO v VALUES (1, 0)");
    let (pool, stop) = (pool(&database), AtomicUsize::new(0));
    thread::scope(|scope| {
        let panel = scope.spawn(|| {
            let panel = connected(&database);
            while stop.load(Ordering::SeqCst) == 0 {
                panel.execute("UPDATE v SET v = v + 1 WHERE id = 1", &[]).expect("the panel's own");
            }
        });
        for _ in 0..200 {
            let work = written(|db| {
                db.one("SELECT \"v\".\"v\" FROM \"v\" WHERE \"v\".\"id\" = ?1 LIMIT 2", &[1_i64.bind()], |_| Ok(()))?;
                db.change("UPDATE v SET v = v + 1 WHERE id = 1", &[])
            });
            pool.write(work).expect("committed");
        }
        stop.store(1, Ordering::SeqCst);
        panel.join().expect("the panel met no error");
    });
}

#[test]
fn after_a_failed_statement_nothing_runs_and_nothing_is_committed() {
    let database = server().database();
    database.sql("CREATE TABLE v (id INT PRIMARY KEY)");
    let db = connected(&database);
    db.begin(Mode::Write).expect("begun");
    assert!(db.goes_on());
    dynamic(&db).change("INSERT INTO v (id) VALUES (1)", &[]).expect("inserted");
    db.execute("INSERT INTO v (id) VALUES (1)", &[]).expect_err("twice");
    assert!(!db.goes_on());
    assert!(
        cause(db.execute("INSERT INTO v (id) VALUES (2)", &[]).expect_err("refused"))
            .contains("a statement before it failed")
    );
    assert!(cause(db.commit().expect_err("refused")).contains("a statement failed"));
    assert!(!db.is_usable());
    db.rollback().expect("taken back");
    assert!(db.is_usable());
    assert_eq!(database.sql("SELECT count(*) FROM v").trim(), "0");
    let pool = pool(&database);
    let error = pool.write(written(|db| {
        db.change("INSERT INTO v (id) VALUES (1)", &[])?;
        let _ = db.change("INSERT INTO v (id) VALUES (1)", &[]);
        Ok(())
    }));
    assert!(cause(error.expect_err("refused")).contains("a statement failed"));
    assert_eq!(database.sql("SELECT count(*) FROM v").trim(), "0");
}

#[test]
fn a_reader_has_one_snapshot_and_cant_write() {
    let database = server().database();
    database.sql("CREATE TABLE v (id INT PRIMARY KEY)");
    pool(&database)
        .read(&mut |db| {
            let count = || db.one("SELECT count(*) FROM v", &[], |row| row.get::<i64>(0));
            assert_eq!(count(), Ok(Some(0)));
            database.sql("INSERT INTO v VALUES (1)");
            assert_eq!(count(), Ok(Some(0)));
            assert!(cause(db.execute("DELETE FROM v", &[]).expect_err("refused")).contains("READ ONLY"));
            assert_eq!(count(), Ok(Some(0)), "and goes on after a statement that failed");
            Ok(())
        })
        .expect("read");
}

#[test]
fn hosts_that_start_at_once_and_after_one_that_died_have_whole_tables() {
    let database = server().database();
    let address = address(&database);
    let starts = || {
        thread::scope(|scope| {
            let start = || open(&address, Arc::clone(&KEYS), provider(""), Options::default()).map(drop);
            let ends: Vec<_> = (0..4).map(|_| scope.spawn(start)).collect();
            ends.into_iter().for_each(|end| end.join().expect("ended").expect("opened"));
        });
    };
    starts();
    let whole = || {
        let tables = "SELECT table_name, column_name, column_type FROM information_schema.columns WHERE table_schema = DATABASE() ORDER BY 1, 2";
        let indices = "SELECT table_name, index_name, column_name FROM information_schema.statistics WHERE table_schema = DATABASE() ORDER BY 1, 2, 3";
        database.sql(&format!("{tables}; {indices}; SELECT version FROM keyturnhost_migrations"))
    };
    let first = whole();
    database.sql("DROP TABLE keyturnhost_migrations, keyturnhost_data; ALTER TABLE keyturnhost_outbox DROP INDEX keyturnhost_outbox_done");
    starts();
    assert_eq!(whole(), first);
    database.sql("INSERT INTO keyturnhost_migrations VALUES (999, 0)");
    let newer = open(&address, Arc::clone(&KEYS), provider(""), Options::default());
    assert!(cause(newer.err().expect("refused")).contains("use a newer program"));
}

#[test]
fn other_keys_are_refused_until_they_take_the_place_of_those_that_are_lost() {
    let database = server().database();
    opened(&database).commit(put("a", "1")).expect("committed");
    let (address, other) = (address(&database), Arc::new(Keys::random()));
    let open = || open(&address, Arc::clone(&other), provider(""), Options::default());
    assert_eq!(open().err(), Some(StorageError::OtherKey));
    replace_key(&address, &other).expect("replaced");
    assert_eq!(held(&open().expect("opened"), "a"), None);
}

#[test]
fn tables_of_an_older_version_become_the_newest_with_what_they_hold_also_after_a_start_that_died() {
    let database = server().database();
    let db = Db::open(&address(&database), false).expect("opened");
    let run = |sql: &str| (&db as &dyn Connection).change(&words::lasting(sql), &[]).expect("run");
    schema::statements(schema::TABLES).for_each(run);
    let first = schema::MIGRATIONS.len();
    run(&format!("INSERT INTO keyturnhost_migrations VALUES ({first}, 0)"));
    run("INSERT INTO keyturnhost_destinations VALUES ('d', 5, 2, 5)");
    // The start that died made these, and did not note it.
    for (_, sql) in schema::Beginning::Tables.steps(first) {
        schema::statements(sql).for_each(run);
    }
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| opened(&database).commit(put("a", "1")).expect("committed"));
        }
    });
    let versions =
        database.sql("SELECT group_concat(version ORDER BY version SEPARATOR ' ') FROM keyturnhost_migrations");
    let expected: Vec<String> = (first..=schema::NEWEST).map(|version| version.to_string()).collect();
    assert_eq!(versions.trim(), expected.join(" "));
    assert_eq!(database.sql("SELECT missed FROM keyturnhost_destinations").trim(), "2");
}

#[test]
fn who_looks_changes_nothing_and_sees_the_tables_as_they_will_be() {
    let database = server().database();
    let look = || look(&address(&database), Arc::clone(&KEYS), provider(""), Options::default());
    let (store, found) = look().expect("looked");
    assert_eq!((found.version, found.newest), (None, schema::NEWEST));
    assert!(found.risks.iter().any(|risk| risk.starts_with("innodb_flush_log_at_trx_commit is 2")), "{found:?}");
    assert_eq!(held(&store, "a"), None);
    assert!(cause(store.commit(put("a", "1")).expect_err("refused")).contains("opened read-only"));
    drop(store);
    assert_eq!(database.sql("SHOW TABLES"), "");
    opened(&database).commit(put("a", "1")).expect("committed");
    let (store, found) = look().expect("looked");
    assert_eq!(found.version, Some(schema::NEWEST));
    assert_eq!(held(&store, "a").as_deref(), Some("1"));
}
