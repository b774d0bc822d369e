//! What machines call, under `/v1/`: plugins' hooks ([`hooks`]); the state of a request ([`operations`]) and of an email
//! ([`mails`]); accounts ([`accounts`]); and plugins' views for the pages of a panel that is not in this program ([`views`]).
//! Each request has a service key or is signed with one ([`who`]), and each refusal is a problem document ([`problem`]).

mod accounts;
mod answer;
mod hooks;
mod mails;
mod openapi;
mod operations;
mod page;
pub mod problem;
mod request;
mod signature;
pub mod traffic;
pub(super) mod views;
mod who;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use axum::routing::{get, post};
use keyturn_core::caller::request_id;
use serde_json::Value;

use crate::served::Served;
use answer::{answering, machine};
use problem::Problem;
use request::json_answer;

pub(super) fn routes() -> Router<Served> {
    Router::new()
        .route("/v1/hooks/{interface}/{function}", machine(post(answering(hooks::call)), "POST"))
        .route("/v1/operations/{key}", machine(get(answering(operations::show)), "GET, HEAD"))
        .route("/v1/accounts", machine(get(answering(accounts::find)), "GET, HEAD"))
        .route("/v1/accounts/{account}/epoch", machine(get(answering(accounts::epoch)), "GET, HEAD"))
        .route("/v1/mails/{mail}", machine(get(answering(mails::show)), "GET, HEAD"))
        .merge(views::routes())
        .route("/v1/", machine(get(readable), "GET, HEAD"))
        .route("/v1/openapi.json", machine(get(openapi), "GET, HEAD"))
        .route("/v1/{*rest}", axum::routing::any(nothing))
}

fn described(served: &Served) -> Value {
    openapi::document(&served.host.brand().name, &served.host.plugins())
}

async fn openapi(State(served): State<Served>) -> Response {
    json_answer(&described(&served))
}

async fn readable(State(served): State<Served>, uri: Uri, headers: HeaderMap) -> Response {
    page::show(&served, &described(&served), &uri, &headers)
}

async fn nothing() -> Response {
    Problem::from(&problem::NO_SUCH_PAGE).response(&request_id())
}
