//! Admission: turns a component, its manifest and its grants into a plugin that can be called, or refuses them with a reason,
//! before any of its code runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use wasmtime::Engine;
use wasmtime::component::types::{ComponentFunc, ComponentInstance, ComponentItem, Type};
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker};

use crate::cache;
use crate::capabilities::State;
use crate::capabilities::{self, CAPABILITIES, Capability};
use crate::engine::Machine;
use crate::profile::{Profile, Wanted};
use crate::values;
use keyturn_core::caller::OWN;
use keyturn_core::masked::without_passwords;
use keyturn_core::seal::Keys;
use keyturn_package::grants::{Grants, authority};
use keyturn_package::manifest::{Manifest, Operation, SettingValue, Wants};
use keyturn_package::pack::{self, PackError, own_name, without_version};
use keyturn_store::outbox::Kept;

/// A component that is ready to be called.
pub struct Plugin {
    /// Its rights and limits.
    pub profile: Arc<Profile>,
    /// Its interfaces, as a person reads them.
    pub imports: Vec<String>,
    /// Its interfaces, as a person reads them.
    pub exports: Vec<String>,
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
pub enum AdmitError {
    /// The file or its manifest.
    #[error("{plugin}: {cause}")]
    Pack {
        /// The plugin.
        plugin: String,
        /// What is wrong.
        cause: PackError,
    },
    /// It imports something that the operator didn't grant.
    #[error("{plugin} imports {import}, which is not granted: set `{setting}` in its grants file to allow it")]
    NotGranted {
        /// The plugin.
        plugin: String,
        /// The interface.
        import: String,
        /// The line that would grant it.
        setting: String,
    },
    /// Its manifest declares something that the operator didn't grant.
    #[error("{plugin} {declares}, which is not granted: set `{setting}` in its grants file to allow it")]
    NotAllowed {
        /// The plugin.
        plugin: String,
        /// What it declares, in words.
        declares: String,
        /// The line that would grant it.
        setting: &'static str,
    },
    /// It imports something that no plugin gets.
    #[error("{plugin} imports {import}, which this host offers to no plugin")]
    NoSuchImport {
        /// The plugin.
        plugin: String,
        /// The interface or function.
        import: String,
    },
    /// Manifest and component do not agree.
    #[error("{plugin}: the manifest names {what}, which the component does not export")]
    Lies {
        /// The plugin.
        plugin: String,
        /// The hook or interface.
        what: String,
    },
    /// Another plugin has what it wants: an address leads to one plugin only.
    #[error(
        "{plugin} has {what}, and so has {other}, but only one of them can. Remove one of their grants files, or \
         set sign-in.plugin to the plugin that gets the passwords"
    )]
    Taken {
        /// The plugin.
        plugin: String,
        /// What both want.
        what: Wanted,
        /// The plugin that has it.
        other: String,
    },
    /// A link page has the name of one of the panel's own addresses.
    #[error(
        "{plugin} has the link page {page}, but /{page}/ is the panel's own address: the plugin must rename its page"
    )]
    Reserved {
        /// The plugin.
        plugin: String,
        /// The page.
        page: String,
    },
    /// It has one of the host's own names.
    #[error("the host uses the name {plugin} itself: rename the grants file")]
    Name {
        /// The name.
        plugin: String,
    },
    /// A hook has a type that can't be JSON.
    #[error("{plugin}: {hook} has a parameter or result with a type that can't be served: {what}")]
    Unservable {
        /// The plugin.
        plugin: String,
        /// The hook.
        hook: String,
        /// Which type.
        what: String,
    },
    /// A setting or limit in the grants file.
    #[error("{plugin}: {what}")]
    Setting {
        /// The plugin.
        plugin: String,
        /// Setting and problem.
        what: String,
    },
    /// The engine refused it.
    #[error("{plugin}: the component doesn't load: {cause}")]
    Engine {
        /// The plugin.
        plugin: String,
        /// What the engine said.
        cause: String,
    },
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
            return Err(AdmitError::Name { plugin: plugin() });
        }
        let manifest = pack::manifest(bytes).map_err(|cause| AdmitError::Pack { plugin: plugin(), cause })?;
        grants.limits.check().map_err(|what| AdmitError::Setting { plugin: plugin(), what })?;
        let settings = settings(&manifest, grants).map_err(|what| AdmitError::Setting { plugin: plugin(), what })?;
        let authority = authority(&manifest.wants, &grants.grants);
        let engine_error =
            |cause: wasmtime::Error| AdmitError::Engine { plugin: name.to_owned(), cause: format!("{cause:#}") };
        let (engine, component) = (&machine.engine, cache::load(machine, keys, cache, bytes).map_err(engine_error)?);
        let component_type = component.component_type();

        let imports: Vec<String> = component_type.imports(engine).map(|(import, _)| import.to_owned()).collect();
        for (import, item) in component_type.imports(engine) {
            if only_types(engine, &item.ty) {
                continue;
            }
            let base = without_version(import);
            let wasi = WASI.contains(&base) || base.starts_with("wasi:cli/terminal-");
            match capabilities::named(base) {
                Some(capability) if capability.given_to(&authority) => {}
                Some(Capability { grant, .. }) => {
                    let setting = grant.map_or("", |(setting, _)| setting).to_owned();
                    return Err(AdmitError::NotGranted { plugin: plugin(), import: import.to_owned(), setting });
                }
                None if wasi => {}
                None => return Err(AdmitError::NoSuchImport { plugin: plugin(), import: import.to_owned() }),
            }
        }
        let exports: Vec<String> = component_type.exports(engine).map(|(export, _)| export.to_owned()).collect();
        let hooks = hooks(engine, &component, name, &manifest)?;
        let views = views(engine, &component);
        let draws =
            !manifest.pages.is_empty() || !manifest.slots.is_empty() || manifest.operations.iter().any(|o| o.form);
        if draws && views.is_none() {
            return Err(AdmitError::Lies {
                plugin: plugin(),
                what: "pages, slots or form actions without keyturn:ui/views".to_owned(),
            });
        }
        declared(name, &manifest, &authority)?;
        let background = background(engine, &component);
        let works = !manifest.jobs.is_empty() || !manifest.events.listens.is_empty();
        if works && background.is_none() {
            return Err(AdmitError::Lies {
                plugin: plugin(),
                what: "jobs or subscribed events without keyturn:panel/background".to_owned(),
            });
        }
        let mails = manifest
            .mails
            .iter()
            .map(|(name, template)| (name.clone(), Arc::new(Kept::new(keys, name, template))))
            .collect();
        let pre =
            linker(engine, &authority).and_then(|linker| linker.instantiate_pre(&component)).map_err(engine_error)?;
        let profile = Profile { name: plugin(), authority, limits: grants.limits.clone(), settings, mails, manifest };
        Ok(Self {
            profile: Arc::new(profile),
            imports,
            exports,
            sha256: grants.sha256.clone(),
            pre,
            hooks,
            views,
            background,
        })
    }

    /// The hook `interface/function`, both without package and version.
    pub fn hook(&self, interface: &str, function: &str) -> Option<&Hook> {
        self.hooks.iter().find(|hook| hook.interface == interface && hook.operation.name == function)
    }
}

