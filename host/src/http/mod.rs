//! The host's own pages over HTTP: link pages, under the link origin, and the look's files. A panel mounts the router
//! beside its own routes.

pub(crate) mod api;
pub mod body;
mod links;
pub mod proxies;
pub mod reader;
pub mod serve;
mod shares;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::host::Host;
use crate::view::look;
use crate::view::{Links, shell};

pub use api::views::page_address;

/// What the host's pages need to know of the panel around them.
pub trait Site: Send + Sync {
    /// Where targets lead.
    fn links(&self) -> &dyn Links;

    /// Where the brand's name leads.
    fn home(&self) -> &str {
        "/"
    }

    /// Where help is.
    fn help(&self) -> Option<&str> {
        None
    }

    /// Where a choice of colours is posted; none: none is offered.
    fn themes(&self) -> Option<shell::Post<'_>> {
        None
    }
}

/// What the handlers share.
#[derive(Clone)]
struct Served {
    host: Host,
    site: Arc<dyn Site>,
}

/// Address of the style sheet, as [`router`] serves it.
#[must_use]
pub fn css_url() -> String {
    format!("/kt/{}", look::css().name)
}

/// Address of the style sheet for regions and pages of ours within another panel's, as [`router`] serves it.
#[must_use]
pub fn embed_css_url() -> String {
    format!("/kt/{}", look::embed_css().name)
}

/// Address of the script, as [`router`] serves it.
#[must_use]
pub fn js_url() -> String {
    format!("/kt/{}", look::js().name)
}

/// Address of the icon, as [`router`] serves it.
#[must_use]
pub fn icon_url() -> String {
    format!("/kt/{}", look::icon().name)
}

/// Address of the operator's own colours, as [`router`] serves them; none: none are set.
#[must_use]
pub fn theme_url(host: &Host) -> Option<String> {
    host.brand().look.as_ref().map(|look| format!("/kt/{}", look.name))
}

/// The hooks for machines, link pages of all plugins that there are now (of those that are left out too: they say so), and the look.
/// Bodies are limited to what a form can have. Client addresses come from [`axum::extract::ConnectInfo`] where the server gives it,
/// as [`serve::serve`] does; a server of one's own behind a proxy finds them by [`proxies::client`].
pub fn router(host: Host, site: Arc<dyn Site>) -> Router {
    let pages = host.0.roster().link_pages();
    let mut router = Router::new().route("/kt/{asset}", get(asset)).merge(api::routes());
    for page in pages {
        router = router.merge(links::routes(&page));
    }
    let hardening = host.clone();
    let hardened = move |mut response: Response| {
        let https = hardening.0.mail.seen().origin.starts_with("https://");
        async move {
            harden(response.headers_mut(), https);
            response
        }
    };
    router.layer(axum::middleware::map_response(hardened)).with_state(Served { host, site })
}

async fn asset(axum::extract::Path(name): axum::extract::Path<String>, State(served): State<Served>) -> Response {
    const CSS: &str = "text/css; charset=utf-8";
    let ours = [
        (look::css(), CSS),
        (look::embed_css(), CSS),
        (look::icon(), "image/svg+xml"),
        (look::js(), "text/javascript; charset=utf-8"),
    ];
    let own = served.host.brand().look.as_deref().map(|own| (own, CSS));
    let Some((asset, kind)) = ours.into_iter().chain(own).find(|(asset, _)| asset.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        // Pages of a panel on another origin load them too, and there is nothing private in them.
        (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("cross-origin")),
    ];
    (headers, asset.content.clone()).into_response()
}

/// The headers of every answer, unless it has its own: nothing from elsewhere, no framing, no copy kept.
pub fn harden(headers: &mut HeaderMap, https: bool) {
    let mut set = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(header::CONTENT_SECURITY_POLICY, look::csp());
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::X_FRAME_OPTIONS, "DENY");
    // Not `no-referrer`: under it browsers write `Origin: null` into our own posts.
    set(header::REFERRER_POLICY, "same-origin");
    set(header::CACHE_CONTROL, "no-store");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    if https {
        set(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
}

/// The headers of every page that shows something private: nothing from elsewhere, no framing, no copy kept, and no
/// address handed on, since it may hold a link.
#[must_use]
pub fn page_headers() -> [(HeaderName, HeaderValue); 5] {
    [
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(look::csp())),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
    ]
}
