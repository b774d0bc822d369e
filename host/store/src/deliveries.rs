//! Webhooks' deliveries: an event on its way to a destination of the operator's. Like a mail, one is made at least once: its
//! row is leased, tried, and settled, and a lease that nobody settles in time is given to the next worker, who sends the same
//! under the same id.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::database::{Row, params};
use super::entry::AuditEntry;
use super::error::StorageError;
use super::queue::{DELIVERIES_QUEUE, Entry, Lease, WAITING, waiting};
use super::quotas::Quotas;
use super::store::{Rows, Store, forged};
use keyturn_core::accounts::AccountId;
use keyturn_core::mail::MailState;

/// Attempts of a delivery at most.
pub const ATTEMPTS: u32 = DELIVERIES_QUEUE.attempts;
/// Attempts whose outcome is kept.
pub const TOLD: usize = 20;

keyturn_core::random_id! {
    /// A delivery: `msg_` and 128 random bits, hexadecimal. Its receiver sees it as `webhook-id`, the same in every attempt.
    DeliveryId, "msg_", "a delivery's id must be msg_ and 32 hexadecimal digits"
}

/// How a delivery stands: as a mail does, but that it is never refused, ended or withdrawn.
pub type DeliveryState = MailState;

/// A delivery that a call leaves behind.
#[derive(Debug, Clone)]
pub struct NewDelivery {
    /// Its name.
    pub id: DeliveryId,
    /// The destination, as the configuration names it.
    pub destination: String,
    /// The event's name.
    pub event: String,
    /// Whom the event is about.
    pub account: Option<AccountId>,
    /// The body, the same in every attempt. Sealed by the storage.
    pub body: String,
}

/// An attempt, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// When it was over, Unix milliseconds.
    pub at: i64,
    /// Milliseconds that it took.
    pub took_ms: u64,
    /// The answer's status; none: there was no answer.
    pub status: Option<u16>,
    /// In one line: the answer, or what stood in its way.
    pub said: String,
}

/// A delivery, without what it carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its name.
    pub id: DeliveryId,
    /// Its number: later ones are greater.
    pub number: i64,
    /// The destination, as the configuration named it.
    pub destination: String,
    /// The plugin that emitted the event.
    pub plugin: String,
    /// The event's name.
    pub event: String,
    /// Whom the event is about.
    pub account: Option<AccountId>,
    /// How it stands.
    pub state: DeliveryState,
    /// Attempts so far, the one under way included; since it was last sent again by hand.
    pub attempts: u32,
    /// Unix milliseconds.
    pub asked_at: i64,
    /// When it got its current state, Unix milliseconds.
    pub changed_at: i64,
    /// When it is tried next, if it is: Unix milliseconds. While it is being sent: when the attempt is taken for lost.
    pub due: Option<i64>,
    /// The latest attempts, [`TOLD`] at most, the latest last.
    pub tried: Vec<Tried>,
}

impl From<&Delivery> for Entry {
    fn from(one: &Delivery) -> Self {
        Self {
            id: one.id.to_string(),
            number: one.number,
            plugin: one.plugin.clone(),
            what: one.event.clone(),
            to: Some(one.destination.clone()),
            state: one.state,
            attempts: one.attempts,
            most: ATTEMPTS,
            asked_at: one.asked_at,
            due: one.due,
            said: one.tried.last().map(|tried| tried.said.clone()),
            whole: true,
        }
    }
}

impl Delivery {
    /// Whether it waits, so that it may be on hold: an attempt that is under way is ended whatever happens.
    #[must_use]
    pub fn waits(&self) -> bool {
        matches!(self.state, DeliveryState::Queued | DeliveryState::Delayed)
    }
}

/// A delivery that one worker has to itself for a while.
#[derive(Debug, Clone)]
pub struct LeasedDelivery {
    /// To settle it.
    pub lease: Lease,
    /// The row, as it is now.
    pub delivery: Delivery,
    /// The body; a sentence if its row is not one that this host wrote.
    pub body: Result<Zeroizing<String>, String>,
}

