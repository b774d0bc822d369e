//! The host's own tables in the panel's file, and how they came to be.

use super::connection::Db;
use rusqlite::OptionalExtension as _;

use super::connection::failed;
use keyturn_core::seal::Keys;
use keyturn_store::StorageError;

/// Each is run once, in order; what was published is never changed.
pub(super) const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE keyturnhost_data (
        plugin TEXT NOT NULL,
        key TEXT NOT NULL,
        value BLOB NOT NULL,
        expires INTEGER,
        PRIMARY KEY (plugin, key)
    ) STRICT;
    CREATE INDEX keyturnhost_data_expires ON keyturnhost_data (expires) WHERE expires IS NOT NULL;
    CREATE TABLE keyturnhost_totals (
        plugin TEXT PRIMARY KEY,
        bytes INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE keyturnhost_epochs (
        account TEXT PRIMARY KEY,
        epoch TEXT NOT NULL,
        hash_mac BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE keyturnhost_records (
        id BLOB PRIMARY KEY,
        answer BLOB NOT NULL,
        expires INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX keyturnhost_records_expires ON keyturnhost_records (expires);
    CREATE TABLE keyturnhost_counters (
        plugin TEXT NOT NULL,
        key TEXT NOT NULL,
        span INTEGER NOT NULL,
        step INTEGER NOT NULL,
        count INTEGER NOT NULL,
        ends INTEGER NOT NULL,
        PRIMARY KEY (plugin, key, span, step)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX keyturnhost_counters_ends ON keyturnhost_counters (ends);
    CREATE TABLE keyturnhost_audit (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at INTEGER NOT NULL,
        plugin TEXT NOT NULL,
        operation TEXT NOT NULL,
        actor TEXT NOT NULL,
        outcome TEXT NOT NULL,
        address TEXT,
        request TEXT NOT NULL
    ) STRICT;
    CREATE INDEX keyturnhost_audit_operation ON keyturnhost_audit (operation, id);
    CREATE TABLE keyturnhost_audit_subjects (
        account TEXT NOT NULL,
        entry INTEGER NOT NULL,
        place INTEGER NOT NULL,
        role TEXT NOT NULL,
        PRIMARY KEY (account, entry, place)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX keyturnhost_audit_subjects_entry ON keyturnhost_audit_subjects (entry, place);
",
    "
    CREATE TABLE keyturnhost_key (id INTEGER PRIMARY KEY CHECK (id = 1), mac BLOB NOT NULL) STRICT;
",
    "
    CREATE TABLE keyturnhost_usage (
        plugin TEXT NOT NULL,
        kind TEXT NOT NULL,
        amount INTEGER NOT NULL,
        PRIMARY KEY (plugin, kind)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE keyturnhost_templates (
        id BLOB PRIMARY KEY,
        text BLOB NOT NULL
    ) STRICT;
    CREATE TABLE keyturnhost_outbox (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        plugin TEXT NOT NULL,
        recipient TEXT NOT NULL,
        template_name TEXT NOT NULL,
        template BLOB NOT NULL,
        variables BLOB NOT NULL,
        secrets BLOB,
        state TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        due INTEGER,
        lease TEXT,
        asked_at INTEGER NOT NULL,
        changed_at INTEGER NOT NULL,
        expires INTEGER NOT NULL,
        address_mac BLOB,
        last_at INTEGER,
        server TEXT,
        last TEXT,
        obstacle TEXT
    ) STRICT;
    CREATE INDEX keyturnhost_outbox_due ON keyturnhost_outbox (due) WHERE due IS NOT NULL;
    CREATE INDEX keyturnhost_outbox_recipient ON keyturnhost_outbox (recipient, number);
    CREATE INDEX keyturnhost_outbox_state ON keyturnhost_outbox (state, number);
    CREATE INDEX keyturnhost_outbox_asked ON keyturnhost_outbox (plugin, asked_at);
    CREATE INDEX keyturnhost_outbox_whole ON keyturnhost_outbox (expires) WHERE secrets IS NOT NULL;
    CREATE INDEX keyturnhost_outbox_done ON keyturnhost_outbox (asked_at) WHERE secrets IS NULL;
    CREATE TABLE keyturnhost_tasks (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        plugin TEXT NOT NULL,
        charged TEXT NOT NULL,
        name TEXT NOT NULL,
        key TEXT,
        payload BLOB,
        address TEXT,
        depth INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        due INTEGER,
        lease TEXT,
        asked_at INTEGER NOT NULL,
        outcome TEXT
    ) STRICT;
    CREATE UNIQUE INDEX keyturnhost_tasks_key ON keyturnhost_tasks (plugin, name, key)
        WHERE key IS NOT NULL AND lease IS NULL AND due IS NOT NULL;
    CREATE INDEX keyturnhost_tasks_due ON keyturnhost_tasks (due) WHERE due IS NOT NULL;
    CREATE INDEX keyturnhost_tasks_failed ON keyturnhost_tasks (asked_at) WHERE due IS NULL;
    CREATE TABLE keyturnhost_workers (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        beat INTEGER NOT NULL
    ) STRICT;
",
    "
    CREATE TABLE keyturnhost_service_keys (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL UNIQUE,
        content BLOB NOT NULL,
        used_at INTEGER,
        used_from TEXT
    ) STRICT;
",
    "
    CREATE TABLE keyturnhost_settings (
        name TEXT PRIMARY KEY,
        value BLOB NOT NULL,
        secret BLOB
    ) STRICT, WITHOUT ROWID;
",
    "
    CREATE TABLE keyturnhost_deliveries (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        destination TEXT NOT NULL,
        plugin TEXT NOT NULL,
        event TEXT NOT NULL,
        account TEXT,
        payload BLOB NOT NULL,
        state TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        due INTEGER,
        lease TEXT,
        asked_at INTEGER NOT NULL,
        changed_at INTEGER NOT NULL,
        tried TEXT
    ) STRICT;
    CREATE INDEX keyturnhost_deliveries_due ON keyturnhost_deliveries (destination, due) WHERE due IS NOT NULL;
    CREATE INDEX keyturnhost_deliveries_waiting ON keyturnhost_deliveries (destination, plugin) WHERE due IS NOT NULL;
    CREATE INDEX keyturnhost_deliveries_state ON keyturnhost_deliveries (destination, state, number);
    CREATE INDEX keyturnhost_deliveries_done ON keyturnhost_deliveries (changed_at) WHERE due IS NULL;
    CREATE TABLE keyturnhost_destinations (
        name TEXT PRIMARY KEY,
        disabled_at INTEGER,
        missed INTEGER NOT NULL,
        missed_at INTEGER
    ) STRICT, WITHOUT ROWID;
",
    "
    DROP INDEX keyturnhost_outbox_asked;
",
    "
    DROP INDEX keyturnhost_deliveries_waiting;
    DROP INDEX keyturnhost_deliveries_done;
    CREATE INDEX keyturnhost_deliveries_turn ON keyturnhost_deliveries (destination, plugin, due) WHERE due IS NOT NULL;
    CREATE INDEX keyturnhost_deliveries_done ON keyturnhost_deliveries (destination, plugin, state, number)
        WHERE due IS NULL;
    CREATE INDEX keyturnhost_deliveries_changed ON keyturnhost_deliveries (changed_at);
",
    "
    CREATE TABLE keyturnhost_addresses (
        account TEXT PRIMARY KEY,
        seen BLOB NOT NULL,
        before BLOB,
        changed INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX keyturnhost_addresses_changed ON keyturnhost_addresses (changed) WHERE changed IS NOT NULL;
",
    "
    ALTER TABLE keyturnhost_audit ADD COLUMN service_key TEXT;
    ALTER TABLE keyturnhost_audit ADD COLUMN times INTEGER;
    CREATE INDEX keyturnhost_audit_at ON keyturnhost_audit (at);
    CREATE INDEX keyturnhost_audit_counted ON keyturnhost_audit (at) WHERE times IS NOT NULL;
    CREATE INDEX keyturnhost_outbox_wiped ON keyturnhost_outbox (plugin, number) WHERE secrets IS NULL;
",
];

/// The version of the tables that this program makes.
pub(super) const NEWEST: usize = MIGRATIONS.len();

/// Brings the tables to this version. Of two processes that start at once, one does it.
pub(super) fn migrate(db: &Db) -> Result<(), StorageError> {
    let newest = NEWEST as i64;
    let doing = "preparing the tables keyturnhost_*";
    let run = |sql: &str| db.execute_batch(sql).map_err(|cause| failed(doing, &cause));
    if version(db)? == newest {
        return Ok(());
    }
    run("BEGIN IMMEDIATE")?;
    let migrated = (|| {
        let present = version(db)?;
        if present > newest {
            return Err(newer(doing, present));
        }
        run("CREATE TABLE IF NOT EXISTS keyturnhost_migrations (
            version INTEGER PRIMARY KEY, applied INTEGER NOT NULL DEFAULT (unixepoch())
        ) STRICT")?;
        for (at, sql) in MIGRATIONS.iter().enumerate().skip(usize::try_from(present).unwrap_or(0)) {
            run(sql)?;
            db.execute("INSERT INTO keyturnhost_migrations (version) VALUES (?1)", [at as i64 + 1])
                .map_err(|cause| failed(doing, &cause))?;
        }
        run("COMMIT")
    })();
    if migrated.is_err() && !db.is_autocommit() {
        run("ROLLBACK")?;
    }
    migrated
}

/// For a connection that changes nothing: tables that are missing or older stand in its memory as they will be, with what the
/// older ones hold. Answers the version that the file has; none: it has none of them.
pub(super) fn stand_in(db: &Db) -> Result<Option<usize>, StorageError> {
    let doing = "looking at the tables keyturnhost_*";
    let present = usize::try_from(version(db)?).unwrap_or(0);
    let (Some(before), Some(since)) = (MIGRATIONS.get(..present), MIGRATIONS.get(present..)) else {
        return Err(newer(doing, present as i64));
    };
    let stands_in = || {
        let made = |sql: &&str| {
            let sql = sql
                .replace("CREATE TABLE ", "CREATE TEMP TABLE ")
                .replace(" INDEX keyturnhost_", " INDEX temp.keyturnhost_");
            db.execute_batch(&sql)
        };
        if since.is_empty() {
            return Ok(());
        }
        before.iter().try_for_each(made)?;
        let tables =
            r"SELECT name FROM sqlite_temp_schema WHERE type = 'table' AND name LIKE 'keyturnhost\_%' ESCAPE '\'";
        let tables = db.prepare(tables)?.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
        for table in tables {
            db.execute(&format!("INSERT INTO temp.{table} SELECT * FROM main.{table}"), [])?;
        }
        since.iter().try_for_each(made)
    };
    stands_in().map_err(|cause| failed(doing, &cause))?;
    Ok((present > 0).then_some(present))
}

fn newer(doing: &str, present: i64) -> StorageError {
    let cause = format!("they have version {present}, and this program supports {NEWEST}; use a newer program");
    StorageError::Failed { doing: doing.to_owned(), cause }
}

/// Whether these keys are those that sealed what stands here, if any have; nothing is noted.
pub(super) fn looks_like_key(db: &Db, keys: &Keys) -> Result<(), StorageError> {
    let noted: rusqlite::Result<Option<Vec<u8>>> =
        db.query_row("SELECT mac FROM keyturnhost_key", [], |row| row.get(0)).optional();
    match noted.map_err(|cause| failed("reading keyturnhost_key", &cause))? {
        Some(noted) if noted != keys.mac("this database", &[]) => Err(StorageError::OtherKey),
        _ => Ok(()),
    }
}

/// Whether these keys are those that sealed what stands here; the first ones are noted. With others every value would look
/// forged, every link unknown and every session ended, and nothing would say why.
pub(super) fn check_key(db: &Db, keys: &Keys) -> Result<(), StorageError> {
    let mac = keys.mac("this database", &[]);
    let noted = || -> rusqlite::Result<Vec<u8>> {
        let read = "SELECT mac FROM keyturnhost_key";
        if let Some(noted) = db.query_row(read, [], |row| row.get(0)).optional()? {
            return Ok(noted);
        }
        // Of two processes that start at once, one notes its keys.
        db.execute("INSERT OR IGNORE INTO keyturnhost_key VALUES (1, ?1)", [mac])?;
        db.query_row(read, [], |row| row.get(0))
    };
    let noted = noted().map_err(|cause| failed("reading keyturnhost_key", &cause))?;
    if noted == mac { Ok(()) } else { Err(StorageError::OtherKey) }
}

/// Notes these keys in place of others, and voids what those have sealed.
pub(super) fn replace_key(db: &Db, keys: &Keys) -> Result<(), StorageError> {
    let replace = || {
        db.execute_batch(
            "BEGIN IMMEDIATE;
             DELETE FROM keyturnhost_data;
             DELETE FROM keyturnhost_totals;
             DELETE FROM keyturnhost_records;
             DELETE FROM keyturnhost_counters;
             DELETE FROM keyturnhost_epochs;
             DELETE FROM keyturnhost_addresses;
             DELETE FROM keyturnhost_outbox;
             DELETE FROM keyturnhost_templates;
             DELETE FROM keyturnhost_tasks;
             DELETE FROM keyturnhost_deliveries;
             DELETE FROM keyturnhost_service_keys;
             DELETE FROM keyturnhost_usage;
             DELETE FROM keyturnhost_settings;",
        )?;
        db.execute("INSERT OR REPLACE INTO keyturnhost_key VALUES (1, ?1)", [keys.mac("this database", &[])])?;
        db.execute_batch("COMMIT")
    };
    let replaced = replace().map_err(|cause| failed("noting another key file", &cause));
    if replaced.is_err() && !db.is_autocommit() {
        let _ = db.execute_batch("ROLLBACK");
    }
    replaced
}

fn version(db: &Db) -> Result<i64, StorageError> {
    let read = || {
        let there = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'keyturnhost_migrations'";
        match db.query_row(there, [], |_| Ok(())).optional()? {
            None => Ok(0),
            Some(()) => {
                db.query_row("SELECT coalesce(max(version), 0) FROM keyturnhost_migrations", [], |row| row.get(0))
            }
        }
    };
    read().map_err(|cause| failed("reading keyturnhost_migrations", &cause))
}
