//! The store's SQL in MariaDB's words.

use keyturn_store::{dialect, tables};

/// A statement as MariaDB takes it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Translated {
    pub text: String,
    /// Which parameter stands at each `?`, from 0.
    pub order: Vec<usize>,
}

/// What differs: `?1` is `?` there; `ON CONFLICT` and `IS NOT DISTINCT FROM` have words of its own; and each name in small letters
/// is quoted, since `key` and `before` are words of its language, and newer versions have more. Our own words are in capitals;
/// a function's name has its `(` right behind it. The host's tables are in the database `own`, if it is another one.
pub(crate) fn translate(sql: &str, own: Option<&str>) -> Translated {
    let mut out = Translated { text: String::with_capacity(sql.len() + 64), order: Vec::new() };
    let joined = joined(sql);
    let mut rest = joined.as_deref().unwrap_or(sql);
    while let Some(token) = next(rest) {
        rest = &rest[token.len()..];
        if let Some(number) = token.strip_prefix('?').and_then(|number| number.parse::<usize>().ok()) {
            out.order.push(number.saturating_sub(1));
            out.text.push('?');
        } else if token == "ON"
            && let Some(after) = following(rest, &["CONFLICT", "("])
        {
            let column = next(after.trim_start()).unwrap_or_default();
            let (action, after) = take(after_do(after));
            out.text.push_str("ON DUPLICATE KEY UPDATE");
            rest = match action {
                "NOTHING" => {
                    // Changing nothing, unlike IGNORE, hides no other error.
                    out.text.push_str(&format!(" {column} = {column}", column = quoted(column)));
                    after
                }
                _ => following(after, &["SET"]).unwrap_or(after),
            };
        } else if token == "IS"
            && let Some(after) = following(rest, &["NOT", "DISTINCT", "FROM"])
        {
            out.text.push_str("<=>");
            rest = after;
        } else if token == "excluded"
            && let Some(after) = rest.strip_prefix('.')
        {
            let (column, after) = take(after);
            out.text.push_str(&format!("VALUES({})", quoted(column)));
            rest = after;
        } else if token.starts_with(|c: char| c.is_ascii_lowercase()) && !rest.starts_with('(') {
            if let Some(own) = own.filter(|_| tables::ever().contains(&&*token)) {
                out.text.push_str(&dialect::quoted(own));
                out.text.push('.');
            }
            out.text.push_str(&quoted(token));
        } else {
            out.text.push_str(token);
        }
    }
    out
}

fn quoted(name: &str) -> String {
    if name.starts_with('"') { name.to_owned() } else { format!("\"{name}\"") }
}

/// `DELETE FROM t WHERE c IN (SELECT c …)`, and the same of an `UPDATE`, as a join. Before version 11.1 MariaDB would walk through the
/// whole table, lock each of its rows, and look each of them up among those that were selected.
fn joined(sql: &str) -> Option<String> {
    let (head, rest) = sql.split_once(" IN (SELECT ")?;
    let named = rest.trim_end().strip_suffix(')').filter(|named| is_whole(named))?;
    let (head, columns) = head.rsplit_once("WHERE ")?;
    let (table, set) = match head.trim_end().strip_prefix("DELETE FROM ") {
        Some(table) => (table, None),
        None => head.trim_end().strip_prefix("UPDATE ")?.split_once(" SET ").map(|(table, set)| (table, Some(set)))?,
    };
    let columns = columns.trim_start_matches('(').trim_end_matches(')').split(", ");
    let alike: Vec<String> = columns.map(|column| format!("named.{column} = {table}.{column}")).collect();
    let join = format!("{table} JOIN (SELECT {named}) AS named ON {}", alike.join(" AND "));
    Some(match set {
        None => format!("DELETE {table} FROM {join}"),
        Some(set) => format!("UPDATE {join} SET {set}"),
    })
}

/// Whether no bracket ends in it that did not begin there.
fn is_whole(sql: &str) -> bool {
    let mut depth = 0;
    sql.bytes().all(|byte| {
        depth += i32::from(byte == b'(') - i32::from(byte == b')');
        depth >= 0
    })
}

/// The token at the beginning: white space, a literal or quoted name, a word, a parameter, or one character.
fn next(sql: &str) -> Option<&str> {
    let first = sql.chars().next()?;
    let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '@');
    let until = |stays: &dyn Fn(char) -> bool| sql.find(|c| !stays(c)).unwrap_or(sql.len());
    let end = match first {
        // A doubled quote is one inside; taken as an end and a beginning, it comes to the same.
        '\'' | '"' => sql[1..].find(first).map_or(sql.len(), |at| at + 2),
        '?' => sql[1..].find(|c: char| !c.is_ascii_digit()).map_or(sql.len(), |at| at + 1),
        c if c.is_whitespace() => until(&char::is_whitespace),
        c if word(c) => until(&word),
        c => c.len_utf8(),
    };
    Some(&sql[..end])
}

fn take(sql: &str) -> (&str, &str) {
    let sql = sql.trim_start();
    sql.split_at(next(sql).map_or(0, str::len))
}

/// What follows the columns and the condition of an `ON CONFLICT`.
fn after_do(mut sql: &str) -> &str {
    while let (token, rest) = take(sql)
        && !token.is_empty()
    {
        sql = rest;
        if token == "DO" {
            break;
        }
    }
    sql
}

/// What follows these tokens, if they stand there.
fn following<'a>(sql: &'a str, tokens: &[&str]) -> Option<&'a str> {
    tokens.iter().try_fold(sql, |sql, token| {
        let (found, rest) = take(sql);
        (found == *token).then_some(rest)
    })
}