/// How an attempt came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettledDelivery {
    /// How the delivery stands now.
    pub state: DeliveryState,
    /// Milliseconds until it is tried again; none: it is not.
    pub again_in: Option<i64>,
    /// What came of the attempt.
    pub tried: Tried,
    /// Whether its destination wants no more: nothing is sent there until an operator says so.
    pub gone: bool,
}

/// Which deliveries to list, newest first.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    /// Only in these states; empty: in any.
    pub states: Vec<DeliveryState>,
    /// Only to this destination.
    pub destination: Option<String>,
    /// Only those older than this number.
    pub before: Option<i64>,
    /// At most so many, 1 to 1,000.
    pub limit: u32,
}

/// What is noted of a destination.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Noted {
    /// Since when nothing is sent there, because it answered that it is gone: Unix milliseconds.
    pub disabled_at: Option<i64>,
    /// Events that were not kept for it, because too many waited already.
    pub missed: u64,
    /// When the last of these was, Unix milliseconds.
    pub missed_at: Option<i64>,
}

impl Store {
    /// Whether there is something to send to any of these destinations.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn deliveries_due(&self, destinations: &[&str]) -> Result<bool, StorageError> {
        self.rows(|rows| {
            for destination in destinations {
                if rows.delivery_due(destination)? {
                    return Ok(true);
                }
            }
            Ok(false)
        })
    }

    /// Takes a delivery to this destination that is due, for `lease_ms` milliseconds of the database's clock; none while the
    /// destination is disabled. Plugins take turns: it is the longest waiting one of the plugin that comes after `after` by its
    /// name, or of the first one after the last, so that a plugin that tells much delays none that tells little.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn lease_delivery(
        &self,
        destination: &str,
        after: &str,
        lease_ms: i64,
    ) -> Result<Option<LeasedDelivery>, StorageError> {
        if !self.deliveries_due(&[destination])? {
            return Ok(None);
        }
        let (destination, after) = (destination.to_owned(), after.to_owned());
        self.write(move |rows| {
            // It may have answered since that it is gone.
            if !rows.delivery_due(&destination)? {
                return Ok(None);
            }
            for (after, follows) in [(after.as_str(), ">"), ("", ">=")] {
                let due = format!(
                    "SELECT {WAITING} FROM keyturnhost_deliveries
                     WHERE destination = ?1 AND due <= ?2 AND plugin {follows} ?3 ORDER BY plugin, due LIMIT 1"
                );
                let claimed = rows.claim(
                    &DELIVERIES_QUEUE,
                    (1, lease_ms, false),
                    |now, _| rows.all(&due, params![destination, now, after], waiting),
                    |number| rows.numbered_delivery(number),
                    |number, _, now| {
                        let tried = rows.numbered_delivery(number)?.map(|row| row.delivery.tried).unwrap_or_default();
                        rows.settle(&DELIVERIES_QUEUE, number, MailState::GaveUp, None, Some(&told(&tried)), now)
                    },
                )?;
                if let Some((row, lease)) = claimed.into_iter().next() {
                    let body = rows.opened_delivery(&row).map(Zeroizing::new).map_err(|cause| cause.to_string());
                    return Ok(Some(LeasedDelivery { lease, delivery: row.delivery, body }));
                }
            }
            Ok(None)
        })
    }

    /// Says how an attempt came out. Answers whether the lease still held: if not, another worker has the delivery, and
    /// nothing is written.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn settle_delivery(&self, lease: &Lease, settled: &SettledDelivery) -> Result<bool, StorageError> {
        let (lease, settled) = (lease.clone(), settled.clone());
        self.write(move |rows| rows.settle_delivery(&lease, &settled))
    }

    /// One delivery; none if there is none of that name.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn delivery(&self, id: &DeliveryId) -> Result<Option<Delivery>, StorageError> {
        self.rows(|rows| Ok(rows.carrying_delivery(id)?.map(|row| row.delivery)))
    }

    /// What one delivery carries. None if there is no such delivery.
    ///
    /// # Errors
    /// [`StorageError`]; a row that was not sealed by this host for its place is one.
    pub fn delivery_body(&self, id: &DeliveryId) -> Result<Option<String>, StorageError> {
        self.rows(|rows| rows.carrying_delivery(id)?.map(|row| rows.opened_delivery(&row)).transpose())
    }

    /// Deliveries, newest first.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<Delivery>, StorageError> {
        let states = filter.states.iter().map(|state| state.name()).collect();
        let destination = filter.destination.iter().map(String::as_str).collect();
        let conditions = [("state", states), ("destination", destination)];
        self.ask(|rows| rows.list(DELIVERIES, &conditions, filter.before, filter.limit, delivery))
    }

    /// How many there are in each state, by destination.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn delivery_counts(&self) -> Result<Vec<(String, DeliveryState, u64)>, StorageError> {
        let counted = self.rows(|rows| {
            rows.all(
                "SELECT destination, state, count(*) FROM keyturnhost_deliveries GROUP BY destination, state",
                &[],
                |row| Ok((row.get(0)?, DeliveryState::named(&row.get::<String>(1)?), row.get(2)?)),
            )
        })?;
        Ok(counted.into_iter().filter_map(|(name, state, count)| Some((name, state?, count))).collect())
    }

    /// What is noted of destinations, by their names. Of most of them nothing is.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn noted_destinations(&self) -> Result<Vec<(String, Noted)>, StorageError> {
        self.rows(|rows| {
            rows.all(
                "SELECT name, disabled_at, missed, missed_at FROM keyturnhost_destinations ORDER BY name",
                &[],
                |row| {
                    let noted = Noted { disabled_at: row.get(1)?, missed: row.get(2)?, missed_at: row.get(3)? };
                    Ok((row.get(0)?, noted))
                },
            )
        })
    }

    /// Sends deliveries again, with all their attempts before them, and writes it down. Answers which: one that is being sent
    /// just now is left alone.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn send_again(&self, ids: &[DeliveryId], audit: AuditEntry) -> Result<Vec<DeliveryId>, StorageError> {
        let ids = ids.to_vec();
        self.write(move |rows| {
            let now = rows.now()?;
            let mut done = Vec::new();
            for id in &ids {
                let row = rows.carrying_delivery(id)?;
                if let Some(row) = row.filter(|row| row.delivery.state != DeliveryState::Sending) {
                    rows.again(&DELIVERIES_QUEUE, row.delivery.number, now)?;
                    done.push(id.clone());
                }
            }
            if !done.is_empty() {
                rows.insert_audit(&audit)?;
            }
            Ok(done)
        })
    }

    /// Lets a disabled destination have its deliveries again, and writes it down. Answers whether it was disabled.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn enable_destination(&self, destination: &str, audit: AuditEntry) -> Result<bool, StorageError> {
        let destination = destination.to_owned();
        self.write(move |rows| {
            let enable = "UPDATE keyturnhost_destinations SET disabled_at = NULL
                WHERE name = ?1 AND disabled_at IS NOT NULL";
            let was = rows.execute(enable, params![destination])? > 0;
            if was {
                rows.insert_audit(&audit)?;
            }
            Ok(was)
        })
    }
}

