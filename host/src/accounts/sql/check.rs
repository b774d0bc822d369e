//! What `keyturn check` says of a mapping: whether the panel's tables are as it says, and what follows where they are
//! not. It reads only, and shows no value of anybody's.

use super::{Mapping, Provider as _, Realm, Sql, key_text, quoted, rest};
use crate::accounts::AccountId;
use crate::storage::{self, StorageError, Value};

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
    pub mend: Option<String>,
}

type Found = Result<(), StorageError>;

impl Sql {
    /// Looks at every realm's tables. What cannot be read is a finding too.
    #[must_use]
    pub fn check(&self, sql: &dyn storage::Sql) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (name, realm) in &self.realms {
            let mut look = Look { sql, provider: self, name, realm, findings: &mut findings };
            if let Err(error) = look.all() {
                look.say(Severity::Wrong, format!("{error}"), None);
            }
        }
        findings
    }
}

/// The scheme that a stored text names, with what encloses it; of a text that names none, only its length.
pub(super) fn scheme(hash: &str) -> String {
    let closing = match hash.chars().next() {
        Some('$') => Some('$'),
        Some('{') => Some('}'),
        _ => None,
    };
    let end = closing.and_then(|closing| hash.get(1..)?.find(closing)).filter(|end| *end <= 16);
    match end.and_then(|end| hash.get(..end + 2)) {
        Some(scheme) => scheme.to_owned(),
        None => format!("a text of {} bytes that names no scheme", hash.len()),
    }
}

struct Look<'a> {
    sql: &'a dyn storage::Sql,
    provider: &'a Sql,
    name: &'a str,
    realm: &'a Realm,
    findings: &'a mut Vec<Finding>,
}

impl<'a> Look<'a> {
    fn all(&mut self) -> Found {
        if self.columns()? {
            self.rows()?;
            self.key()?;
            self.login()?;
            if let Some(email) = &self.mapping().email {
                self.indexed("email", email, false)?;
            }
            self.hashes()?;
            self.sessions();
        }
        Ok(())
    }

