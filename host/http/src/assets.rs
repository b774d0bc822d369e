//! The look's files, their addresses, and the headers of every answer.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use keyturn_ui::look;

use crate::served::Served;

pub(crate) async fn asset(
    axum::extract::Path(name): axum::extract::Path<String>,
    State(served): State<Served>,
) -> Response {
    const CSS: &str = "text/css; charset=utf-8";
    let ours = [
        (&*look::CSS, CSS),
        (&*look::EMBED_CSS, CSS),
        (&*look::ICON, "image/svg+xml"),
        (&*look::JS, "text/javascript; charset=utf-8"),
    ];
    let own = served.host.brand().look.as_deref().map(|own| (own, CSS));
    let Some((asset, kind)) = ours.into_iter().chain(own).find(|(asset, _)| asset.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        // Panels on another origin load them too, and they contain nothing private.
        (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("cross-origin")),
    ];
    (headers, asset.content.clone()).into_response()
}

/// Sets the headers of every answer, unless it has its own: nothing from elsewhere, no framing, no stored copy.
pub fn harden(headers: &mut HeaderMap, https: bool) {
    let mut set = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(header::CONTENT_SECURITY_POLICY, look::CSP);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::X_FRAME_OPTIONS, "DENY");
    // Not `no-referrer`: with it, browsers send `Origin: null` with our own posts.
    set(header::REFERRER_POLICY, "same-origin");
    set(header::CACHE_CONTROL, "no-store");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    if https {
        set(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
}