const TABLE: &str = "keyturnhost_deliveries";

/// How long a delivery that is done stays to be seen, one that is on hold waits, and how long is said that events were missed,
/// in milliseconds: 30 days. What is not on hold is through with all its attempts long before.
const STAYS: i64 = 30 * 24 * 3600 * 1000;
/// Accepted deliveries, and given up ones, that stay to be seen at most, of each plugin's to each destination.
const DONE_MOST: u32 = 10_000;
/// Missed events that come at intervals of less are one occasion, in milliseconds: the log says once that it began.
const OCCASION: i64 = 60_000;

const DELIVERIES: &str =
    "SELECT number, id, destination, plugin, event, account, state, attempts, asked_at, changed_at, due, tried,
    payload FROM keyturnhost_deliveries";

/// A row with what it carries, sealed.
struct Carrying {
    delivery: Delivery,
    payload: Vec<u8>,
}

fn carrying(row: &dyn Row) -> Result<Option<Carrying>, StorageError> {
    let Some(delivery) = delivery(row)? else { return Ok(None) };
    Ok(Some(Carrying { delivery, payload: row.get(12)? }))
}

fn delivery(row: &dyn Row) -> Result<Option<Delivery>, StorageError> {
    let tried = row.get::<Option<String>>(11)?.and_then(|json| serde_json::from_str(&json).ok());
    let id: Option<DeliveryId> = row.get::<String>(1)?.parse().ok();
    let Some((id, state)) = id.zip(DeliveryState::named(&row.get::<String>(6)?)) else { return Ok(None) };
    Ok(Some(Delivery {
        number: row.get(0)?,
        id,
        destination: row.get(2)?,
        plugin: row.get(3)?,
        event: row.get(4)?,
        account: row.get::<Option<String>>(5)?.and_then(|id| id.parse().ok()),
        state,
        attempts: row.get(7)?,
        asked_at: row.get(8)?,
        changed_at: row.get(9)?,
        due: row.get(10)?,
        tried: tried.unwrap_or_default(),
    }))
}

