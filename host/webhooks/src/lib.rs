//! Webhooks: events that are posted to the operator's destinations, as in the Standard Webhooks specification 1.0.0.
//!
//! A delivery is a row ([`keyturn_store::deliveries`]), written in the commit of the call that emits its event. Each
//! destination has workers of its own (`work/workers/webhooks`), so a slow one delays nothing else. Its address is checked
//! after the look-up, in [`send`], and the connection goes to the checked address.

#![deny(missing_docs)]

pub mod config;
pub mod secret;
pub mod send;
#[cfg(any(test, feature = "testing"))]
#[allow(missing_docs)]
pub mod testing;
#[cfg(test)]
mod tests;
pub mod url;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use tokio_rustls::rustls::ClientConfig;

use self::secret::Secret;
use self::url::Url;
use keyturn_contract::keyturn::panel::types::{EventField, Received};
use keyturn_core::events::names;
use keyturn_store::deliveries::{DeliveryId, NewDelivery};

/// All destinations, in the order of the configuration. They are replaced as a whole.
pub type Destinations = Arc<[Arc<Destination>]>;

/// Where events go.
pub struct Destination {
    /// As the configuration names it.
    pub name: String,
    /// Where events are posted.
    pub url: Url,
    /// Its events.
    pub events: BTreeSet<String>,
    /// Whether anything is sent there; if not, events wait.
    pub enabled: bool,
    /// The plugin that had the last turn.
    pub turn: Mutex<String>,
    allow_private: bool,
    /// They sign its deliveries.
    pub secrets: Vec<Secret>,
    tls: Option<Arc<ClientConfig>>,
    /// For one attempt, from the look-up to the answer.
    pub timeout: Duration,
    /// Requests at once.
    pub connections: usize,
}

impl Destination {
    /// The delivery of an event, if it goes there.
    pub fn delivery(&self, received: &Received) -> Option<NewDelivery> {
        let Received { source, event, .. } = received;
        self.events.iter().any(|wanted| names(wanted, source, &event.name)).then(|| NewDelivery {
            id: DeliveryId::random(),
            destination: self.name.clone(),
            event: event.name.clone(),
            account: event.subject.as_deref().and_then(|id| id.parse().ok()),
            body: body(received),
        })
    }
}

/// An event's body.
fn body(received: &Received) -> String {
    let Received { source, at, event, .. } = received;
    let fields: Map<String, Value> = event.fields.iter().map(|(name, field)| (name.clone(), value(field))).collect();
    written(&event.name, *at, json!({ "plugin": source, "account": event.subject, "fields": fields }))
}

/// The body of a delivery: `type`, `timestamp` (Unix milliseconds here, ISO 8601 there) and `data`.
#[must_use]
pub fn written(name: &str, at: i64, data: Value) -> String {
    json!({ "type": name, "timestamp": iso(at), "data": data }).to_string()
}

fn value(field: &EventField) -> Value {
    match field {
        EventField::Text(text) => json!(text),
        EventField::Number(number) => json!(number),
        EventField::Time(at) => json!(iso(*at)),
        EventField::Account(id) => json!(id),
    }
}

/// ISO 8601, in UTC, to the millisecond; a number that is no time stays a number.
fn iso(at: i64) -> Value {
    match jiff::Timestamp::from_millisecond(at) {
        Ok(at) => json!(format!("{at:.3}")),
        Err(_) => json!(at),
    }
}
