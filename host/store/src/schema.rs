//! The host's own tables in the panel's file, and how they came to be.

use super::audit::chain;
use super::database::{Connection, params};
use super::error::StorageError;
use super::hosts::SILENT_MS;
use super::moves;
use keyturn_core::seal::Keys;

/// How a file of SQLite's came to have [`TABLES`], in SQLite's words. What was published never changes, and nothing is added:
/// what came later is in [`SINCE`].
pub const MIGRATIONS: &[&str] = &[
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
    "
    ALTER TABLE keyturnhost_tasks ADD COLUMN state TEXT NOT NULL DEFAULT 'queued';
    ALTER TABLE keyturnhost_tasks ADD COLUMN changed_at INTEGER NOT NULL DEFAULT 0;
    UPDATE keyturnhost_tasks SET changed_at = asked_at, state = CASE WHEN due IS NULL THEN 'gave-up'
        WHEN lease IS NOT NULL THEN 'sending' WHEN attempts > 0 THEN 'delayed' ELSE 'queued' END;
",
];

/// The tables that [`MIGRATIONS`] make, for an engine that begins with them; they never change either. Its words for types are
/// `NUMBER`, a primary key that numbers itself; `INTEGER`, of 64 bits; `NAME`, at most 200 characters that a key holds, compared
/// as bytes; `TEXT`; `DIGEST`, 32 bytes; and `BYTES`.
pub const TABLES: &str = "
    CREATE TABLE keyturnhost_data (plugin NAME NOT NULL, key NAME NOT NULL, value BYTES NOT NULL, expires INTEGER,
        PRIMARY KEY (plugin, key));
    CREATE INDEX keyturnhost_data_expires ON keyturnhost_data (expires) WHERE expires IS NOT NULL;
    CREATE TABLE keyturnhost_totals (plugin NAME PRIMARY KEY, bytes INTEGER NOT NULL);
    CREATE TABLE keyturnhost_epochs (account NAME PRIMARY KEY, epoch TEXT NOT NULL, hash_mac BYTES NOT NULL);
    CREATE TABLE keyturnhost_records (id DIGEST PRIMARY KEY, answer BYTES NOT NULL, expires INTEGER NOT NULL);
    CREATE INDEX keyturnhost_records_expires ON keyturnhost_records (expires);
    CREATE TABLE keyturnhost_counters (plugin NAME NOT NULL, key NAME NOT NULL, span INTEGER NOT NULL, step INTEGER NOT NULL,
        count INTEGER NOT NULL, ends INTEGER NOT NULL, PRIMARY KEY (plugin, key, span, step));
    CREATE INDEX keyturnhost_counters_ends ON keyturnhost_counters (ends);
    CREATE TABLE keyturnhost_audit (id NUMBER, at INTEGER NOT NULL, plugin TEXT NOT NULL, operation NAME NOT NULL,
        actor TEXT NOT NULL, outcome TEXT NOT NULL, address TEXT, request TEXT NOT NULL, service_key TEXT, times INTEGER);
    CREATE INDEX keyturnhost_audit_operation ON keyturnhost_audit (operation, id);
    CREATE INDEX keyturnhost_audit_at ON keyturnhost_audit (at);
    CREATE INDEX keyturnhost_audit_counted ON keyturnhost_audit (at) WHERE times IS NOT NULL;
    CREATE TABLE keyturnhost_audit_subjects (account NAME NOT NULL, entry INTEGER NOT NULL, place INTEGER NOT NULL,
        role TEXT NOT NULL, PRIMARY KEY (account, entry, place));
    CREATE INDEX keyturnhost_audit_subjects_entry ON keyturnhost_audit_subjects (entry, place);
    CREATE TABLE keyturnhost_key (id INTEGER PRIMARY KEY CHECK (id = 1), mac BYTES NOT NULL);
    CREATE TABLE keyturnhost_usage (plugin NAME NOT NULL, kind NAME NOT NULL, amount INTEGER NOT NULL,
        PRIMARY KEY (plugin, kind));
    CREATE TABLE keyturnhost_templates (id DIGEST PRIMARY KEY, text BYTES NOT NULL);
    CREATE TABLE keyturnhost_outbox (number NUMBER, id NAME NOT NULL UNIQUE, plugin NAME NOT NULL, recipient NAME NOT NULL,
        template_name TEXT NOT NULL, template BYTES NOT NULL, variables BYTES NOT NULL, secrets BYTES, state NAME NOT NULL,
        attempts INTEGER NOT NULL, due INTEGER, lease TEXT, asked_at INTEGER NOT NULL, changed_at INTEGER NOT NULL,
        expires INTEGER NOT NULL, address_mac BYTES, last_at INTEGER, server TEXT, last TEXT, obstacle TEXT);
    CREATE INDEX keyturnhost_outbox_due ON keyturnhost_outbox (due) WHERE due IS NOT NULL;
    CREATE INDEX keyturnhost_outbox_recipient ON keyturnhost_outbox (recipient, number);
    CREATE INDEX keyturnhost_outbox_state ON keyturnhost_outbox (state, number);
    CREATE INDEX keyturnhost_outbox_whole ON keyturnhost_outbox (expires) WHERE secrets IS NOT NULL;
    CREATE INDEX keyturnhost_outbox_done ON keyturnhost_outbox (asked_at) WHERE secrets IS NULL;
    CREATE INDEX keyturnhost_outbox_wiped ON keyturnhost_outbox (plugin, number) WHERE secrets IS NULL;
    CREATE TABLE keyturnhost_tasks (number NUMBER, id NAME NOT NULL UNIQUE, kind TEXT NOT NULL, plugin NAME NOT NULL,
        charged NAME NOT NULL, name NAME NOT NULL, key NAME, payload BYTES, address TEXT, depth INTEGER NOT NULL,
        attempts INTEGER NOT NULL, due INTEGER, lease TEXT, asked_at INTEGER NOT NULL, outcome TEXT, state TEXT NOT NULL,
        changed_at INTEGER NOT NULL);
    CREATE UNIQUE INDEX keyturnhost_tasks_key ON keyturnhost_tasks (plugin, name, key)
        WHERE key IS NOT NULL AND lease IS NULL AND due IS NOT NULL;
    CREATE INDEX keyturnhost_tasks_due ON keyturnhost_tasks (due) WHERE due IS NOT NULL;
    CREATE INDEX keyturnhost_tasks_failed ON keyturnhost_tasks (asked_at) WHERE due IS NULL;
    CREATE TABLE keyturnhost_workers (id INTEGER PRIMARY KEY CHECK (id = 1), beat INTEGER NOT NULL);
    CREATE TABLE keyturnhost_service_keys (number NUMBER, id NAME NOT NULL UNIQUE, name NAME NOT NULL UNIQUE,
        content BYTES NOT NULL, used_at INTEGER, used_from TEXT);
    CREATE TABLE keyturnhost_settings (name NAME PRIMARY KEY, value BYTES NOT NULL, secret BYTES);
    CREATE TABLE keyturnhost_deliveries (number NUMBER, id NAME NOT NULL UNIQUE, destination NAME NOT NULL,
        plugin NAME NOT NULL, event TEXT NOT NULL, account TEXT, payload BYTES NOT NULL, state NAME NOT NULL,
        attempts INTEGER NOT NULL, due INTEGER, lease TEXT, asked_at INTEGER NOT NULL, changed_at INTEGER NOT NULL,
        tried TEXT);
    CREATE INDEX keyturnhost_deliveries_due ON keyturnhost_deliveries (destination, due) WHERE due IS NOT NULL;
    CREATE INDEX keyturnhost_deliveries_state ON keyturnhost_deliveries (destination, state, number);
    CREATE INDEX keyturnhost_deliveries_turn ON keyturnhost_deliveries (destination, plugin, due) WHERE due IS NOT NULL;
    CREATE INDEX keyturnhost_deliveries_done ON keyturnhost_deliveries (destination, plugin, state, number)
        WHERE due IS NULL;
    CREATE INDEX keyturnhost_deliveries_changed ON keyturnhost_deliveries (changed_at);
    CREATE TABLE keyturnhost_destinations (name NAME PRIMARY KEY, disabled_at INTEGER, missed INTEGER NOT NULL,
        missed_at INTEGER);
    CREATE TABLE keyturnhost_addresses (account NAME PRIMARY KEY, seen BYTES NOT NULL, before BYTES, changed INTEGER);
    CREATE INDEX keyturnhost_addresses_changed ON keyturnhost_addresses (changed) WHERE changed IS NOT NULL;
    CREATE TABLE keyturnhost_migrations (version INTEGER PRIMARY KEY, applied INTEGER NOT NULL);
