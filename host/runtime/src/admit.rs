//! Admission: turns a component, its manifest and its grants into a plugin that can be called, or refuses them with a reason,
//! before any of its code runs.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;

use wasmtime::Engine;
use wasmtime::component::types::{ComponentItem, Type};
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker};

use crate::cache;
use crate::capabilities::State;
use crate::capabilities::{CAPABILITIES, Capability};
use crate::engine::Machine;
use crate::profile::{Profile, Wanted};
use crate::values;
use keyturn_core::caller::OWN;
use keyturn_core::masked::without_passwords;
use keyturn_core::seal::Keys;
use keyturn_package::grants::{Grants, authority};
use keyturn_package::manifest::{Manifest, Operation, SettingValue, Wants};
use keyturn_package::pack::{self, own_name, without_version};
use keyturn_store::outbox::Kept;

/// A component that is ready to be called.
pub struct Plugin {
    /// Its rights and limits.
    pub profile: Arc<Profile>,
    /// SHA-256 of its file.
    pub sha256: String,
    pub(crate) pre: InstancePre<State>,
    /// The exports that its operations name.
    pub hooks: Vec<Hook>,
    pub(crate) views: Option<Views>,
    pub(crate) background: Option<ComponentExportIndex>,
}

impl std::ops::Deref for Plugin {
    type Target = Profile;

    fn deref(&self) -> &Profile {
        &self.profile
    }
}

/// An exported function that an operation names.
pub struct Hook {
    /// The interface's own name, without package and version: `password`.
    pub interface: String,
    /// The interface's full name: `keyturn:password/password@0.1.0`.
    pub export: String,
    /// Its row in the manifest.
    pub operation: Operation,
    /// Its place in the component.
    pub index: ComponentExportIndex,
    /// Names and types, in their order.
    pub parameters: Vec<(String, Type)>,
    /// The type of the answer; none: it answers nothing.
    pub result: Option<Type>,
}

/// The exports of `keyturn:ui/views`.
pub struct Views {
    /// `slot`.
    pub slot: ComponentExportIndex,
    /// `page`.
    pub page: ComponentExportIndex,
    /// `submit`.
    pub submit: ComponentExportIndex,
}

/// Why a plugin isn't admitted. None of its code has run.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum AdmitError {
    /// It imports what the operator has not granted; `setting` is the line that would.
    #[error("{plugin} imports {import}, which is not granted: set `{setting}` in its grants file to allow it")]
    NotGranted { plugin: String, import: String, setting: &'static str },
    /// Another plugin has what it wants: an address leads to one plugin only.
    #[error(
        "{plugin} has {what}, and so has {other}, but only one of them can. Remove one of their grants files, or \
         set sign-in.plugin to the plugin that gets the passwords"
    )]
    Taken { plugin: String, what: Wanted, other: String },
    /// Anything else, in a sentence: its name, its file, what it imports, declares or exports, its settings, its code.
    #[error("{0}")]
    Other(String),
}

impl AdmitError {
    pub(crate) fn of(plugin: &str, cause: impl Display) -> Self {
        Self::Other(format!("{plugin}: {cause}"))
    }

    fn not_exported(plugin: &str, what: impl Display) -> Self {
        Self::of(plugin, format_args!("the manifest names {what}, which the component does not export"))
    }
}

/// The WASI that the runtimes of Rust and QuickJS need, with an empty context: no files, arguments, environment or sockets.
const WASI: [&str; 15] = [
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/stderr",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:random/random",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:filesystem/types",
    "wasi:filesystem/preopens",
];

