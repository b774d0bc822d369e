use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use keyturn_accounts::{Mapping, Severity, Sql};
use keyturn_core::accounts::{AccountId, Matched, Why};
use keyturn_servers::{Database, postgres};
use keyturn_store::database::{Connection, Database as _, Upkeep, Value, Work, Write};
use keyturn_store::{Commit, Effect};
use keyturn_store_server::{Client as _, Connect as _};
use zeroize::Zeroizing;

mod panel;

fn address(database: &Database<'_>) -> Address {
    Address::parse(&database.url, None, None).expect("an address")
}

fn client(database: &Database<'_>) -> connection::Client {
    Connector::new(&address(database), &Options::default(), false).connect().expect("connected")
}

fn nobody() -> Arc<dyn Provider> {
    Arc::new(Sql::new(BTreeMap::new(), &Postgres).expect("no realms"))
}

fn store(database: &Database<'_>) -> Store {
    open(&address(database), Arc::new(Keys::new([7; 32])), nobody(), Options::default()).expect("opened")
}

fn put(key: &str, value: &str) -> Commit {
    let value = Zeroizing::new(value.as_bytes().to_vec());
    let effects = vec![Effect::Put { key: key.to_owned(), value, expires: None }];
    Commit {
        quotas: keyturn_store::Quotas { stored_bytes: 1_000_000, ..keyturn_store::Quotas::NONE },
        ..Commit::bare("p", 1, effects)
    }
}

fn get(store: &Store, key: &str) -> Option<String> {
    store.get("p", key, 1).expect("read").map(|(value, _)| String::from_utf8(value).expect("text"))
}

#[test]
fn what_is_committed_is_there_for_each_host_and_after_a_restart() {
    let database = postgres().database();
    let (one, other) = (store(&database), store(&database));
    one.commit(put("a", "1")).expect("committed");
    assert_eq!(get(&other, "a").as_deref(), Some("1"));
    other.commit(put("a", "2")).expect("committed");
    assert_eq!(get(&one, "a").as_deref(), Some("2"));
    one.shutdown();
    drop(other);
    assert_eq!(get(&store(&database), "a").as_deref(), Some("2"));
    assert!(matches!(one.commit(put("a", "3")), Err(StorageError::Failed { .. })), "it was shut down");
    let other_keys = open(&address(&database), Arc::new(Keys::new([8; 32])), nobody(), Options::default());
    assert_eq!(other_keys.err(), Some(StorageError::OtherKey));
}

#[test]
fn two_hosts_that_start_at_once_make_the_tables_once() {
    let database = postgres().database();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| store(&database).commit(put("a", "1")).expect("committed"));
        }
    });
    let made = schema::Beginning::Tables.steps(0).count();
    assert_eq!(database.sql("SELECT count(*) FROM keyturnhost_migrations").trim(), made.to_string());
}

#[test]
fn tables_of_an_older_version_become_the_newest_with_what_they_hold() {
    let database = postgres().database();
    for statement in schema::statements(schema::TABLES) {
        database.sql(&crate::dialect::words(statement));
    }
    let first = schema::MIGRATIONS.len();
    database.sql(&format!("INSERT INTO keyturnhost_migrations VALUES ({first}, 0)"));
    database.sql("INSERT INTO keyturnhost_destinations VALUES ('d', 5, 2, 5)");
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| store(&database).commit(put("a", "1")).expect("committed"));
        }
    });
    let versions = database.sql("SELECT string_agg(version::text, ' ' ORDER BY version) FROM keyturnhost_migrations");
    let expected: Vec<String> = (first..=schema::NEWEST).map(|version| version.to_string()).collect();
    assert_eq!(versions.trim(), expected.join(" "));
    assert_eq!(database.sql("SELECT missed FROM keyturnhost_destinations").trim(), "2");
}

