//! The caller: a machine that sends its key, or has signed its request with it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::http::{HeaderMap, header};

use super::problem::{self, Problem, unauthorized, used_before};
use super::request::Received;
use super::signature::{self, CLIENT_ADDRESS, ON_BEHALF};
use super::traffic::Traffic;
use keyturn_core::time::now;
use keyturn_operator::Operator;
use keyturn_operator::service_key::{self, ServiceKey};

/// The key of a request, if it is valid and may be used from there.
pub(super) fn asker(host: &Operator, traffic: &Traffic, received: &Received) -> Result<Asker, Problem> {
    let headers = &received.headers;
    let key = match headers.get(header::AUTHORIZATION) {
        // Otherwise anybody who once saw a token could speak for other people.
        Some(_) if headers.contains_key(ON_BEHALF) => {
            return Err(unauthorized(&problem::BAD_SIGNATURE)
                .detail(format!("A request with {ON_BEHALF} must be signed; sending the key is not enough.")));
        }
        Some(value) => {
            let token = value.to_str().ok().and_then(|value| value.split_once(' '));
            let token =
                token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
            let token = token.ok_or_else(|| unauthorized(&problem::BAD_KEY))?;
            host.service_key_of(token).map_err(Problem::of_storage)?.ok_or_else(|| unauthorized(&problem::BAD_KEY))?
        }
        None if signature::is_signed(headers) => return signed(host, traffic, received),
        None => return Err(unauthorized(&problem::NO_KEY)),
    };
    Ok(Asker { key: from_there(key, received)?, nonce: None })
}

/// The caller, and the nonce, to take when nothing else is wrong.
pub(super) struct Asker {
    pub(super) key: Arc<ServiceKey>,
    nonce: Option<String>,
}

impl Asker {
    /// Takes the nonce of a signed request: here in memory, for as long as it matters. A call with effects also stores it with
    /// these ([`Asker::to_store`]), for other hosts on the same database and for the time after a crash.
    pub(super) fn once(&self, traffic: &Traffic) -> Result<(), Problem> {
        let Some(nonce) = &self.nonce else { return Ok(()) };
        if traffic.take(&self.key.id, nonce, Instant::now()) { Ok(()) } else { Err(used_before()) }
    }

    pub(super) fn to_store(&self) -> Option<String> {
        self.nonce.as_ref().map(|nonce| format!("nonce {} {nonce}", self.key.id))
    }
}

fn from_there(key: ServiceKey, received: &Received) -> Result<Arc<ServiceKey>, Problem> {
    if key.may_come_from(received.address) {
        return Ok(Arc::new(key));
    }
    let problem = Problem::from(&problem::ADDRESS);
    Err(match received.address {
        Some(_) => problem,
        None => problem.detail(
            "The client's address is not known: a proxy of server.proxies did not say it readably in X-Forwarded-For. \
             A machine that calls from a proxy's address must also be in server.panel-addresses.",
        ),
    })
}

fn signed(host: &Operator, traffic: &Traffic, received: &Received) -> Result<Asker, Problem> {
    let Received { method, uri, headers, body, .. } = received;
    let bad = |why: String| unauthorized(&problem::BAD_SIGNATURE).detail(why);
    let signed = signature::read(method, uri, headers, body).map_err(bad)?;
    let now = now();
    let key = host.service_key(&signed.key).map_err(Problem::of_storage)?;
    // An unknown key and a wrong signature get the same answer.
    let key = key.filter(|key| key.signed(signed.base.as_bytes(), &signed.signature, now));
    let key = key.ok_or_else(|| bad("It belongs to no working key.".to_owned()))?;
    let off = signed.created.saturating_sub(now.div_euclid(1_000));
    if off.saturating_abs() > signature::WINDOW {
        let why =
            format!("created is {off} seconds off this machine's clock; at most {} are accepted.", signature::WINDOW);
        return Err(bad(why));
    }
    // The used nonces are known only since the start. So a request that was signed before it, or with a clock that is ahead and
    // may have signed it then, must be signed again.
    let started = traffic.started;
    let unsure = signed.created < started || (now.div_euclid(1_000) - started < signature::WINDOW && off > 1);
    if unsure {
        return Err(bad(
            "It may have been used before this server started, a moment ago. Sign again, with a correct clock."
                .to_owned(),
        ));
    }
    Ok(Asker { key: from_there(key, received)?, nonce: Some(signed.nonce) })
}

/// The address of the person for whom a machine calls, if the machine sends it. The key's own addresses are checked against the
/// address that the request comes from, whatever this says.
pub(super) fn client_address(key: &ServiceKey, headers: &HeaderMap) -> Result<Option<IpAddr>, Problem> {
    let mut values = headers.get_all(CLIENT_ADDRESS).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if !key.scopes.contains(service_key::CLIENT_ADDRESS) {
        let detail = format!("To send {CLIENT_ADDRESS}, the key needs the scope {}.", service_key::CLIENT_ADDRESS);
        return Err(problem::NOT_ALLOWED.detail(detail));
    }
    let address = value.to_str().ok().and_then(|value| value.trim().parse::<IpAddr>().ok());
    match (address, values.next()) {
        (Some(address), None) => Ok(Some(address.to_canonical())),
        (_, Some(_)) => Err(problem::CLIENT_ADDRESS.detail("The header is there more than once.")),
        (None, None) => Err(problem::CLIENT_ADDRESS.detail("Send it like 192.0.2.7 or 2001:db8::7, without a port.")),
    }
}
