//! `keyturn:panel/settings`: what the operator set, or the manifest's default. `{{ brand.name }}` in a text is the brand's name.

use crate::call::ledger::View;
use keyturn_contract::keyturn::panel::settings::{Host, Value};
use keyturn_package::manifest::SettingValue;

/// As in email templates.
const BRAND: &str = "{{ brand.name }}";

impl Host for View<'_, ()> {
    fn get(&mut self, name: String) -> wasmtime::Result<Option<Value>> {
        let filled = |text: &String| text.replace(BRAND, &self.ledger.around.brand.name);
        Ok(self.ledger.plugin.settings.get(&name).map(|value| match value {
            SettingValue::Text(text) => Value::Text(filled(text)),
            SettingValue::Number(number) => Value::Number(*number),
            SettingValue::Truth(truth) => Value::Truth(*truth),
            SettingValue::Texts(texts) => Value::Texts(texts.iter().map(filled).collect()),
        }))
    }
}
