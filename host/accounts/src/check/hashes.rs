//! The stored hashes of a realm, grouped by scheme and costs, so that one of each group can stand for all.

use zeroize::Zeroizing;

use super::Look;
use crate::{Sql, quoted};
use keyturn_store::database::Connection;
use keyturn_store::{StorageError, Value};

/// Stored hashes of one kind and length.
pub struct HashKind {
    /// How they begin, up to the salt: `$2y$12$`.
    pub kind: String,
    /// One of them. Never to be shown.
    pub example: Zeroizing<String>,
    /// How many there are.
    pub count: i64,
}

/// Kinds at most, the most frequent first.
const MOST: u32 = 10_000;

impl Sql {
    /// The stored hashes of a realm, by kind, length and whether they are printable ASCII; none of one that is not mapped.
    ///
    /// # Errors
    /// [`StorageError`], where the tables are not as mapped.
    pub fn hash_kinds(&self, sql: &dyn Connection, name: &str) -> Result<Vec<HashKind>, StorageError> {
        let Some(realm) = self.realms.get(name) else {
            return Ok(Vec::new());
        };
        let look = Look { sql, provider: self, name, realm, findings: &mut Vec::new() };
        let (rest, parameters) = look.rest();
        let (table, hash) = (quoted(&realm.mapping.table), look.column(&realm.mapping.hash));
        let kinds = format!(
            "SELECT keyturn_kind({hash}), max({hash}), count(*) FROM {table} WHERE coalesce({hash}, '') <> ''{rest}
             GROUP BY keyturn_kind({hash}), length({hash}), {hash} GLOB '*[^!-~]*' ORDER BY count(*) DESC LIMIT {MOST}"
        );
        let rows = sql.rows(&kinds, &parameters)?.into_iter();
        let read = |row: Vec<Value>| match <[Value; 3]>::try_from(row) {
            Ok([Value::Text(kind), Value::Text(example), Value::Integer(count)]) => {
                Some(HashKind { kind, example: Zeroizing::new(example), count })
            }
            _ => None,
        };
        Ok(rows.filter_map(read).collect())
    }
}