";

/// What changed since, on every engine: each is run once, in order, and never changed once published. In the words of [`TABLES`],
/// by statements `CREATE TABLE`, `CREATE INDEX`, `DROP INDEX name ON table`, `ALTER TABLE name ADD COLUMN` of one column, and such
/// as change rows and may run twice: on MariaDB each is a transaction of its own, and a start that died begins the migration again.
pub const SINCE: &[&str] = &[
    "
    CREATE TABLE keyturnhost_touched (id DIGEST PRIMARY KEY, times INTEGER NOT NULL, at INTEGER NOT NULL);
    CREATE INDEX keyturnhost_touched_at ON keyturnhost_touched (at);
",
    "
    CREATE TABLE keyturnhost_moves (id INTEGER PRIMARY KEY CHECK (id = 1), state TEXT NOT NULL, copy TEXT NOT NULL,
        place TEXT NOT NULL, at INTEGER NOT NULL);
",
    "
    CREATE TABLE keyturnhost_hosts (id NAME PRIMARY KEY, started INTEGER NOT NULL, beat INTEGER NOT NULL, worked INTEGER,
        ahead INTEGER NOT NULL, ended INTEGER);
    DROP TABLE IF EXISTS keyturnhost_workers;
",
    "
    ALTER TABLE keyturnhost_audit ADD COLUMN mark INTEGER;
    ALTER TABLE keyturnhost_audit ADD COLUMN mac BYTES;
    ALTER TABLE keyturnhost_audit ADD COLUMN sequence INTEGER;
    CREATE INDEX keyturnhost_audit_sequence ON keyturnhost_audit (sequence, id);
    CREATE TABLE keyturnhost_audit_chains (name NAME PRIMARY KEY, first INTEGER NOT NULL, before BYTES NOT NULL,
        last INTEGER NOT NULL, mac BYTES NOT NULL, began INTEGER NOT NULL, taken INTEGER NOT NULL, taking INTEGER NOT NULL,
        seal BYTES NOT NULL);
",
    "
    ALTER TABLE keyturnhost_addresses ADD COLUMN since INTEGER;
",
];

