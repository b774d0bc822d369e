//! The panel's accounts in its own tables, mapped by configuration. The statements are put together once, from checked
//! and quoted names, in the engine's own words where it has some ([`Dialect`]); every value is bound.
//!
//! Each column is written with its table before it: SQLite takes an unknown quoted name for a text, but not after a table's
//! name.

#![deny(missing_docs)]

mod check;
mod find;
mod mapping;
mod odd;
#[cfg(test)]
mod tests;
mod uses;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use find::Find;

pub use check::{Finding, HashKind, Severity, Tally, kind};
pub use mapping::{Accepts, As, Mapping, MappingError, Only, Rows, Scalar, State, Touch};

use keyturn_core::accounts::{Account, AccountId, Matched, Why};
use keyturn_core::fold::fold;
use keyturn_core::seal::{hex, unhex};
use keyturn_store::database::Connection;
use keyturn_store::dialect::{Dialect, Holds, quoted};
use keyturn_store::{Provider, StorageError, Value};

/// A [`Provider`] over the panel's tables.
pub struct Sql {
    realms: BTreeMap<String, Realm>,
}

/// A mapping with its statements.
struct Realm {
    mapping: Mapping,
    dialect: &'static dyn Dialect,
    /// What the keys of the accounts, and those of their sessions, are compared as.
    keys: OnceLock<[Holds; 2]>,
    by_login: Find,
    by_email: Option<Find>,
    account: Statement,
    /// Reads an account's row to lock it, where reading does.
    hold: Option<String>,
    count_sessions: Option<Statement>,
    end_sessions: Option<Statement>,
    set_password: Statement,
    upgrade: Statement,
}

/// A statement, and the values of the configuration that follow the call's own.
struct Statement {
    text: String,
    fixed: Vec<Value>,
}

impl Statement {
    fn with(&self, own: impl IntoIterator<Item = Value>) -> Vec<Value> {
        own.into_iter().chain(self.fixed.iter().cloned()).collect()
    }
}

impl Sql {
    /// The provider of these realms.
    ///
    /// # Errors
    /// [`MappingError`] for the first mapping that cannot be used. Whether its tables and columns exist is asked by
    /// [`Sql::check`].
    pub fn new(realms: BTreeMap<String, Mapping>, dialect: &'static dyn Dialect) -> Result<Self, MappingError> {
        let realms = realms.into_iter().map(|(name, mapping)| {
            let realm = Realm::new(&name, mapping, dialect)?;
            Ok((name, realm))
        });
        Ok(Self { realms: realms.collect::<Result<_, _>>()? })
    }

    fn realm(&self, id: &AccountId) -> Option<&Realm> {
        self.realms.get(id.realm())
    }
}

impl Provider for Sql {
    fn realms(&self) -> Vec<&str> {
        self.realms.keys().map(String::as_str).collect()
    }

    fn knows_managers(&self, realm: &str) -> bool {
        self.realms.get(realm).is_some_and(|realm| realm.mapping.manager.is_some())
    }

    fn find(
        &self,
        sql: &dyn Connection,
        typed: &str,
        realms: &[&str],
        limit: usize,
    ) -> Result<Vec<(AccountId, Matched)>, StorageError> {
        let folded = fold(typed);
        let mut found: Vec<(AccountId, Matched)> = Vec::new();
        if folded.is_empty() {
            return Ok(found);
        }
        let named = || realms.iter().filter_map(|name| Some((*name, self.realms.get(*name)?)));
        for by in [Matched::Login, Matched::Email] {
            for (name, realm) in named() {
                for id in realm.matching(sql, name, (typed, &folded), by, limit)? {
                    if !found.iter().any(|(other, _)| *other == id) {
                        found.push((id, by));
                    }
                }
            }
        }
        found.truncate(limit);
        Ok(found)
    }