#[test]
fn the_tables_lie_in_a_schema_of_their_own_where_one_is_named() {
    let database = postgres().database();
    let options = || Options { schema: Some("keyturn".to_owned()), ..Options::default() };
    let store = open(&address(&database), Arc::new(Keys::new([7; 32])), nobody(), options()).expect("opened");
    store.commit(put("a", "1")).expect("committed");
    assert_eq!(database.sql("SELECT count(*) FROM keyturn.keyturnhost_data").trim(), "1");
    assert_eq!(database.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").trim(), "0");
}

#[test]
fn who_only_looks_changes_nothing() {
    let database = postgres().database();
    let looked = || look(&address(&database), Arc::new(Keys::new([7; 32])), nobody(), Options::default());
    let (store, found) = looked().expect("looked at");
    assert_eq!((found.version, found.newest), (None, schema::NEWEST));
    assert!(
        matches!(&*found.risks, [risk] if risk.starts_with("fsync is off")),
        "as the tests' server has it: {found:?}"
    );
    assert_eq!(get(&store, "a"), None);
    assert!(store.commit(put("a", "1")).expect_err("refused").to_string().contains("read-only"));
    assert_eq!(database.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").trim(), "0");
    self::store(&database).commit(put("a", "1")).expect("committed");
    let (store, found) = looked().expect("looked at");
    assert_eq!((found.version, get(&store, "a").as_deref()), (Some(schema::NEWEST), Some("1")));
}

/// The server answers COMMIT without an error after a failed statement, and stores nothing.
#[test]
fn after_a_failed_statement_nothing_is_called_committed() {
    let database = postgres().database();
    let client = client(&database);
    let db: &dyn Connection = &client;
    client.begin(Mode::Write).expect("begun");
    db.change("CREATE TABLE t (id integer PRIMARY KEY)", &[]).expect("made");
    db.change("INSERT INTO t VALUES (1)", &[]).expect("inserted");
    assert!(db.change("INSERT INTO t VALUES (1)", &[]).is_err());
    assert!(!client.goes_on());
    assert!(client.commit().is_err());
    assert!(client.is_usable(), "it was rolled back");
    client.begin(Mode::Read).expect("begun");
    assert_eq!(db.has_table("t"), Ok(false));
}

#[test]
fn a_trigger_that_raises_leaves_nothing_of_the_call() {
    let database = postgres().database();
    let store = store(&database);
    database.sql(
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
         CREATE TRIGGER no BEFORE INSERT ON keyturnhost_totals FOR EACH ROW EXECUTE FUNCTION no();",
    );
    assert!(matches!(store.commit(put("a", "1")), Err(StorageError::Failed { .. })));
    database.sql("DROP TRIGGER no ON keyturnhost_totals");
    assert_eq!(get(&store, "a"), None);
    store.commit(put("a", "1")).expect("the connection is good again");
}

#[test]
fn whoever_loses_against_another_tries_again() {
    let database = postgres().database();
    let store = store(&database);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let store = &store;
            scope.spawn(move || {
                for at in 0..20 {
                    // Each changes the plugin's total.
                    store.commit(put(&format!("{thread}-{at}"), "value")).expect("committed");
                }
            });
        }
    });
    assert_eq!(store.scan("p", "", None, 1000, 1).expect("read").len(), 160);
    let total = database
        .sql("SELECT bytes = (SELECT sum(length(key) + length(value)) FROM keyturnhost_data) FROM keyturnhost_totals");
    assert_eq!(total.trim(), "t");
}

#[test]
fn connections_that_the_server_ended_are_replaced_and_nothing_is_lost() {
    let database = postgres().database();
    let store = store(&database);
    store.commit(put("a", "1")).expect("committed");
    let end = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'", database.name);
    for round in 0..5 {
        postgres().sql(None, &end);
        store.commit(put("a", &round.to_string())).expect("committed on another connection");
        postgres().sql(None, &end);
        assert_eq!(get(&store, "a"), Some(round.to_string()));
    }
}

/// Nothing is tidied.
struct Rests;

