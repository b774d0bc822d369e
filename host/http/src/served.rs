//! What handlers share.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, header};
use axum::response::{Html, IntoResponse as _, Response};
use keyturn_core::words::Language;
use keyturn_operator::Operator;
use keyturn_ui::shell::Chrome;
use keyturn_ui::{Links, Markup};

use crate::api::traffic::Traffic;
use crate::reader;

/// For each page of these: its address may contain a link.
pub(crate) const NO_REFERRER: [(HeaderName, &str); 1] = [(header::REFERRER_POLICY, "no-referrer")];

#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) host: Operator,
    pub(crate) links: Arc<dyn Links + Send + Sync>,
    /// Recent requests of machines.
    pub(crate) traffic: Arc<Traffic>,
}

impl Served {
    /// Draws a page for a request of somebody who is not signed in; `address`: its own in the language of a tag.
    pub(crate) fn shell(
        &self,
        locale: &str,
        headers: &HeaderMap,
        address: impl Fn(&str) -> String,
        draw: impl FnOnce(&Chrome<'_>) -> Markup,
    ) -> Response {
        let languages = Language::ALL.map(|language| address(language.tag()));
        let (theme, brand, home) = (reader::theme(headers), self.host.brand(), self.links.home());
        let html = draw(&Chrome { locale, theme, brand, home, languages: &languages, themes: None });
        (NO_REFERRER, Html(html.as_str().to_owned())).into_response()
    }
}
