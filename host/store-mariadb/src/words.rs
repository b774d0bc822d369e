//! The host's own tables in MariaDB's words.

use keyturn_store::schema::{SINCE, TABLES};

/// A statement of the store's tables, such that a start that died between two of them can be repeated.
pub(crate) fn lasting(statement: &str) -> String {
    statement_in_words(statement, "CREATE TABLE IF NOT EXISTS")
}

/// The same, for a table that only this connection sees, and as long as it is there.
pub(crate) fn passing(statement: &str) -> String {
    statement_in_words(statement, "CREATE TEMPORARY TABLE")
}

fn statement_in_words(statement: &str, create: &str) -> String {
    if let Some(rest) = statement.strip_prefix("CREATE TABLE") {
        // Indices over several names need rows of the newer format, which is not every server's default.
        return format!("{create}{} ENGINE=InnoDB ROW_FORMAT=DYNAMIC", types(rest));
    }
    if statement.starts_with("DROP INDEX") {
        return statement.replacen("INDEX ", "INDEX IF EXISTS ", 1);
    }
    if statement.starts_with("ALTER TABLE") {
        return types(&statement.replacen("ADD COLUMN ", "ADD COLUMN IF NOT EXISTS ", 1));
    }
    if !statement.starts_with("CREATE") {
        return statement.to_owned();
    }
    let Some((head, condition)) = statement.split_once(" WHERE ") else {
        return statement.replacen("INDEX ", "INDEX IF NOT EXISTS ", 1);
    };
    match head.strip_prefix("CREATE UNIQUE INDEX ") {
        Some(index) => unique(index, condition),
        None => partial(head, condition),
    }
}

fn types(columns: &str) -> String {
    let bytewise = "CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin";
    columns
        .replace(" NUMBER", " BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY")
        .replace(" INTEGER", " BIGINT")
        .replace(" NAME", &format!(" VARCHAR(200) {bytewise}"))
        .replace(" TEXT", &format!(" LONGTEXT {bytewise}"))
        .replace(" DIGEST", " BINARY(32)")
        .replace(" BYTES", " LONGBLOB")
}

/// There is no index over some rows only. Over all rows, the column that says which comes first, so that theirs stand together.
fn partial(head: &str, condition: &str) -> String {
    let head = head.replacen("INDEX ", "INDEX IF NOT EXISTS ", 1);
    let column = condition.split_whitespace().next().unwrap_or_default();
    let (before, columns) = head.split_once('(').unwrap_or((&head, ""));
    if columns.trim_end_matches(')').split(", ").any(|other| other == column) {
        return head;
    }
    // Of bytes, which can be long, whether there are any is enough.
    let bytes = format!(" {column} BYTES");
    let long = if [TABLES].iter().chain(SINCE).any(|sql| sql.contains(&bytes)) { "(1)" } else { "" };
    format!("{before}({column}{long}, {columns}")
}

/// Rows that the condition does not name have a NULL in the index, and NULLs are not alike.
fn unique(index: &str, condition: &str) -> String {
    let (name, rest) = index.split_once(" ON ").unwrap_or((index, ""));
    let (table, columns) = rest.split_once(" (").unwrap_or((rest, ""));
    let columns = columns.trim_end().trim_end_matches(')');
    format!(
        "ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {name}_applies BIGINT AS (CASE WHEN {condition} THEN 1 END) STORED, \
         ADD UNIQUE INDEX IF NOT EXISTS {name} ({columns}, {name}_applies)"
    )
}
