//! Whether the server lives, and whether it can do something.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use keyturn_host::storage::StorageError;
use keyturn_host::storage::hosts::said_ahead;
use keyturn_host::work::Workers;

use super::Server;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new().route("/healthz", get(lives)).route("/readyz", get(ready))
}

fn said(status: StatusCode, text: impl Into<String>) -> Response {
    (status, [(CACHE_CONTROL, "no-store")], text.into()).into_response()
}

/// The process answers.
async fn lives() -> Response {
    said(StatusCode::OK, "alive\n")
}

/// It has plugins, its database can be read, its clock is the database's, its workers work, and it is not about to stop. Plugins
/// that are left out degrade it; without the one that sign-in asks it is not ready.
async fn ready(State(server): State<Arc<Server>>) -> Response {
    if server.draining.load(Ordering::Relaxed) {
        return said(StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    if server.host.plugins().is_empty() {
        return said(StatusCode::SERVICE_UNAVAILABLE, "no plugin is admitted\n");
    }
    let left_out = server.host.left_out().len();
    let asked = &server.config.sign_in;
    if (left_out > 0 || asked.plugin.is_some()) && !server.host.has_hook(&asked.hook) {
        return said(StatusCode::SERVICE_UNAVAILABLE, "the plugin that sign-in asks is not there\n");
    }
    let host = server.host.clone();
    let look = move || -> Result<_, StorageError> { Ok((host.storage.clock()?, host.workers()?)) };
    match tokio::task::spawn_blocking(look).await {
        Ok(Ok((clock, _))) if clock.is_off() => {
            said(StatusCode::SERVICE_UNAVAILABLE, format!("the clock is {}\n", said_ahead(clock.ahead)))
        }
        Ok(Ok((_, Workers::Running))) if left_out > 0 => said(StatusCode::OK, "degraded: a plugin is left out\n"),
        Ok(Ok((_, Workers::Running))) => said(StatusCode::OK, "ready\n"),
        Ok(Ok((_, Workers::Stopped { .. }))) => said(StatusCode::SERVICE_UNAVAILABLE, "the workers do not work\n"),
        // The log names the file.
        Ok(Err(StorageError::Replaced(_))) => said(
            StatusCode::SERVICE_UNAVAILABLE,
            "the database file was replaced or removed under the server: start it again\n",
        ),
        Ok(Err(_)) | Err(_) => said(StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n"),
    }
}