/// What an engine begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginning {
    /// [`MIGRATIONS`], one after the other.
    Migrations,
    /// [`TABLES`], at once.
    Tables,
}

impl Beginning {
    /// What makes the newest tables of those of version `present`: each SQL, and the version that it makes.
    pub fn steps(self, present: usize) -> impl Iterator<Item = (usize, &'static str)> {
        let first: &[&str] = match self {
            Beginning::Migrations => MIGRATIONS,
            Beginning::Tables => &[TABLES],
        };
        let versions = MIGRATIONS.len() + 1 - first.len()..;
        let steps = versions.zip(first.iter().chain(SINCE).copied());
        steps.filter(move |(version, _)| *version > present)
    }
}

/// The statements of [`TABLES`], or of a migration.
pub fn statements(sql: &str) -> impl Iterator<Item = &str> {
    sql.split(';').map(str::trim).filter(|statement| !statement.is_empty())
}

/// Makes the tables, or brings them to [`NEWEST`]; `words` puts a statement into the engine's. Two hosts that start at once must
/// not both be in here, unless a table that is there already is made by none of them.
///
/// # Errors
/// [`StorageError`], also where a newer program made them.
pub fn prepare(db: &dyn Connection, beginning: Beginning, words: impl Fn(&str) -> String) -> Result<(), StorageError> {
    let present = version(db)?;
    if present > NEWEST {
        return Err(newer(PREPARING, present));
    }
    if present == 0 && beginning == Beginning::Migrations {
        let versions =
            "CREATE TABLE IF NOT EXISTS keyturnhost_migrations (version INTEGER PRIMARY KEY, applied INTEGER NOT NULL)";
        db.execute(&words(versions), &[])?;
    }
    for (version, sql) in beginning.steps(present) {
        for statement in statements(sql) {
            db.execute(&words(statement), &[])?;
        }
        let made = "INSERT INTO keyturnhost_migrations (version, applied) VALUES (?1, ?2)
                    ON CONFLICT (version) DO NOTHING";
        db.execute(made, params![version as i64, db.now()? / 1000])?;
    }
    Ok(())
}

/// What [`prepare`] does, for an error.
pub const PREPARING: &str = "preparing the tables keyturnhost_*";

/// The same error, and what to do, where the user of a server may not make tables: the server's `codes` say so.
#[must_use]
pub fn by_its_owner(error: StorageError, codes: &[&str]) -> StorageError {
    let StorageError::Failed { doing, cause } = error else { return error };
    if !codes.iter().any(|code| cause.contains(&format!("({code})"))) {
        return StorageError::Failed { doing, cause };
    }
    let cause = format!(
        "{cause}. They are missing or older than this program, and this user may not change them; run \
         `keyturn database migrate --user OWNER` with a user who may"
    );
    StorageError::Failed { doing: PREPARING.to_owned(), cause }
}

/// The version of the tables that this program makes.
pub const NEWEST: usize = MIGRATIONS.len() + SINCE.len();

/// The version of the tables that are there; 0: there are none.
pub fn version(db: &dyn Connection) -> Result<usize, StorageError> {
    if !db.has_table("keyturnhost_migrations")? {
        return Ok(0);
    }
    let newest = "SELECT coalesce(max(version), 0) FROM keyturnhost_migrations";
    Ok(db.one(newest, &[], |row| row.get::<u32>(0))?.unwrap_or(0) as usize)
}