impl Plugin {
    /// Links and checks a component; see [`AdmitError`] for what is refused.
    pub fn admit(
        machine: &Machine,
        keys: &Keys,
        cache: Option<&cache::Folder>,
        name: &str,
        bytes: &[u8],
        grants: &Grants,
    ) -> Result<Self, AdmitError> {
        let plugin = || name.to_owned();
        if name == OWN {
            return Err(AdmitError::Other(format!("the host uses the name {name} itself: rename the grants file")));
        }
        let manifest = pack::manifest(bytes).map_err(|cause| AdmitError::of(name, cause))?;
        grants.limits.check().map_err(|what| AdmitError::of(name, what))?;
        let settings = settings(&manifest, grants).map_err(|what| AdmitError::of(name, what))?;
        let authority = authority(&manifest.wants, &grants.grants);
        let engine_error = |cause| engine_error(name, cause);
        let (engine, component) = (&machine.engine, cache::load(machine, keys, cache, bytes).map_err(engine_error)?);
        let component_type = component.component_type();

        for (import, item) in component_type.imports(engine) {
            if only_types(engine, &item.ty) {
                continue;
            }
            let base = without_version(import);
            let wasi = WASI.contains(&base) || base.starts_with("wasi:cli/terminal-");
            match CAPABILITIES.iter().find(|capability| capability.interface == base) {
                Some(capability) if capability.given_to(&authority) => {}
                Some(Capability { grant, .. }) => {
                    let setting = grant.map_or("", |(setting, _)| setting);
                    return Err(AdmitError::NotGranted { plugin: plugin(), import: import.to_owned(), setting });
                }
                None if wasi => {}
                None => {
                    let why = format!("{name} imports {import}, which this host offers to no plugin");
                    return Err(AdmitError::Other(why));
                }
            }
        }
        let hooks = hooks(&component, name, &manifest)?;
        let views = views(&component);
        let draws =
            !manifest.pages.is_empty() || !manifest.slots.is_empty() || manifest.operations.iter().any(|o| o.form);
        if draws && views.is_none() {
            return Err(AdmitError::not_exported(name, "pages, slots or form actions without keyturn:ui/views"));
        }
        declared(name, &manifest, &authority)?;
        let background = background(&component);
        let works = !manifest.jobs.is_empty() || !manifest.events.listens.is_empty();
        if works && background.is_none() {
            let what = "jobs or subscribed events without keyturn:panel/background";
            return Err(AdmitError::not_exported(name, what));
        }
        let mails = manifest
            .mails
            .iter()
            .map(|(name, template)| (name.clone(), Arc::new(Kept::new(keys, name, template))))
            .collect();
        let pre =
            linker(engine, &authority).and_then(|linker| linker.instantiate_pre(&component)).map_err(engine_error)?;
        let profile = Profile { name: plugin(), authority, limits: grants.limits.clone(), settings, mails, manifest };
        Ok(Self { profile: Arc::new(profile), sha256: grants.sha256.clone(), pre, hooks, views, background })
    }

    /// The hook of that name, `interface/function`.
    pub fn hook(&self, name: &str) -> Option<&Hook> {
        let (interface, function) = name.split_once('/')?;
        self.hooks.iter().find(|hook| hook.interface == interface && hook.operation.name == function)
    }
}

/// The linker of one plugin: WASI with an empty context, and of our own interfaces those that it was granted.
fn linker(engine: &Engine, authority: &Wants) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
    for capability in CAPABILITIES.iter().filter(|capability| capability.given_to(authority)) {
        (capability.link)(&mut linker)?;
    }
    Ok(linker)
}

/// What a plugin does without importing anything.
fn declared(plugin: &str, manifest: &Manifest, authority: &Wants) -> Result<(), AdmitError> {
    let jobs = manifest.jobs.iter().filter(|_| !authority.jobs);
    let emits = manifest.events.emits.iter().map(|event| format!("emits {event}"));
    let listens = manifest.events.listens.iter().map(|event| format!("listens to {event}"));
    let events = emits.chain(listens).filter(|_| !authority.events).map(|declares| (declares, "grants.events"));
    match jobs.map(|job| (format!("declares the job {job}"), "grants.jobs")).chain(events).next() {
        None => Ok(()),
        Some((declares, setting)) => Err(AdmitError::Other(format!(
            "{plugin} {declares}, which is not granted: set `{setting}` in its grants file to allow it"
        ))),
    }
}

