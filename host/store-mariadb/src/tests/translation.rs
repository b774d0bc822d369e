use super::*;
use crate::translate::translate;
use crate::words::{lasting, passing};

#[test]
fn parameters_come_in_the_order_in_which_they_stand() {
    let translated = translate("SELECT ?2, '?1', \"?1\", ?1 FROM t WHERE a = ?2 AND b = ?12", None);
    assert_eq!(translated.text, "SELECT ?, '?1', \"?1\", ? FROM \"t\" WHERE \"a\" = ? AND \"b\" = ?");
    assert_eq!(translated.order, [1, 0, 1, 11]);
}

#[test]
fn what_mariadb_says_otherwise_is_said_so() {
    for (ours, theirs) in [
        ("SELECT key, before FROM keyturnhost_data", r#"SELECT "key", "before" FROM "keyturnhost_data""#),
        ("SELECT count(*), \"Key\", 'it''s a key' FROM t", r#"SELECT count(*), "Key", 'it''s a key' FROM "t""#),
        ("WHERE a IS NOT DISTINCT FROM ?1 AND b IS NOT NULL", r#"WHERE "a" <=> ? AND "b" IS NOT NULL"#),
        (
            "INSERT INTO t (a, b) VALUES (?1, ?2) ON CONFLICT (a) DO UPDATE\n SET b = t.b + excluded.b RETURNING b",
            r#"INSERT INTO "t" ("a", "b") VALUES (?, ?) ON DUPLICATE KEY UPDATE "b" = "t"."b" + VALUES("b") RETURNING "b""#,
        ),
        (
            "INSERT INTO t (a) VALUES (1) ON CONFLICT (a, key) WHERE key IS NOT NULL\n  DO UPDATE SET a = 'ON CONFLICT'",
            r#"INSERT INTO "t" ("a") VALUES (1) ON DUPLICATE KEY UPDATE "a" = 'ON CONFLICT'"#,
        ),
        (
            "INSERT INTO t (key) VALUES (1) ON CONFLICT (key) DO NOTHING",
            r#"INSERT INTO "t" ("key") VALUES (1) ON DUPLICATE KEY UPDATE "key" = "key""#,
        ),
        (
            "DELETE FROM t WHERE id IN (SELECT id FROM (SELECT id FROM t WHERE x <= ?1 LIMIT ?2) AS old)",
            r#"DELETE "t" FROM "t" JOIN (SELECT "id" FROM (SELECT "id" FROM "t" WHERE "x" <= ? LIMIT ?) AS "old") AS "named" ON "named"."id" = "t"."id""#,
        ),
        (
            "UPDATE t SET x = ?2\n WHERE (a, b) IN (SELECT a, b FROM u WHERE c = ?1)",
            r#"UPDATE "t" JOIN (SELECT "a", "b" FROM "u" WHERE "c" = ?) AS "named" ON "named"."a" = "t"."a" AND "named"."b" = "t"."b" SET "x" = ?"#,
        ),
        (
            "DELETE FROM t WHERE id IN (SELECT id FROM u) AND x IN (1)",
            r#"DELETE FROM "t" WHERE "id" IN (SELECT "id" FROM "u") AND "x" IN (1)"#,
        ),
        ("SELECT 1 FROM a JOIN b ON a.x = b.x", r#"SELECT 1 FROM "a" JOIN "b" ON "a"."x" = "b"."x""#),
        ("SELECT 'unended", "SELECT 'unended"),
    ] {
        assert_eq!(translate(ours, None).text, theirs);
    }
}

#[test]
fn the_hosts_own_tables_are_named_with_their_database() {
    for (ours, theirs) in [
        (
            "INSERT INTO keyturnhost_usage (kind) VALUES (?1) ON CONFLICT (kind) DO UPDATE SET amount = keyturnhost_usage.amount",
            r#"INSERT INTO "a""b"."keyturnhost_usage" ("kind") VALUES (?) ON DUPLICATE KEY UPDATE "amount" = "a""b"."keyturnhost_usage"."amount""#,
        ),
        (
            "DELETE FROM keyturnhost_tasks WHERE number IN (SELECT number FROM keyturnhost_tasks)",
            r#"DELETE "a""b"."keyturnhost_tasks" FROM "a""b"."keyturnhost_tasks" JOIN (SELECT "number" FROM "a""b"."keyturnhost_tasks") AS "named" ON "named"."number" = "a""b"."keyturnhost_tasks"."number""#,
        ),
        // An index has the name of its table before its own, and no database.
        (
            "CREATE INDEX keyturnhost_tasks_due ON keyturnhost_tasks (due)",
            r#"CREATE INDEX "keyturnhost_tasks_due" ON "a""b"."keyturnhost_tasks" ("due")"#,
        ),
        ("SELECT 1 FROM \"people\", customers", r#"SELECT 1 FROM "people", "customers""#),
    ] {
        assert_eq!(translate(ours, Some("a\"b")).text, theirs);
    }
}

#[test]
fn the_hosts_tables_are_made_and_an_index_over_some_rows_begins_with_what_says_which() {
    let made = lasting("CREATE TABLE t (id NUMBER, name NAME NOT NULL UNIQUE, template_name TEXT)");
    assert!(
        made.starts_with(
            "CREATE TABLE IF NOT EXISTS t (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(200)"
        )
    );
    assert!(made.ends_with("ENGINE=InnoDB ROW_FORMAT=DYNAMIC"), "{made}");
    assert!(passing("CREATE TABLE t (id NUMBER)").starts_with("CREATE TEMPORARY TABLE t (id BIGINT"));
    for (ours, theirs) in [
        ("CREATE INDEX i ON t (a, b)", "CREATE INDEX IF NOT EXISTS i ON t (a, b)"),
        ("CREATE INDEX i ON t (a, due) WHERE due IS NOT NULL", "CREATE INDEX IF NOT EXISTS i ON t (a, due)"),
        ("CREATE INDEX i ON t (a) WHERE due IS NULL", "CREATE INDEX IF NOT EXISTS i ON t (due, a)"),
        ("CREATE INDEX i ON t (a) WHERE secrets IS NULL", "CREATE INDEX IF NOT EXISTS i ON t (secrets(1), a)"),
        (
            "CREATE UNIQUE INDEX i ON t (a, b)\n WHERE b IS NOT NULL",
            "ALTER TABLE t ADD COLUMN IF NOT EXISTS i_applies BIGINT AS (CASE WHEN b IS NOT NULL THEN 1 END) STORED, \
             ADD UNIQUE INDEX IF NOT EXISTS i (a, b, i_applies)",
        ),
    ] {
        assert_eq!(lasting(ours), theirs);
    }
}

#[test]
fn indices_over_some_rows_serve_the_statements_that_they_are_for() {
    let database = server().database();
    let store = opened(&database);
    for (table, values) in [
        (
            "keyturnhost_audit (at, plugin, operation, actor, outcome, request, times, sequence)",
            "seq, 'p', 'o', 'a', 'o', 'r', IF(seq % 100 = 0, 1, NULL), IF(seq % 100 = 50, NULL, seq)",
        ),
        (
            "keyturnhost_outbox (id, plugin, recipient, template_name, template, variables, secrets, state, attempts, asked_at, changed_at, expires)",
            "seq, 'p', 'r', 't', 't', 'v', IF(seq % 100 = 0, 's', NULL), 's', 0, seq, seq, seq",
        ),
    ] {
        database.sql(&format!(
            "INSERT INTO {table} SELECT {values} FROM seq_1_to_5000; ANALYZE TABLE {}",
            &table[..table.find(' ').expect("columns")]
        ));
    }
    let asked = [
        ("SELECT count(*) FROM keyturnhost_audit WHERE times IS NOT NULL", "keyturnhost_audit_counted"),
        (
            "SELECT id, mac FROM keyturnhost_audit
             WHERE sequence IS NULL AND id > 9 AND at <= 9000 AND times IS NULL ORDER BY sequence, id LIMIT 500",
            "keyturnhost_audit_sequence",
        ),
        (
            "SELECT number FROM keyturnhost_outbox WHERE secrets IS NOT NULL AND expires <= 9 LIMIT 5",
            "keyturnhost_outbox_whole",
        ),
        (
            "SELECT number FROM keyturnhost_outbox WHERE secrets IS NULL AND asked_at <= 9 ORDER BY asked_at LIMIT 5",
            "keyturnhost_outbox_done",
        ),
        (
            "SELECT number FROM keyturnhost_outbox WHERE plugin = 'q' AND secrets IS NULL ORDER BY number DESC LIMIT 5",
            "keyturnhost_outbox_wiped",
        ),
    ];
    let tidied = "DELETE FROM keyturnhost_outbox WHERE number IN (SELECT number FROM (
                    SELECT number FROM keyturnhost_outbox WHERE secrets IS NULL ORDER BY asked_at LIMIT ?1) AS oldest)";
    let explained = format!("EXPLAIN {}", translate(tidied, None).text.replace('?', "9"));
    let plan = dynamic(&connected(&database)).rows(&explained, &[]).expect("explained");
    let reads = plan.iter().find(|step| step[2] == Value::Text("keyturnhost_outbox".to_owned())).expect("the outbox");
    assert_eq!(reads[3], Value::Text("eq_ref".to_owned()), "{plan:?}");
    let plans = store.read(|db| {
        asked.map(|(sql, _)| db.rows(&format!("EXPLAIN {sql}"), &[])).into_iter().collect::<Result<Vec<_>, _>>()
    });
    for (plan, (sql, index)) in plans.expect("explained").into_iter().zip(asked) {
        assert_eq!(plan[0][5], Value::Text(index.to_owned()), "{sql}: {plan:?}");
    }
}