    fn look_ahead(&self, sql: &dyn Connection) -> Result<(), StorageError> {
        self.realms.values().try_for_each(|realm| {
            realm.look_ahead(sql).map_err(|error| realm.naming(error, "reading names ahead from"))
        })
    }

    fn hold(&self, sql: &dyn Connection, id: &AccountId) -> Result<(), StorageError> {
        self.realm(id).map_or(Ok(()), |realm| realm.hold(sql, id))
    }

    fn account(&self, sql: &dyn Connection, id: &AccountId) -> Result<Option<Account>, StorageError> {
        match self.realm(id) {
            Some(realm) => realm.account(sql, id),
            None => Ok(None),
        }
    }

    fn sessions(&self, sql: &dyn Connection, id: &AccountId) -> Result<Option<u32>, StorageError> {
        let Some((realm, count)) = self.realm(id).and_then(|realm| Some((realm, realm.count_sessions.as_ref()?)))
        else {
            return Ok(None);
        };
        let Some(key) = realm.session_key(sql, id)? else { return Ok(Some(0)) };
        let rows =
            sql.rows(&count.text, &count.with([key])).map_err(|error| realm.naming(error, "counting sessions of"))?;
        Ok(match rows.first().and_then(|row| row.first()) {
            Some(Value::Integer(sessions)) => u32::try_from(*sessions).ok(),
            _ => None,
        })
    }

    fn accepts(&self, realm: &str, hash: &str) -> Result<(), String> {
        let mapping = &self.realms.get(realm).ok_or_else(|| format!("there is no realm {realm}"))?.mapping;
        let setting = format!("accounts.{realm}.accepts");
        if !hash.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!("{setting}: a hash must be printable ASCII without spaces"));
        }
        let kinds = mapping.accepts.iter().filter(|kind| hash.starts_with(&kind.prefix));
        let Some(kind) = kinds.max_by_key(|kind| kind.prefix.len()) else {
            let scheme = check::scheme(hash);
            return Err(format!(
                "{setting} doesn't list {scheme}: add it if the panel's own code verifies such hashes"
            ));
        };
        kind.admits(hash).map_err(|what| format!("{setting} with prefix {}: {what}", kind.prefix))
    }

    fn replace(
        &self,
        sql: &dyn Connection,
        id: &AccountId,
        hash: &str,
        why: Why,
        now: i64,
    ) -> Result<(), StorageError> {
        let realm = self.realm(id).ok_or(StorageError::Changed)?;
        realm.account(sql, id)?.ok_or(StorageError::Changed)?;
        realm.replace(sql, id, hash, why, now)
    }
}

/// Characters of a name, login or address that are shown. No page and no mail is made for more, and nobody signs in by it.
const SHOWN: usize = 1_000;

fn shortened(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(SHOWN) {
        text.truncate(end);
        text.push('…');
    }
    text
}

