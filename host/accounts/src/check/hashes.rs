//! The stored hashes of a realm, grouped by scheme and costs, so that one of each group can stand for all.

use std::collections::HashMap;

use zeroize::Zeroizing;

use super::{Look, kind};
use crate::Sql;
use keyturn_store::StorageError;
use keyturn_store::database::Connection;

/// Stored hashes of one kind and length.
pub struct HashKind {
    /// How they begin, up to the salt: `$2y$12$`.
    pub kind: String,
    /// One of them. Never to be shown.
    pub example: Zeroizing<String>,
    /// How many there are.
    pub count: i64,
}

/// Kinds at most: a column that has more holds no hashes.
const MOST: usize = 10_000;

impl Sql {
    /// The stored hashes of a realm, by kind, length and whether they are printable ASCII; none of one that is not mapped.
    ///
    /// # Errors
    /// [`StorageError`], where the tables are not as mapped.
    pub fn hash_kinds(&self, sql: &dyn Connection, name: &str) -> Result<Vec<HashKind>, StorageError> {
        let Some(realm) = self.realms.get(name) else {
            return Ok(Vec::new());
        };
        Look { sql, provider: self, name, realm, findings: &mut Vec::new() }.kinds()
    }
}

impl Sql {
    /// Whether the column of a realm's hashes holds this one whole.
    ///
    /// # Errors
    /// [`StorageError`], where the tables are not as mapped.
    pub fn holds(&self, sql: &dyn Connection, name: &str, hash: &str) -> Result<Result<(), String>, StorageError> {
        let Some(realm) = self.realms.get(name) else { return Ok(Ok(())) };
        let columns = realm.dialect.columns(sql, &realm.mapping.table)?;
        let column = columns.iter().find(|column| column.name.eq_ignore_ascii_case(&realm.mapping.hash));
        let most = column.and_then(|column| column.most).and_then(|most| usize::try_from(most).ok());
        Ok(match most.filter(|most| *most < hash.len()) {
            Some(most) => {
                let hash = hash.len();
                Err(format!("column {} holds {most} characters, and such a hash has {hash}", realm.mapping.hash))
            }
            None => Ok(()),
        })
    }
}

impl Look<'_> {
    /// The most frequent first.
    pub(super) fn kinds(&self) -> Result<Vec<HashKind>, StorageError> {
        let hash = &self.mapping().hash;
        let mut kinds: HashMap<(String, usize, bool), HashKind> = HashMap::new();
        self.each_text(hash, &self.given(hash), |stored| {
            let kind = kind(stored);
            let alike = (kind.to_owned(), stored.len(), stored.bytes().all(|byte| byte.is_ascii_graphic()));
            if kinds.len() >= MOST && !kinds.contains_key(&alike) {
                return;
            }
            let found = kinds.entry(alike).or_insert_with(|| HashKind {
                kind: kind.to_owned(),
                example: Zeroizing::new(stored.to_owned()),
                count: 0,
            });
            found.count += 1;
        })?;
        let mut kinds: Vec<HashKind> = kinds.into_values().collect();
        kinds.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.example.cmp(&b.example)));
        Ok(kinds)
    }
}
