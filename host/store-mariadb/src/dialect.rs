//! What MariaDB has words of its own for.

use keyturn_store::StorageError;
use keyturn_store::database::{Connection, Value, ValueRef};
use keyturn_store::dialect::{Column, Dialect, Holds, Table};

/// MariaDB's.
pub struct MariaDb;

impl Dialect for MariaDb {
    fn engine(&self) -> &'static str {
        "MariaDB"
    }

    /// A capital letter is odd where the column tells it from a small one; to a Turkish column `I` is `ı` and not `i`. A pattern is
    /// matched as the column compares, and without regard to case the Kelvin sign is a `k`: hence `(?-i)`.
    fn is_odd(&self, column: &str) -> String {
        let in_capitals = format!("{column} <> lower({column}) OR {column} <> replace({column}, 'I', 'i')");
        format!("({column} REGEXP '(?-i)[^!-~]' OR {in_capitals})")
    }

    fn locks_reads(&self) -> bool {
        true
    }

    /// A text that is compared with a number becomes one: 'x' would be 0. A number that is compared with a text becomes that text.
    fn bound(&self, value: Value) -> Value {
        match value {
            Value::Integer(number) => Value::Text(number.to_string()),
            other => other,
        }
    }

    fn columns(&self, db: &dyn Connection, table: &str) -> Result<Vec<Column>, StorageError> {
        let columns =
            "SELECT column_name, data_type, character_maximum_length, collation_name, is_nullable
             FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ?1 ORDER BY ordinal_position";
        db.all(columns, &[ValueRef::Text(table)], |row| {
            let most = row.get(2)?;
            let collation = row.get::<Option<String>>(3)?.filter(|collation| !collation.starts_with("utf8mb4_"));
            let null = row.get::<String>(4)? == "YES";
            Ok(Column { name: row.get(0)?, holds: holds(&row.get::<String>(1)?, most), most, collation, null })
        })
    }

    fn tables(&self, db: &dyn Connection) -> Result<Vec<Table>, StorageError> {
        let tables = "SELECT t.table_name, t.table_type, t.engine, coalesce(e.transactions, 'YES')
                      FROM information_schema.tables AS t LEFT JOIN information_schema.engines AS e ON e.engine = t.engine
                      WHERE t.table_schema = DATABASE() AND t.table_type IN ('BASE TABLE', 'SYSTEM VERSIONED', 'VIEW')
                      AND t.table_name NOT LIKE 'keyturnhost!_%' ESCAPE '!' ORDER BY t.table_name";
        let tables = db.rows(tables, &[])?;
        let read = |row: Vec<Value>| match <[Value; 4]>::try_from(row).ok()? {
            [Value::Text(name), Value::Text(_), Value::Text(engine), Value::Text(transactions)]
                if transactions != "YES" =>
            {
                let why = format!("is a table of the engine {engine}, which has no transactions");
                let instead = format!("ALTER TABLE {} ENGINE=InnoDB;", backquoted(&name));
                Some(Table { name, unfit: Some((why, instead)) })
            }
            [Value::Text(name), ..] => Some(Table { name, unfit: None }),
            _ => None,
        };
        Ok(tables.into_iter().filter_map(read).collect())
    }

    fn uses_index(
        &self,
        db: &dyn Connection,
        statement: &str,
        parameters: &[Value],
        table: &str,
    ) -> Result<bool, StorageError> {
        let plan = db.rows(&format!("EXPLAIN {statement}"), parameters)?;
        // Of a value that a unique index does not have, the plan says no more.
        let by_unique = |step: &Value| matches!(step, Value::Text(said) if said.contains("after reading const table"));
        Ok(plan.into_iter().any(|step| {
            if step.iter().any(by_unique) {
                return true;
            }
            let [_, _, of, by, _, key, ..] = &step[..] else { return false };
            let searched = matches!(by, Value::Text(by) if !matches!(by.as_str(), "ALL" | "index"));
            *of == Value::Text(table.to_owned()) && searched && *key != Value::Null
        }))
    }

    /// As the column compares, so that its index serves it. Where that is without regard to case, or to accents, or to spaces
    /// at the end, it finds more.
    fn index_over(&self, column: &str) -> String {
        column.to_owned()
    }

    fn as_indexed(&self, text: String) -> String {
        text
    }

    /// A text that the column can't hold would be an error, or would be compared without its index. So what it can't hold becomes
    /// `?`. The name of a collation begins with that of its character set.
    fn compared(&self, parameter: &str, collation: Option<&str>) -> String {
        match collation.and_then(|collation| Some((collation, collation.split('_').next()?))) {
            Some((collation, charset)) => format!("convert({parameter} USING {charset}) COLLATE {collation}"),
            None => parameter.to_owned(),
        }
    }

    fn for_a_session(&self, sql: String) -> String {
        sql.replace('"', "`")
    }

    /// Compared as it is: to most columns a space at the end makes no difference.
    fn trimmed(&self, column: &str) -> String {
        let space = "[[:space:]\u{a0}]+";
        let column = format!("convert({column} USING utf8mb4)");
        format!("regexp_replace({column}, '^{space}|{space}$', '') COLLATE utf8mb4_nopad_bin")
    }
}

fn holds(kind: &str, most: Option<u64>) -> Holds {
    match kind {
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" => Holds::Integer,
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" | "enum" => Holds::Text,
        "uuid" => Holds::Uuid,
        "binary" if most == Some(16) => Holds::Bytes16,
        _ => Holds::Other,
    }
}

fn backquoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Settings of the server's under which what was acknowledged can be lost, or what was checked can be different by then: each with
/// what to do.
///
/// # Errors
/// [`StorageError`] as the engine has it.
pub fn settings(db: &dyn Connection) -> Result<Vec<String>, StorageError> {
    let wanted = "SELECT lower(variable_name), variable_value FROM information_schema.global_variables
                  WHERE variable_name IN ('innodb_flush_log_at_trx_commit', 'log_bin', 'sync_binlog', 'innodb_doublewrite',
                  'wsrep_on')";
    let set = db.all(wanted, &[], |row| Ok((row.get::<String>(0)?, row.get::<String>(1)?)))?;
    let value = |name: &str| set.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value.as_str());
    let mut said = Vec::new();
    if !matches!(value("innodb_flush_log_at_trx_commit"), "1" | "3") {
        said.push(format!(
            "innodb_flush_log_at_trx_commit is {}: a power cut loses the last second; set it to 1",
            value("innodb_flush_log_at_trx_commit")
        ));
    }
    if value("log_bin") == "ON" && value("sync_binlog") != "1" {
        let sync = value("sync_binlog");
        said.push(format!(
            "sync_binlog is {sync}: after a power cut replicas can differ from this server; set it to 1"
        ));
    }
    if value("innodb_doublewrite") == "OFF" {
        said.push("innodb_doublewrite is OFF: a power cut can destroy pages; set it to ON".to_owned());
    }
    if value("wsrep_on") == "ON" {
        let cluster =
            "wsrep_on is ON: nodes of a cluster don't see each other's locks; let all hosts use the same node";
        said.push(cluster.to_owned());
    }
    Ok(said)
}
