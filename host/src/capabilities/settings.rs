//! `keyturn:panel/settings`: what the operator set, or the manifest's default. `{{ brand.name }}` in a text is the brand's name.

use crate::bindings::keyturn::panel::settings::{Host, Value};
use crate::call::state::State;
use crate::plugin::manifest::SettingValue;

/// As in the templates of mails.
const BRAND: &str = "{{ brand.name }}";

impl Host for State {
    fn get(&mut self, name: String) -> wasmtime::Result<Option<Value>> {
        let filled = |text: &String| text.replace(BRAND, &self.call.surroundings.mail.brand.name);
        Ok(self.call.plugin.settings.get(&name).map(|value| match value {
            SettingValue::Text(text) => Value::Text(filled(text)),
            SettingValue::Number(number) => Value::Number(*number),
            SettingValue::Truth(truth) => Value::Truth(*truth),
            SettingValue::Texts(texts) => Value::Texts(texts.iter().map(filled).collect()),
        }))
    }
}
