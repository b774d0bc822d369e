//! What `keyturn check` says of a mapping: whether the panel's tables are as it says, and what follows where they are
//! not. It reads only, and shows no value of anybody's.

mod hashes;
mod sessions;
mod spellings;
mod unusable;

pub use hashes::HashKind;
pub use keyturn_core::stored::kind;

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::ops::ControlFlow;

use super::{As, Mapping, Provider as _, Realm, Sql, State, Touch, key_text, quoted, rest, text};
use keyturn_core::accounts::AccountId;
use keyturn_core::fold::fold;
use keyturn_store::database::{Bind, Connection, ValueRef};
use keyturn_store::dialect::{Dialect, Table};
use keyturn_store::{StorageError, Value};

/// How good a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// As it should be.
    Good,
    /// It works, and the operator should know it.
    Note,
    /// It does not work.
    Wrong,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How good it is.
    pub severity: Severity,
    /// What was found, naming the setting.
    pub text: String,
    /// What to do about it: SQL to run, or a setting to change.
    pub fix: Option<String>,
}

/// How many accounts a realm has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// All of them.
    pub accounts: i64,
    /// Those with an address.
    pub addresses: i64,
    /// Those with a password.
    pub passwords: i64,
}

type Found = Result<(), StorageError>;

impl Sql {
    /// Counts the accounts of a realm; none of one that is not mapped.
    ///
    /// # Errors
    /// [`StorageError`], where the tables are not as mapped.
    pub fn tally(&self, sql: &dyn Connection, name: &str) -> Result<Tally, StorageError> {
        let Some(realm) = self.realms.get(name) else {
            return Ok(Tally::default());
        };
        let look = Look { sql, provider: self, name, realm, findings: &mut Vec::new() };
        let given = |column: &String| look.count(&look.given(column));
        Ok(Tally {
            accounts: look.count("TRUE")?,
            addresses: realm.mapping.email.as_ref().map(given).transpose()?.unwrap_or_default(),
            passwords: given(&realm.mapping.hash)?,
        })
    }

    /// Checks every realm's tables. An unreadable table is a finding, too. `most`: accounts of one address that get email.
    #[must_use]
    pub fn check(&self, sql: &dyn Connection, most: usize) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (name, realm) in &self.realms {
            let mut look = Look { sql, provider: self, name, realm, findings: &mut findings };
            if let Err(error) = look.all(most) {
                look.say(Severity::Wrong, format!("{error}"), None);
            }
        }
        findings
    }
}

/// The word that Django, Werkzeug and others write before a hash, with what ends it. Some systems store plain text, so it must look
/// like a hash: long, of several parts, one of which is a cost.
fn word(hash: &str) -> Option<&str> {
    let end = hash.find(['$', ':']).filter(|end| (3..=16).contains(end))?;
    let (word, rest) = hash.split_at(end);
    let named = word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    let is_cost = |part: &str| part.contains('=') || !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let parts: Vec<&str> = rest.split(['$', ':']).collect();
    let hash_like = hash.len() >= 32 && hash.bytes().all(|b| b.is_ascii_graphic());
    (named && hash_like && parts.len() > 3 && parts.into_iter().any(is_cost)).then_some(&hash[..=end])
}

/// The scheme that a stored text names, with what encloses it; of a text that names none, only its length.
pub(super) fn scheme(hash: &str) -> String {
    if let Some(word) = word(hash) {
        return word.to_owned();
    }
    let closing = match hash.chars().next() {
        Some('$') => Some('$'),
        Some('{') => Some('}'),
        _ => None,
    };
    let end = closing.and_then(|closing| hash.get(1..)?.find(closing)).filter(|end| *end <= 16);
    match end.and_then(|end| hash.get(..end + 2)) {
        Some(scheme) => scheme.to_owned(),
        None => format!("a text of {} bytes without a scheme", hash.len()),
    }
}

struct Look<'a> {
    sql: &'a dyn Connection,
    provider: &'a Sql,
    name: &'a str,
    realm: &'a Realm,
    findings: &'a mut Vec<Finding>,
}

impl<'a> Look<'a> {
    fn all(&mut self, most: usize) -> Found {
        if self.columns()? {
            self.rows()?;
            self.key()?;
            self.state()?;
            self.login()?;
            if let Some(email) = self.mapping().email.as_ref().filter(|email| **email != self.mapping().login) {
                self.indexed("email", email, false)?;
            }
            self.addresses()?;
            self.spellings()?;
            self.shared(most)?;
            self.hashes()?;
            self.touched()?;
            self.sessions()?;
            self.overlooked()?;
        }
        Ok(())
    }

