//! The deliveries' rows, and what is noted of their destinations. What a delivery carries is sealed for its row, destination,
//! plugin and event: one that somebody else has written or altered does not open, and is never sent.

use rusqlite::{Row, params, params_from_iter};
use zeroize::Zeroizing;

use super::rows::{Rows, forged};
use keyturn_store::deliveries::{
    ATTEMPTS, Delivery, DeliveryFilter, DeliveryId, DeliveryState, LeasedDelivery, NewDelivery, Noted, SettledDelivery,
    TOLD, Tried,
};
use keyturn_store::tasks::Lease;
use keyturn_store::{AuditEntry, Quotas, StorageError};

const TABLE: &str = "keyturnhost_deliveries";
const READING: &str = "reading keyturnhost_deliveries";
const WRITING: &str = "writing keyturnhost_deliveries";
const LEASING: &str = "leasing from keyturnhost_deliveries";
const SETTLING: &str = "settling keyturnhost_deliveries";
const NOTING: &str = "writing keyturnhost_destinations";

/// How long a delivery that is done stays to be seen, one that is on hold waits, and how long is said that events were missed,
/// in milliseconds: 30 days. What is not on hold is through with all its attempts long before.
const STAYS: i64 = 30 * 24 * 3600 * 1000;
/// Accepted deliveries, and given up ones, that stay to be seen at most, of each plugin's to each destination.
const DONE_MOST: u32 = 10_000;
/// Missed events that come at intervals of less are one occasion, in milliseconds: the log says once that it began.
const OCCASION: i64 = 60_000;

const COLUMNS: &str =
    "number, id, destination, plugin, event, account, state, attempts, asked_at, changed_at, due, tried, payload";

/// A row with what it carries, sealed.
struct Carrying {
    delivery: Delivery,
    payload: Vec<u8>,
}

fn carrying(row: &Row<'_>) -> rusqlite::Result<Carrying> {
    Ok(Carrying { delivery: delivery(row)?, payload: row.get(12)? })
}

/// A row whose name or state is none was written by somebody else, and is passed over.
fn readable<T>(read: fn(&Row<'_>) -> rusqlite::Result<T>) -> impl Fn(&Row<'_>) -> rusqlite::Result<Result<T, i64>> {
    move |row| match read(row) {
        Ok(read) => Ok(Ok(read)),
        Err(rusqlite::Error::FromSqlConversionFailure(..)) => Ok(Err(row.get(0)?)),
        Err(cause) => Err(cause),
    }
}

fn delivery(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    let wrong = |column: usize| {
        let text: Box<dyn std::error::Error + Send + Sync> = "changed from outside".into();
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, text)
    };
    let tried = row.get::<_, Option<String>>(11)?.and_then(|json| serde_json::from_str(&json).ok());
    Ok(Delivery {
        number: row.get(0)?,
        id: row.get::<_, String>(1)?.parse().map_err(|_| wrong(1))?,
        destination: row.get(2)?,
        plugin: row.get(3)?,
        event: row.get(4)?,
        account: row.get::<_, Option<String>>(5)?.and_then(|id| id.parse().ok()),
        state: DeliveryState::named(&row.get::<_, String>(6)?).ok_or_else(|| wrong(6))?,
        attempts: row.get(7)?,
        asked_at: row.get(8)?,
        changed_at: row.get(9)?,
        due: row.get(10)?,
        tried: tried.unwrap_or_default(),
    })
}

/// What a payload is bound to.
fn place<'a>(id: &'a DeliveryId, destination: &'a str, plugin: &'a str, event: &'a str) -> [&'a str; 5] {
    [TABLE, id.as_str(), destination, plugin, event]
}