impl Realm {
    fn new(name: &str, mapping: Mapping, dialect: &'static dyn Dialect) -> Result<Self, MappingError> {
        if AccountId::new(name, "1").is_err() {
            let problem = "a realm's name must be short, of a-z, 0-9 and -, such as customer".to_owned();
            return Err(MappingError { setting: name.to_owned(), problem });
        }
        mapping.check_names(name)?;
        let table = quoted(&mapping.table);
        let column = |name: &str| format!("{table}.{}", quoted(name));
        let id = column(&mapping.id);

        let rest = |own| rest(&mapping, dialect, own);
        let read = |name: &str| dialect.text(&column(name));
        let account = {
            let (rest, fixed) = rest(1);
            let or_null = |name: Option<&String>| name.map_or_else(|| "NULL".to_owned(), |name| read(name));
            let text = format!(
                "SELECT {id}, {}, {}, {}, {}, {}, {}, {} FROM {table} WHERE {id} = ?1{rest} LIMIT 2",
                or_null(mapping.manager.as_ref()),
                joined(&mapping.name, read),
                read(&mapping.login),
                or_null(mapping.email.as_ref()),
                or_null(mapping.locale.as_ref()),
                or_null(mapping.state.as_ref().map(|state| &state.column)),
                read(&mapping.hash),
            );
            Statement { text, fixed }
        };
        let hold = dialect.locks_reads().then(|| format!("SELECT 1 FROM {table} WHERE {id} = ?1"));
        let set_password = {
            let (rest, fixed) = rest(2 + mapping.touch.len());
            let mut set = format!("{} = ?2", quoted(&mapping.hash));
            for (at, touch) in mapping.touch.iter().enumerate() {
                set += &format!(", {} = ?{}", quoted(&touch.column), 3 + at);
            }
            if let Some(epoch) = &mapping.epoch {
                set += &format!(", {} = coalesce({}, 0) + 1", quoted(epoch), column(epoch));
            }
            Statement { text: format!("UPDATE {table} SET {set} WHERE {id} = ?1{rest}"), fixed }
        };
        let upgrade = {
            let (rest, fixed) = rest(2);
            let text = format!("UPDATE {table} SET {} = ?2 WHERE {id} = ?1{rest}", quoted(&mapping.hash));
            Statement { text, fixed }
        };
        let sessions = |verb: &str| {
            mapping.sessions.as_ref().map(|sessions| {
                let table = quoted(&sessions.table);
                let (mut text, mut fixed) =
                    (format!("{verb} FROM {table} WHERE {table}.{} = ?1", quoted(&sessions.account)), Vec::new());
                if let Some(only) = &sessions.only {
                    text += &one_of(&format!("{table}.{}", quoted(&only.column)), dialect, &only.is, 1, &mut fixed);
                }
                Statement { text, fixed }
            })
        };
        Ok(Self {
            by_login: Find::new(&mapping, dialect, &mapping.login),
            by_email: mapping.email.as_ref().map(|email| Find::new(&mapping, dialect, email)),
            account,
            hold,
            count_sessions: sessions("SELECT count(*)"),
            end_sessions: sessions("DELETE"),
            set_password,
            upgrade,
            mapping,
            dialect,
            keys: OnceLock::new(),
        })
    }

    fn hold(&self, sql: &dyn Connection, id: &AccountId) -> Result<(), StorageError> {
        let (Some(hold), Some(key)) = (&self.hold, key(id, self.holds(sql)?[0])) else { return Ok(()) };
        sql.rows(hold, &[key]).map(drop).map_err(|error| self.naming(error, "locking an account in"))
    }

    fn account(&self, sql: &dyn Connection, id: &AccountId) -> Result<Option<Account>, StorageError> {
        let keyed = self.holds(sql)?[0];
        let Some(key) = key(id, keyed) else { return Ok(None) };
        let rows = sql
            .rows(&self.account.text, &self.account.with([key]))
            .map_err(|error| self.naming(error, "reading an account from"))?;
        if rows.len() > 1 {
            let cause = format!("column {} has a key twice; map the primary key as id", self.mapping.id);
            return Err(self.naming(StorageError::Failed { doing: String::new(), cause }, "reading an account from"));
        }
        let row = rows.into_iter().next().and_then(|row| <[Value; 8]>::try_from(row).ok());
        let Some([found, manager, name, login, email, locale, state, hash]) = row else {
            return Ok(None);
        };
        // The engine takes `042` and `4.2e1` for the number 42; an account has one name only.
        if key_text(&found, keyed).as_deref() != Some(id.key()) {
            return Ok(None);
        }
        let given = |value| text(value).filter(|text| !text.is_empty());
        let shown = |value| given(value).map(shortened);
        let state = self.mapping.state.as_ref().map(|mapped| mapped.of(state).to_owned());
        Ok(Some(Account {
            id: id.clone(),
            manager: given(manager),
            manager_realm: self.mapping.manager_realm.clone(),
            values: [shown(name), shown(login), shown(email), shown(locale), state],
            hash: given(hash),
        }))
    }

