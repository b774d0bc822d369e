//! Refusals: problem documents (RFC 9457). One table has every kind. Clients act on `code`, which never changes.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use keyturn_runtime::values::{Misfit, snake};
use keyturn_runtime::{CallError, Failure};
use keyturn_store::StorageError;

/// The header of every answer that names its request.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Seconds until a left-out plugin may be back: its operator has to act first.
const LEFT_OUT_SECONDS: u32 = 60;
/// Seconds until a server may have been restarted.
const RESTART_SECONDS: u32 = 60;

/// One kind of problem.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// Stable: clients act on it.
    pub code: &'static str,
    /// The status that it comes with.
    pub status: u16,
    /// One sentence, the same each time.
    pub title: &'static str,
}

macro_rules! kinds {
    ($($name:ident = $status:literal $code:literal $title:literal;)*) => {
        $(pub(super) static $name: Kind = Kind { code: $code, status: $status, title: $title };)*
        /// Every kind there is, in the order of their statuses.
        pub static KINDS: &[&Kind] = &[$(&$name),*];
    };
}

kinds! {
    JSON = 400 "json" "The body is not valid JSON.";
    ARGUMENTS = 400 "arguments" "An argument is missing, unknown, or has a wrong type: path names it.";
    IDEMPOTENCY_KEY = 400 "idempotency-key" "The Idempotency-Key must have 1 to 255 visible characters.";
    CLIENT_ADDRESS = 400 "client-address" "The Keyturn-Client-Address must be one IP address.";
    NO_KEY = 401 "no-key" "Send a service key.";
    BAD_KEY = 401 "bad-key" "The service key is unknown, revoked or expired.";
    BAD_SIGNATURE = 401 "bad-signature" "The signature is not valid: detail says why.";
    ON_BEHALF = 401 "on-behalf" "The request doesn't correctly say for whom the panel asks: detail says why.";
    SIGN_IN = 401 "sign-in" "The page is for people who are signed in.";
    ADDRESS = 403 "address" "The service key isn't allowed from this address.";
    NOT_ALLOWED = 403 "not-allowed" "The service key has no scope for this hook.";
    STEP_UP = 403 "step-up" "People confirm this hook with their password. A machine can't: its key needs the scope without-step-up.";
    FORBIDDEN = 403 "forbidden" "The plugin doesn't allow this caller.";
    FOREIGN_FORM = 403 "foreign-form" "The form was not drawn here, or not for this reader and session.";
    NO_SUCH_HOOK = 404 "no-such-hook" "No plugin has this hook.";
    NO_SUCH_PAGE = 404 "no-such-address" "There is nothing at this address.";
    NOT_FOUND = 404 "not-found" "It doesn't exist, or the key doesn't reach it.";
    METHOD = 405 "method" "The address doesn't have this method.";
    BODY_LATE = 408 "body-late" "The body did not come in time.";
    CONFLICT = 409 "conflict" "The data that the call depends on kept changing. Nothing was changed. Try again.";
    EXPIRED = 410 "expired" "The link or ticket has expired.";
    TOO_LARGE = 413 "too-large" "The body is too large.";
    MEDIA_TYPE = 415 "media-type" "The body must be application/json, in UTF-8, not compressed.";
    INVALID = 422 "invalid" "Arguments break a rule: errors lists them.";
    REFUSED = 422 "refused" "A rule of the plugin refused it: reason names it.";
    PLUGIN_ERROR = 422 "error" "The plugin answered with its own error: error has it.";
    KEY_REUSED = 422 "key-reused" "The Idempotency-Key was used for a request with another body.";
    RATE = 429 "rate" "The service key was used too often.";
    THROTTLED = 429 "throttled" "Too many attempts.";
    PLUGIN = 500 "plugin" "The plugin crashed. Nothing was changed.";
    LIMIT = 500 "limit" "A limit stopped the plugin: limit names it. Nothing was changed.";
    STORAGE = 500 "storage" "The database failed. Nothing was changed.";
    INTERNAL = 500 "internal" "The host failed.";
    UNSUPPORTED = 501 "unsupported" "This panel can't do that.";
    BUSY = 503 "busy" "Very busy right now. Nothing was changed.";
    UNAVAILABLE = 503 "unavailable" "Not available right now. Nothing was changed.";
    DEADLINE = 504 "deadline" "The plugin took too long and was stopped. Nothing was changed.";
    INDETERMINATE = 504 "indeterminate" "It may or may not have been done: ask for the operation by its Idempotency-Key.";
}

