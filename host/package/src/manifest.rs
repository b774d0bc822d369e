//! The manifest: what a plugin wants and offers, as data in the component, known before any of its code runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use serde::{Deserialize, Serialize};

use super::docs::Docs;
use super::pack::PackError;
use keyturn_core::accounts::Field;
use keyturn_core::events::names;
use keyturn_mail::template::Template;

/// The custom section that holds it, as JSON.
pub const SECTION: &str = "keyturn:manifest";
/// The newest version of the format that this host reads.
pub const VERSION: u32 = 1;
/// The most bytes of JSON.
pub const MAX_BYTES: usize = 256 * 1024;
const MAX_ROWS: usize = 256;
const MAX_TEXT: usize = 400;

/// What a plugin wants and offers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Manifest {
    /// Version of the format: 1.
    pub manifest: u32,
    /// The plugin's own name: a-z, 0-9, -; at most 64 characters.
    pub name: String,
    /// Its version.
    pub version: String,
    /// One sentence.
    pub description: String,
    /// What it wants.
    #[serde(default)]
    pub wants: Wants,
    /// What the operator can set.
    #[serde(default)]
    pub settings: BTreeMap<String, Setting>,
    /// What can be done with it: hooks and form actions. Anything without a row is refused.
    #[serde(default)]
    pub operations: Vec<Operation>,
    /// Pages that it draws.
    #[serde(default)]
    pub pages: Vec<Page>,
    /// Regions of the panel's pages that it draws.
    #[serde(default)]
    pub slots: Vec<Slot>,
    /// Jobs that it queues and runs, by name.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub jobs: BTreeSet<String>,
    /// The events that it emits and hears.
    #[serde(default, skip_serializing_if = "Events::is_empty")]
    pub events: Events,
    /// Templates of its emails, by name: kebab-case.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub mails: BTreeMap<String, Template>,
    /// The docs of its hooks, from its WIT.
    #[serde(default, skip_serializing_if = "Docs::is_empty")]
    pub docs: Docs,
}

/// The events that a plugin emits and hears.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Events {
    /// Events that it emits: `password.changed`.
    pub emits: BTreeSet<String>,
    /// Events that it listens to: `password.changed` from any plugin, `keyturn-password/password.changed` from the plugin that
    /// the operator gave this name.
    pub listens: BTreeSet<String>,
}

impl Events {
    fn is_empty(&self) -> bool {
        self.emits.is_empty() && self.listens.is_empty()
    }

    /// Whether the plugin, admitted under this name, emits what a listener calls `listened`.
    #[must_use]
    pub fn emits_as(&self, plugin: &str, listened: &str) -> bool {
        self.emits.iter().any(|event| names(listened, plugin, event))
    }
}

/// Capabilities and rights. A manifest wants them, and a grants file grants them; both must name a right.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Wants {
    /// Its own data.
    pub database: bool,
    /// MACs under keys that it never sees.
    pub keys: bool,
    /// Slow hashing, at the machine's own speed.
    pub kdf: bool,
    /// Forms.
    pub input: bool,
    /// Password fields in its forms.
    pub passwords: bool,
    /// Its regions don't have the line "From the plugin NAME".
    pub speaks_for_panel: bool,
    /// Work for later.
    pub jobs: bool,
    /// Emitting the events in its manifest, and hearing those of others.
    pub events: bool,
    /// The panel's accounts.
    pub accounts: Option<Accounts>,
    /// Email by template.
    pub mail: Option<Mail>,
}

keyturn_core::with_defaults! {
    /// Rights over email.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
    pub struct Mail {
        /// Realms whose accounts it may email. A manifest names none, because realms belong to the panel.
        #[serde(skip_serializing_if = "BTreeSet::is_empty")]
        pub recipients: BTreeSet<String> = BTreeSet::new(),
        /// Whether it may email the operators.
        pub operators: bool = false,
        /// Whether it may put free text into an email.
        pub text: bool = false,
        /// Emails that it may queue within a minute. It means nothing in a manifest.
        pub per_minute: u32 = 60,
    }
}