pub(crate) fn engine_error(plugin: &str, cause: impl Display) -> AdmitError {
    AdmitError::of(plugin, format_args!("the component doesn't load: {cause:#}"))
}

fn only_types(engine: &Engine, item: &ComponentItem) -> bool {
    match item {
        ComponentItem::Type(_) => true,
        ComponentItem::ComponentInstance(instance) => {
            instance.exports(engine).all(|(_, export)| matches!(export.ty, ComponentItem::Type(_)))
        }
        _ => false,
    }
}

fn settings(manifest: &Manifest, grants: &Grants) -> Result<BTreeMap<String, SettingValue>, String> {
    let mut settings: BTreeMap<_, _> =
        manifest.settings.iter().map(|(name, setting)| (name.clone(), setting.default.clone())).collect();
    for (name, value) in &grants.settings {
        let declared = manifest.settings.get(name).ok_or_else(|| {
            let known: Vec<_> = manifest.settings.keys().map(String::as_str).collect();
            format!("settings.{name}: the plugin doesn't have this setting; it has {}", known.join(", "))
        })?;
        declared.accepts(value).map_err(|problem| format!("settings.{name} {}", without_passwords(&problem)))?;
        settings.insert(name.clone(), value.clone());
    }
    Ok(settings)
}

fn hooks(component: &Component, plugin: &str, manifest: &Manifest) -> Result<Vec<Hook>, AdmitError> {
    let mut hooks = Vec::new();
    for operation in &manifest.operations {
        let Some(interface) = &operation.hook else { continue };
        let full = format!("{interface}/{}", operation.name);
        let lies = || AdmitError::not_exported(plugin, format_args!("the hook {full}"));
        let ours = |name: &str| name.contains('/') && own_name(name) == interface;
        let (export, instance) = exported(component, ours).ok_or_else(lies)?;
        let Some((ComponentItem::ComponentFunc(function), index)) =
            component.get_export(Some(&instance), &operation.name)
        else {
            return Err(lies());
        };
        let parameters: Vec<(String, Type)> = function.params().map(|(name, ty)| (name.to_owned(), ty)).collect();
        let result = function.results().next();
        for ty in parameters.iter().map(|(_, ty)| ty).chain(&result) {
            values::servable(ty).map_err(|what| {
                let why = format!("{full} has a parameter or result with a type that can't be served: {what}");
                AdmitError::of(plugin, why)
            })?;
        }
        // Nobody would keep a misspelt one secret.
        for named in operation.subject.iter().chain(&operation.secrets) {
            if !parameters.iter().any(|(name, ty)| name == named && is_text(ty)) {
                let what = format!("a parameter {named} of {full}, a string");
                return Err(AdmitError::not_exported(plugin, what));
            }
        }
        hooks.push(Hook {
            interface: interface.clone(),
            export,
            operation: operation.clone(),
            index,
            parameters,
            result,
        });
    }
    Ok(hooks)
}

fn is_text(ty: &Type) -> bool {
    match ty {
        Type::String => true,
        Type::Option(inner) => matches!(inner.ty(), Type::String),
        _ => false,
    }
}

/// The first exported interface of such a name: its full name, and where it stands.
fn exported(component: &Component, is: impl Fn(&str) -> bool) -> Option<(String, ComponentExportIndex)> {
    let ty = component.component_type();
    let (name, _) = ty.exports(component.engine()).find(|(name, _)| is(name))?;
    Some((name.to_owned(), component.get_export_index(None, name)?))
}

fn background(component: &Component) -> Option<ComponentExportIndex> {
    let (_, instance) = exported(component, |name| without_version(name) == "keyturn:panel/background")?;
    component.get_export_index(Some(&instance), "run")
}

fn views(component: &Component) -> Option<Views> {
    let (_, instance) = exported(component, |name| without_version(name) == "keyturn:ui/views")?;
    let function = |function| component.get_export_index(Some(&instance), function);
    Some(Views { slot: function("slot")?, page: function("page")?, submit: function("submit")? })
}
