//! A file that is only looked at.

use super::connection::{Db, failed};
use super::dialect::words;
use keyturn_store::StorageError;
use keyturn_store::schema::{self, Beginning};

/// What was found in a file that was opened to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Whether it is in WAL mode.
    pub wal: bool,
    /// The version of the host's tables in it; none: there are none.
    pub version: Option<usize>,
    /// The version that the next start makes of them.
    pub newest: usize,
}

/// For a connection that changes nothing: tables that are missing or older stand in its memory as they will be, with what the
/// older ones hold. Answers the version that the file has; none: it has none of them.
pub(super) fn stand_in(db: &Db) -> Result<Option<usize>, StorageError> {
    let doing = "looking at the tables keyturnhost_*";
    let present = schema::version(db)?;
    if present > schema::NEWEST {
        return Err(schema::newer(doing, present));
    }
    let db = &db.0;
    let stands_in = || {
        let made = |(_, sql): (usize, &str)| {
            schema::statements(sql).try_for_each(|statement| {
                let statement = words(statement)
                    .replace("CREATE TABLE ", "CREATE TEMP TABLE ")
                    .replace(" INDEX keyturnhost_", " INDEX temp.keyturnhost_");
                db.execute_batch(&statement)
            })
        };
        if present == schema::NEWEST {
            return Ok(());
        }
        Beginning::Migrations.steps(0).take(present).try_for_each(made)?;
        let tables =
            r"SELECT name FROM sqlite_temp_schema WHERE type = 'table' AND name LIKE 'keyturnhost\_%' ESCAPE '\'";
        let tables = db.prepare(tables)?.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
        for table in tables {
            db.execute(&format!("INSERT INTO temp.{table} SELECT * FROM main.{table}"), [])?;
        }
        Beginning::Migrations.steps(present).try_for_each(made)
    };
    stands_in().map_err(|cause| failed(doing, &cause))?;
    Ok((present > 0).then_some(present))
}
