//! The operator's settings with their bounds. Names, defaults and bounds equal those of `manifest.toml` (a test compares). They
//! are applied here again, so that the rules don't depend on the host's check.

use crate::bindings::password::Mode;
use crate::bindings::settings::Value;
use crate::ports::Ports;

/// A whole number with its default and bounds.
pub(crate) struct Number {
    pub(crate) name: &'static str,
    pub(crate) default: u32,
    pub(crate) min: u32,
    pub(crate) max: u32,
}

impl Number {
    const fn new(name: &'static str, default: u32, min: u32, max: u32) -> Self {
        Number { name, default, min, max }
    }

    pub(crate) fn of(&self, ports: &dyn Ports) -> u32 {
        match ports.setting(self.name) {
            Some(Value::Number(n)) => n.clamp(self.min.into(), self.max.into()) as u32,
            _ => self.default,
        }
    }
}

/// Characters.
pub(crate) const MIN_LENGTH: Number = Number::new("min-length", 15, 8, 128);
/// Higher costs are not read either: in the component, cost 13 takes up to a second, and a sign-in with a password that is not
/// ASCII compares twice within a call's two seconds.
pub(crate) const BCRYPT_COST: Number = Number::new("bcrypt-cost", 12, 10, 13);
pub(crate) const ARGON2_MEMORY_KIB: Number = Number::new("argon2-memory-kib", 19_456, 7_168, 262_144);
pub(crate) const ARGON2_PASSES: Number = Number::new("argon2-passes", 2, 1, 16);
pub(crate) const ARGON2_LANES: Number = Number::new("argon2-lanes", 1, 1, 8);
pub(crate) const LINK_MINUTES: Number = Number::new("link-minutes", 60, 5, 10_080);
pub(crate) const ATTEMPTS_PER_NAME: Number = Number::new("attempts-per-name", 10, 3, 1_000);
pub(crate) const ATTEMPTS_PER_ADDRESS: Number = Number::new("attempts-per-address", 50, 3, 100_000);
pub(crate) const ATTEMPTS_WINDOW_MINUTES: Number = Number::new("attempts-window-minutes", 15, 1, 1_440);
pub(crate) const REQUESTS_PER_NAME: Number = Number::new("requests-per-name", 5, 1, 1_000);
pub(crate) const REQUESTS_PER_ADDRESS: Number = Number::new("requests-per-address", 30, 1, 100_000);
pub(crate) const REQUESTS_WINDOW_MINUTES: Number = Number::new("requests-window-minutes", 60, 1, 1_440);
pub(crate) const TEMPORARY_HOURS: Number = Number::new("temporary-hours", 24, 1, 720);
/// Characters.
pub(crate) const GENERATOR_LENGTH: Number = Number::new("generator-length", 16, 12, 64);

#[cfg(test)]
pub(crate) const NUMBERS: [&Number; 14] = [
    &MIN_LENGTH,
    &BCRYPT_COST,
    &ARGON2_MEMORY_KIB,
    &ARGON2_PASSES,
    &ARGON2_LANES,
    &LINK_MINUTES,
    &ATTEMPTS_PER_NAME,
    &ATTEMPTS_PER_ADDRESS,
    &ATTEMPTS_WINDOW_MINUTES,
    &REQUESTS_PER_NAME,
    &REQUESTS_PER_ADDRESS,
    &REQUESTS_WINDOW_MINUTES,
    &TEMPORARY_HOURS,
    &GENERATOR_LENGTH,
];

/// The scheme of new hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    Argon2id,
    Bcrypt,
}

pub(crate) fn output(ports: &dyn Ports) -> Output {
    match ports.setting("output") {
        Some(Value::Text(name)) if name == "bcrypt" => Output::Bcrypt,
        _ => Output::Argon2id,
    }
}

/// Words that everybody here might think of: the brand, the product, the town.
pub(crate) fn context_words(ports: &dyn Ports) -> Vec<String> {
    match ports.setting("context-words") {
        Some(Value::Texts(words)) => words,
        _ => Vec::new(),
    }
}

/// The place's name. Empty: none.
pub(crate) fn brand(ports: &dyn Ports) -> String {
    match ports.setting("brand") {
        Some(Value::Text(name)) => name,
        _ => String::new(),
    }
}

/// The name of a mode in settings and forms.
pub(crate) fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Temporary => "temporary",
        Mode::Link => "link",
        Mode::Permanent => "permanent",
    }
}

/// None: no such mode.
pub(crate) fn mode(name: &str) -> Option<Mode> {
    MODES.into_iter().find(|mode| mode_name(*mode) == name)
}

/// In the order in which they are shown.
const MODES: [Mode; 3] = [Mode::Temporary, Mode::Link, Mode::Permanent];

/// Whether the panel asks at sign-in. If not, nothing that only sign-in can enforce is offered.
pub(crate) fn asked_at_sign_in(ports: &dyn Ports) -> bool {
    ports.setting("asked-at-sign-in") != Some(Value::Truth(false))
}

/// The modes of "Reset & mail" that the operator allows and the panel can enforce. By default, all but the permanent one.
pub(crate) fn reset_modes(ports: &dyn Ports) -> Vec<Mode> {
    let mut modes = allowed_modes(ports);
    modes.retain(|mode| *mode != Mode::Temporary || asked_at_sign_in(ports));
    modes
}

fn allowed_modes(ports: &dyn Ports) -> Vec<Mode> {
    match ports.setting("reset-modes") {
        Some(Value::Texts(names)) => {
            MODES.into_iter().filter(|mode| names.iter().any(|name| name == mode_name(*mode))).collect()
        }
        _ => vec![Mode::Temporary, Mode::Link],
    }
}

/// The preselected mode; none: the preset is not offered.
pub(crate) fn reset_preset(ports: &dyn Ports) -> Option<Mode> {
    let preset = match ports.setting("reset-preset") {
        Some(Value::Text(name)) => mode(&name),
        _ => Some(Mode::Temporary),
    };
    preset.filter(|preset| reset_modes(ports).contains(preset))
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Generator {
    Syllables,
    Characters { length: usize, alphabet: String },
}

pub(crate) fn generator(ports: &dyn Ports) -> Generator {
    match ports.setting("generator") {
        Some(Value::Text(name)) if name == "characters" => Generator::Characters {
            length: GENERATOR_LENGTH.of(ports) as usize,
            alphabet: match ports.setting("generator-alphabet") {
                Some(Value::Text(alphabet)) => alphabet,
                _ => GENERATOR_ALPHABET.to_owned(),
            },
        },
        _ => Generator::Syllables,
    }
}

pub(crate) const GENERATOR_ALPHABET: &str = "23456789abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ";
