//! How accounts are found by what somebody types: the panel's own index is asked for the spellings that people store, and
//! the others are known before ([`super::odd`]). What is found is compared in Rust, so an index may find too many.

use std::cmp::Ordering;
use std::sync::OnceLock;

use keyturn_core::accounts::{AccountId, Matched};
use keyturn_core::fold::{self, SPELLINGS};
use keyturn_store::database::Connection;
use keyturn_store::dialect::{Dialect, quoted};
use keyturn_store::{StorageError, Value};

use super::odd::{Odd, STEP};
use super::{Mapping, Realm, Statement, key_text, rest, text};

/// How accounts are found by one column.
pub(super) struct Find {
    column: String,
    /// For one spelling, and for as many as there are: what they say depends on what the column can hold.
    by_index: OnceLock<[Statement; 2]>,
    /// Key and text of one row.
    one: Statement,
    /// Keys of the first rows, and of those after one; with the text, where the index may miss it.
    ahead: [Statement; 2],
    odd: Odd,
}

impl Find {
    pub fn new(mapping: &Mapping, dialect: &dyn Dialect, name: &str) -> Self {
        let [table, id, column, text] = names(mapping, dialect, name);
        let ahead = |after: &str, own: usize| {
            let (rest, fixed) = rest(mapping, dialect, own);
            let odd = format!("CASE WHEN {}{rest} THEN {text} END", dialect.is_odd(&column));
            let text = format!("SELECT {id}, {odd} FROM {table} WHERE {id} {after} ORDER BY {id} LIMIT {STEP}");
            Statement { text, fixed }
        };
        let (rest, fixed) = rest(mapping, dialect, 1);
        Self {
            column: name.to_owned(),
            by_index: OnceLock::new(),
            one: Statement { text: format!("SELECT {id}, {text} FROM {table} WHERE {id} = ?1{rest}"), fixed },
            ahead: [ahead("IS NOT NULL", 0), ahead("> ?1", 1)],
            odd: Odd::default(),
        }
    }

    /// The next few rows after a key; none: the first ones.
    fn rows_ahead(&self, sql: &dyn Connection, after: Option<&Value>) -> Result<Vec<Vec<Value>>, StorageError> {
        let statement = &self.ahead[usize::from(after.is_some())];
        sql.rows(&statement.text, &statement.with(after.cloned()))
    }
}

/// Table, key, column and its text, as statements name them.
fn names(mapping: &Mapping, dialect: &dyn Dialect, name: &str) -> [String; 4] {
    let table = quoted(&mapping.table);
    let (id, column) = (format!("{table}.{}", quoted(&mapping.id)), format!("{table}.{}", quoted(name)));
    let text = dialect.text(&column);
    [table, id, column, text]
}

impl Realm {
    pub(super) fn matching(
        &self,
        sql: &dyn Connection,
        name: &str,
        (typed, folded): (&str, &str),
        by: Matched,
        limit: usize,
    ) -> Result<Vec<AccountId>, StorageError> {
        let find = match (by, &self.by_email) {
            (Matched::Login, _) => &self.by_login,
            (Matched::Email, Some(by_email)) => by_email,
            (Matched::Email, None) => return Ok(Vec::new()),
        };
        let keyed = self.holds(sql)?[0];
        let keys = self.found(sql, find, (typed, folded), limit);
        let keys = keys.map_err(|error| self.naming(error, "finding accounts in"))?;
        // A key that can't be part of an account name is no account that a plugin could name.
        Ok(keys.iter().filter_map(|key| AccountId::new(name, &key_text(key, keyed)?).ok()).collect())
    }

    fn found(
        &self,
        sql: &dyn Connection,
        find: &Find,
        (typed, folded): (&str, &str),
        limit: usize,
    ) -> Result<Vec<Value>, StorageError> {
        let same = |row: Vec<Value>| {
            let [id, column] = <[Value; 2]>::try_from(row).ok()?;
            fold::equals(&text(column)?, folded).then_some(id)
        };
        let mut keys = self.found_by_index(sql, find, (typed, folded), limit, &same)?;
        let indexed = keys.len();
        let odd = find.odd.keys(folded, |after| find.rows_ahead(sql, after))?;
        // They are in order. Of those that have changed since, a few are read in vain.
        for key in odd.into_iter().take(limit.saturating_mul(2)) {
            if keys.len() - indexed >= limit {
                break;
            }
            keys.extend(sql.rows(&find.one.text, &find.one.with([key]))?.into_iter().filter_map(same));
        }
        if keys.len() > indexed {
            keys.sort_by(in_order);
            keys.dedup();
            keys.truncate(limit);
        }
        Ok(keys)
    }