    fn replace(
        &self,
        sql: &dyn Connection,
        id: &AccountId,
        hash: &str,
        why: Why,
        now: i64,
    ) -> Result<(), StorageError> {
        let key = key(id, self.holds(sql)?[0]).ok_or(StorageError::Changed)?;
        let mut own = vec![key, Value::Text(hash.to_owned())];
        let statement = match why {
            Why::Upgrade => &self.upgrade,
            Why::Password => {
                own.extend(self.mapping.touch.iter().map(|touch| self.dialect.bound(touch.r#as.value(now))));
                &self.set_password
            }
        };
        let doing = "writing a hash to";
        let changed = sql.run(&statement.text, &statement.with(own)).map_err(|error| self.naming(error, doing))?;
        if changed != 1 {
            let cause = format!("{changed} rows were changed instead of one; look for a trigger on the table");
            return Err(self.naming(StorageError::Failed { doing: String::new(), cause }, doing));
        }
        if let (Why::Password, Some(end), Some(key)) = (why, &self.end_sessions, self.session_key(sql, id)?) {
            sql.run(&end.text, &end.with([key])).map_err(|error| self.naming(error, "ending sessions of"))?;
        }
        Ok(())
    }

    /// What the keys of accounts and sessions are compared as: read once, when they are first met.
    fn holds(&self, sql: &dyn Connection) -> Result<[Holds; 2], StorageError> {
        if let Some(holds) = self.keys.get() {
            return Ok(*holds);
        }
        let of = |table: &str, column: &str| {
            let columns = self.dialect.columns(sql, table)?;
            let found = columns.iter().find(|present| present.name.eq_ignore_ascii_case(column));
            // Of a column that is not there the engine says so itself.
            Ok(found.map_or(Holds::Text, |column| column.holds))
        };
        let accounts = of(&self.mapping.table, &self.mapping.id)?;
        let sessions = self.mapping.sessions.as_ref().map(|sessions| of(&sessions.table, &sessions.account));
        Ok(*self.keys.get_or_init(|| [accounts, sessions.transpose().ok().flatten().unwrap_or(accounts)]))
    }

    /// None: its type holds no such key, so there are no sessions of this account.
    fn session_key(&self, sql: &dyn Connection, id: &AccountId) -> Result<Option<Value>, StorageError> {
        Ok(key(id, self.holds(sql)?[1]))
    }

    /// The same error, saying which table it is about.
    fn naming(&self, error: StorageError, doing: &str) -> StorageError {
        match error {
            StorageError::Failed { cause, .. } => {
                StorageError::Failed { doing: format!("{doing} {}", self.mapping.table), cause }
            }
            other => other,
        }
    }
}

impl State {
    fn of(&self, value: Value) -> &'static str {
        let value = text(value);
        // As PostgreSQL writes a boolean.
        let flag = match value.as_deref() {
            Some("true") => Some("1"),
            Some("false") => Some("0"),
            _ => None,
        };
        let is = |one: &Scalar| {
            let one = text(one.value());
            one == value || (flag.is_some() && one.as_deref() == flag)
        };
        let listed = |values: &[Scalar]| values.iter().any(is);
        let suspended = match (&self.active, &self.suspended) {
            (Some(active), _) => !listed(active),
            (None, suspended) => suspended.as_deref().is_some_and(listed),
        };
        if suspended { "suspended" } else { "active" }
    }
}

impl As {
    fn value(self, now: i64) -> Value {
        let written = |format| {
            let at = jiff::Timestamp::from_millisecond(now).unwrap_or_default();
            Value::Text(at.to_zoned(jiff::tz::TimeZone::UTC).strftime(format).to_string())
        };
        match self {
            As::UnixSeconds => Value::Integer(now.div_euclid(1000)),
            As::UnixMillis => Value::Integer(now),
            As::Iso8601 => written("%Y-%m-%dT%H:%M:%SZ"),
            As::Datetime => written("%Y-%m-%d %H:%M:%S"),
            As::Zero => Value::Integer(0),
            As::Null => Value::Null,
            As::Empty => Value::Text(String::new()),
        }
    }
}

/// What ends every WHERE: the realm's own rows, not deleted. Its values follow `own` others.
fn rest(mapping: &Mapping, dialect: &dyn Dialect, own: usize) -> (String, Vec<Value>) {
    let column = |name: &str| format!("{}.{}", quoted(&mapping.table), quoted(name));
    let (mut text, mut fixed) = (String::new(), Vec::new());
    if let Some(only) = &mapping.only {
        text += &one_of(&column(&only.column), dialect, &only.is, own, &mut fixed);
    }
    if let Some(deleted) = &mapping.deleted {
        text += &format!(" AND {} IS NULL", column(deleted));
    }
    for (rows, exists) in [(&mapping.among, "EXISTS"), (&mapping.except, "NOT EXISTS")] {
        let Some(rows) = rows else { continue };
        text += &format!(
            " AND {exists} (SELECT 1 FROM {} AS {OTHER} WHERE {OTHER}.{} = {}",
            quoted(&rows.table),
            quoted(&rows.account),
            column(&mapping.id)
        );
        if let Some(only) = &rows.only {
            text += &one_of(&format!("{OTHER}.{}", quoted(&only.column)), dialect, &only.is, own, &mut fixed);
        }
        text += ")";
    }
    (text, fixed)
}

/// What `among` and `except` call their table: it may be the accounts' own.
const OTHER: &str = "keyturn_other";

/// The texts of these columns, one after another; those that say nothing leave no gap.
fn joined(columns: &[String], column: impl Fn(&str) -> String) -> String {
    match columns {
        [] => "NULL".to_owned(),
        [one] => column(one),
        several => {
            let said: Vec<String> = several.iter().map(|name| format!("nullif(trim({}), '')", column(name))).collect();
            format!("concat_ws(' ', {})", said.join(", "))
        }
    }
}

/// ` AND column IN (?n, …)`; its values go to `fixed`, which follow `own` others.
fn one_of(column: &str, dialect: &dyn Dialect, values: &[Scalar], own: usize, fixed: &mut Vec<Value>) -> String {
    let places = values.iter().map(|value| {
        fixed.push(dialect.bound(value.value()));
        format!("?{}", own + fixed.len())
    });
    format!(" AND {column} IN ({})", places.collect::<Vec<_>>().join(", "))
}

/// An account's key as its column holds it; none: it cannot hold such a key. Where each value has a type of its own, whole
/// numbers are numbers, which text columns compare as text.
fn key(id: &AccountId, holds: Holds) -> Option<Value> {
    let number = id.key().parse::<i64>().ok().filter(|number| number.to_string() == id.key());
    let text = || Value::Text(id.key().to_owned());
    match holds {
        Holds::Anything => Some(number.map_or_else(text, Value::Integer)),
        Holds::Integer => number.map(Value::Integer),
        Holds::Text => Some(text()),
        Holds::Uuid => is_uuid(id.key()).then(text),
        Holds::Bytes16 => unhex(id.key()).filter(|bytes| bytes.len() == 16).map(Value::Blob),
        Holds::Other => None,
    }
}

fn is_uuid(key: &str) -> bool {
    let groups: Vec<&str> = key.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]) && groups.iter().all(|group| unhex(group).is_some())
}

fn key_text(value: &Value, holds: Holds) -> Option<String> {
    match value {
        Value::Integer(number) => Some(number.to_string()),
        Value::Text(text) => Some(text.clone()),
        Value::Blob(bytes) if holds == Holds::Bytes16 => Some(hex(bytes)),
        Value::Null | Value::Real(_) | Value::Blob(_) => None,
    }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Integer(number) => Some(number.to_string()),
        Value::Real(number) => Some(number.to_string()),
        Value::Text(text) => Some(text),
        Value::Blob(bytes) => String::from_utf8(bytes).ok(),
    }
}
