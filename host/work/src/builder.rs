//! Builds a host.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use keyturn_core::seal::Keys;
use keyturn_mail::setup::Fixed;
use keyturn_mail::transport::Transport;
use keyturn_mail_settings::MailSettings;
use keyturn_runtime::call::lane::Lane;
use keyturn_runtime::{Runtime, Settings};
use keyturn_store::Store;
use keyturn_ui::Brand;

use crate::trials;
use crate::work::Work;

/// Builds a host, or a layer of one.
pub struct HostBuilder<T = Work> {
    storage: Arc<Store>,
    keys: Arc<Keys>,
    /// The panel's name, and where its links lead.
    pub brand: Brand,
    /// The email settings of the file; the page Email settings has the others. Default: none, so email is off until somebody
    /// sets it there.
    pub mail: Fixed,
    /// Carries mail whatever the settings say, as tests want it.
    pub transport: Option<Arc<dyn Transport>>,
    /// Everything else.
    pub settings: Settings,
    made: PhantomData<T>,
}

/// Why there is no host.
#[derive(Debug, thiserror::Error)]
#[error("the engine does not start: {0}")]
pub struct HostError(String);

impl<T: From<Work>> HostBuilder<T> {
    /// A builder of a host with this storage and these keys.
    #[must_use]
    pub fn new(storage: Arc<Store>, keys: Arc<Keys>) -> Self {
        Self {
            storage,
            keys,
            brand: Brand::default(),
            mail: Fixed::default(),
            transport: None,
            settings: Settings::default(),
            made: PhantomData,
        }
    }

    /// With some of this set otherwise.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut Self)) -> Self {
        set(&mut self);
        self
    }

    /// The host, without plugins.
    ///
    /// From then on, the process leaves no core dump, and debuggers of its own user can't attach: its memory has the keys, and
    /// passwords while they are checked.
    ///
    /// # Errors
    /// [`HostError`] if the engine can't be created, for example because its pool gets too little address space.
    pub fn build(self) -> Result<T, HostError> {
        let Self { storage, keys, brand, mail, transport, settings, .. } = self;
        let mail = MailSettings::new(storage.clone(), keys.clone(), brand.clone(), mail, transport);
        let runtime = Runtime::new(storage, keys, Arc::new(mail), brand, settings).map_err(HostError)?;
        let trials = Lane::new(trials::AT_ONCE, 0, Duration::ZERO);
        Ok(Work { runtime: Arc::new(runtime), trials: Arc::new(trials) }.into())
    }
}
