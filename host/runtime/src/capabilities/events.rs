//! `keyturn:panel/events`: events for the plugins that listen and the operator's webhooks. Each gets its own delivery, in the
//! commit of the call that emits; a slow or failing one delays no other.

use std::collections::BTreeSet;

use zeroize::Zeroizing;

use crate::call::ledger::{Unmet, View, told, within};
use keyturn_contract::keyturn::panel::events::{Error, Host};
use keyturn_contract::keyturn::panel::types::{Event, EventField, Received};
use keyturn_core::seal;
use keyturn_store::Effect;
use keyturn_store::deliveries::NewDelivery;
use keyturn_store::tasks::{NewTask, TaskKind};

const MAX_FIELDS: usize = 20;
const MAX_TEXT: usize = 400;
const MAX_NAME: usize = 64;

/// Whether an event is within the contract's limits.
fn fits(event: &Event) -> Result<(), Unmet> {
    let names: BTreeSet<&str> = event.fields.iter().map(|(name, _)| name.as_str()).collect();
    let account = |id: &str| id.parse::<keyturn_core::accounts::AccountId>().is_ok();
    let fits = |field: &EventField| match field {
        EventField::Text(text) => text.chars().count() <= MAX_TEXT,
        EventField::Account(id) => account(id),
        EventField::Number(_) | EventField::Time(_) => true,
    };
    within("fields", event.fields.len() <= MAX_FIELDS && names.len() == event.fields.len())?;
    within("subject", event.subject.as_deref().is_none_or(account))?;
    within("field", event.fields.iter().all(|(name, field)| name.len() <= MAX_NAME && fits(field)))
}

impl Host for View<'_, ()> {
    fn convert_error(&mut self, cause: wasmtime::Error) -> wasmtime::Result<Error> {
        told(cause, Error::Limit, None)
    }

    fn emit(&mut self, event: Event) -> wasmtime::Result<()> {
        let call = &mut *self.ledger;
        if !call.plugin.manifest.events.emits.contains(&event.name) {
            return Err(Error::Undeclared(event.name).into());
        }
        fits(&event)?;
        let depth = call.depth + 1;
        within("event-depth", depth <= call.plugin.limits.event_depth)?;
        let source = call.plugin.name.clone();
        let listeners = call.around.plugins.listeners(&source, &event.name);
        let name = event.name.clone();
        let received = Received { id: seal::hex(&seal::random::<16>()), source, at: call.now, event };
        let deliveries: Vec<NewDelivery> =
            call.around.webhooks().iter().filter_map(|destination| destination.delivery(&received)).collect();
        let payload = Zeroizing::new(serde_json::to_string(&received).unwrap_or_default());
        // It is an effect even without listeners: where effects are refused, events are, too.
        call.effects_allowed()?;
        for plugin in listeners {
            let task = NewTask {
                kind: TaskKind::Event,
                plugin,
                name: name.clone(),
                payload: payload.clone(),
                not_before: call.now,
                key: None,
                address: call.caller.person_address().map(|address| address.to_canonical().to_string()),
                depth,
            };
            call.effect(Effect::Enqueue(Box::new(task)), payload.len())?;
        }
        for delivery in deliveries {
            let bytes = delivery.body.len();
            call.effect(Effect::Deliver(Box::new(delivery)), bytes)?;
        }
        Ok(())
    }
}
