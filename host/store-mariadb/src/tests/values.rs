use std::ops::ControlFlow;

use super::*;

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[test]
fn each_type_is_read_as_what_it_holds() {
    let database = server().database();
    let db = connected(&database);
    for (kind, stored, read) in [
        ("INT", "-7", Value::Integer(-7)),
        ("INT UNSIGNED", "4294967295", Value::Integer(4_294_967_295)),
        ("BIGINT UNSIGNED", "42", Value::Integer(42)),
        ("BIGINT UNSIGNED", "18446744073709551615", text("18446744073709551615")),
        ("TINYINT(1)", "TRUE", Value::Integer(1)),
        ("BIT(1)", "b'1'", Value::Integer(1)),
        ("BIT(12)", "b'100000001'", Value::Integer(257)),
        ("YEAR", "2026", Value::Integer(2026)),
        ("DECIMAL(20,0)", "12345678901234567890", text("12345678901234567890")),
        ("DECIMAL(10,0)", "12", Value::Integer(12)),
        ("DECIMAL(10,2)", "12.50", text("12.50")),
        ("DOUBLE", "0.5", Value::Real(0.5)),
        ("FLOAT", "0.1", Value::Real(0.1)),
        ("VARCHAR(20)", "'Müller 🦀'", text("Müller 🦀")),
        ("VARCHAR(20) COLLATE utf8mb4_bin", "'x'", text("x")),
        ("VARCHAR(20) CHARACTER SET latin1", "'Müller'", text("Müller")),
        ("CHAR(5)", "'ab'", text("ab")),
        ("LONGTEXT", "'x'", text("x")),
        ("ENUM('a','b')", "'b'", text("b")),
        ("SET('a','b')", "'a,b'", text("a,b")),
        ("JSON", "'{\"a\":1}'", text("{\"a\":1}")),
        ("UUID", "'123E4567-e89b-12d3-a456-426655440000'", text("123e4567-e89b-12d3-a456-426655440000")),
        ("INET6", "'::1'", text("::1")),
        ("BINARY(3)", "x'0041ff'", Value::Blob(vec![0, 0x41, 0xff])),
        ("VARBINARY(20)", "'abc'", Value::Blob(b"abc".to_vec())),
        ("LONGBLOB", "x'ff'", Value::Blob(vec![0xff])),
        ("DATE", "'2026-02-03'", text("2026-02-03")),
        ("DATE", "'0000-00-00'", text("0000-00-00")),
        ("DATETIME", "'2026-02-03 04:05:06'", text("2026-02-03 04:05:06")),
        ("DATETIME", "'2026-02-03'", text("2026-02-03 00:00:00")),
        ("DATETIME(3)", "'2026-02-03 04:05:06.120'", text("2026-02-03 04:05:06.120")),
        ("DATETIME", "'0000-00-00 00:00:00'", text("0000-00-00 00:00:00")),
        ("TIMESTAMP", "'2026-02-03 04:05:06'", text("2026-02-03 04:05:06")),
        ("TIME", "'-26:05:06'", text("-26:05:06")),
        ("INT", "NULL", Value::Null),
        ("DATETIME", "NULL", Value::Null),
    ] {
        database.sql(&format!("CREATE OR REPLACE TABLE v (v {kind} NULL); INSERT INTO v VALUES ({stored})"));
        assert_eq!(dynamic(&db).rows("SELECT v FROM v", &[]).expect(kind), [[read.clone()]], "{kind} {stored}");
    }
    let computed =
        dynamic(&db).rows("SELECT sum(1), count(*), 1 IS NULL, length('äö'), max('x'), 0.5", &[]).expect("read");
    let expected = [Value::Integer(1), Value::Integer(1), Value::Integer(0), Value::Integer(4), text("x"), text("0.5")];
    assert_eq!(computed, [expected]);
}