    /// Keys in their order. An index that also finds other names, such as `é` for an `e`, is asked for more until there are
    /// enough, so that nobody disappears behind accounts with such names.
    fn found_by_index(
        &self,
        sql: &dyn Connection,
        find: &Find,
        (typed, folded): (&str, &str),
        limit: usize,
        same: &dyn Fn(Vec<Value>) -> Option<Value>,
    ) -> Result<Vec<Value>, StorageError> {
        let mut spellings: Vec<String> = Vec::new();
        for spelling in fold::spellings(typed, folded) {
            let spelling = self.dialect.as_indexed(spelling);
            if !spellings.contains(&spelling) && self.dialect.can_hold(&spelling) {
                spellings.push(spelling);
            }
        }
        let [one, several] = self.by_index(sql, find)?;
        let statement = if spellings.len() == 1 { one } else { several };
        if spellings.len() > 1 {
            spellings.resize(SPELLINGS, folded.to_owned());
        }
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        let (mut keys, mut read) = (Vec::new(), 0);
        loop {
            let own = spellings.iter().cloned().map(Value::Text).chain([most, read].map(Value::Integer));
            let rows = sql.rows(&statement.text, &statement.with(own))?;
            let count = rows.len();
            keys.extend(rows.into_iter().filter_map(same));
            if count < limit || keys.len() >= limit {
                keys.truncate(limit);
                return Ok(keys);
            }
            read = read.saturating_add(most);
        }
    }

    fn by_index<'a>(&self, sql: &dyn Connection, find: &'a Find) -> Result<&'a [Statement; 2], StorageError> {
        if let Some(statements) = find.by_index.get() {
            return Ok(statements);
        }
        let [table, id, column, text] = names(&self.mapping, self.dialect, &find.column);
        let columns = self.dialect.columns(sql, &self.mapping.table)?;
        let present = columns.into_iter().find(|present| present.name.eq_ignore_ascii_case(&find.column));
        let collation = present.and_then(|present| present.collation);
        let statement = |names: usize| {
            let (rest, fixed) = rest(&self.mapping, self.dialect, names + 2);
            let is_one = self.dialect.is_one_of(&column, names, collation.as_deref());
            let (order, limit, offset) = (self.dialect.in_order_of(&id), names + 1, names + 2);
            let text = format!(
                "SELECT {id}, {text} FROM {table} WHERE {is_one}{rest} ORDER BY {order} LIMIT ?{limit} OFFSET ?{offset}"
            );
            Statement { text, fixed }
        };
        Ok(find.by_index.get_or_init(|| [statement(1), statement(SPELLINGS)]))
    }

    /// The statement that finds accounts by a name, with what it is given for an example.
    pub(super) fn example<'a>(
        &self,
        sql: &dyn Connection,
        find: &'a Find,
    ) -> Result<(&'a str, Vec<Value>), StorageError> {
        let [one, _] = self.by_index(sql, find)?;
        let own = [Value::Text("x".to_owned()), Value::Integer(10), Value::Integer(0)];
        Ok((&one.text, one.with(own)))
    }

    /// Reads a little ahead of look-ups, where it is time.
    pub(super) fn look_ahead(&self, sql: &dyn Connection) -> Result<(), StorageError> {
        let finds = [Some(&self.by_login), self.by_email.as_ref()];
        finds.into_iter().flatten().try_for_each(|find| find.odd.look_ahead(|after| find.rows_ahead(sql, after)))
    }
}

/// As the engine orders keys: numbers, then texts.
pub(super) fn in_order(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Integer(a), Value::Integer(b)) => a.cmp(b),
        (Value::Text(a), Value::Text(b)) => a.cmp(b),
        (Value::Integer(_), _) => Ordering::Less,
        (_, Value::Integer(_)) => Ordering::Greater,
        _ => Ordering::Equal,
    }
}