impl Rows<'_> {
    // ----- a call's effects -----

    /// Leaves a delivery behind. Where too many of the plugin's wait for that destination already, the event is only counted:
    /// a destination that is away for days must not fail what people do.
    pub fn deliver(&self, plugin: &str, new: &NewDelivery, quotas: &Quotas, now: i64) -> Result<(), StorageError> {
        let NewDelivery { id, destination, event, account, body } = new;
        let most = i64::try_from(quotas.waiting_deliveries).unwrap_or(i64::MAX);
        let waiting = self.one(
            READING,
            "SELECT count(*) FROM (SELECT 1 FROM keyturnhost_deliveries
             WHERE destination = ?1 AND plugin = ?2 AND due IS NOT NULL LIMIT ?3)",
            params![destination, plugin, most],
            |row| row.get::<_, i64>(0),
        )?;
        if waiting.unwrap_or(0) >= most {
            let missed = "SELECT missed_at FROM keyturnhost_destinations WHERE name = ?1";
            let last = self.one(READING, missed, [destination], |row| row.get::<_, Option<i64>>(0))?.flatten();
            if last.is_none_or(|last| now.saturating_sub(last) >= OCCASION) {
                tracing::error!(
                    webhook = destination,
                    plugin,
                    "{most} events are already waiting for it: more are dropped and counted. `keyturn webhooks destinations` shows how many"
                );
            }
            return self.change(
                NOTING,
                "INSERT INTO keyturnhost_destinations (name, missed, missed_at) VALUES (?1, 1, ?2)
                 ON CONFLICT (name) DO UPDATE SET missed = missed + 1, missed_at = excluded.missed_at",
                params![destination, now],
            );
        }
        self.change(
            WRITING,
            "INSERT INTO keyturnhost_deliveries (id, destination, plugin, event, account, payload, state, attempts, due,
                asked_at, changed_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'queued', 0, ?7, ?7, ?7)",
            params![
                id.as_str(),
                destination,
                plugin,
                event,
                account.as_ref().map(|id| id.as_str()),
                self.keys.seal(&place(id, destination, plugin, event), body.as_bytes()),
                now
            ],
        )
    }

    // ----- a worker -----

    pub fn deliveries_due(&self, destinations: &[&str]) -> Result<bool, StorageError> {
        let now = self.clock()?;
        for destination in destinations {
            let due = self.one(
                "looking for what is due",
                "SELECT 1 FROM keyturnhost_deliveries WHERE destination = ?1 AND due <= ?2 AND NOT EXISTS
                    (SELECT 1 FROM keyturnhost_destinations WHERE name = ?1 AND disabled_at IS NOT NULL) LIMIT 1",
                params![destination, now],
                |_| Ok(()),
            )?;
            if due.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub fn lease_due_delivery(
        &self,
        destination: &str,
        after: &str,
        lease_ms: i64,
    ) -> Result<Option<LeasedDelivery>, StorageError> {
        // It may have answered meanwhile that it is gone.
        if !self.deliveries_due(&[destination])? {
            return Ok(None);
        }
        let now = self.clock()?;
        for (after, follows) in [(after, ">"), ("", ">=")] {
            let sql = format!(
                "SELECT {COLUMNS} FROM keyturnhost_deliveries
                 WHERE destination = ?1 AND due <= ?2 AND plugin {follows} ?3 ORDER BY plugin, due LIMIT 1"
            );
            // Each round leaves fewer that are due: what is not leased is given up.
            while let Some(row) = self.one(LEASING, &sql, params![destination, now, after], readable(carrying))? {
                match row {
                    // Each of its workers went away while it was being sent.
                    Ok(row) if row.delivery.attempts >= ATTEMPTS => self.give_up(row.delivery.number, now)?,
                    Ok(row) => return Ok(Some(self.lease_delivery(row, now, lease_ms)?)),
                    Err(number) => self.give_up(number, now)?,
                }
            }
        }
        Ok(None)
    }

    fn lease_delivery(&self, mut row: Carrying, now: i64, lease_ms: i64) -> Result<LeasedDelivery, StorageError> {
        let lease = Lease::fresh(row.delivery.id.as_str());
        let delivery = &mut row.delivery;
        delivery.state = DeliveryState::Sending;
        delivery.attempts += 1;
        delivery.due = Some(now + lease_ms);
        delivery.changed_at = now;
        self.change(
            LEASING,
            "UPDATE keyturnhost_deliveries SET state = 'sending', attempts = ?2, due = ?3, lease = ?4, changed_at = ?5
             WHERE number = ?1",
            params![delivery.number, delivery.attempts, delivery.due, lease.token, now],
        )?;
        let body = self.opened_delivery(&row).map(Zeroizing::new).map_err(|cause| cause.to_string());
        Ok(LeasedDelivery { lease, delivery: row.delivery, body })
    }

    fn give_up(&self, number: i64, now: i64) -> Result<(), StorageError> {
        self.change(
            SETTLING,
            "UPDATE keyturnhost_deliveries SET state = 'gave-up', due = NULL, lease = NULL, changed_at = ?2
             WHERE number = ?1",
            params![number, now],
        )
    }

    pub fn settle_delivery(&self, lease: &Lease, settled: &SettledDelivery) -> Result<bool, StorageError> {
        let now = self.clock()?;
        let sql = format!("SELECT {COLUMNS} FROM keyturnhost_deliveries WHERE id = ?1 AND lease = ?2");
        let Some(row) = self.one(SETTLING, &sql, params![lease.row, lease.token], delivery)? else {
            return Ok(false);
        };
        let mut tried = row.tried;
        tried.push(Tried { at: now, ..settled.tried.clone() });
        tried.drain(..tried.len().saturating_sub(TOLD));
        self.change(
            SETTLING,
            "UPDATE keyturnhost_deliveries SET state = ?2, due = ?3, lease = NULL, changed_at = ?4, tried = ?5
             WHERE number = ?1",
            params![
                row.number,
                settled.state.name(),
                settled.again_in.map(|pause| now.saturating_add(pause)),
                now,
                serde_json::to_string(&tried).unwrap_or_default()
            ],
        )?;
        if settled.again_in.is_none() {
            self.change(
                SETTLING,
                "DELETE FROM keyturnhost_deliveries WHERE number = (SELECT number FROM keyturnhost_deliveries
                 WHERE destination = ?1 AND plugin = ?2 AND state = ?3 AND due IS NULL
                 ORDER BY number DESC LIMIT 1 OFFSET ?4)",
                params![row.destination, row.plugin, settled.state.name(), DONE_MOST],
            )?;
        }
        if settled.gone {
            self.change(
                NOTING,
                "INSERT INTO keyturnhost_destinations (name, disabled_at, missed) VALUES (?1, ?2, 0)
                 ON CONFLICT (name) DO UPDATE SET disabled_at = coalesce(disabled_at, excluded.disabled_at)",
                params![row.destination, now],
            )?;
        }
        Ok(true)
    }

    // ----- an operator -----

    pub fn send_again(&self, ids: &[DeliveryId], audit: &AuditEntry) -> Result<Vec<DeliveryId>, StorageError> {
        let now = self.clock()?;
        let mut done = Vec::new();
        for id in ids {
            let again = self.one(
                WRITING,
                "UPDATE keyturnhost_deliveries SET state = 'queued', attempts = 0, due = ?2, lease = NULL, changed_at = ?2
                 WHERE id = ?1 AND state <> 'sending' RETURNING number",
                params![id.as_str(), now],
                |_| Ok(()),
            )?;
            done.extend(again.map(|()| id.clone()));
        }
        if !done.is_empty() {
            self.insert_audit(audit)?;
        }
        Ok(done)
    }

    pub fn enable_destination(&self, destination: &str, audit: &AuditEntry) -> Result<bool, StorageError> {
        let was = self.one(
            NOTING,
            "UPDATE keyturnhost_destinations SET disabled_at = NULL WHERE name = ?1 AND disabled_at IS NOT NULL
             RETURNING name",
            [destination],
            |_| Ok(()),
        )?;
        if was.is_some() {
            self.insert_audit(audit)?;
        }
        Ok(was.is_some())
    }

    // ----- reading -----

    fn carrying_delivery(&self, id: &DeliveryId) -> Result<Option<Carrying>, StorageError> {
        let sql = format!("SELECT {COLUMNS} FROM keyturnhost_deliveries WHERE id = ?1");
        let row = self.one(READING, &sql, [id.as_str()], readable(carrying))?;
        Ok(row.and_then(Result::ok))
    }

    fn opened_delivery(&self, row: &Carrying) -> Result<String, StorageError> {
        let Delivery { id, destination, plugin, event, .. } = &row.delivery;
        let opened = self.keys.open_sealed(&place(id, destination, plugin, event), &row.payload).ok();
        opened.and_then(|body| String::from_utf8(body.to_vec()).ok()).ok_or_else(|| forged(TABLE, plugin))
    }

    pub fn delivery(&self, id: &DeliveryId) -> Result<Option<Delivery>, StorageError> {
        Ok(self.carrying_delivery(id)?.map(|row| row.delivery))
    }

    pub fn delivery_body(&self, id: &DeliveryId) -> Result<Option<String>, StorageError> {
        self.carrying_delivery(id)?.map(|row| self.opened_delivery(&row)).transpose()
    }

    pub fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<Delivery>, StorageError> {
        let mut sql = format!("SELECT {COLUMNS} FROM keyturnhost_deliveries WHERE number < CAST(?1 AS INTEGER)");
        let mut parameters = vec![filter.before.unwrap_or(i64::MAX).to_string()];
        let mut mark = |value: &str| {
            parameters.push(value.to_owned());
            format!("?{}", parameters.len())
        };
        if !filter.states.is_empty() {
            let marks: Vec<String> = filter.states.iter().map(|state| mark(state.name())).collect();
            sql.push_str(&format!(" AND state IN ({})", marks.join(", ")));
        }
        if let Some(destination) = &filter.destination {
            sql.push_str(&format!(" AND destination = {}", mark(destination)));
        }
        sql.push_str(&format!(" ORDER BY number DESC LIMIT {}", filter.limit.clamp(1, 1000)));
        let found = self.all(READING, &sql, params_from_iter(parameters), readable(delivery))?;
        Ok(found.into_iter().flatten().collect())
    }

    pub fn delivery_counts(&self) -> Result<Vec<(String, DeliveryState, u64)>, StorageError> {
        let counted = self.all(
            READING,
            "SELECT destination, state, count(*) FROM keyturnhost_deliveries GROUP BY destination, state",
            [],
            |row| Ok((row.get(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?.unsigned_abs())),
        )?;
        let known = |(name, state, count): (String, String, u64)| Some((name, DeliveryState::named(&state)?, count));
        Ok(counted.into_iter().filter_map(known).collect())
    }

    pub fn noted_destinations(&self) -> Result<Vec<(String, Noted)>, StorageError> {
        self.all(
            "reading keyturnhost_destinations",
            "SELECT name, disabled_at, missed, missed_at FROM keyturnhost_destinations ORDER BY name",
            [],
            |row| {
                let missed = row.get::<_, i64>(2)?.unsigned_abs();
                Ok((row.get(0)?, Noted { disabled_at: row.get(1)?, missed, missed_at: row.get(3)? }))
            },
        )
    }

    // ----- tidying -----

    /// Removes at most `most` of those that were done long ago, and gives up as many that were on hold for as long.
    pub fn tidy_deliveries(&self, now: i64, most: u32) -> Result<usize, StorageError> {
        let long_ago = now.saturating_sub(STAYS);
        self.change(
            NOTING,
            "UPDATE keyturnhost_destinations SET missed = 0, missed_at = NULL WHERE missed_at <= ?1",
            [long_ago],
        )?;
        let doing = "tidying keyturnhost_deliveries";
        let gone = self.all(
            doing,
            "DELETE FROM keyturnhost_deliveries WHERE number IN (SELECT number FROM keyturnhost_deliveries
             WHERE due IS NULL AND changed_at <= ?1 ORDER BY changed_at LIMIT ?2) RETURNING number",
            params![long_ago, most],
            |_| Ok(()),
        )?;
        let given_up = self.all(
            doing,
            "UPDATE keyturnhost_deliveries SET state = 'gave-up', due = NULL, lease = NULL, changed_at = ?3
             WHERE number IN (SELECT number FROM keyturnhost_deliveries
             WHERE due IS NOT NULL AND changed_at <= ?1 ORDER BY changed_at LIMIT ?2) RETURNING number",
            params![long_ago, most, now],
            |_| Ok(()),
        )?;
        Ok(gone.len() + given_up.len())
    }
}