    /// Whether all tables and columns are there.
    fn columns(&mut self) -> Result<bool, StorageError> {
        let mut complete = true;
        let mapping = self.mapping();
        let tables = mapping.others().map(|(setting, rows)| (Some(setting), &rows.table));
        for (other, table) in [(None, &mapping.table)].into_iter().chain(tables) {
            let setting = other.map_or_else(|| "table".to_owned(), |other| format!("{other}.table"));
            let present = self.present(table)?;
            if present.is_empty() {
                complete = false;
                let names: Vec<String> = self.tables()?.into_iter().map(|table| table.name).collect();
                self.say(Severity::Wrong, format!("{setting}: there is no table {table}"), nearest(table, &names));
                continue;
            }
            let written = other.is_none() || other == Some("sessions");
            let same = |other: &Table| other.name.eq_ignore_ascii_case(table);
            if let Some((why, instead)) = self.tables()?.into_iter().find(same).and_then(|table| table.unfit)
                && written
            {
                self.say(Severity::Wrong, format!("{setting}: {table} {why}"), Some(instead));
            }
            for (setting, column) in mapping.names() {
                let of =
                    mapping.others().map(|(other, _)| other).find(|other| setting.starts_with(&format!("{other}.")));
                if setting.ends_with("table") || of != other {
                    continue;
                }
                if !present.iter().any(|name| name.eq_ignore_ascii_case(column)) {
                    complete = false;
                    let text = format!("{setting}: table {table} has no column {column}");
                    self.say(Severity::Wrong, text, nearest(column, &present));
                }
            }
        }
        Ok(complete)
    }

    fn present(&self, table: &str) -> Result<Vec<String>, StorageError> {
        Ok(self.dialect().columns(self.sql, table)?.into_iter().map(|column| column.name).collect())
    }

    fn tables(&self) -> Result<Vec<Table>, StorageError> {
        self.dialect().tables(self.sql)
    }

    fn rows(&mut self) -> Found {
        let mapping = self.mapping();
        let tally = self.provider.tally(self.sql, self.name)?;
        let accounts = if tally.accounts == 1 { "account" } else { "accounts" };
        let mut text = format!("table {} has {} {accounts}", mapping.table, tally.accounts);
        let addresses = mapping.email.as_ref().map(|_| (tally.addresses, "an address"));
        for (with, what) in addresses.into_iter().chain([(tally.passwords, "a password")]) {
            if with < tally.accounts {
                text += &format!(", {} without {what}", tally.accounts - with);
            }
        }
        let optional = [
            ("name", (!mapping.name.is_empty()).then(|| mapping.name.join(" + ")), "emails greet nobody by name"),
            ("email", mapping.email.clone(), "nobody gets email"),
            ("locale", mapping.locale.clone(), "emails are in English"),
            ("state", mapping.state.as_ref().map(|state| state.column.clone()), "nobody counts as suspended"),
        ];
        let bears = |(setting, column): (&str, &str)| format!("{setting} = {column}");
        let mut mapped: Vec<String> =
            [("id", mapping.id.as_str()), ("login", &mapping.login), ("hash", &mapping.hash)].map(bears).into();
        mapped.extend(optional.iter().filter_map(|(setting, column, _)| Some(bears((setting, column.as_deref()?)))));
        text += &format!("\nmapped: {}", mapped.join(", "));
        let without = optional.iter().filter(|(_, column, _)| column.is_none());
        let without: Vec<String> = without.map(|(setting, _, cost)| format!("{setting} ({cost})")).collect();
        if !without.is_empty() {
            text += &format!("\nnot mapped: {}", without.join(", "));
        }
        self.say(Severity::Good, text, None);
        Ok(())
    }

    /// Counts the suspended accounts, and finds values that look like a known one but are written differently.
    fn state(&mut self) -> Found {
        let mapping = self.mapping();
        let Some(state @ State { column, active, suspended }) = &mapping.state else { return Ok(()) };
        let (rest, parameters) = self.rest();
        let table = quoted(&mapping.table);
        let of = self.text(column);
        let values = format!("SELECT {of}, count(*) FROM {table} WHERE TRUE{rest} GROUP BY {of} LIMIT 101");
        let rows = self.sql.rows(&values, &parameters)?;
        if rows.len() > 100 {
            let text = format!("state: column {column} has more than 100 different values, so it is not a state");
            let fix = "map the column that says who is suspended, or none".to_owned();
            self.say(Severity::Wrong, text, Some(fix));
            return Ok(());
        }
        let (mut counts, mut unlike) = ([0, 0], None);
        for row in rows {
            let Ok([value, Value::Integer(count)]) = <[Value; 2]>::try_from(row) else {
                continue;
            };
            counts[usize::from(state.of(value.clone()) == "suspended")] += count;
            let Some(value) = text(value) else { continue };
            let mut listed = active.iter().chain(suspended).flatten().filter_map(|one| text(one.value()));
            let like = listed.find(|one| *one != value && one.eq_ignore_ascii_case(value.trim()));
            unlike = unlike.or(like.map(|listed| (listed, value)));
        }
        let [active, suspended] = counts;
        self.say(Severity::Good, format!("state: {active} active, {suspended} suspended"), None);
        if let Some((listed, held)) = unlike {
            let text =
                format!("state: column {column} also has “{held}”, which “{listed}” in the mapping does not match");
            let fix = "list each value exactly as stored".to_owned();
            self.say(Severity::Wrong, text, Some(fix));
        }
        Ok(())
    }

