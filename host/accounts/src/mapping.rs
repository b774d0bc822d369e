//! How the operator says where the panel keeps its people: one [`Mapping`] for each realm.

use serde::de::{Error as _, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer};

use keyturn_store::Value;

/// A mapping that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {problem}")]
pub struct MappingError {
    /// The setting, from the realm on: `customer.state`.
    pub setting: String,
    /// What is wrong with it, and what would be right.
    pub problem: String,
}

/// One realm's table and columns.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Mapping {
    /// The table. No view: of an update that a trigger of a view makes, SQLite does not say how many rows it changed.
    pub table: String,
    /// The key: an integer, or text such as a UUID.
    pub id: String,
    /// What is typed at sign-in.
    pub login: String,
    /// The mail address.
    pub email: Option<String>,
    /// The person's or company's name: a column, or several whose texts follow one another.
    #[serde(default, deserialize_with = "one_or_several")]
    pub name: Vec<String>,
    /// The language, BCP 47.
    pub locale: Option<String>,
    /// Which accounts are suspended. Without it the panel doesn't say.
    pub state: Option<State>,
    /// The key of the account's manager.
    pub manager: Option<String>,
    /// The realm of those managers. Without it, an account of any realm with that key is the manager.
    pub manager_realm: Option<String>,
    /// The stored hash. NULL and the empty string: no password.
    pub hash: String,
    /// What the panel's own code verifies.
    #[serde(default)]
    pub accepts: Vec<Accepts>,
    /// The panel's sessions: those of an account are deleted with its old password.
    pub sessions: Option<Rows>,
    /// An integer column that is raised by one with each new password, for sessions that remember it.
    pub epoch: Option<String>,
    /// Columns to set with each new password. Another form of the same password sets none of them.
    #[serde(default)]
    pub touch: Vec<Touch>,
    /// The rows of this realm, where one table holds several.
    pub only: Option<Only>,
    /// Another table that must name an account, for it to be of this realm: where roles stand apart.
    pub among: Option<Rows>,
    /// Another table that must not name it.
    pub except: Option<Rows>,
    /// The column that is not NULL in deleted rows, which nobody finds.
    pub deleted: Option<String>,
}

/// A name, or a list of names.
fn one_or_several<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a column, or a list of columns")]
    enum Names {
        One(String),
        Several(Vec<String>),
    }
    Ok(match Names::deserialize(deserializer)? {
        Names::One(name) => vec![name],
        Names::Several(names) => names,
    })
}

impl Mapping {
    /// Every name of one mapping, with its setting.
    pub(super) fn names(&self) -> Vec<(&'static str, &str)> {
        let mut names =
            vec![("table", self.table.as_str()), ("id", &self.id), ("login", &self.login), ("hash", &self.hash)];
        let optional = [
            ("email", &self.email),
            ("locale", &self.locale),
            ("manager", &self.manager),
            ("epoch", &self.epoch),
            ("deleted", &self.deleted),
        ];
        names.extend(optional.into_iter().filter_map(|(setting, name)| Some((setting, name.as_deref()?))));
        names.extend(self.name.iter().map(|name| ("name", name.as_str())));
        names.extend(self.state.iter().map(|state| ("state.column", state.column.as_str())));
        names.extend(self.only.iter().map(|only| ("only.column", only.column.as_str())));
        names.extend(self.touch.iter().map(|touch| ("touch.column", touch.column.as_str())));
        for ([table, account, column], rows) in [
            (["sessions.table", "sessions.account", "sessions.only.column"], &self.sessions),
            (["among.table", "among.account", "among.only.column"], &self.among),
            (["except.table", "except.account", "except.only.column"], &self.except),
        ] {
            let Some(rows) = rows else { continue };
            names.extend([(table, rows.table.as_str()), (account, &rows.account)]);
            names.extend(rows.only.iter().map(|only| (column, only.column.as_str())));
        }
        names
    }

    /// The other tables that it names, with the settings' common beginning.
    pub(super) fn others(&self) -> impl Iterator<Item = (&'static str, &Rows)> {
        let others = [("sessions", &self.sessions), ("among", &self.among), ("except", &self.except)];
        others.into_iter().filter_map(|(setting, rows)| Some((setting, rows.as_ref()?)))
    }

    pub(super) fn check_names(&self, realm: &str) -> Result<(), MappingError> {
        let wrong = |setting: &str, problem: &str| {
            Err(MappingError { setting: format!("{realm}.{setting}"), problem: problem.to_owned() })
        };
        for (setting, name) in self.names() {
            if name.is_empty() || name.len() > 64 || name.chars().any(char::is_control) {
                return wrong(setting, "must be a name of 1 to 64 bytes");
            }
            if setting.ends_with("table") && name.to_ascii_lowercase().starts_with("keyturnhost_") {
                return wrong(setting, "names one of the host's own tables; map a table of the panel");
            }
        }
        if self.state.as_ref().is_some_and(|state| state.active.is_some() == state.suspended.is_some()) {
            return wrong("state", "needs either active or suspended, a list of values");
        }
        let own = self.only.iter().map(|only| ("only.is".to_owned(), only));
        let others =
            self.others().filter_map(|(setting, rows)| Some((format!("{setting}.only.is"), rows.only.as_ref()?)));
        for (setting, only) in own.chain(others) {
            if only.is.is_empty() {
                return wrong(&setting, "is empty, so it would match no row");
            }
        }
        let mut set: Vec<&str> = self.touch.iter().map(|touch| touch.column.as_str()).collect();
        set.extend([self.id.as_str(), self.hash.as_str()]);
        set.extend(self.epoch.as_deref());
        for (at, column) in set.iter().enumerate() {
            if set[..at].iter().any(|other| other.eq_ignore_ascii_case(column)) {
                return wrong("touch", &format!("column {column} is named twice, or is mapped as id, hash or epoch"));
            }
        }
        Ok(())
    }
}

