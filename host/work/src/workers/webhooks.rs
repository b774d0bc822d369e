//! Sends events to their destinations, with workers for each. If a worker dies after a destination accepted an event, another
//! one sends it again under the same id; a receiver that keeps the ids does its work once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::{LEASE_MS, Worker, jittered};
use keyturn_core::time::now;
use keyturn_store::deliveries::{ATTEMPTS, DeliveryState, LeasedDelivery, SettledDelivery, Tried};
use keyturn_webhooks::Destination;
use keyturn_webhooks::send::{Sender, System, Verdict};

/// Pauses after the first, second, … failed attempt, in milliseconds: the example of the specification, three days in all.
const PAUSES: [i64; ATTEMPTS as usize - 1] =
    [5_000, 5 * 60_000, 30 * 60_000, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];
const HOUR: i64 = 3_600_000;

impl Worker<'_> {
    /// Sends the deliveries of one destination, one after another, until another destination replaces it. A running delivery
    /// then ends as it began.
    pub(super) fn send_webhooks(&self, to: &Arc<Destination>) {
        let mut sender = Sender::new(Arc::new(System));
        let stands = || self.inner.webhooks().iter().any(|one| Arc::ptr_eq(one, to));
        self.work(&self.inner.bells.webhook, stands, || {
            let leased = {
                let mut turn = to.turn.lock();
                let leased = self.inner.storage.lease_delivery(&to.name, &turn, LEASE_MS)?;
                if let Some(leased) = &leased {
                    turn.clone_from(&leased.delivery.plugin);
                }
                leased
            };
            if let Some(leased) = &leased {
                self.holding(&leased.lease, || self.post(&mut sender, to, leased));
            }
            Ok(leased.is_some())
        });
    }

    fn post(&self, sender: &mut Sender, to: &Destination, leased: &LeasedDelivery) {
        if !self.may_go() {
            return;
        }
        let settled = catch_unwind(AssertUnwindSafe(|| tried(sender, to, leased))).unwrap_or_else(|_| {
            tracing::error!(webhook = to.name, delivery = leased.delivery.id.as_str(), "sending a webhook crashed");
            // The sender's state is unknown, so it isn't used again.
            *sender = Sender::new(Arc::new(System));
            failed(leased, None, nothing("sending it crashed"))
        });
        if settled.gone {
            tracing::warn!(webhook = to.name, "it answered 410 Gone: nothing is sent there until you enable it");
        }
        self.settle("a webhook", || Ok((self.inner.storage.settle_delivery(&leased.lease, &settled)?, ())));
    }
}

fn tried(sender: &mut Sender, to: &Destination, leased: &LeasedDelivery) -> SettledDelivery {
    let delivery = &leased.delivery;
    let body = match &leased.body {
        Ok(body) => body,
        Err(cause) => {
            tracing::error!(delivery = delivery.id.as_str(), "can't send a webhook: {cause}");
            let tried = nothing("this panel did not write its row");
            return SettledDelivery { state: DeliveryState::GaveUp, again_in: None, tried, gone: false };
        }
    };
    let (verdict, tried) = sender.post(to, delivery.id.as_str(), body, now());
    match verdict {
        Verdict::Accepted => SettledDelivery { state: DeliveryState::Accepted, again_in: None, tried, gone: false },
        Verdict::Gone => SettledDelivery { state: DeliveryState::GaveUp, again_in: None, tried, gone: true },
        // A receiver that accepted it without an answer recognises its id.
        Verdict::Unknown => failed(leased, None, tried),
        Verdict::Failed { retry_after } => {
            let asked = retry_after.map(|pause| i64::try_from(pause.as_millis()).unwrap_or(i64::MAX));
            failed(leased, asked, tried)
        }
    }
}

/// A retry after a pause, as long as the destination asks for at least; or none.
fn failed(leased: &LeasedDelivery, asked: Option<i64>, tried: Tried) -> SettledDelivery {
    let again_in = jittered(&PAUSES, leased.delivery.attempts).map(|pause| pause.max(asked.unwrap_or(0)));
    let state = if again_in.is_some() { DeliveryState::Delayed } else { DeliveryState::GaveUp };
    SettledDelivery { state, again_in, tried, gone: false }
}

fn nothing(said: &str) -> Tried {
    Tried { at: now(), took_ms: 0, status: None, said: said.to_owned() }
}
