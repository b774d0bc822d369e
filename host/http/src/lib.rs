//! The host's own pages over HTTP: link pages, under the link origin, and the look's files. A panel mounts the router
//! beside its own routes.

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
pub use assets::{harden, page_headers};
use served::Served;

/// The hooks for machines, link pages of all plugins that there are now (of those that are left out too: they say so), and the look.
/// Bodies are limited to what a form can have. Client addresses come from [`axum::extract::ConnectInfo`] where the server gives it,
/// as [`serve::serve`] does; a server of one's own behind a proxy finds them by [`proxies::client`].
pub fn router(host: impl Into<Operator>, links: Arc<dyn Links + Send + Sync>) -> Router {
    let host = host.into();
    let pages = host.roster().link_pages();
    let mut router = Router::new().route("/kt/{asset}", get(assets::asset)).merge(api::routes());
    for page in pages {
        router = router.merge(links::routes(&page));
    }
    let hardening = host.clone();
    let hardened = move |mut response: Response| {
        let https = hardening.mail_settings().seen().origin.starts_with("https://");
        async move {
            harden(response.headers_mut(), https);
            response
        }
    };
    router.layer(axum::middleware::map_response(hardened)).with_state(Served { host, links, traffic: Arc::default() })
}