/// Whether these tables can be looked at where nothing stands in for them: on a server, as they are.
///
/// # Errors
/// [`StorageError::Failed`] for tables of another version.
pub fn as_they_are(present: usize) -> Result<(), StorageError> {
    let doing = "looking at the tables keyturnhost_*";
    if present < NEWEST {
        let cause = format!("they have version {present}, and the next start of a host makes version {NEWEST} of them");
        return Err(StorageError::Failed { doing: doing.to_owned(), cause });
    }
    if present == NEWEST { Ok(()) } else { Err(newer(doing, present)) }
}

/// The error for tables that a newer program has migrated.
pub fn newer(doing: &str, present: usize) -> StorageError {
    let cause = format!("they have version {present}, and this program supports {NEWEST}; use a newer program");
    StorageError::Failed { doing: doing.to_owned(), cause }
}

const NOTED: &str = "SELECT mac FROM keyturnhost_key";

/// Whether these keys are those that sealed what stands here, if any have; nothing is noted.
///
/// # Errors
/// [`StorageError::OtherKey`]; [`StorageError::Moved`].
pub fn looks_like_key(db: &dyn Connection, keys: &Keys) -> Result<(), StorageError> {
    moves::in_service(db)?;
    has_key(db, keys)
}

pub(super) fn has_key(db: &dyn Connection, keys: &Keys) -> Result<(), StorageError> {
    match db.one(NOTED, &[], |row| row.get::<Vec<u8>>(0))? {
        Some(noted) if noted != keys.mac("this database", &[]) => Err(StorageError::OtherKey),
        _ => Ok(()),
    }
}

/// Whether these keys are those that sealed what stands here; the first ones are noted. With others every value would look
/// forged, every link unknown and every session ended, and nothing would say why. The audit's chains begin where there are none.
pub fn check_key(db: &dyn Connection, keys: &Keys) -> Result<(), StorageError> {
    moves::in_service(db)?;
    if db.one(NOTED, &[], |_| Ok(()))?.is_none() {
        // Of two processes that start at once, one notes its keys.
        let mac = keys.mac("this database", &[]);
        db.execute("INSERT INTO keyturnhost_key (id, mac) VALUES (1, ?1) ON CONFLICT (id) DO NOTHING", params![mac])?;
    }
    has_key(db, keys)?;
    chain::begin(db, keys)
}

/// Notes these keys in place of others, and voids what those have sealed.
pub fn replace_key(db: &dyn Connection, keys: &Keys) -> Result<(), StorageError> {
    moves::in_service(db)?;
    for table in SEALED {
        db.execute(&format!("DELETE FROM keyturnhost_{table}"), &[])?;
    }
    db.execute(
        "INSERT INTO keyturnhost_key (id, mac) VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET mac = excluded.mac",
        params![keys.mac("this database", &[])],
    )?;
    chain::begin_again(db, keys)
}

/// Whether these keys are still those that sealed what stands here; nobody replaces them until the transaction ends.
///
/// # Errors
/// [`StorageError::OtherKey`].
pub fn hold_key(db: &dyn Connection, keys: &Keys) -> Result<(), StorageError> {
    let held = "UPDATE keyturnhost_key SET mac = mac WHERE id = 1 AND mac = ?1";
    match db.execute(held, params![keys.mac("this database", &[])])? {
        0 => Err(StorageError::OtherKey),
        _ => Ok(()),
    }
}

/// Whether no host gives signs of life: on a server there is no lock that says who serves. To be asked after the keys were
/// replaced, in the same transaction: then a host that starts at this moment is seen here, or sees the other keys.
///
/// # Errors
/// [`StorageError::Served`].
pub fn unserved(db: &dyn Connection) -> Result<(), StorageError> {
    let lives = "SELECT 1 FROM keyturnhost_hosts WHERE ended IS NULL AND beat > ?1 LIMIT 1";
    if db.one(lives, params![db.now()? - SILENT_MS], |_| Ok(()))?.is_none() {
        return Ok(());
    }
    let seconds = SILENT_MS / 1000;
    Err(StorageError::Served(format!(
        "a host serves this database: stop all hosts. If one was killed, try again {seconds} s later"
    )))
}

/// Whose rows the keys have sealed, or count those.
const SEALED: [&str; 13] = [
    "data",
    "totals",
    "records",
    "counters",
    "epochs",
    "addresses",
    "outbox",
    "templates",
    "tasks",
    "deliveries",
    "service_keys",
    "usage",
    "settings",
];