/// A column that separates suspended from active accounts: one list is enough, all other values mean the opposite.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct State {
    /// The column.
    pub column: String,
    /// Values of active accounts.
    pub active: Option<Vec<Scalar>>,
    /// Values of suspended accounts.
    pub suspended: Option<Vec<Scalar>>,
}

/// Rows of another table that belong to accounts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Rows {
    /// The table.
    pub table: String,
    /// The column with the account's key.
    pub account: String,
    /// Which of its rows: where one table holds several realms', or several roles.
    pub only: Option<Only>,
}

/// Rows whose column holds one of these values.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Only {
    /// The column.
    pub column: String,
    /// The values.
    pub is: Vec<Scalar>,
}

/// A column that is set with each new password.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Touch {
    /// The column.
    pub column: String,
    /// To what.
    pub r#as: As,
}

/// What a touched column is set to. Times are UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum As {
    /// Whole seconds since 1970.
    UnixSeconds,
    /// Milliseconds since 1970.
    UnixMillis,
    /// `2026-11-24T08:36:22Z`.
    Iso8601,
    /// `2026-11-24 08:36:22`.
    Datetime,
    /// 0: clears a flag, or resets a count.
    Zero,
    /// NULL: a token that no longer holds.
    Null,
    /// The empty text: the same in a column that can't be NULL.
    Empty,
}

/// A value in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    /// A number.
    Integer(i64),
    /// 1 or 0.
    Flag(bool),
    /// Text.
    Text(String),
}

impl Scalar {
    /// To be bound.
    #[must_use]
    pub fn value(&self) -> Value {
        match self {
            Scalar::Integer(number) => Value::Integer(*number),
            Scalar::Flag(flag) => Value::Integer(i64::from(*flag)),
            Scalar::Text(text) => Value::Text(text.clone()),
        }
    }
}

/// A kind of hash that the panel verifies, by how it begins, with ceilings for what it costs to verify. Written as a
/// table, or as the prefix alone, with the ceilings of [`Accepts::of`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepts {
    /// How it begins: the scheme between two `$`.
    pub prefix: String,
    /// Its bytes at most: what the column holds.
    pub max_length: usize,
    /// The most that a number right after the prefix may be, such as a logarithm of rounds.
    pub max_cost: u32,
    /// The most that a parameter `name=number` may be, by its name. Others are free.
    pub limits: Vec<(String, u64)>,
}

impl Accepts {
    /// Accepts what begins with `prefix`, up to 255 bytes, with costs that a panel can afford: a cost up to 15, memory `m` up
    /// to 256 MiB in KiB, passes `t` up to 10, lanes `p` up to 8, `rounds` up to a million.
    #[must_use]
    pub fn of(prefix: &str) -> Self {
        let limits = [("m", 262_144), ("t", 10), ("p", 8), ("rounds", 1_000_000)];
        let limits = limits.into_iter().map(|(name, most)| (name.to_owned(), most)).collect();
        Self { prefix: prefix.to_owned(), max_length: 255, max_cost: 15, limits }
    }

    /// Whether `hash` is of this kind and within its ceilings.
    ///
    /// # Errors
    /// What is too much, and the setting that says so.
    pub fn admits(&self, hash: &str) -> Result<(), String> {
        if hash.len() > self.max_length {
            return Err(format!("it has {} bytes, and max-length is {}", hash.len(), self.max_length));
        }
        let mut segments = hash.strip_prefix(self.prefix.as_str()).unwrap_or_default().split('$').peekable();
        if let Some(cost) = segments.peek().and_then(|segment| number(segment))
            && cost > u64::from(self.max_cost)
        {
            return Err(format!("its cost is {cost}, and max-cost is {}", self.max_cost));
        }
        for (name, value) in segments.flat_map(|segment| segment.split(',')).filter_map(|part| part.split_once('=')) {
            if let Some((_, most)) = self.limits.iter().find(|(limited, _)| limited == name)
                && let Some(value) = number(value).filter(|value| value > most)
            {
                return Err(format!("its {name} is {value}, and limits.{name} is {most}"));
            }
        }
        Ok(())
    }
}

/// The number that `digits` write; one that is too large is the largest.
fn number(digits: &str) -> Option<u64> {
    let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| digits.parse().unwrap_or(u64::MAX))
}

impl<'de> Deserialize<'de> for Accepts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case")]
        struct Table {
            prefix: String,
            max_length: Option<usize>,
            max_cost: Option<u32>,
            #[serde(default)]
            limits: std::collections::BTreeMap<String, u64>,
        }

        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Accepts;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a prefix such as \"$2y$\", or a table with prefix, max-length, max-cost and limits")
            }

            fn visit_str<E: serde::de::Error>(self, prefix: &str) -> Result<Accepts, E> {
                if prefix.is_empty() { Err(E::custom("the prefix is empty")) } else { Ok(Accepts::of(prefix)) }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Accepts, A::Error> {
                let table = Table::deserialize(MapAccessDeserializer::new(map))?;
                if table.prefix.is_empty() {
                    return Err(A::Error::custom("the prefix is empty"));
                }
                let mut accepts = Accepts::of(&table.prefix);
                accepts.max_length = table.max_length.unwrap_or(accepts.max_length);
                accepts.max_cost = table.max_cost.unwrap_or(accepts.max_cost);
                for (name, most) in table.limits {
                    accepts.limits.retain(|(limited, _)| *limited != name);
                    accepts.limits.push((name, most));
                }
                Ok(accepts)
            }
        }

        deserializer.deserialize_any(Either)
    }
}