    /// Looks an account up by its key, as a call would.
    fn key(&mut self) -> Found {
        let mapping = self.mapping();
        let (rest, parameters) = self.rest();
        let id = self.column(&mapping.id);
        let first = format!("SELECT {id} FROM {} WHERE TRUE{rest} LIMIT 1", quoted(&mapping.table));
        let Some(value) = self.sql.rows(&first, &parameters)?.into_iter().flatten().next() else {
            return Ok(());
        };
        let keyed = self.realm.holds(self.sql)?[0];
        let named = key_text(&value, keyed).and_then(|key| AccountId::new(self.name, &key).ok());
        let found = match &named {
            Some(id) => self.provider.account(self.sql, id)?.is_some(),
            None => false,
        };
        if !found {
            let text = format!("id: column {} has keys that can't name an account", mapping.id);
            let fix = "map an integer, or short text such as a UUID, as id".to_owned();
            self.say(Severity::Wrong, text, Some(fix));
        }
        Ok(())
    }

    fn login(&mut self) -> Found {
        let mapping = self.mapping();
        let login = &mapping.login;
        let shared = self.several(login)?.values().filter(|count| **count > 1).count();
        if shared > 0 {
            let text = format!("login: {shared} logins in column {login} belong to several accounts each");
            let fix =
                "make them differ by more than case, spaces and invisible characters, or map another column as login"
                    .to_owned();
            self.say(Severity::Wrong, text, Some(fix));
        }
        self.indexed("login", login, shared == 0 && self.rest().0.is_empty())
    }

    /// Whether the statement that finds by this column is served by an index.
    fn indexed(&mut self, setting: &str, column: &str, unique: bool) -> Found {
        let find = match (setting, &self.realm.by_email) {
            ("email", Some(by_email)) => by_email,
            _ => &self.realm.by_login,
        };
        let (statement, parameters) = self.realm.example(self.sql, find)?;
        if self.dialect().uses_index(self.sql, statement, &parameters, &self.mapping().table)? {
            self.say(Severity::Good, format!("{setting}: found by an index"), None);
            return Ok(());
        }
        let mapping = self.mapping();
        let kind = if unique { "UNIQUE INDEX" } else { "INDEX" };
        let index = quoted(&format!("{}_{column}_lower", mapping.table));
        let over = self.dialect().index_over(&quoted(column));
        let fix = format!("CREATE {kind} {index} ON {} ({over});", quoted(&mapping.table));
        let fix = self.dialect().for_a_session(fix);
        let text =
            format!("{setting}: no index serves {}, so each look-up reads the whole table", over.replace('"', ""));
        self.say(Severity::Note, text, Some(fix));
        Ok(())
    }

    fn hashes(&mut self) -> Found {
        let mapping = self.mapping();
        let mut counts: Vec<(String, i64, bool)> = Vec::new();
        for HashKind { example, count, .. } in self.kinds()? {
            let known = mapping.accepts.iter().any(|kind| example.starts_with(&kind.prefix));
            let scheme = scheme(&example);
            match counts.iter_mut().find(|(other, _, _)| *other == scheme) {
                Some((_, total, _)) => *total += count,
                None => counts.push((scheme, count, known)),
            }
        }
        counts.sort_by_key(|(_, count, _)| std::cmp::Reverse(*count));
        if mapping.accepts.is_empty() {
            let text = "accepts: it is empty, so no password can be set".to_owned();
            let fix = "list the prefixes that the panel's own code verifies, such as accepts = [\"$2y$\"]".to_owned();
            self.say(Severity::Wrong, text, Some(fix));
        }
        for (scheme, count, accepted) in counts.into_iter().take(20) {
            let are = if count == 1 { "password is" } else { "passwords are" };
            let text = format!("hash: {count} {are} stored as {scheme}");
            if accepted {
                self.say(Severity::Good, text + ", which is accepted", None);
            } else {
                let text =
                    text + "; accepts doesn't list it, so new passwords are not stored like that, and replace it";
                self.say(Severity::Note, text, None);
            }
        }
        Ok(())
    }

