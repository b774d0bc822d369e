//! `keyturn:panel/settings`: what the operator set, or the manifest's default.

use crate::bindings::keyturn::panel::settings::{Host, Value};
use crate::call::state::State;
use crate::plugin::manifest::SettingValue;

impl Host for State {
    fn get(&mut self, name: String) -> wasmtime::Result<Option<Value>> {
        Ok(self.call.plugin.settings.get(&name).map(|value| match value {
            SettingValue::Text(text) => Value::Text(text.clone()),
            SettingValue::Number(number) => Value::Number(*number),
            SettingValue::Truth(truth) => Value::Truth(*truth),
            SettingValue::Texts(texts) => Value::Texts(texts.clone()),
        }))
    }
}
