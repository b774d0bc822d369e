//! Which plugins are called, and which are left out. A plugin that can't be admitted harms no other: it is left out. What it
//! had until then (its hooks' interface, its link pages, its events) is kept for it, so that no other plugin gets its passwords
//! or its links.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::admit::{AdmitError, Plugin};
pub use crate::profile::Wanted;
use keyturn_core::events::names;

/// Which plugin wins if two want the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SignInPlugin {
    /// The plugin that sign-in asks, by the name of its grants file. None: the one that has the hook.
    pub name: Option<String>,
    /// The hook that checks a password, `interface/function`.
    pub hook: String,
}

impl SignInPlugin {
    fn interface(&self) -> &str {
        self.hook.split_once('/').map_or("", |(interface, _)| interface)
    }
}

/// A plugin under the name of its grants file, or the reason why there is none.
pub type Candidate = (String, Result<Arc<Plugin>, String>);

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Offer {
    interfaces: BTreeSet<String>,
    link_pages: BTreeSet<String>,
    listens: BTreeSet<String>,
}

impl Offer {
    fn of(plugin: &Plugin) -> Self {
        let listens = if plugin.authority.events { plugin.manifest.events.listens.clone() } else { BTreeSet::new() };
        Self {
            interfaces: plugin.hooks.iter().map(|hook| hook.interface.clone()).collect(),
            link_pages: plugin.manifest.link_pages().map(str::to_owned).collect(),
            listens,
        }
    }

    /// What two plugins can't both have.
    fn wants(&self) -> impl Iterator<Item = Wanted> {
        let hooks = self.interfaces.iter().cloned().map(Wanted::Hooks);
        hooks.chain(self.link_pages.iter().cloned().map(Wanted::LinkPage))
    }

    /// Gives a plugin what it offers, if no other has it.
    fn claim(&self, name: &str, claims: &mut Claims) {
        for wanted in self.wants() {
            claims.entry(wanted).or_insert_with(|| name.to_owned());
        }
    }
}

/// What the database remembers of plugins. It must outlive a start at which one of them is broken.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// What each plugin with a grants file had when it was last admitted.
    offers: BTreeMap<String, Offer>,
    /// Link page → the plugin that had it first. Links that don't name their plugin belong to it.
    makers: BTreeMap<String, String>,
}

/// The plugin of a link.
pub enum Maker {
    /// A plugin that is called.
    Admitted(Arc<Plugin>),
    /// A plugin that is left out: the link is valid, and works when the plugin is back.
    LeftOut(String),
    /// No plugin has such a page.
    Unknown,
}

/// All plugins.
#[derive(Default)]
pub struct Roster {
    /// The plugins that are called, by name.
    pub admitted: BTreeMap<String, Arc<Plugin>>,
    /// Those that have a grants file and are not, by its name, and why, in a sentence.
    pub left_out: BTreeMap<String, String>,
    /// What to store.
    pub memory: Memory,
    sign_in: SignInPlugin,
    /// Names that no link page may have, because the panel's own addresses begin with them.
    reserved: BTreeSet<String>,
}

/// Which plugin has what, while plugins get their places one after another.
type Claims = BTreeMap<Wanted, String>;

impl Roster {
    /// An empty roster, with what is remembered of each plugin's hooks and link pages.
    pub fn new(sign_in: SignInPlugin, memory: Memory) -> Self {
        Self { sign_in, memory, ..Self::default() }
    }

    /// Adds a plugin, or replaces the one with its name.
    ///
    /// # Errors
    /// [`AdmitError`] if another plugin, or the panel itself, has what it wants.
    pub fn admit(&mut self, plugin: &Arc<Plugin>) -> Result<(), AdmitError> {
        let mut claims = self.first_claims();
        for (name, offer) in self.offers().filter(|(name, _)| **name != plugin.name) {
            offer.claim(name, &mut claims);
        }
        self.fits(plugin, &claims)?;
        self.left_out.remove(&plugin.name);
        self.place(plugin);
        Ok(())
    }

    /// Replaces all plugins by these at once. If two want the same, the plugin of sign-in gets it, or else the first one by
    /// name. A broken plugin keeps what it had. Returns the refused plugins, each with the reason.
    pub fn arrange(&mut self, mut candidates: Vec<Candidate>) -> Vec<(String, AdmitError)> {
        let rank = |(name, plugin): &Candidate| {
            let offer = match plugin {
                Ok(plugin) => Some(Offer::of(plugin)),
                Err(_) => self.remembered(name).cloned(),
            };
            let asked = offer.is_some_and(|offer| offer.interfaces.contains(self.sign_in.interface()));
            let named = self.sign_in.name.as_ref() == Some(name);
            (!named, !asked, name.clone())
        };
        candidates.sort_by_cached_key(rank);
        self.memory.offers.retain(|name, _| candidates.iter().any(|(candidate, _)| candidate == name));
        self.admitted.clear();
        self.left_out.clear();
        let mut claims = self.first_claims();
        let mut refused = Vec::new();
        for (name, plugin) in candidates {
            match plugin.map(|plugin| self.fits(&plugin, &claims).map(|()| plugin)) {
                Ok(Ok(plugin)) => {
                    Offer::of(&plugin).claim(&name, &mut claims);
                    self.place(&plugin);
                }
                Ok(Err(error)) => {
                    self.left_out.insert(name.clone(), error.to_string());
                    refused.push((name, error));
                }
                Err(cause) => {
                    if let Some(offer) = self.remembered(&name) {
                        offer.claim(&name, &mut claims);
                    }
                    self.left_out.insert(name, cause);
                }
            }
        }
        refused
    }