#[derive(Debug)]
pub(super) struct Problem {
    pub(super) kind: &'static Kind,
    members: Vec<(&'static str, Value)>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl From<&'static Kind> for Problem {
    fn from(kind: &'static Kind) -> Self {
        Self { kind, members: Vec::new(), headers: Vec::new() }
    }
}

impl Kind {
    /// Says more about this case.
    pub(super) fn detail(&'static self, detail: impl Into<String>) -> Problem {
        Problem::from(self).detail(detail)
    }
}

impl Problem {
    /// What is wrong with the argument at this path.
    pub(super) fn argument(path: &str, detail: impl Into<String>) -> Self {
        ARGUMENTS.detail(detail).member("path", path)
    }

    pub(super) fn detail(self, detail: impl Into<String>) -> Self {
        self.member("detail", detail.into())
    }

    fn member(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.members.push((name, value.into()));
        self
    }

    pub(super) fn header(mut self, name: HeaderName, value: impl AsRef<str>) -> Self {
        if let Ok(value) = HeaderValue::from_str(value.as_ref()) {
            self.headers.push((name, value));
        }
        self
    }

    pub(super) fn retry_after(self, seconds: u32) -> Self {
        self.header(header::RETRY_AFTER, seconds.to_string())
    }

    /// The answer to the request with this id.
    pub(super) fn response(self, request: &str) -> Response {
        let mut document = json!({
            "type": format!("/v1/#{}", self.kind.code),
            "title": self.kind.title,
            "status": self.kind.status,
            "code": self.kind.code,
        });
        for (name, value) in self.members {
            document[name] = value;
        }
        document["request"] = request.into();
        let status = StatusCode::from_u16(self.kind.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Body::from(document.to_string())).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.extend(HeaderValue::from_str(request).ok().map(|id| (REQUEST_ID, id)));
        for (name, value) in self.headers {
            headers.append(name, value);
        }
        response
    }

    /// The document for a failed database. The log has the reason, for people who run the panel.
    pub(super) fn of_storage(cause: StorageError) -> Self {
        // A replaced file is logged once, elsewhere.
        if !matches!(cause, StorageError::Busy | StorageError::Replaced(_)) {
            tracing::error!("{cause}");
        }
        Self::of(CallError::of_storage(cause))
    }

    /// The document for a failed call.
    pub(super) fn of(error: CallError) -> Self {
        match error {
            CallError::Failed(failure) => Self::of_failure(failure),
            CallError::Error(error) => Self::from(&PLUGIN_ERROR).member("error", error),
            CallError::Arguments(misfit) => Self::of_misfit(&misfit),
            CallError::NoSuch(what) => NO_SUCH_HOOK.detail(format!("There is no {what}.")),
            CallError::Denied { operation, .. } => {
                NOT_ALLOWED.detail(format!("The key isn't allowed to do {operation}."))
            }
            CallError::StepUp { operation } => {
                STEP_UP.detail(format!("People confirm {operation} with their password."))
            }
            CallError::Limit { limit: limit @ ("guest-ms" | "total-ms"), .. } => {
                Self::from(&DEADLINE).member("limit", limit)
            }
            CallError::Limit { limit, .. } => Self::from(&LIMIT).member("limit", limit),
            CallError::EffectsRefused { .. } | CallError::Trap { .. } | CallError::View { .. } => Self::from(&PLUGIN),
            CallError::LeftOut { plugin } => {
                UNAVAILABLE.detail(format!("The plugin {plugin} is left out.")).retry_after(LEFT_OUT_SECONDS)
            }
            CallError::Busy(seconds) => Self::from(&BUSY).retry_after(seconds),
            CallError::Conflict => Self::from(&CONFLICT),
            CallError::KeyReused => Self::from(&KEY_REUSED),
            CallError::Storage(StorageError::Busy) => {
                Self::from(&BUSY).retry_after(keyturn_runtime::capabilities::RETRY_SECONDS)
            }
            CallError::Storage(StorageError::Replaced(_)) => UNAVAILABLE
                .detail("The database file was replaced while the server runs. Restart the server.")
                .retry_after(RESTART_SECONDS),
            CallError::Storage(_) => Self::from(&STORAGE),
            CallError::Indeterminate => Self::from(&INDETERMINATE),
            CallError::LeaseLost => Self::from(&INTERNAL),
            CallError::Replayed => used_before(),
        }
    }

    fn of_failure(failure: Failure) -> Self {
        match failure {
            Failure::NotFound => Self::from(&NOT_FOUND),
            Failure::Forbidden => Self::from(&FORBIDDEN),
            Failure::Invalid(errors) => {
                let errors = errors
                    .into_iter()
                    .map(|error| json!({ "path": snake(&error.field), "code": error.code, "message": error.message }));
                Self::from(&INVALID).member("errors", errors.collect::<Vec<_>>())
            }
            Failure::Refused(refusal) => REFUSED.detail(refusal.message).member("reason", refusal.code),
            Failure::Expired => Self::from(&EXPIRED),
            Failure::Throttled(seconds) => Self::from(&THROTTLED).retry_after(seconds),
            Failure::Unavailable(seconds) => Self::from(&UNAVAILABLE).retry_after(seconds),
            Failure::Unsupported => Self::from(&UNSUPPORTED),
        }
    }

    fn of_misfit(misfit: &Misfit) -> Self {
        let path = misfit.path.strip_prefix("arguments").unwrap_or(&misfit.path);
        let path = path.strip_prefix('.').unwrap_or(path);
        let subject = if path.is_empty() { "The body" } else { path };
        Self::argument(path, format!("{subject} {}.", misfit.problem))
    }
}

/// The nonce of a signed request was there before.
pub(super) fn used_before() -> Problem {
    unauthorized(&BAD_SIGNATURE).detail("The nonce was already used.")
}

/// A refusal with the challenge that RFC 6750 and RFC 9110 ask for.
pub(super) fn unauthorized(kind: &'static Kind) -> Problem {
    let challenge = match kind.code {
        "bad-key" => "Bearer realm=\"keyturn\", error=\"invalid_token\"",
        _ => "Bearer realm=\"keyturn\"",
    };
    Problem::from(kind).header(header::WWW_AUTHENTICATE, challenge)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_code_stands_once_and_with_a_status_of_refusals() {
        let codes: BTreeSet<&str> = KINDS.iter().map(|kind| kind.code).collect();
        assert_eq!(codes.len(), KINDS.len());
        assert!(KINDS.iter().all(|kind| (400..=504).contains(&kind.status)));
        assert!(KINDS.windows(2).all(|two| two[0].status <= two[1].status));
    }

    #[test]
    fn the_documentation_has_each_code_with_its_status() {
        let page = include_str!("../../../../docs/hooks.md");
        for kind in KINDS {
            let (status, code) = (kind.status.to_string(), format!("`{}`", kind.code));
            let has =
                |row: &&str| row.split(" | ").next().is_some_and(|cell| cell.contains(&status)) && row.contains(&code);
            assert!(page.lines().filter(|line| line.starts_with("| ")).any(|row| has(&row)), "{status} {code}");
        }
    }

    #[test]
    fn every_failure_of_the_contract_has_its_status() {
        for (failure, status, code) in [
            (Failure::NotFound, 404, "not-found"),
            (Failure::Forbidden, 403, "forbidden"),
            (Failure::Invalid(Vec::new()), 422, "invalid"),
            (Failure::Expired, 410, "expired"),
            (Failure::Throttled(7), 429, "throttled"),
            (Failure::Unavailable(7), 503, "unavailable"),
            (Failure::Unsupported, 501, "unsupported"),
        ] {
            let waits = matches!(failure, Failure::Throttled(_) | Failure::Unavailable(_));
            let problem = Problem::of(CallError::Failed(failure));
            assert_eq!((problem.kind.status, problem.kind.code), (status, code));
            let response = problem.response("r");
            assert_eq!(response.headers().contains_key(header::RETRY_AFTER), waits, "{code}");
            assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        }
    }

    #[test]
    fn a_database_that_was_replaced_is_no_breakdown_of_the_database() {
        let problem =
            Problem::of_storage(StorageError::Replaced("panel.db was replaced while it was in use".to_owned()));
        assert_eq!((problem.kind.status, problem.kind.code), (503, "unavailable"));
        let (_, detail) = problem.members.first().expect("a detail");
        let detail = detail.as_str().unwrap_or_default();
        assert!(detail.contains("Restart the server") && !detail.contains("panel.db"), "{detail}");
    }

    #[test]
    fn what_stands_in_the_way_is_named_from_the_bodys_own_root() {
        for (path, expected) in [("arguments.items[3].name", "items[3].name"), ("arguments", "")] {
            let misfit = Misfit { path: path.to_owned(), problem: "must be a string".to_owned() };
            assert_eq!(Problem::of(CallError::Arguments(misfit)).members[1], ("path", Value::from(expected)));
        }
    }

    #[test]
    fn a_plugin_that_was_stopped_by_the_clock_is_told_from_one_that_hit_another_limit() {
        let limit = |limit| Problem::of(CallError::Limit { plugin: "p".to_owned(), limit }).kind.status;
        assert_eq!((limit("guest-ms"), limit("total-ms"), limit("memory-bytes")), (504, 504, 500));
    }
}