    /// Whether all tables and columns are there.
    fn columns(&mut self) -> Result<bool, StorageError> {
        let mut complete = true;
        let mapping = self.mapping();
        let tables = [("table", Some(&mapping.table)), ("sessions.table", mapping.sessions.as_ref().map(|s| &s.table))];
        for (setting, table) in tables.into_iter().filter_map(|(setting, table)| Some((setting, table?))) {
            let present = self.texts("SELECT name FROM pragma_table_info(?1)", table)?;
            if present.is_empty() {
                complete = false;
                let all = "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'
                           AND name NOT LIKE 'keyturnhost_%' AND ?1 IS NOT NULL";
                let near = nearest(table, &self.texts(all, table)?);
                self.say(Severity::Wrong, format!("{setting}: there is no table {table}"), near);
                continue;
            }
            let of_sessions = setting == "sessions.table";
            for (setting, column) in mapping.names() {
                if setting.ends_with("table") || setting.starts_with("sessions.") != of_sessions {
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

    fn rows(&mut self) -> Found {
        let mapping = self.mapping();
        let count = self.count("1")?;
        let mut text = format!("table {} has {count} accounts", mapping.table);
        for (column, what) in [(mapping.email.as_ref(), "an address"), (Some(&mapping.hash), "a password")] {
            let Some(column) = column else { continue };
            let without = self.count(&format!("coalesce({}, '') = ''", self.column(column)))?;
            if without > 0 {
                text += &format!(", {without} without {what}");
            }
        }
        self.say(Severity::Good, text, None);
        Ok(())
    }

    /// Looks an account up by its key, as a call would.
    fn key(&mut self) -> Found {
        let mapping = self.mapping();
        let (rest, parameters) = self.rest();
        let id = self.column(&mapping.id);
        let first = format!("SELECT {id} FROM {} WHERE 1{rest} LIMIT 1", quoted(&mapping.table));
        let Some(value) = self.sql.query(&first, &parameters)?.into_iter().flatten().next() else {
            return Ok(());
        };
        let named = key_text(&value).and_then(|key| AccountId::new(self.name, &key).ok());
        let found = match &named {
            Some(id) => self.provider.account(self.sql, id)?.is_some(),
            None => false,
        };
        if !found {
            let text = format!("id: column {} holds keys that name no account", mapping.id);
            let mend = "map an integer, or short text such as a UUID, as id".to_owned();
            self.say(Severity::Wrong, text, Some(mend));
        }
        Ok(())
    }

    fn login(&mut self) -> Found {
        let mapping = self.mapping();
        let login = &mapping.login;
        let (rest, parameters) = self.rest();
        let column = self.column(login);
        let twice = format!(
            "SELECT count(*) FROM (SELECT 1 FROM {} WHERE {column} IS NOT NULL{rest}
             GROUP BY keyturn_fold({column}) HAVING count(*) > 1)",
            quoted(&mapping.table)
        );
        let shared = self.number(&twice, &parameters)?;
        if shared > 0 {
            let text = format!("login: {shared} logins in column {login} belong to several accounts each");
            let mend = "make them differ by more than case, or map another column as login".to_owned();
            self.say(Severity::Wrong, text, Some(mend));
        }
        self.indexed("login", login, shared == 0 && rest.is_empty())
    }

    /// Whether the statement that finds by this column is served by an index.
    fn indexed(&mut self, setting: &str, column: &str, unique: bool) -> Found {
        let statement = match (setting, &self.realm.by_email) {
            ("email", Some((by_email, _))) => by_email,
            _ => &self.realm.by_login,
        };
        let parameters = statement.with([Value::Text("x".to_owned()), Value::Integer(10)]);
        let plan = self.sql.query(&format!("EXPLAIN QUERY PLAN {}", statement.text), &parameters)?;
        let served =
            plan.iter().flatten().any(|value| matches!(value, Value::Text(step) if step.starts_with("SEARCH")));
        if served {
            self.say(Severity::Good, format!("{setting}: found by an index"), None);
            return Ok(());
        }
        let mapping = self.mapping();
        let kind = if unique { "UNIQUE INDEX" } else { "INDEX" };
        let index = quoted(&format!("{}_{column}_lower", mapping.table));
        let mend = format!("CREATE {kind} {index} ON {} (lower({}));", quoted(&mapping.table), quoted(column));
        let text = format!("{setting}: no index serves lower({column}), so each look-up reads the whole table");
        self.say(Severity::Note, text, Some(mend));
        Ok(())
    }

    fn hashes(&mut self) -> Found {
        let mapping = self.mapping();
        let hash = self.column(&mapping.hash);
        let (rest, parameters) = self.rest();
        // Those of one scheme and length are alike enough to be shown by one of them.
        let kinds = format!(
            "SELECT max({hash}), count(*) FROM {} WHERE coalesce({hash}, '') <> ''{rest}
             GROUP BY substr({hash}, 1, instr(substr({hash}, 2), substr({hash}, 1, 1)) + 1),
                      CASE WHEN substr({hash}, 1, 1) = '$' THEN 0 ELSE length({hash}) END
             ORDER BY count(*) DESC LIMIT 1000",
            quoted(&mapping.table)
        );
        let mut counts: Vec<(String, i64, bool)> = Vec::new();
        for row in self.sql.query(&kinds, &parameters)? {
            let [Value::Text(example), Value::Integer(count)] = row.as_slice() else {
                continue;
            };
            let known = mapping.accepts.iter().any(|kind| example.starts_with(&kind.prefix));
            let scheme = scheme(example);
            match counts.iter_mut().find(|(other, _, _)| *other == scheme) {
                Some((_, total, _)) => *total += count,
                None => counts.push((scheme, *count, known)),
            }
        }
        if mapping.accepts.is_empty() {
            let text = "accepts: names no hash, so that no password can be set".to_owned();
            let mend = "list the prefixes that the panel's own code verifies, such as accepts = [\"$2y$\"]".to_owned();
            self.say(Severity::Wrong, text, Some(mend));
        }
        for (scheme, count, accepted) in counts.into_iter().take(20) {
            let are = if count == 1 { "password is" } else { "passwords are" };
            let text = format!("hash: {count} {are} stored as {scheme}");
            if accepted {
                self.say(Severity::Good, text + ", which is accepted", None);
            } else {
                let text = text + ", which accepts does not name: such a hash can be replaced, not written";
                self.say(Severity::Note, text, None);
            }
        }
        Ok(())
    }

    fn sessions(&mut self) {
        let mapping = self.mapping();
        let (severity, text, mend) = match (&mapping.sessions, &mapping.epoch) {
            (Some(sessions), _) => {
                (Severity::Good, format!("sessions: ended in {} with each new password", sessions.table), None)
            }
            (None, Some(epoch)) => (
                Severity::Note,
                format!("epoch: column {epoch} is raised with each new password; the panel must compare it"),
                None,
            ),
            (None, None) => (
                Severity::Note,
                "sessions and epoch are not mapped: the panel must end sessions itself".to_owned(),
                Some("map sessions = { table, account }, or compare the session epoch at each request".to_owned()),
            ),
        };
        self.say(severity, text, mend);
    }

    fn mapping(&self) -> &'a Mapping {
        &self.realm.mapping
    }

    fn column(&self, name: &str) -> String {
        format!("{}.{}", quoted(&self.mapping().table), quoted(name))
    }

    fn rest(&self) -> (String, Vec<Value>) {
        rest(self.mapping(), 0)
    }

    fn count(&self, condition: &str) -> Result<i64, StorageError> {
        let (rest, parameters) = self.rest();
        let table = quoted(&self.mapping().table);
        self.number(&format!("SELECT count(*) FROM {table} WHERE {condition}{rest}"), &parameters)
    }

    fn number(&self, text: &str, parameters: &[Value]) -> Result<i64, StorageError> {
        Ok(match self.sql.query(text, parameters)?.into_iter().flatten().next() {
            Some(Value::Integer(number)) => number,
            _ => 0,
        })
    }

    fn texts(&self, text: &str, parameter: &str) -> Result<Vec<String>, StorageError> {
        let rows = self.sql.query(text, &[Value::Text(parameter.to_owned())])?;
        Ok(rows.iter().flatten().filter_map(key_text).collect())
    }

    fn say(&mut self, severity: Severity, text: String, mend: Option<String>) {
        let text = format!("accounts.{}: {text}", self.name);
        self.findings.push(Finding { severity, text, mend });
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
            (if contains { 1 } else { distance(&name, &lower) }, other)
        })
        .filter(|(distance, other)| *distance <= name.len().max(other.len()) / 2)
        .collect();
    ranked.sort();
    let offered: Vec<&str> = ranked.into_iter().take(3).map(|(_, other)| other.as_str()).collect();
    if offered.is_empty() { None } else { Some(format!("did you mean {}?", offered.join(" or "))) }
}

/// How many letters must be put in, taken out or changed (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
