//! Answers: pages, redirects, and errors.

use axum::body::Body;
use axum::http::header::{ALLOW, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use keyturn_host::embed::SubmitError;
use keyturn_host::http::harden;
use keyturn_host::storage::StorageError;
use keyturn_host::view::ViewError;
use keyturn_host::view::form::FormError;
use keyturn_host::view::html::Markup;
use keyturn_host::{CallError, Failure};
use rusqlite::ErrorCode;

use crate::folk::Folk;

/// Seconds until the next try, if nothing says how many.
const AGAIN: u32 = 5;
/// The same, if the panel must be restarted first.
const RESTARTED: u32 = 60;

/// Why there is no page. [`crate::request::Request::failed`] draws each as a page.
#[derive(Debug)]
pub enum Failed {
    /// No such person, or not one of the reader's.
    NoSuch(Folk),
    NoPage,
    /// The page is for people who are signed in.
    SignIn,
    /// The reader has no right to a known page.
    Forbidden,
    /// The form was not drawn for this session.
    Forged,
    /// More than any form of ours sends.
    TooLarge,
    /// Too many requests; wait so many seconds.
    Throttled(u32),
    /// Busy; try again in so many seconds.
    Busy(u32),
    Indeterminate,
    /// Something failed; the text is for the log.
    Broken(String),
}

impl From<rusqlite::Error> for Failed {
    fn from(cause: rusqlite::Error) -> Self {
        match cause.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Failed::Busy(AGAIN),
            _ => Failed::Broken(cause.to_string()),
        }
    }
}

impl From<StorageError> for Failed {
    fn from(cause: StorageError) -> Self {
        match cause {
            StorageError::Busy => Failed::Busy(AGAIN),
            StorageError::Indeterminate => Failed::Indeterminate,
            StorageError::Replaced(_) => Failed::Busy(RESTARTED),
            cause => Failed::Broken(cause.to_string()),
        }
    }
}

impl From<CallError> for Failed {
    fn from(cause: CallError) -> Self {
        match cause {
            CallError::Busy(seconds) | CallError::Failed(Failure::Unavailable(seconds)) => Failed::Busy(seconds),
            CallError::LeftOut { .. } => Failed::Busy(60),
            CallError::Failed(Failure::Throttled(seconds)) => Failed::Throttled(seconds),
            CallError::Failed(Failure::NotFound) => Failed::NoPage,
            CallError::Failed(Failure::Forbidden) | CallError::Denied { .. } => Failed::Forbidden,
            CallError::Conflict => Failed::Busy(1),
            CallError::Indeterminate => Failed::Indeterminate,
            CallError::NoSuch(_) => Failed::NoPage,
            CallError::Storage(cause) => cause.into(),
            cause => Failed::Broken(cause.to_string()),
        }
    }
}

impl From<FormError> for Failed {
    fn from(cause: FormError) -> Self {
        match cause {
            FormError::TooLarge => Failed::TooLarge,
            FormError::Malformed(_) | FormError::Foreign | FormError::Stale(_) => Failed::Forged,
        }
    }
}

impl From<SubmitError> for Failed {
    fn from(cause: SubmitError) -> Self {
        match cause {
            SubmitError::Form(cause) => cause.into(),
            SubmitError::Call(cause) => cause.into(),
        }
    }
}

impl From<ViewError> for Failed {
    fn from(cause: ViewError) -> Self {
        Failed::Broken(cause.to_string())
    }
}

pub fn page(status: StatusCode, html: &Markup) -> Response {
    with(status, "text/html; charset=utf-8", html.to_string())
}

/// A redirect after a post.
pub fn see_other(url: &str) -> Response {
    moved(StatusCode::SEE_OTHER, url)
}

/// A redirect with `status`. If no header can have the address, it leads home.
pub fn moved(status: StatusCode, url: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    let url = HeaderValue::try_from(url).unwrap_or(HeaderValue::from_static("/"));
    response.headers_mut().insert(LOCATION, url);
    response
}

pub fn json(body: String) -> Response {
    with(StatusCode::OK, "application/json", body)
}

/// The page exists, but not for this method.
pub fn wrong_method(allowed: &'static str) -> Response {
    let mut response = with(StatusCode::METHOD_NOT_ALLOWED, "text/plain; charset=utf-8", String::new());
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    harden(response.headers_mut(), false);
    response
}

fn with(status: StatusCode, kind: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

pub fn retry_after(response: &mut Response, seconds: u32) {
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
}

/// A cookie for the whole panel that scripts can't read. `age` in seconds; none: until the browser closes.
pub fn cookie(name: &str, value: &str, age: Option<u32>, https: bool) -> String {
    let age = age.map(|age| format!("; Max-Age={age}")).unwrap_or_default();
    let secure = if https { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{age}{secure}")
}
