//! Sessions: a row for each, found by the hash of the cookie, so reading the table doesn't help a thief. Each has the epoch of
//! the password that it began under, and ends when the account has another one, whoever changed it.

use keyturn_host::{Host, seal};
use rusqlite::{OptionalExtension as _, params};
use sha2::{Digest as _, Sha256};

use crate::answer::Failed;
use crate::database::Database;
use crate::people::Person;

/// A session without requests ends after this: 12 hours.
const IDLE: i64 = 12 * 60 * 60 * 1000;
/// Every session ends after this: 7 days.
const LONGEST: i64 = 7 * 24 * 60 * 60 * 1000;
/// `last_seen` is written only if it is older than this.
const SEEN: i64 = 60_000;

#[derive(Debug, Clone)]
pub struct Session {
    pub id: i64,
    /// The hash of the cookie: sealed forms are bound to it.
    pub token: String,
    pub person: Person,
    /// When the person last typed their password, Unix milliseconds.
    pub verified: i64,
    /// The contents of a form that was posted too late, sealed, for the first page after the sign-in.
    pub carried: Option<String>,
}

/// A session as its owner sees it.
#[derive(Debug, Clone)]
pub struct Listed {
    pub id: i64,
    /// Unix milliseconds.
    pub created: i64,
    /// Unix milliseconds.
    pub last_seen: i64,
    /// The client's address.
    pub address: Option<String>,
    /// The browser's User-Agent.
    pub agent: String,
}

#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The client's address.
    pub address: Option<&'a str>,
    /// The browser's User-Agent.
    pub agent: &'a str,
}

fn hash(cookie: &str) -> String {
    seal::hex(&Sha256::digest(cookie.as_bytes()))
}

impl Database {
    /// Begins a session under `epoch` and answers its cookie: 256 random bits that are stored nowhere.
    pub fn begin_session(
        &self,
        person: i64,
        epoch: &str,
        origin: Origin<'_>,
        carried: Option<&str>,
        now: i64,
    ) -> rusqlite::Result<String> {
        let cookie = seal::hex(&seal::random::<32>());
        let agent: String = origin.agent.chars().take(300).collect();
        let sql = "INSERT INTO sessions (token, person_id, epoch, created_at, last_seen, verified_at, address, agent, carried) \
             VALUES (?1, ?2, ?3, ?4, ?4, ?4, ?5, ?6, ?7)";
        self.with(|db| {
            db.execute("DELETE FROM sessions WHERE created_at < ?1 OR last_seen < ?2", [now - LONGEST, now - IDLE])?;
            db.execute(sql, params![hash(&cookie), person, epoch, now, origin.address, agent, carried])
        })?;
        Ok(cookie)
    }

