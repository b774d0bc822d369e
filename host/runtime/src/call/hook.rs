//! Hooks: exports that are called with JSON.

use keyturn_core::accounts::AccountId;
use keyturn_core::caller::Caller;
use serde_json::Value;
use wasmtime::Store;
use wasmtime::component::Val;
use wasmtime::component::types::Type;
use zeroize::Zeroizing;

use super::error::{CallError, Failure, failure};
use super::idempotency::record_key;
use super::state::State;
use super::{Answer, Request};
use crate::admit::Hook;
use crate::runtime::Runtime;
use crate::values::{self, Linked};
use wasmtime::component::Instance;

impl Runtime {
    /// Calls a hook: `interface/function`, arguments as a JSON object, an idempotency key or none.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn call(&self, caller: &Caller, hook: &str, arguments: &Value, key: Option<&str>) -> Result<Value, CallError> {
        let plugins = self.plugins();
        let found = plugins.iter().find_map(|plugin| Some((plugin, plugin.hook(hook)?)));
        let (plugin, hook) = found.ok_or_else(|| self.no_hook(hook))?;
        let mut values = values::arguments(arguments, &hook.parameters)?;
        let subject = subject(hook, &values)?;
        let body = || self.keys.mac("idempotent body", &[Zeroizing::new(arguments.to_string()).as_bytes()]);
        let key = key.map(|key| (record_key(caller, plugin, &hook.operation, key), body()));
        let request = Request { plugin, operation: &hook.operation, caller, subject, key, task: None };
        let link = |page: &str, token: &str| self.link(&plugin.name, page, token);
        let invoke = |store: &mut Store<State>, instance: &Instance| {
            let function =
                instance.get_func(&mut *store, hook.index).ok_or_else(|| wasmtime::Error::msg("the export is gone"))?;
            let mut results = vec![Val::Bool(false); usize::from(hook.result.is_some())];
            function.call(&mut *store, &values, &mut results)?;
            Ok(hook_answer(hook, results.pop(), &link))
        };
        let answer = self.operate(&request, &invoke).map(|(answer, _)| answer);
        values::wipe(&mut values);
        answer
    }
}

fn subject(hook: &Hook, values: &[Val]) -> Result<Option<AccountId>, CallError> {
    let Some(name) = &hook.operation.subject else { return Ok(None) };
    let value = hook.parameters.iter().zip(values).find(|((parameter, _), _)| parameter == name);
    let text = match value.map(|(_, value)| value) {
        Some(Val::Option(Some(inner))) => inner,
        Some(value) => value,
        None => return Ok(None),
    };
    let Val::String(text) = text else { return Ok(None) };
    // Something that isn't a name is nobody's account.
    text.parse().map(Some).map_err(|_| CallError::Failed(Failure::NotFound))
}

fn hook_answer(hook: &Hook, result: Option<Val>, link: &Linked<'_>) -> Result<Answer<Value>, CallError> {
    let done = |json: Value| {
        let case = json.get("kind").and_then(Value::as_str).unwrap_or("done").to_owned();
        Ok(Answer { stored: json.clone(), live: json, case })
    };
    match (result, &hook.result) {
        (Some(Val::Result(result)), Some(Type::Result(ty))) => match (result, ty.ok(), ty.err()) {
            (Ok(Some(value)), Some(ty), _) => done(values::to_json(&value, &ty, link)),
            (Ok(_), _, _) => done(Value::Null),
            (Err(Some(value)), _, Some(ty)) => Err(match failure(&value, &ty) {
                Some(failure) => CallError::Failed(failure),
                None => CallError::Error(values::to_json(&value, &ty, link)),
            }),
            (Err(_), _, _) => Err(CallError::Error(Value::Null)),
        },
        (Some(value), Some(ty)) => done(values::to_json(&value, ty, link)),
        _ => done(Value::Null),
    }
}