#[test]
fn what_is_stored_is_what_was_bound() {
    let database = server().database();
    let db = connected(&database);
    database.sql("CREATE TABLE v (i BIGINT, t LONGTEXT, b LONGBLOB, f VARBINARY(300), d DOUBLE)");
    let bytes: Vec<u8> = (0..=255).collect();
    let long = "ä".repeat(2_500_000);
    let values =
        [Value::Integer(i64::MIN), Value::Text(long), Value::Blob(bytes.clone()), Value::Blob(bytes), Value::Real(0.1)];
    dynamic(&db).run("INSERT INTO v (i, t, b, f, d) VALUES (?1, ?2, ?3, ?4, ?5)", &values).expect("written");
    assert!(dynamic(&db).rows("SELECT i, t, b, f, d FROM v", &[]).expect("read") == [values.to_vec()]);
    let found = dynamic(&db).rows(
        "SELECT i FROM v WHERE b = ?1 AND f = ?2 AND t = ?3",
        &[values[2].clone(), values[3].clone(), values[1].clone()],
    );
    assert_eq!(found.expect("found"), [[values[0].clone()]]);
    let nothing = [Value::Null, Value::Null];
    assert_eq!(dynamic(&db).rows("SELECT ?1, ?2 IS NULL", &nothing).expect("read"), [[Value::Null, Value::Integer(1)]]);
}

#[test]
fn nothing_is_cut_to_fit() {
    let database = server().database();
    let db = connected(&database);
    database.sql("CREATE TABLE v (hash VARCHAR(10))");
    let said =
        cause(dynamic(&db).run("INSERT INTO v (hash) VALUES (?1)", &[text("$argon2id$s3cret")]).expect_err("too long"));
    assert!(said.contains("Data too long for column 'hash'") && !said.contains("s3cret"), "{said}");
    database.sql("CREATE UNIQUE INDEX once ON v (hash)");
    let twice = || dynamic(&db).run("INSERT INTO v (hash) VALUES (?1)", &[text("s3cret")]);
    twice().expect("once");
    let said = cause(twice().expect_err("twice"));
    assert!(said.contains("for key 'once'") && !said.contains("s3cret"), "{said}");
}

#[test]
fn rows_come_one_by_one_and_the_connection_is_whole_when_somebody_breaks_off() {
    let database = server().database();
    let db = connected(&database);
    let (mut seen, mut inner) = (0, None);
    db.query("SELECT seq FROM seq_1_to_100000", &[], &mut |row| {
        seen += row.get::<i64>(0)?.min(1);
        inner.get_or_insert_with(|| db.execute("SELECT 1", &[]));
        Ok(if seen == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })
    .expect("read");
    assert_eq!(seen, 3);
    assert!(cause(inner.expect("asked").expect_err("refused")).contains("still hands out other rows"));
    assert_eq!(dynamic(&db).rows("SELECT 5", &[]).expect("read"), [[Value::Integer(5)]]);
    let failed = db.query("SELECT 1 UNION SELECT 2", &[], &mut |_| Err(StorageError::Changed));
    assert_eq!(failed, Err(StorageError::Changed));
    assert_eq!(dynamic(&db).rows("SELECT 6", &[]).expect("read"), [[Value::Integer(6)]]);
}

#[test]
fn rows_found_are_counted_and_new_ones_have_their_number() {
    let database = server().database();
    let db = connected(&database);
    database.sql("CREATE TABLE v (number BIGINT AUTO_INCREMENT PRIMARY KEY, v INT); INSERT INTO v (v) VALUES (1), (1)");
    assert_eq!(db.execute("UPDATE v SET v = 1 WHERE v = ?1", &[1_i64.bind()]), Ok(2), "as they were");
    assert_eq!(db.execute("UPDATE v SET v = 2 WHERE v = ?1", &[9_i64.bind()]), Ok(0));
    assert_eq!(db.insert("INSERT INTO v (v) VALUES (?1)", &[7_i64.bind()]), Ok(3));
    assert_eq!(db.execute("DELETE FROM v", &[]), Ok(3));
}

#[test]
fn the_time_is_the_servers_whatever_its_zone() {
    let database = server().database();
    let db = connected(&database);
    let before = std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_millis() as i64;
    let now = db.now().expect("the time");
    let after = std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_millis() as i64;
    assert!((before..=after).contains(&now), "{before} {now} {after}");
    assert_eq!(dynamic(&db).rows("SELECT @@time_zone", &[]).expect("read"), [[text("-05:00")]], "the panel's");
}

#[test]
fn settings_under_which_a_commit_can_be_lost_are_named() {
    let database = server().database();
    let said = settings(&connected(&database)).expect("read");
    assert!(said.iter().any(|said| said.starts_with("innodb_flush_log_at_trx_commit is 0")), "{said:?}");
}