/// Rights over the panel's accounts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Accounts {
    /// Realms. A manifest names none, because realms belong to the panel.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub realms: BTreeSet<String>,
    /// Fields that it may read.
    pub read: BTreeSet<Field>,
    /// Whether it may read and replace stored hashes.
    pub credential: bool,
}

/// One setting.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Setting {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: SettingType,
    /// The default.
    pub default: SettingValue,
    /// Least number.
    pub min: Option<i64>,
    /// Greatest number.
    pub max: Option<i64>,
    /// The texts that are allowed.
    pub choices: Option<Vec<String>>,
    /// Label.
    pub title: String,
}

keyturn_core::named! {
    /// A setting's type; its name follows “must be”.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum SettingType {
        /// A text.
        Text = "a text",
        /// A whole number.
        Number = "a whole number",
        /// True or false.
        Truth = "true or false",
        /// Several texts.
        Texts = "a list of texts",
    }
}

/// A setting's value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SettingValue {
    /// True or false.
    Truth(bool),
    /// A whole number.
    Number(i64),
    /// A text.
    Text(String),
    /// Several texts.
    Texts(Vec<String>),
}

impl Setting {
    /// Whether the setting can have this `value`.
    ///
    /// # Errors
    /// One sentence without the setting's name.
    pub fn accepts(&self, value: &SettingValue) -> Result<(), String> {
        match (self.kind, value) {
            (SettingType::Number, SettingValue::Number(number)) => {
                let (min, max) = (self.min.unwrap_or(i64::MIN), self.max.unwrap_or(i64::MAX));
                if (min..=max).contains(number) { Ok(()) } else { Err(format!("must be {min} to {max}, not {number}")) }
            }
            (SettingType::Text, SettingValue::Text(text)) => match &self.choices {
                Some(choices) if !choices.contains(text) => {
                    Err(format!("must be one of {}, not “{text}”", choices.join(", ")))
                }
                _ => Ok(()),
            },
            (SettingType::Truth, SettingValue::Truth(_)) | (SettingType::Texts, SettingValue::Texts(_)) => Ok(()),
            (kind, _) => Err(format!("must be {}", kind.name())),
        }
    }
}

/// Who may do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Nobody is signed in.
    Anonymous,
    /// An account, for itself.
    #[serde(rename = "self")]
    Own,
    /// An account that reaches the subject, which is somebody else. People don't manage their own account this way: somebody
    /// who stole a session must not set a password without knowing the current one.
    Manager,
    /// A machine, for the accounts that its key names.
    ServiceKey,
    /// The operator at the machine.
    Console,
    /// The panel itself.
    System,
}

/// Where a call runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lane {
    /// At once.
    #[default]
    Plain,
    /// In the lane of calls that hash: as many at once as there are cores.
    Compute,
}

/// When an answer is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Release {
    /// As soon as it is there.
    #[default]
    Plain,
    /// On a time grid, so that its time tells nothing.
    Even,
}

/// Whether an operation changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effects {
    /// It may; it has an entry in the audit log.
    #[default]
    Some,
    /// It doesn't: no effects, no counting, no entry in the audit log.
    None,
}

/// An operation: a hook, the form action of the same name, or both.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Operation {
    /// Function of the hook and name of the form action: kebab-case, at most 64 characters.
    pub name: String,
    /// The exported interface whose function it is; none: no hook.
    pub hook: Option<String>,
    /// Whether it is a form action.
    #[serde(default)]
    pub form: bool,
    /// Who may do it.
    pub actors: BTreeSet<Role>,
    /// The parameter that names the account; none: the caller's own account, or nobody's.
    pub subject: Option<String>,
    /// The hook's parameters that hold a secret, such as a password or a token: nobody types them where others can read them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub secrets: BTreeSet<String>,
    /// Where it runs.
    #[serde(default)]
    pub lane: Lane,
    /// When its answer is sent.
    #[serde(default)]
    pub answer: Release,
    /// Whether it changes anything.
    #[serde(default)]
    pub effects: Effects,
    /// Whether the actor must have confirmed their identity within the last [`STEP_UP_MS`](keyturn_core::caller::STEP_UP_MS).
    #[serde(default)]
    pub step_up: bool,
}

