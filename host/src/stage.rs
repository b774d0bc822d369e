//! What tests of the host stand on: a panel's database in a folder of its own, opened as a host opens it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::accounts::Provider;
use crate::accounts::sql::{Mapping, Sql};
use crate::caller::Caller;
use crate::embed::{SubmitError, Submitted, Surface};
use crate::operator::{OWN, OperatorPage};
use crate::origin::with_query;
use crate::seal::Keys;
use crate::sqlite::{self, Options};
use crate::storage::Store;
use crate::view::{Links, Page, nodes::Target};
use crate::{CallError, Host, HostBuilder};

/// A panel's database, `panel.db` in its folder, and what seals it.
pub(crate) struct Ground {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) storage: Arc<Store>,
    pub(crate) keys: Arc<Keys>,
}

impl Ground {
    /// With these tables of the panel's, and their mapping: what stands under `[accounts]`.
    pub(crate) fn new(panel: &str, realms: &str) -> Self {
        let realms: BTreeMap<String, Mapping> = toml::from_str(realms).expect("realms");
        Self::on(panel, Arc::new(Sql::new(realms).expect("a provider")))
    }

    /// With these tables of the panel's, and what reads its accounts in them.
    pub(crate) fn on(panel: &str, provider: Arc<dyn Provider>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("panel.db");
        rusqlite::Connection::open(&path).expect("opened").execute_batch(panel).expect("a panel");
        let keys = Arc::new(Keys::random());
        let storage = sqlite::open(&path, Arc::clone(&keys), provider, Options::default()).expect("opened");
        Self { folder, storage: Arc::new(storage), keys }
    }

    /// A host on it.
    pub(crate) fn host(&self) -> HostBuilder {
        HostBuilder::new(Arc::clone(&self.storage), Arc::clone(&self.keys))
    }
}

/// A panel whose addresses say what they lead to.
pub(crate) struct Routes;

impl Links for Routes {
    fn url(&self, plugin: &str, target: &Target) -> String {
        match target {
            Target::Mail(id) => format!("/mail?mail={id}"),
            Target::Page(page) if plugin == OWN => {
                let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&page.arguments).finish();
                with_query(&format!("/{}", page.page), &query)
            }
            other => format!("/{plugin}/{other:?}"),
        }
    }
}

/// One of the operator's pages, as its address asks for it; forms of it post to `surface.submit_url`.
pub(crate) fn operators(
    host: &Host,
    caller: &Caller,
    (page, query): (&str, &[(&str, &str)]),
    surface: &Surface<'_>,
) -> Result<Page, CallError> {
    let arguments: Vec<_> = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    host.operator_page(caller, OperatorPage::named(page).expect("a page"), &arguments, surface, "panel work")
}

/// Posts a form of the operator's pages.
pub(crate) fn operate(
    host: &Host,
    caller: &Caller,
    body: &[u8],
    surface: &Surface<'_>,
) -> Result<Submitted, SubmitError> {
    host.operator_submit(caller, host.read_form(caller, body)?, surface)
}
