//! `GET /v1/mails/ID`: the state of an email, for a machine whose key has the scope [`SCOPE`] and reaches its account.

use axum::response::Response;
use jiff::tz::TimeZone;
use serde_json::json;

use super::problem::{self, Problem};
use super::request::{Asked, json_answer};
use keyturn_operator::OWN;
use keyturn_operator::service_key::MAILS as SCOPE;
use keyturn_pages::Surface;
use keyturn_store::outbox::MailId;
use keyturn_ui::html::nodes::Painter;
use keyturn_ui::{Frame, Place};

/// Its state, and a sentence about it in the language asked for.
pub(super) fn show(asked: &Asked) -> Result<Response, Problem> {
    asked.needs(SCOPE)?;
    let not_found = || Problem::from(&problem::NOT_FOUND);
    let id: MailId = asked.parameter("mail").parse().map_err(|_| not_found())?;
    let mail = asked.served.host.storage.mail(&id).map_err(Problem::of_storage)?;
    let delivery = mail.and_then(|mail| asked.served.host.delivery_of(&mail, &asked.caller)).ok_or_else(not_found)?;
    let place = Place::Page { name: "mail".to_owned(), subject: None, arguments: Vec::new() };
    let caller = &asked.caller;
    let surface = Surface { caller, submit_url: "", join: None, links: &*asked.served.links, corrections: None };
    // The reader may be anywhere; the client says in which time zone.
    let sentence = asked.served.host.framed_own(OWN, place, &surface, |frame| {
        Painter::new(&Frame { zone: TimeZone::UTC, ..frame.clone() }, 2).stands(&delivery)
    });
    Ok(json_answer(&json!({
        "mail": id.to_string(),
        "account": delivery.account,
        "state": delivery.state.name(),
        "to": delivery.to,
        "attempts": delivery.attempts,
        "server": delivery.server,
        "answer": delivery.said,
        "asked_at": delivery.asked_at,
        "changed_at": delivery.changed_at,
        "next_attempt": delivery.due,
        "sentence": sentence,
    })))
}