impl Operation {
    /// The hook, `interface/function`, which is also the name of its scope. None: no hook.
    #[must_use]
    pub fn scope(&self) -> Option<String> {
        self.hook.as_ref().map(|interface| format!("{interface}/{}", self.name))
    }
}

/// A page.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Page {
    /// Kebab-case; for a link page also the first segment of its address.
    pub name: String,
    /// Opened by a link's token.
    #[serde(default)]
    pub link: bool,
    /// Who may see it. A link page is always seen as anonymous.
    pub actors: BTreeSet<Role>,
}

/// A region.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Slot {
    /// As the panel names it: `customer.details`.
    pub name: String,
    /// Who may see it.
    pub actors: BTreeSet<Role>,
}

/// What is wrong with a manifest.
pub(super) fn wrong(problem: impl Display) -> PackError {
    PackError(format!("manifest: {problem}"))
}

impl Manifest {
    /// Reads the JSON of the custom section.
    ///
    /// # Errors
    /// [`PackError`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, PackError> {
        if bytes.len() > MAX_BYTES {
            let huge = format!("the manifest has {} bytes; at most {MAX_BYTES} are read", bytes.len());
            return Err(PackError(huge));
        }
        #[derive(Deserialize)]
        struct Versioned {
            manifest: u64,
        }
        // The version first: a later one may have fields that we do not know.
        let version = serde_json::from_slice::<Versioned>(bytes).map_err(wrong)?.manifest;
        if version > u64::from(VERSION) {
            let future =
                format!("the manifest has version {version}, and this host reads {VERSION}: install a newer host");
            return Err(PackError(future));
        }
        serde_json::from_slice::<Self>(bytes).map_err(wrong)?.checked()
    }

    /// Reads a `manifest.toml` and the templates beside it: TOML, by name.
    ///
    /// # Errors
    /// [`PackError`], with the template's name, line and column.
    pub fn from_toml_with_mails(text: &str, mails: &BTreeMap<String, String>) -> Result<Self, PackError> {
        let mut manifest: Self = toml::from_str(text).map_err(wrong)?;
        for (name, text) in mails {
            let template = toml::from_str(text).map_err(|cause| wrong(format_args!("mails: {name}: {cause}")))?;
            if manifest.mails.insert(name.clone(), template).is_some() {
                return Err(wrong(format_args!("mails: {name} is in the manifest and beside it")));
            }
        }
        manifest.checked()
    }

    /// The operation that is the form action of this name.
    #[must_use]
    pub fn form_action(&self, name: &str) -> Option<&Operation> {
        self.operations.iter().find(|operation| operation.form && operation.name == name)
    }

    /// The names of its link pages.
    pub fn link_pages(&self) -> impl Iterator<Item = &str> {
        self.pages.iter().filter(|page| page.link).map(|page| page.name.as_str())
    }

    fn checked(self) -> Result<Self, PackError> {
        must(self.manifest > 0, || "version 0 does not exist".to_owned())?;
        kebab("name", &self.name)?;
        for (what, text) in [("version", &self.version), ("description", &self.description)] {
            let fits = (1..=MAX_TEXT).contains(&text.len()) && !text.chars().any(char::is_control);
            must(fits, || format!("{what} must have 1 to {MAX_TEXT} bytes and no control characters"))?;
        }
        for (what, rows) in [
            ("operations", self.operations.len()),
            ("pages", self.pages.len()),
            ("slots", self.slots.len()),
            ("settings", self.settings.len()),
            ("jobs", self.jobs.len()),
            ("events", self.events.emits.len() + self.events.listens.len()),
            ("mails", self.mails.len()),
        ] {
            must(rows <= MAX_ROWS, || format!("{rows} {what}; at most {MAX_ROWS}"))?;
        }
        let (accounts, mail) = (self.wants.accounts.as_ref(), self.wants.mail.as_ref());
        for (what, none) in [
            ("accounts.realms", accounts.is_none_or(|accounts| accounts.realms.is_empty())),
            ("mail.recipients", mail.is_none_or(|mail| mail.recipients.is_empty())),
        ] {
            must(none, || format!("wants.{what}: realms belong to the panel; the grant names them"))?;
        }
        self.jobs.iter().try_for_each(|job| kebab("jobs", job))?;
        self.events.emits.iter().try_for_each(|event| dotted("events.emits", event))?;
        for event in &self.events.listens {
            let (source, name) =
                event.split_once('/').map_or((None, event.as_str()), |(from, name)| (Some(from), name));
            source.map_or(Ok(()), |source| kebab("events.listens", source))?;
            dotted("events.listens", name)?;
        }
        for (name, template) in &self.mails {
            kebab("mails", name)?;
            template.check().map_err(|cause| wrong(format_args!("mails: {}", cause.of(name))))?;
        }
        for (name, setting) in &self.settings {
            kebab("settings", name)?;
            let unfit = |problem| wrong(format_args!("settings.{name}.default {problem}"));
            setting.accepts(&setting.default).map_err(unfit)?;
        }
        once("operations", self.operations.iter().map(|operation| &operation.name))?;
        for Operation { name, hook, form, actors, subject, .. } in &self.operations {
            kebab("operations", name)?;
            must(hook.is_some() || *form, || format!("operations: {name} is neither a hook nor a form action"))?;
            must(!actors.is_empty(), || format!("operations: {name} has no actors"))?;
            let named = !actors.contains(&Role::Manager) || subject.is_some();
            must(named, || format!("operations: {name} is for managers and names no subject"))?;
        }
        once("pages", self.pages.iter().map(|page| &page.name))?;
        for Page { name, link, actors } in &self.pages {
            kebab("pages", name)?;
            let free = !link || !OWN_ADDRESSES.contains(&name.as_str());
            must(free, || format!("pages: the host uses the address /{name} itself; rename the link page"))?;
            let anonymous = !link || actors.iter().all(|actor| *actor == Role::Anonymous);
            must(anonymous, || format!("pages: {name} is a link page, which is always seen as anonymous"))?;
        }
        for Slot { name, .. } in &self.slots {
            let known = SLOTS.contains(&name.as_str());
            must(known, || format!("slots: there is no {name}; there are {}", SLOTS.join(", ")))?;
        }
        once("slots", self.slots.iter().map(|slot| &slot.name))?;
        Ok(self)
    }
}

