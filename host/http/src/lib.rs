//! Hooks, link pages, views and OpenAPI over HTTP, the look's files, and the server. A panel mounts the router beside its own
//! routes.

#![deny(missing_docs)]

mod api;
mod assets;
pub mod body;
mod links;
pub mod proxies;
pub mod reader;
pub mod serve;
mod served;
mod shares;

use std::sync::Arc;

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use keyturn_operator::Operator;
use keyturn_ui::Links;

pub use api::views::page_address;
pub use assets::harden;
use served::Served;

/// Hooks for machines, the link pages of all plugins that there are now, and the look's files. A left-out plugin's link page
/// says that the plugin is left out. Bodies are limited to the size of a form. Client addresses come from
/// [`axum::extract::ConnectInfo`], as [`serve::serve`] sets it; a server of your own behind a proxy finds them with
/// [`proxies::client`].
pub fn router(host: impl Into<Operator>, links: Arc<dyn Links + Send + Sync>) -> Router {
    let host = host.into();
    let pages = host.roster().link_pages();
    let mut router = Router::new().route("/kt/{asset}", get(assets::asset)).merge(api::routes());
    for page in pages {
        router = router.merge(links::routes(&page));
    }
    let hardening = host.clone();
    let hardened = move |mut response: Response| {
        let https = hardening.mail.seen().origin.starts_with("https://");
        async move {
            harden(response.headers_mut(), https);
            response
        }
    };
    router.layer(axum::middleware::map_response(hardened)).with_state(Served { host, links, traffic: Arc::default() })
}
