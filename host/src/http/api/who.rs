//! Who calls: a machine that bears its key, or one that has signed its request with it.

use axum::http::header;

use super::Received;
use super::problem::{self, Problem};
use super::signature::{self, ON_BEHALF};
use crate::call::{CallError, now};
use crate::host::Host;
use crate::operator::OWN;
use crate::service_key::ServiceKey;
use crate::storage::StorageError;

/// Nonces are remembered for so many seconds: longer than a signature's time may be off, both ways.
const NONCE_SECONDS: u32 = 3 * signature::WINDOW as u32;

/// The key that a request comes with, if it is worth anything and may be used from there.
pub(super) fn key(host: &Host, received: &Received) -> Result<ServiceKey, Problem> {
    let headers = &received.headers;
    let key = match headers.get(header::AUTHORIZATION) {
        // Who holds a token that was seen once could say whatever he likes of others, from then on.
        Some(_) if headers.contains_key(ON_BEHALF) => {
            return Err(unauthorized(&problem::BAD_SIGNATURE)
                .detail(format!("A request with {ON_BEHALF} must be signed; a key that is borne is not enough.")));
        }
        Some(value) => {
            let token = value.to_str().ok().and_then(|value| value.split_once(' '));
            let token =
                token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
            let token = token.ok_or_else(|| unauthorized(&problem::BAD_KEY))?;
            host.service_key_of(token).map_err(storage)?.ok_or_else(|| unauthorized(&problem::BAD_KEY))?
        }
        None if signature::is_signed(headers) => signed(host, received)?,
        None => return Err(unauthorized(&problem::NO_KEY)),
    };
    if key.may_come_from(received.address) { Ok(key) } else { Err(Problem::from(&problem::ADDRESS)) }
}

fn signed(host: &Host, Received { method, uri, headers, body, .. }: &Received) -> Result<ServiceKey, Problem> {
    let bad = |why: String| unauthorized(&problem::BAD_SIGNATURE).detail(why);
    let signed = signature::read(method, uri, headers, body).map_err(bad)?;
    let now = now();
    let key = host.service_key(&signed.key).map_err(storage)?;
    // Of a key that is not there, and of a signature that is not its own, the same is said.
    let key = key.filter(|key| key.signed(signed.base.as_bytes(), &signed.signature, now));
    let key = key.ok_or_else(|| bad("It is not that of a key that works.".to_owned()))?;
    let off = signed.created.saturating_sub(now.div_euclid(1_000));
    if off.saturating_abs() > signature::WINDOW {
        let why = format!("created is {off} seconds off this machine's clock; {} are let pass.", signature::WINDOW);
        return Err(bad(why));
    }
    // Counted where throttles are: what is counted there outlives the process.
    let nonce = format!("nonce {} {}", key.id, signed.nonce);
    match host.0.storage.count(OWN, &nonce, NONCE_SECONDS, now).map_err(storage)? {
        1 => Ok(key),
        _ => Err(bad("The nonce was used before.".to_owned())),
    }
}

fn unauthorized(kind: &'static problem::Kind) -> Problem {
    let challenge = match kind.code {
        "bad-key" => "Bearer realm=\"keyturn\", error=\"invalid_token\"",
        _ => "Bearer realm=\"keyturn\"",
    };
    Problem::from(kind).header(header::WWW_AUTHENTICATE, challenge)
}

fn storage(cause: StorageError) -> Problem {
    Problem::of(CallError::of_storage(cause))
}