fn must(holds: bool, else_wrong: impl FnOnce() -> String) -> Result<(), PackError> {
    if holds { Ok(()) } else { Err(wrong(else_wrong())) }
}

fn once<'a>(what: &str, mut names: impl Iterator<Item = &'a String>) -> Result<(), PackError> {
    let mut seen = BTreeSet::new();
    names.try_for_each(|name| must(seen.insert(name), || format!("{what}: {name} is there twice")))
}

/// First segments of the host's own addresses, which no link page may have.
const OWN_ADDRESSES: [&str; 4] = ["kt", "v1", "healthz", "readyz"];

/// The regions that panels have.
pub const SLOTS: [&str; 6] =
    ["sign-in.below", "customers.row", "customer.actions", "customer.sections", "customer.details", "account.sections"];

fn kebab(what: &str, name: &str) -> Result<(), PackError> {
    named(what, name, "-")
}

/// As kebab-case, in parts with dots between: `password.changed`.
fn dotted(what: &str, name: &str) -> Result<(), PackError> {
    named(what, name, "-.")
}

fn named(what: &str, name: &str, beside: &str) -> Result<(), PackError> {
    let good = (1..=64).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || beside.contains(c));
    must(good, || format!("{what}: “{}” must be 1 to 64 of a-z 0-9 {beside}, a letter first", name.escape_debug()))
}
