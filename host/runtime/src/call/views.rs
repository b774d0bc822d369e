//! The calls of `keyturn:ui/views`: a page, a slot for each of its subjects, a form.

use std::sync::Arc;

use wasmtime::Store;
use wasmtime::component::ComponentNamedList;
use wasmtime::component::{ComponentExportIndex, Instance, Lift, Lower};

use super::error::{CallError, Failure};
use super::idempotency::record_key;
use super::ledger::{Ledger, Purpose};
use super::state::State;
use super::{Answer, Answered, Invoke, Request};
use crate::admit::{Plugin, Views};
use crate::capabilities::{Parts, RETRY_SECONDS};
use crate::runtime::Runtime;
use keyturn_contract::exports::keyturn::ui::views::{Answer as Submitted, Input};
use keyturn_contract::keyturn::ui::nodes::{Node, View};
use keyturn_core::accounts::AccountId;
use keyturn_core::caller::Caller;
use keyturn_core::time::now;
use keyturn_store::Known;

/// The most subjects of one slot.
pub const MAX_SUBJECTS: usize = 100;

/// The answer of a form's action; none if it was something to show once, and was shown before.
pub type FormAnswer = Option<Submitted>;

impl Runtime {
    /// A page's view.
    pub fn ask_page(
        &self,
        plugin: &Arc<Plugin>,
        name: &str,
        subject: Option<&AccountId>,
        token: Option<&str>,
        arguments: &[(String, String)],
        caller: &Caller,
    ) -> Result<View, CallError> {
        let no_such = || CallError::NoSuch(format!("page {name}"));
        let page = plugin.manifest.pages.iter().find(|page| page.name == name).ok_or_else(no_such)?;
        let seen = self.may(caller, subject, &page.actors, name, None)?;
        if page.link != token.is_some() {
            return Err(no_such());
        }
        let views = views(plugin)?;
        let seen = subject.cloned().zip(seen).into_iter().collect();
        self.draw(plugin, caller, seen, &|store, instance| {
            answered(store, instance, views.page, (name, subject.map(AccountId::as_str), token, arguments))
        })
    }

    /// A slot's regions, one for each subject, in their order.
    pub fn ask_slots(
        &self,
        plugin: &Arc<Plugin>,
        name: &str,
        subjects: &[Option<AccountId>],
        caller: &Caller,
    ) -> Result<Vec<Vec<Node>>, CallError> {
        let slot = plugin.manifest.slots.iter().find(|slot| slot.name == name);
        let slot = slot.ok_or_else(|| CallError::NoSuch(format!("slot {name}")))?;
        if subjects.len() > MAX_SUBJECTS {
            return Err(CallError::NoSuch(format!("slot {name} of more than {MAX_SUBJECTS} subjects")));
        }
        let (mut seen, mut asked) = (Vec::new(), Vec::new());
        for (at, subject) in subjects.iter().enumerate() {
            match self.may(caller, subject.as_ref(), &slot.actors, name, None) {
                Ok(known) => {
                    seen.extend(subject.clone().zip(known));
                    asked.push(at);
                }
                // The caller doesn't reach the account, or the region is for others: it stays empty, and doesn't break a list.
                Err(CallError::Failed(Failure::NotFound) | CallError::Denied { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let names: Vec<_> = asked.iter().map(|at| subjects[*at].as_ref().map(AccountId::as_str)).collect();
        let (out, of) = (subjects.len() - names.len(), subjects.len());
        if out > 0 {
            let actor = caller.actor.name();
            tracing::info!(request = caller.request, slot = name, actor, "{out} of {of} not reached");
        }
        let mut all = vec![Vec::new(); of];
        if names.is_empty() {
            return Ok(all);
        }
        let views = views(plugin)?;
        let regions: Vec<Vec<Node>> = self.draw(plugin, caller, seen, &|store, instance| {
            answered(store, instance, views.slot, (name, names.as_slice()))
        })?;
        if regions.len() != names.len() {
            let problem = format!("{} regions for {} subjects in {name}", regions.len(), names.len());
            return Err(CallError::view(plugin, problem));
        }
        for (at, region) in asked.into_iter().zip(regions) {
            all[at] = region;
        }
        Ok(all)
    }

    /// Runs a form's action. Also returns the caller's own epoch afterwards, if their password was replaced.
    #[allow(clippy::too_many_arguments)]
    pub fn ask_submit(
        &self,
        plugin: &Arc<Plugin>,
        action: &str,
        subject: Option<&AccountId>,
        token: Option<&str>,
        inputs: &[(String, Input)],
        key: Option<(String, [u8; 32])>,
        caller: &Caller,
    ) -> Answered<FormAnswer> {
        let operation =
            plugin.manifest.form_action(action).ok_or_else(|| CallError::NoSuch(format!("form action {action}")))?;
        let views = views(plugin)?;
        let key = key.map(|(key, body)| (record_key(caller, plugin, operation, &key), body));
        let request = Request { plugin, operation, caller, subject: subject.cloned(), key, task: None };
        let invoke = |store: &mut Store<State>, instance: &Instance| {
            let parameters = (action, subject.map(AccountId::as_str), token, inputs);
            let submitted = answered(store, instance, views.submit, parameters)?;
            Ok(submitted.map(answer).map_err(CallError::Failed))
        };
        self.operate(&request, &invoke)
    }

    /// One run without effects. The answer is shown and not kept, so nothing is checked and nothing committed.
    fn draw<T>(
        &self,
        plugin: &Arc<Plugin>,
        caller: &Caller,
        seen: Vec<(AccountId, Known)>,
        invoke: &Invoke<'_, Result<T, Failure>>,
    ) -> Result<T, CallError> {
        let _place = self.calls.enter().ok_or(CallError::Busy(RETRY_SECONDS))?;
        let mut ledger = Ledger::new(&plugin.profile, &self.surroundings, caller, now(), Purpose::default(), 0);
        seen.into_iter().for_each(|(id, known)| ledger.noted(id, Some(known)));
        let (outcome, _) = self.run(plugin, ledger, Parts::default(), invoke);
        outcome?.map_err(CallError::Failed)
    }
}

fn views(plugin: &Plugin) -> Result<&Views, CallError> {
    plugin.views.as_ref().ok_or_else(|| CallError::NoSuch("view".to_owned()))
}

/// Calls an export of the views.
fn answered<Parameters, T>(
    store: &mut Store<State>,
    instance: &Instance,
    export: ComponentExportIndex,
    parameters: Parameters,
) -> wasmtime::Result<Result<T, Failure>>
where
    Parameters: ComponentNamedList + Lower,
    T: Lift + 'static,
{
    let function = instance.get_typed_func::<Parameters, (Result<T, Failure>,)>(&mut *store, export)?;
    Ok(function.call(store, parameters)?.0)
}

fn answer(submitted: Submitted) -> Answer<FormAnswer> {
    // A second press of the button gets nothing that was revealed: it is not kept.
    let (case, kept) = match &submitted {
        Submitted::Done(_) => ("done", Some(&submitted)),
        Submitted::Reveal(_) => ("reveal", None),
        Submitted::Rate(_) => ("rate", Some(&submitted)),
        Submitted::Generated(_) => ("generated", None),
    };
    Answer { stored: serde_json::to_value(kept).unwrap_or_default(), live: Some(submitted), case: case.to_owned() }
}
