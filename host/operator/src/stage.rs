//! What tests of the operator's pages need.

use keyturn_core::caller::OWN;
use keyturn_core::origin::with_query;
use keyturn_pages::{SubmitError, Submitted, Surface};
use keyturn_runtime::CallError;
use keyturn_ui::nodes::Target;
use keyturn_ui::{Links, Page};
pub(crate) use keyturn_work::testing::Ground;

use crate::{Operator, OperatorPage};

/// A panel whose addresses name their targets.
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

/// One of the operator's pages, by its address. Its forms post to `surface.submit_url`.
pub(crate) fn operators(
    host: &Operator,
    (page, query): (&str, &[(&str, &str)]),
    surface: &Surface<'_>,
) -> Result<Page, CallError> {
    let arguments: Vec<_> = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    host.operator_page(OperatorPage::named(page).expect("a page"), &arguments, surface, "panel work")
}

/// Posts a form of the operator's pages.
pub(crate) fn operate(host: &Operator, body: &[u8], surface: &Surface<'_>) -> Result<Submitted, SubmitError> {
    host.operator_submit(host.read_form(surface.caller, body)?, surface)
}

/// The sealed part of the form with this button.
#[track_caller]
pub(crate) fn form<'a>(html: &'a str, button: &str) -> &'a str {
    let (before, _) = html.split_once(&format!(">{button}</button>")).unwrap_or_else(|| panic!("{button}: {html}"));
    let (_, sealed) = before.rsplit_once("name=\"kt\" value=\"").expect("a form");
    sealed.split_once('"').expect("its end").0
}