impl Upkeep for Rests {
    fn write_behind(&self, _: &dyn Fn(&Work<'_>) -> Result<(), StorageError>) {}

    fn tidy(&self, _: &dyn Fn(&Work<'_>) -> Result<(), StorageError>) -> bool {
        false
    }
}

/// The work runs again when the connection breaks under it, and only the last time counts.
#[test]
fn work_whose_connection_breaks_is_done_again() {
    let database = postgres().database();
    let server = Server::new(
        Connector::new(&address(&database), &Options::default(), false),
        Pooling::default(),
        Arc::new(Rests),
    )
    .expect("a server");
    database.sql("CREATE TABLE t (n integer)");
    let runs = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&runs);
    let work = move |db: &dyn Connection| {
        db.change("INSERT INTO t VALUES (1)", &[])?;
        if counted.fetch_add(1, Ordering::Relaxed) == 0 {
            let _ = db.rows("SELECT pg_terminate_backend(pg_backend_pid())", &[]);
            return db.change("INSERT INTO t VALUES (2)", &[]);
        }
        Ok(())
    };
    server.write(Write { work: Box::new(work), done: None, alone: false }).expect("written");
    assert_eq!((runs.load(Ordering::Relaxed), database.sql("SELECT count(*) FROM t").trim()), (2, "1"));
}

#[test]
fn values_come_back_as_they_went() {
    let database = postgres().database();
    let client = client(&database);
    let db: &dyn Connection = &client;
    client.begin(Mode::Read).expect("begun");
    let one = |sql: &str, value: Value| db.rows(sql, &[value]).expect("read")[0][0].clone();
    for (kind, value) in [
        ("bigint", Value::Integer(i64::MIN)),
        ("text", Value::Text("ä\u{1F511}'\"\\".to_owned())),
        ("bytea", Value::Blob(vec![0, 1, 255])),
        ("float8", Value::Real(1.5)),
        ("text", Value::Null),
    ] {
        assert_eq!(one(&format!("SELECT CAST(?1 AS {kind})"), value.clone()), value);
    }
    assert_eq!(one("SELECT CAST(?1 AS boolean)", Value::Integer(1)), Value::Integer(1));
    assert_eq!(one("SELECT sum(n) FROM (SELECT CAST(?1 AS bigint) AS n) AS t", Value::Integer(-7)), Value::Integer(-7));
    let error = db.rows("SELECT CAST(?1 AS text)", &[Value::Text("\0".to_owned())]).expect_err("no NUL");
    assert!(error.to_string().contains("NUL"), "{error}");
}

#[test]
fn no_key_is_replaced_under_a_host_that_works() {
    let database = postgres().database();
    let store = store(&database);
    let replaced = || replace_key(&address(&database), &Keys::new([8; 32]), &Options::default());
    store.beat(&[], 1000, 1).expect("a sign of life");
    assert!(matches!(replaced(), Err(StorageError::Served(_))));
    database.sql("UPDATE keyturnhost_workers SET beat = beat - 60000");
    replaced().expect("replaced");
    assert!(matches!(
        open(&address(&database), Arc::new(Keys::new([7; 32])), nobody(), Options::default()).err(),
        Some(StorageError::OtherKey)
    ));
}

#[test]
fn an_address_is_read_whole_or_refused_and_never_repeats_a_password() {
    let parse = |url: &str| Address::parse(url, None, None);
    let shown = |url: &str| parse(url).expect(url).to_string();
    assert_eq!(shown("postgres://keyturn@db.example/panel"), "panel on db.example:5432");
    assert_eq!(shown("postgresql://keyturn@a:1,b:2/panel"), "panel on a:1,b:2");
    assert_eq!(shown("postgres://keyturn@%2Frun%2Fpostgresql/panel"), "panel on /run/postgresql:5432");
    assert!(parse("postgres://keyturn@db.example/panel").expect("read").tls);
    assert!(!parse("postgres://keyturn@127.0.0.1/panel").expect("read").tls);
    assert!(parse("postgres://keyturn@127.0.0.1/panel?sslmode=require").expect("read").tls);
    for (url, says) in [
        ("postgres://keyturn:s3cret@db/panel", "holds a password"),
        ("postgres://keyturn:s3cret@db:port/panel", "postgres://user@host"),
        ("postgres://db/panel", "names no user"),
        ("postgres://keyturn@db", "names no database"),
        ("postgres://keyturn@/panel", "names no host"),
        ("postgres://keyturn@db/panel?sslmode=disable", "turns TLS off"),
        ("postgres://keyturn@db/panel?sslmod=disable", "postgres://user@host"),
    ] {
        let error = parse(url).expect_err(url).to_string();
        assert!(error.contains(says) && !error.contains("s3cret"), "{url}: {error}");
    }
}

#[test]
fn what_stands_in_the_way_of_a_connection_is_named_and_the_password_is_not() {
    let server = postgres();
    server.sql(None, "CREATE ROLE plain LOGIN PASSWORD 'right'");
    let password = Zeroizing::new("wr0ng".to_owned());
    let refused = |url: &str| {
        let address = Address::parse(url, Some(&password), None).expect("an address");
        let opened = open(&address, Arc::new(Keys::new([7; 32])), nobody(), Options::default());
        let error = opened.err().expect(url).to_string();
        assert!(!error.contains("wr0ng"), "{error}");
        error
    };
    let at = format!("127.0.0.1:{}", server.port);
    assert!(refused(&format!("postgres://keyturn@{at}/nowhere")).contains("does not exist"));
    assert!(refused(&format!("postgres://nobody@{at}/postgres")).contains("nobody"));
    assert!(refused(&format!("postgres://plain@{at}/postgres")).contains("permission denied"));
    assert!(refused("postgres://keyturn@127.0.0.1:1/postgres").contains("refused"));
    let tls = refused(&format!("postgres://keyturn@{at}/postgres?sslmode=require"));
    assert!(tls.contains("TLS"), "{tls}");
}

/// What PgBouncer does: the next transaction of one client is another server connection's.
#[test]
fn nothing_is_expected_of_a_session_beyond_a_transaction() {
    let database = postgres().database();
    let options = Options { schema: Some("keyturn".to_owned()), ..Options::default() };
    let store = open(&address(&database), Arc::new(Keys::new([7; 32])), nobody(), options).expect("opened");
    store.commit(put("a", "1")).expect("committed");
    let prepared = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'PREPARE%' OR query LIKE 'SET search_path%'";
    assert_eq!(database.sql(prepared).trim(), "0");
    assert_eq!(get(&store, "a").as_deref(), Some("1"));
}
