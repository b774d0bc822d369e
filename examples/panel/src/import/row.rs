//! One row: checks each field on its own.

use std::collections::HashMap;

use csv::ByteRecord;
use keyturn_host::accounts::fold::fold;
use keyturn_host::mail::address;
use keyturn_host::view::words::Language;

use super::file::{Column, Columns};
use crate::people::{Kind, LONGEST, NewPerson, login_problem};
use crate::terminal::plain;

/// Bytes of a stored hash.
const LONGEST_HASH: usize = 255;
/// How databases export nothing: no name, no address, no hash.
const NOTHING: [&str; 2] = ["NULL", "\\N"];
/// How many characters of a wrong value are shown.
const SHOWN: usize = 30;

/// Why a row is not imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The field's column; `row` for the whole row.
    pub field: &'static str,
    /// The value, safe to show; none for the whole row.
    pub value: Option<String>,
    /// One sentence, without a full stop.
    pub reason: String,
}

impl Problem {
    /// About one field.
    pub fn about(column: Column, value: &str, reason: impl Into<String>) -> Self {
        let value = if column == Column::Password { masked(value) } else { shown(value) };
        Self { field: column.name(), value: Some(value), reason: reason.into() }
    }
}

/// Resellers by their folded logins.
pub type Resellers = HashMap<String, i64>;

/// The customer of a row, or everything that is wrong with the row itself. `since`: see [`NewPerson::since`].
pub fn read<'r>(
    columns: &Columns,
    row: &'r ByteRecord,
    resellers: &Resellers,
    since: &'r str,
) -> Result<NewPerson<'r>, Vec<Problem>> {
    if row.len() != columns.fields {
        let mut reason = format!("has {} fields; the first line has {}", row.len(), columns.fields);
        if row.len() > columns.fields {
            reason.push_str("; put fields that contain a separator, such as an argon2 hash, in quotes");
        }
        return Err(vec![Problem { field: "row", value: None, reason }]);
    }
    let mut problems = Vec::new();
    let mut text = |column: Column| {
        let bytes = columns.of(column, row);
        let Ok(text) = std::str::from_utf8(bytes) else {
            problems.push(Problem::about(column, &String::from_utf8_lossy(bytes), "is not UTF-8"));
            return None;
        };
        let problem = text.chars().find(|c| c.is_control()).map(|c| match c {
            '\0' => "has a NUL character",
            _ => "has a control character, such as a line break",
        });
        let most = if column == Column::Password { LONGEST_HASH } else { LONGEST };
        let problem = problem.map(str::to_owned).or_else(|| {
            let is = text.chars().count();
            (is > most).then(|| format!("has {is} characters; at most {most} are allowed"))
        });
        problems.extend(problem.iter().map(|problem| Problem::about(column, text, problem.as_str())));
        problem.is_none().then_some(if NOTHING.contains(&text.trim()) { "" } else { text })
    };
    let [login, email, name, password, reseller, state, language] = Column::ALL.map(&mut text);
    let mut wrong = |column, value, reason: String| problems.push(Problem::about(column, value, reason));
    if let Some((login, problem)) = login.and_then(|login| Some((login, login_problem(login)?))) {
        wrong(Column::Login, login, problem);
    }
    if let Some(email) = email.filter(|email| !email.is_empty() && address::check(email).is_err()) {
        wrong(Column::Email, email, "not an address".to_owned());
    }
    if let Some(name) = name.filter(|name| name.trim().is_empty()) {
        wrong(Column::Name, name, "is missing".to_owned());
    }
    let reseller = reseller.filter(|login| !login.is_empty()).and_then(|login| {
        let known = resellers.get(&fold(login)).copied();
        if known.is_none() {
            wrong(Column::Reseller, login, "no reseller has this login".to_owned());
        }
        known
    });
    let suspended = match state {
        None | Some("" | "active") => false,
        Some("suspended") => true,
        Some(other) => {
            wrong(Column::State, other, "must be active or suspended".to_owned());
            false
        }
    };
    let locale = match language.filter(|tag| !tag.is_empty()) {
        None => Language::default(),
        Some(tag) => Language::known(tag).unwrap_or_else(|| {
            wrong(Column::Language, tag, format!("must be one of {}", Language::ALL.map(Language::tag).join(", ")));
            Language::default()
        }),
    };
    match (login, email, name, password) {
        (Some(login), Some(email), Some(name), Some(password)) if problems.is_empty() => Ok(NewPerson {
            kind: Kind::Customer,
            login,
            email: Some(email).filter(|email| !email.is_empty()),
            name,
            locale: locale.tag(),
            suspended,
            reseller,
            hash: Some(password).filter(|password| !password.is_empty()),
            since,
        }),
        _ => Err(problems),
    }
}

/// A value that is safe to show: cut, without anything that would move a terminal's cursor.
pub fn shown(value: &str) -> String {
    match value.char_indices().nth(SHOWN) {
        Some((end, _)) => plain(&value[..end]) + "…",
        None => plain(value),
    }
}

/// A hash's mark and the name of its first parameter: `$6$rounds=…`. Nothing else, because some systems store plain text.
fn masked(hash: &str) -> String {
    let short = |text: &str| text.len() <= 16 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let marked = hash.strip_prefix('$').and_then(|rest| rest.split_once('$')).filter(|(id, _)| short(id));
    let Some((id, rest)) = marked else { return "…".to_owned() };
    let parameter = rest.split_once('=').map(|(name, _)| name).filter(|name| name.len() <= 8 && short(name));
    parameter.map_or_else(|| format!("${id}$…"), |name| format!("${id}${name}=…"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_hash_only_its_scheme_is_shown_and_of_plain_text_nothing() {
        for (hash, expected) in [
            ("$6$rounds=5000$salt$hash", "$6$rounds=…"),
            ("$2y$10$VaWrVMHme9.sSEEtNg04HOZ2AbhtkS", "$2y$…"),
            ("$argon2id$v=19$m=65536,t=4,p=1$salt$hash", "$argon2id$v=…"),
            ("hunter2", "…"),
            ("$my secret$", "…"),
            ("", "…"),
        ] {
            assert_eq!(masked(hash), expected);
        }
    }

    #[test]
    fn null_as_a_database_exports_it_is_nothing_and_null_as_a_person_is_called_is_a_name() {
        let header = ByteRecord::from(Column::ALL.map(Column::name).to_vec());
        let columns = Columns::named(&header).expect("columns");
        let row = |fields: [&str; 7]| ByteRecord::from(fields.to_vec());
        for nothing in ["NULL", "\\N", " NULL ", ""] {
            let optional = row(["null", nothing, "Ana Null", nothing, nothing, nothing, nothing]);
            let person = read(&columns, &optional, &Resellers::new(), "").expect("a customer");
            assert_eq!((person.login, person.email, person.name), ("null", None, "Ana Null"));
            assert!(person.hash.is_none() && person.reseller.is_none() && !person.suspended, "{nothing}");
            let needed = row([nothing, "", nothing, "", "", "", ""]);
            let problems = read(&columns, &needed, &Resellers::new(), "").map(drop).expect_err("no customer");
            let fields: Vec<&str> = problems.iter().map(|problem| problem.field).collect();
            assert_eq!(fields, ["login", "name"], "{nothing}: {problems:?}");
        }
    }

    #[test]
    fn what_is_shown_of_a_value_moves_no_cursor() {
        assert_eq!(shown("a\u{1b}[2Jb\r\nc"), "a\u{fffd}[2Jb\u{fffd}\u{fffd}c");
        assert_eq!(shown(&"é".repeat(40)), format!("{}…", "é".repeat(30)));
    }
}