    /// Whether the columns that a new password sets to NULL can be that.
    fn touched(&mut self) -> Found {
        let mapping = self.mapping();
        let columns = self.dialect().columns(self.sql, &mapping.table)?;
        for Touch { column, .. } in mapping.touch.iter().filter(|touch| touch.r#as == As::Null) {
            if columns.iter().any(|present| present.name.eq_ignore_ascii_case(column) && !present.null) {
                let text = format!("touch: column {column} can't be NULL, so no password can be set");
                let fix =
                    format!("{{ column = \"{column}\", as = \"empty\" }}, or another value that ends what it holds");
                self.say(Severity::Wrong, text, Some(fix));
            }
        }
        Ok(())
    }

    /// Columns that by their names want to be mapped.
    fn overlooked(&mut self) -> Found {
        let mapping = self.mapping();
        let present = self.present(&mapping.table)?;
        let used: Vec<&str> = mapping.names().into_iter().map(|(_, name)| name).collect();
        for (column, cost, fix) in [
            ("deleted_at", "deleted accounts are found like all others", "deleted = \"deleted_at\""),
            (
                "remember_token",
                "remembered people stay signed in after a new password",
                "touch = [{ column = \"remember_token\", as = \"null\" }]",
            ),
        ] {
            if present.iter().any(|name| name == column) && !used.contains(&column) {
                self.say(Severity::Note, format!("column {column} is not mapped: {cost}"), Some(fix.to_owned()));
            }
        }
        Ok(())
    }

    fn mapping(&self) -> &'a Mapping {
        &self.realm.mapping
    }

    fn dialect(&self) -> &'static dyn Dialect {
        self.realm.dialect
    }

    fn column(&self, name: &str) -> String {
        format!("{}.{}", quoted(&self.mapping().table), quoted(name))
    }

    fn text(&self, name: &str) -> String {
        self.dialect().text(&self.column(name))
    }

    /// The condition that there is something in a column.
    fn given(&self, name: &str) -> String {
        format!("coalesce({}, '') <> ''", self.text(name))
    }

    fn rest(&self) -> (String, Vec<Value>) {
        rest(self.mapping(), self.dialect(), 0)
    }

    /// Hands the texts of a column to `each`, one row at a time: of as many people as there are.
    fn each_text(&self, name: &str, condition: &str, mut each: impl FnMut(&str)) -> Found {
        let (rest, parameters) = self.rest();
        let table = quoted(&self.mapping().table);
        let sql = format!("SELECT {} FROM {table} WHERE {condition}{rest}", self.text(name));
        let parameters: Vec<ValueRef<'_>> = parameters.iter().map(Bind::bind).collect();
        self.sql.query(&sql, &parameters, &mut |row| {
            match row.column(0)? {
                ValueRef::Text(stored) => each(stored),
                other => text(other.to_owned()).iter().for_each(|stored| each(stored)),
            }
            Ok(ControlFlow::Continue(()))
        })
    }

    /// How many accounts have each text of a column, in any spelling, by a hash of it.
    fn several(&self, name: &str) -> Result<HashMap<u64, usize>, StorageError> {
        let (hasher, mut counts) = (RandomState::new(), HashMap::new());
        self.each_text(name, &self.given(name), |stored| {
            *counts.entry(hasher.hash_one(fold(stored))).or_default() += 1;
        })?;
        Ok(counts)
    }

    fn count(&self, condition: &str) -> Result<i64, StorageError> {
        let (rest, parameters) = self.rest();
        let table = quoted(&self.mapping().table);
        self.number(&format!("SELECT count(*) FROM {table} WHERE {condition}{rest}"), &parameters)
    }

    fn number(&self, text: &str, parameters: &[Value]) -> Result<i64, StorageError> {
        Ok(match self.sql.rows(text, parameters)?.into_iter().flatten().next() {
            Some(Value::Integer(number)) => number,
            _ => 0,
        })
    }

    fn say(&mut self, severity: Severity, text: String, fix: Option<String>) {
        let text = format!("accounts.{}: {text}", self.name);
        self.findings.push(Finding { severity, text, fix });
    }
}

/// Which of `present` may have been meant.
fn nearest(name: &str, present: &[String]) -> Option<String> {
    let name = name.to_lowercase();
    let mut ranked: Vec<(usize, &String)> = present
        .iter()
        .map(|other| {
            let lower = other.to_lowercase();
            let contains = lower.contains(&name) || name.contains(&lower);
            (if contains { 1 } else { strsim::levenshtein(&name, &lower) }, other)
        })
        .filter(|(distance, other)| *distance <= name.len().max(other.len()) / 2)
        .collect();
    ranked.sort();
    let offered: Vec<&str> = ranked.into_iter().take(3).map(|(_, other)| other.as_str()).collect();
    if offered.is_empty() { None } else { Some(format!("did you mean {}?", offered.join(" or "))) }
}