    /// The session of a cookie, if it is still valid: not too old, and its person exists, is not suspended, and has the same
    /// password as at its start. An invalid one is deleted.
    pub fn session(&self, host: &Host, cookie: &str, now: i64) -> Result<Option<Session>, Failed> {
        let token = hash(cookie);
        let sql =
            "SELECT id, person_id, epoch, created_at, last_seen, verified_at, carried FROM sessions WHERE token = ?1";
        type Found = (i64, i64, String, i64, i64, i64, Option<String>);
        let found: Option<Found> = self.with(|db| {
            let row = |row: &rusqlite::Row<'_>| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?))
            };
            db.prepare_cached(sql)?.query_row([&token], row).optional()
        })?;
        let Some((id, person, epoch, created, last_seen, verified, carried)) = found else {
            return Ok(None);
        };
        let fresh = now - created < LONGEST && now - last_seen < IDLE;
        let person = self.person(person)?.filter(|person| fresh && !person.suspended);
        let current = match person.as_ref().and_then(Person::account) {
            Some(account) => host.epoch(&account)?,
            None => None,
        };
        let Some(person) = person.filter(|_| current.as_deref() == Some(epoch.as_str())) else {
            self.end_session(id)?;
            return Ok(None);
        };
        if now - last_seen > SEEN {
            self.with(|db| db.execute("UPDATE sessions SET last_seen = ?2 WHERE id = ?1", [id, now]))?;
        }
        Ok(Some(Session { id, token, person, verified, carried }))
    }

    /// The person has typed their password again.
    pub fn verified(&self, session: i64, now: i64) -> rusqlite::Result<()> {
        self.with(|db| db.execute("UPDATE sessions SET verified_at = ?2 WHERE id = ?1", [session, now]))?;
        Ok(())
    }

    /// Keeps a form until the person has typed their password again. A newer form replaces it.
    pub fn hold(&self, session: i64, held: &str) -> rusqlite::Result<()> {
        self.with(|db| db.execute("UPDATE sessions SET held = ?2 WHERE id = ?1", params![session, held]))?;
        Ok(())
    }

    /// Takes the kept form; it runs once.
    pub fn take_held(&self, session: i64) -> rusqlite::Result<Option<String>> {
        self.with(|db| {
            let change = db.transaction()?;
            let sql = "SELECT held FROM sessions WHERE id = ?1";
            let held = change.query_row(sql, [session], |row| row.get(0)).optional()?.flatten();
            change.execute("UPDATE sessions SET held = NULL WHERE id = ?1", [session])?;
            change.commit()?;
            Ok(held)
        })
    }

    /// Keeps something for the next page of this session.
    pub fn carry(&self, session: i64, carried: &str) -> rusqlite::Result<()> {
        self.with(|db| db.execute("UPDATE sessions SET carried = ?2 WHERE id = ?1", params![session, carried]))?;
        Ok(())
    }

    /// Deletes what was carried through the sign-in: it is shown once.
    pub fn take_carried(&self, session: i64) -> rusqlite::Result<()> {
        self.with(|db| db.execute("UPDATE sessions SET carried = NULL WHERE id = ?1", [session]))?;
        Ok(())
    }

    pub fn end_session(&self, session: i64) -> rusqlite::Result<()> {
        self.with(|db| db.execute("DELETE FROM sessions WHERE id = ?1", [session]))?;
        Ok(())
    }

    /// Ends one session if it belongs to this person.
    pub fn end_own_session(&self, person: i64, session: i64) -> rusqlite::Result<bool> {
        let sql = "DELETE FROM sessions WHERE id = ?1 AND person_id = ?2";
        Ok(self.with(|db| db.execute(sql, [session, person]))? == 1)
    }

    pub fn count_sessions(&self, person: i64) -> rusqlite::Result<u64> {
        let count = "SELECT count(*) FROM sessions WHERE person_id = ?1";
        self.with(|db| db.query_row(count, [person], |row| row.get::<_, i64>(0))).map(i64::unsigned_abs)
    }

    /// Ends all sessions of a person; answers how many there were.
    pub fn end_sessions(&self, person: i64) -> rusqlite::Result<u64> {
        let ended = self.with(|db| db.execute("DELETE FROM sessions WHERE person_id = ?1", [person]))?;
        Ok(u64::try_from(ended).unwrap_or_default())
    }

    /// A person's sessions, the latest first, at most fifty.
    pub fn sessions(&self, person: i64) -> rusqlite::Result<Vec<Listed>> {
        let sql = "SELECT id, created_at, last_seen, address, agent FROM sessions WHERE person_id = ?1 \
             ORDER BY last_seen DESC, id DESC LIMIT 50";
        self.with(|db| {
            let listed = |row: &rusqlite::Row<'_>| {
                Ok(Listed {
                    id: row.get(0)?,
                    created: row.get(1)?,
                    last_seen: row.get(2)?,
                    address: row.get(3)?,
                    agent: row.get(4)?,
                })
            };
            db.prepare_cached(sql)?.query_map([person], listed)?.collect()
        })
    }
}

/// A User-Agent in words: "Firefox, Linux".
pub fn device(agent: &str) -> Option<String> {
    // Each also names those after it.
    const BROWSERS: [(&str, &str); 7] = [
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("SamsungBrowser/", "Samsung Internet"),
        ("Firefox/", "Firefox"),
        ("FxiOS/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ];
    const SYSTEMS: [(&str, &str); 6] = [
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ];
    let first =
        |known: &[(&str, &'static str)]| known.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name);
    match (first(&BROWSERS), first(&SYSTEMS)) {
        (Some(browser), Some(system)) => Some(format!("{browser}, {system}")),
        (Some(one), None) | (None, Some(one)) => Some(one.to_owned()),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::device;

    #[test]
    fn a_browser_is_named_by_the_most_particular_of_its_names() {
        let edge = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36 Edg/130.0";
        assert_eq!(device(edge).as_deref(), Some("Edge, Windows"));
        let phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile Safari/604.1";
        assert_eq!(device(phone).as_deref(), Some("Safari, iPhone"));
        assert_eq!(device("curl/8.5.0"), None);
    }
}
