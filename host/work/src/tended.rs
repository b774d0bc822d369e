//! Webhooks for pages and the command line, and what an operator can do with them.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::work::Work;
use keyturn_core::caller::{Caller, OWN};
use keyturn_store::deliveries::{Delivery, DeliveryId, DeliveryState, Noted, Tried};
use keyturn_store::{AuditEntry, StorageError};
use keyturn_webhooks::send::{Sender, System, Verdict};
use keyturn_webhooks::{Destination, written};

/// The event of a test.
pub const TEST: &str = "webhook.test";

/// Why a waiting delivery is not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// Its destination answered that it is gone, at this time, Unix milliseconds.
    Disabled(i64),
    /// Its destination is off in the configuration.
    Off,
    /// Its destination is no longer in the configuration.
    Removed,
}

/// A destination and its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tended {
    /// Its name.
    pub name: String,
    /// Its address and events; none: it is no longer in the configuration.
    pub leads: Option<(String, Vec<String>)>,
    /// Whether it is off in the configuration.
    pub off: bool,
    /// Its stored state.
    pub noted: Noted,
    /// Deliveries not yet sent.
    pub waiting: u64,
    /// Deliveries that were given up.
    pub failed: u64,
    /// Deliveries that it accepted.
    pub accepted: u64,
}

impl Tended {
    /// Why nothing is sent there.
    #[must_use]
    pub fn held(&self) -> Option<Held> {
        match (&self.leads, self.noted.disabled_at) {
            (None, _) => Some(Held::Removed),
            _ if self.off => Some(Held::Off),
            (_, Some(at)) => Some(Held::Disabled(at)),
            _ => None,
        }
    }
}

/// All that is known of one delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneDelivery {
    /// The delivery.
    pub delivery: Delivery,
    /// Its body; none if the row is not one that this host wrote.
    pub body: Option<String>,
    /// Why it is not sent.
    pub held: Option<Held>,
}

impl Work {
    /// Replaces the destinations; the names of the new ones are all different. A waiting delivery goes to the destination with
    /// its name; a running one ends as it began. Deliveries to a name that no longer exists wait until it exists again.
    pub fn replace_destinations(&self, destinations: Vec<Destination>) {
        let destinations = destinations.into_iter().map(Arc::new).collect();
        *self.webhooks.write() = destinations;
        // Workers that slept for the earlier ones end.
        self.bells.webhook.ring_all();
    }

    /// The destination of that name.
    #[must_use]
    pub fn destination(&self, name: &str) -> Option<Arc<Destination>> {
        self.webhooks().iter().find(|destination| destination.name == name).cloned()
    }

    /// Each destination of the configuration, and then those that only have rows left.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn tended(&self) -> Result<Vec<Tended>, StorageError> {
        let counts = self.storage.delivery_counts()?;
        let noted = self.storage.noted_destinations()?;
        let destinations = self.webhooks();
        let mut names: Vec<&str> = destinations.iter().map(|destination| destination.name.as_str()).collect();
        for (name, ..) in &counts {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        let tended = names.into_iter().map(|name| {
            let count = |states: &[DeliveryState]| {
                counts.iter().filter(|(of, state, _)| of == name && states.contains(state)).map(|(.., n)| n).sum()
            };
            let to = destinations.iter().find(|to| to.name == name);
            Tended {
                name: name.to_owned(),
                leads: to.map(|to| (to.url.to_string(), to.events.iter().cloned().collect())),
                off: to.is_some_and(|to| !to.enabled),
                noted: noted.iter().find(|(of, _)| of == name).map(|(_, noted)| noted.clone()).unwrap_or_default(),
                waiting: count(&DeliveryState::WAITING),
                failed: count(&[DeliveryState::GaveUp]),
                accepted: count(&[DeliveryState::Accepted]),
            }
        });
        Ok(tended.collect())
    }

    /// One delivery, with its body; none if there is none of that name.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn one_delivery(&self, id: &DeliveryId) -> Result<Option<OneDelivery>, StorageError> {
        let Some(delivery) = self.storage.delivery(id)? else { return Ok(None) };
        let body = match self.storage.delivery_body(id) {
            Ok(body) => body,
            Err(StorageError::Failed { .. }) => None,
            Err(error) => return Err(error),
        };
        let tended = if delivery.waits() { self.tended()? } else { Vec::new() };
        let held = tended.iter().find(|one| one.name == delivery.destination).and_then(Tended::held);
        Ok(Some(OneDelivery { delivery, body, held }))
    }

    /// Sends deliveries again with their ids, with all attempts again. Returns which: one that is being sent right now is left
    /// alone. Writes it to the audit log.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn send_again(&self, caller: &Caller, ids: &[DeliveryId]) -> Result<Vec<DeliveryId>, StorageError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut accounts = Vec::new();
        for id in ids {
            accounts.extend(self.storage.delivery(id)?.and_then(|delivery| delivery.account));
        }
        let done = self
            .storage
            .send_again(ids, self.audited(caller, "webhook-send-again", &accounts.iter().collect::<Vec<_>>()))?;
        if !done.is_empty() {
            self.bells.webhook.ring_all();
        }
        Ok(done)
    }

    /// Sends again to a destination that had answered that it is gone. Returns whether it was on hold for that. Writes it to
    /// the audit log.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn enable_destination(&self, caller: &Caller, name: &str) -> Result<bool, StorageError> {
        let audit = self.audited(caller, "webhook-enable", &[]);
        let was = self.storage.enable_destination(name, audit)?;
        if was {
            self.bells.webhook.ring_all();
        }
        Ok(was)
    }

    /// Posts an event [`TEST`] to a destination at once, like every other delivery, even if it is off or on hold. Nothing of it
    /// is stored but an audit entry: by whom, and with what result. It takes the destination's time limit, and `most` at most.
    ///
    /// # Errors
    /// [`StorageError`]: it was posted, and could not be written to the audit log.
    pub fn test_webhook(
        &self,
        caller: &Caller,
        destination: &Destination,
        most: Duration,
    ) -> Result<(Verdict, Tried), StorageError> {
        let now = self.now();
        let body = written(TEST, now, json!({}));
        let (limit, id) = (destination.timeout.min(most), DeliveryId::random());
        let (verdict, tried) = Sender::new(Arc::new(System)).post_within(limit, destination, id.as_str(), &body, now);
        let outcome = match verdict {
            Verdict::Accepted => "accepted",
            Verdict::Unknown => "unknown",
            Verdict::Failed { .. } | Verdict::Gone => "failed",
        };
        let outcome = format!("{outcome}: {}", destination.name);
        self.enter(AuditEntry::of(caller, now, OWN, "webhook-test", outcome))?;
        Ok((verdict, tried))
    }
}

#[cfg(test)]
mod tests;