/// The linker of one plugin: WASI with an empty context, and of our own interfaces those that it was granted.
fn linker(engine: &Engine, authority: &Wants) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
    for capability in CAPABILITIES.iter().filter(|capability| capability.given_to(authority)) {
        capability.link(&mut linker)?;
    }
    Ok(linker)
}

/// What a plugin does without importing anything.
fn declared(plugin: &str, manifest: &Manifest, authority: &Wants) -> Result<(), AdmitError> {
    let not_allowed =
        |declares: String, setting| AdmitError::NotAllowed { plugin: plugin.to_owned(), declares, setting };
    if let Some(job) = manifest.jobs.first().filter(|_| !authority.jobs) {
        return Err(not_allowed(format!("declares the job {job}"), "grants.jobs"));
    }
    let events = manifest.events.emits.iter().map(|event| format!("emits {event}"));
    let mut events = events.chain(manifest.events.listens.iter().map(|event| format!("listens to {event}")));
    if let Some(declares) = events.next().filter(|_| !authority.events) {
        return Err(not_allowed(declares, "grants.events"));
    }
    Ok(())
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

fn hooks(engine: &Engine, component: &Component, plugin: &str, manifest: &Manifest) -> Result<Vec<Hook>, AdmitError> {
    let mut hooks = Vec::new();
    for operation in &manifest.operations {
        let Some(interface) = &operation.hook else { continue };
        let full = format!("{interface}/{}", operation.name);
        let lies = || AdmitError::Lies { plugin: plugin.to_owned(), what: format!("the hook {full}") };
        let (export, instance) = exported_instance(engine, component, interface).ok_or_else(lies)?;
        let function = instance.exports(engine).find_map(|(name, item)| match item.ty {
            ComponentItem::ComponentFunc(function) if name == operation.name => Some(function),
            _ => None,
        });
        let function: ComponentFunc = function.ok_or_else(lies)?;
        let index = component
            .get_export_index(None, &export)
            .and_then(|instance| component.get_export_index(Some(&instance), &operation.name))
            .ok_or_else(lies)?;
        let parameters: Vec<(String, Type)> = function.params().map(|(name, ty)| (name.to_owned(), ty)).collect();
        let result = function.results().next();
        for ty in parameters.iter().map(|(_, ty)| ty).chain(&result) {
            values::servable(ty).map_err(|what| AdmitError::Unservable {
                plugin: plugin.to_owned(),
                hook: full.clone(),
                what: what.to_owned(),
            })?;
        }
        // Nobody would keep a misspelt one secret.
        for named in operation.subject.iter().chain(&operation.secrets) {
            if !parameters.iter().any(|(name, ty)| name == named && is_text(ty)) {
                return Err(AdmitError::Lies {
                    plugin: plugin.to_owned(),
                    what: format!("a parameter {named} of {full}, a string"),
                });
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

/// The export of that interface, under its full name.
fn exported_instance(engine: &Engine, component: &Component, interface: &str) -> Option<(String, ComponentInstance)> {
    component.component_type().exports(engine).find_map(|(name, item)| match item.ty {
        ComponentItem::ComponentInstance(instance) if name.contains('/') && own_name(name) == interface => {
            Some((name.to_owned(), instance))
        }
        _ => None,
    })
}

fn background(engine: &Engine, component: &Component) -> Option<ComponentExportIndex> {
    let instance = exported(engine, component, "keyturn:panel/background")?;
    component.get_export_index(Some(&instance), "run")
}

/// The export of that interface, in whichever version.
fn exported(engine: &Engine, component: &Component, interface: &str) -> Option<ComponentExportIndex> {
    let ty = component.component_type();
    let (name, _) = ty.exports(engine).find(|(name, _)| without_version(name) == interface)?;
    component.get_export_index(None, name)
}

fn views(engine: &Engine, component: &Component) -> Option<Views> {
    let instance = exported(engine, component, "keyturn:ui/views")?;
    let function = |function| component.get_export_index(Some(&instance), function);
    Some(Views { slot: function("slot")?, page: function("page")?, submit: function("submit")? })
}
