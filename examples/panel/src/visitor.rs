//! Who asks: the session, the language, the colours, the address. Read once for each request.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::header::{HOST, ORIGIN, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use keyturn_host::accounts::Reach;
use keyturn_host::caller::{Actor, Caller, request_id};
use keyturn_host::http::reader::{self, LANGUAGE_COOKIE, asked_locale, cookie};
use keyturn_host::seal;
use keyturn_host::view::shell::Theme;
use sha2::{Digest as _, Sha256};

use crate::answer::Failed;
use crate::folk::reach;
use crate::people::Person;
use crate::session::{Origin, Session};
use crate::site::Site;
use crate::words::Words;

/// The session's cookie. Under https its name binds it to this very host: no other one of the domain can set it (RFC 6265bis,
/// section 4.1.3.2).
pub fn session_cookie(https: bool) -> &'static str {
    if https { "__Host-session" } else { "session" }
}

/// The cookie of what an earlier sign-in has answered for this browser to keep. It outlives sessions: with it, the sign-in hook
/// lets the owner of an account in while strangers guess at it.
pub fn device_cookie(https: bool) -> &'static str {
    if https { "__Host-device" } else { "device" }
}

/// Tells browsers apart that nobody is signed in with: the sign-in form is bound to it.
pub const VISIT: &str = "kt-visit";

/// Who asks.
pub struct Visitor {
    /// The session, if one holds.
    pub session: Option<Session>,
    /// The cookie [`VISIT`], and whether the browser has it already.
    pub visit: (String, bool),
    /// BCP 47, one of the host's.
    pub locale: String,
    /// Whether this request chose the language.
    pub chosen: bool,
    /// The colours.
    pub theme: Theme,
    /// The client's address.
    pub address: Option<IpAddr>,
    /// What the browser says it is.
    pub agent: String,
    /// This request's id.
    pub request: String,
}

impl Visitor {
    /// Reads a request.
    pub fn of(site: &Site, parts: &Parts) -> Result<Self, Failed> {
        let headers = &parts.headers;
        let session = match cookie(headers, session_cookie(site.https)) {
            Some(cookie) => site.people.session(&site.host, cookie, site.host.now())?,
            None => None,
        };
        let chosen = asked_locale(&parts.uri).is_some();
        // Who is signed in has said which language he reads, if not in this browser.
        let own = session.as_ref().filter(|_| !chosen && cookie(headers, LANGUAGE_COOKIE).is_none());
        let locale = match own {
            Some(session) => Words::of(&session.person.locale).host.tag().to_owned(),
            None => reader::locale(&parts.uri, headers),
        };
        let visit =
            cookie(headers, VISIT).filter(|visit| visit.len() == 32 && visit.bytes().all(|b| b.is_ascii_hexdigit()));
        Ok(Self {
            session,
            visit: match visit {
                Some(visit) => (visit.to_owned(), true),
                None => (seal::hex(&seal::random::<16>()), false),
            },
            locale,
            chosen,
            theme: reader::theme(headers),
            address: parts
                .extensions
                .get::<ConnectInfo<SocketAddr>>()
                .map(|ConnectInfo(client)| client.ip().to_canonical()),
            agent: text(headers, &USER_AGENT).to_owned(),
            request: request_id(),
        })
    }

    /// Somebody whose request could not even be read that far.
    pub fn nobody() -> Self {
        Self {
            session: None,
            visit: (seal::hex(&seal::random::<16>()), false),
            locale: "en".to_owned(),
            chosen: false,
            theme: Theme::Auto,
            address: None,
            agent: String::new(),
            request: request_id(),
        }
    }

    /// His language.
    pub fn words(&self) -> Words {
        Words::of(&self.locale)
    }

    /// Who is signed in.
    pub fn person(&self) -> Option<&Person> {
        self.session.as_ref().map(|session| &session.person)
    }

    /// As the host is told.
    pub fn caller(&self) -> Caller {
        let signed_in = self.session.as_ref().and_then(|session| Some((session, session.person.account()?)));
        match signed_in {
            Some((session, account)) => Caller {
                actor: Actor::Account(account),
                reach: reach(session.person.kind),
                session: session.token.clone(),
                verified_at: Some(session.verified),
                ..self.anonymous()
            },
            None => self.anonymous(),
        }
    }

    /// Nobody in particular in this browser: at the sign-in, whoever is signed in.
    pub fn anonymous(&self) -> Caller {
        Caller {
            address: self.address,
            locale: self.locale.clone(),
            session: format!("visit {}", self.visit.0),
            request: self.request.clone(),
            ..Caller::new(Actor::Anonymous, Reach::none())
        }
    }

    /// Where a session begins.
    pub fn with_origin<T>(&self, use_it: impl FnOnce(Origin<'_>) -> T) -> T {
        let address = self.address.map(|address| address.to_string());
        use_it(Origin { address: address.as_deref(), agent: &self.agent })
    }

    /// Against forged requests, in the forms that are no more than a button. Nobody else knows what it is made of.
    pub fn token(&self) -> String {
        let of = self.session.as_ref().map_or(self.visit.0.as_str(), |session| session.token.as_str());
        seal::hex(&Sha256::digest(format!("keyturn-example-panel forms {of}")))
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Whether a browser says that another site made it post. Those that say nothing are not browsers of these days; the
/// tokens in the forms stop them.
pub fn from_elsewhere(headers: &HeaderMap) -> bool {
    match headers.get("sec-fetch-site").map(|site| site.as_bytes()) {
        Some(site) => site != b"same-origin",
        None => match headers.get(ORIGIN) {
            Some(origin) => {
                let origin = origin.to_str().unwrap_or_default();
                let authority = origin.split_once("://").map_or("", |(_, authority)| authority);
                authority != text(headers, &HOST)
            }
            None => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_post_that_another_site_made_is_known_by_its_headers() {
        let headers = |given: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in given {
                headers.insert(*name, value.parse().expect("value"));
            }
            headers
        };
        assert!(!from_elsewhere(&headers(&[("sec-fetch-site", "same-origin"), ("origin", "null")])));
        assert!(from_elsewhere(&headers(&[("sec-fetch-site", "cross-site")])));
        assert!(from_elsewhere(&headers(&[("sec-fetch-site", "same-site")])));
        assert!(!from_elsewhere(&headers(&[("origin", "https://a.example:81"), ("host", "a.example:81")])));
        assert!(from_elsewhere(&headers(&[("origin", "https://b.example"), ("host", "a.example")])));
        assert!(from_elsewhere(&headers(&[("origin", "null"), ("host", "a.example")])));
    }
}