    /// Reserves these first segments of addresses for the panel. From now on a plugin with a link page of such a name is left
    /// out.
    pub fn reserve(&mut self, names: &[&str]) -> Vec<(String, AdmitError)> {
        self.reserved.extend(names.iter().map(|name| (*name).to_owned()));
        let admitted = self.admitted.iter().map(|(name, plugin)| (name.clone(), Ok(Arc::clone(plugin))));
        let left_out = self.left_out.iter().map(|(name, cause)| (name.clone(), Err(cause.clone())));
        self.arrange(admitted.chain(left_out).collect())
    }

    /// The plugins that listen to an event of that source, also those that are left out: it waits for them.
    pub fn listeners(&self, source: &str, event: &str) -> Vec<String> {
        let hears = |offer: &Offer| offer.listens.iter().any(|listened| names(listened, source, event));
        self.offers().filter(|(name, offer)| *name != source && hears(offer)).map(|(name, _)| name.clone()).collect()
    }

    /// The left-out plugin that has hooks of that interface.
    pub fn left_out_with(&self, interface: &str) -> Option<&str> {
        let has = |name: &&String| {
            let named = self.sign_in.name.as_ref() == Some(*name) && self.sign_in.interface() == interface;
            named || self.remembered(name).is_some_and(|offer| offer.interfaces.contains(interface))
        };
        self.left_out.keys().find(has).map(String::as_str)
    }

    /// All link pages, also those of plugins that are left out.
    pub fn link_pages(&self) -> BTreeSet<String> {
        self.offers().flat_map(|(_, offer)| offer.link_pages.iter().cloned()).collect()
    }

    /// Whether a plugin's links must name it, because another plugin had the page before.
    pub fn must_say_whose(&self, plugin: &str, page: &str) -> bool {
        self.memory.makers.get(page).is_some_and(|maker| maker != plugin)
    }

    /// The plugin of a link. `said`: what its address says.
    pub fn maker(&self, page: &str, said: Option<&str>) -> Maker {
        let Some(name) = said.or_else(|| self.memory.makers.get(page).map(String::as_str)) else {
            return Maker::Unknown;
        };
        let has = |plugin: &&Arc<Plugin>| plugin.manifest.link_pages().any(|own| own == page);
        if let Some(plugin) = self.admitted.get(name).filter(has) {
            return Maker::Admitted(Arc::clone(plugin));
        }
        let had = self.remembered(name).is_some_and(|offer| offer.link_pages.contains(page));
        if had && self.left_out.contains_key(name) { Maker::LeftOut(name.to_owned()) } else { Maker::Unknown }
    }

    /// What each plugin has, also those that are left out.
    fn offers(&self) -> impl Iterator<Item = (&String, &Offer)> {
        self.admitted.keys().chain(self.left_out.keys()).filter_map(|name| Some((name, self.remembered(name)?)))
    }

    fn remembered(&self, name: &str) -> Option<&Offer> {
        self.memory.offers.get(name)
    }

    /// What the configuration reserves for the plugin that it names.
    fn first_claims(&self) -> Claims {
        let hooks = Wanted::Hooks(self.sign_in.interface().to_owned());
        self.sign_in.name.iter().map(|name| (hooks.clone(), name.clone())).collect()
    }

    fn fits(&self, plugin: &Plugin, claims: &Claims) -> Result<(), AdmitError> {
        let offer = Offer::of(plugin);
        if let Some(page) = offer.link_pages.intersection(&self.reserved).next() {
            let (plugin, own) = (&plugin.name, format!("/{page}/ is the panel's own address"));
            let why = format!("{plugin} has the link page {page}, but {own}: the plugin must rename its page");
            return Err(AdmitError::Other(why));
        }
        offer.wants().try_for_each(|what| match claims.get(&what) {
            Some(other) if *other != plugin.name => {
                Err(AdmitError::Taken { plugin: plugin.name.clone(), what, other: other.clone() })
            }
            _ => Ok(()),
        })
    }

    fn place(&mut self, plugin: &Arc<Plugin>) {
        let offer = Offer::of(plugin);
        for page in &offer.link_pages {
            self.memory.makers.entry(page.clone()).or_insert_with(|| plugin.name.clone());
        }
        self.memory.offers.insert(plugin.name.clone(), offer);
        self.admitted.insert(plugin.name.clone(), Arc::clone(plugin));
    }
}