/// What a payload is bound to.
fn place<'a>(id: &'a DeliveryId, destination: &'a str, plugin: &'a str, event: &'a str) -> [&'a str; 5] {
    [TABLE, id.as_str(), destination, plugin, event]
}

impl Rows<'_> {
    /// Leaves a delivery behind. Where too many of the plugin's wait for that destination already, the event is only counted:
    /// a destination that is away for days must not fail what people do.
    pub fn deliver(&self, plugin: &str, new: &NewDelivery, quotas: &Quotas, now: i64) -> Result<(), StorageError> {
        let NewDelivery { id, destination, event, account, body } = new;
        let most = i64::try_from(quotas.waiting_deliveries).unwrap_or(i64::MAX);
        let waiting = self.one(
            "SELECT count(*) FROM (SELECT 1 FROM keyturnhost_deliveries
             WHERE destination = ?1 AND plugin = ?2 AND due IS NOT NULL LIMIT ?3) AS waiting",
            params![destination, plugin, most],
            |row| row.get::<i64>(0),
        )?;
        if waiting.unwrap_or(0) >= most {
            let missed = "SELECT missed_at FROM keyturnhost_destinations WHERE name = ?1";
            let last = self.one(missed, params![destination], |row| row.get::<Option<i64>>(0))?.flatten();
            if last.is_none_or(|last| now.saturating_sub(last) >= OCCASION) {
                tracing::error!(
                    webhook = destination,
                    plugin,
                    "{most} events are already waiting for it: more are dropped and counted. `keyturn webhooks destinations` shows how many"
                );
            }
            return self.change(
                "INSERT INTO keyturnhost_destinations (name, missed, missed_at) VALUES (?1, 1, ?2)
                 ON CONFLICT (name) DO UPDATE SET missed = keyturnhost_destinations.missed + 1, missed_at = excluded.missed_at",
                params![destination, now],
            );
        }
        self.change(
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

    fn delivery_due(&self, destination: &str) -> Result<bool, StorageError> {
        let due = self.one(
            "SELECT 1 FROM keyturnhost_deliveries WHERE destination = ?1 AND due <= ?2 AND NOT EXISTS
                (SELECT 1 FROM keyturnhost_destinations WHERE name = ?1 AND disabled_at IS NOT NULL) LIMIT 1",
            params![destination, self.now()?],
            |_| Ok(()),
        )?;
        Ok(due.is_some())
    }

    fn numbered_delivery(&self, number: i64) -> Result<Option<Carrying>, StorageError> {
        let sql = format!("{DELIVERIES} WHERE number = ?1");
        Ok(self.one(&sql, params![number], carrying)?.flatten())
    }

    fn settle_delivery(&self, lease: &Lease, settled: &SettledDelivery) -> Result<bool, StorageError> {
        let now = self.now()?;
        let sql = format!("{DELIVERIES} WHERE id = ?1 AND lease = ?2");
        let Some(mut row) = self.one(&sql, params![lease.row, lease.token], delivery)?.flatten() else {
            return Ok(false);
        };
        row.tried.push(Tried { at: now, ..settled.tried.clone() });
        row.tried.drain(..row.tried.len().saturating_sub(TOLD));
        let due = settled.again_in.map(|pause| now.saturating_add(pause));
        self.settle(&DELIVERIES_QUEUE, row.number, settled.state, due, Some(&told(&row.tried)), now)?;
        if settled.again_in.is_none() {
            self.change(
                "DELETE FROM keyturnhost_deliveries WHERE number IN (SELECT number FROM (
                    SELECT number FROM keyturnhost_deliveries
                    WHERE destination = ?1 AND plugin = ?2 AND state = ?3 AND due IS NULL
                    ORDER BY number DESC LIMIT 1 OFFSET ?4) AS oldest)",
                params![row.destination, row.plugin, settled.state.name(), DONE_MOST],
            )?;
        }
        if settled.gone {
            self.change(
                "INSERT INTO keyturnhost_destinations (name, disabled_at, missed) VALUES (?1, ?2, 0)
                 ON CONFLICT (name) DO UPDATE
                 SET disabled_at = coalesce(keyturnhost_destinations.disabled_at, excluded.disabled_at)",
                params![row.destination, now],
            )?;
        }
        Ok(true)
    }

    fn carrying_delivery(&self, id: &DeliveryId) -> Result<Option<Carrying>, StorageError> {
        let sql = format!("{DELIVERIES} WHERE id = ?1");
        Ok(self.one(&sql, params![id.as_str()], carrying)?.flatten())
    }

    fn opened_delivery(&self, row: &Carrying) -> Result<String, StorageError> {
        let Delivery { id, destination, plugin, event, .. } = &row.delivery;
        let opened = self.keys.open_sealed(&place(id, destination, plugin, event), &row.payload).ok();
        opened.and_then(|body| String::from_utf8(body.to_vec()).ok()).ok_or_else(|| forged(TABLE, plugin))
    }

    /// Removes at most `most` of those that were done long ago, and gives up as many that were on hold for as long.
    pub fn tidy_deliveries(&self, now: i64, most: u32) -> Result<usize, StorageError> {
        let long_ago = now.saturating_sub(STAYS);
        self.change(
            "UPDATE keyturnhost_destinations SET missed = 0, missed_at = NULL WHERE missed_at <= ?1",
            params![long_ago],
        )?;
        let gone = self.execute(
            "DELETE FROM keyturnhost_deliveries WHERE number IN (SELECT number FROM (
                SELECT number FROM keyturnhost_deliveries
                WHERE due IS NULL AND changed_at <= ?1 ORDER BY changed_at LIMIT ?2) AS old)",
            params![long_ago, most],
        )?;
        let given_up = self.execute(
            "UPDATE keyturnhost_deliveries SET state = 'gave-up', due = NULL, lease = NULL, changed_at = ?3
             WHERE number IN (SELECT number FROM (SELECT number FROM keyturnhost_deliveries
                WHERE due IS NOT NULL AND changed_at <= ?1 ORDER BY changed_at LIMIT ?2) AS held)",
            params![long_ago, most, now],
        )?;
        Ok((gone + given_up) as usize)
    }
}

fn told(tried: &[Tried]) -> String {
    serde_json::to_string(tried).unwrap_or_default()
}
