//! Who asks: session, language, colours and address. Read once for each request.

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

/// The session's cookie. With https, its name binds it to this very host: no other host of the domain can set it (RFC 6265bis,
/// section 4.1.3.2).
pub fn session_cookie(https: bool) -> &'static str {
    if https { "__Host-session" } else { "session" }
}

/// The cookie with the answer of an earlier sign-in in this browser. It outlives sessions: with it, the sign-in hook lets an
/// account's owner in while strangers guess.
pub fn device_cookie(https: bool) -> &'static str {
    if https { "__Host-device" } else { "device" }
}

/// Tells browsers apart while nobody is signed in: the sign-in form is bound to it.
pub const VISIT: &str = "kt-visit";

pub struct Visitor {
    /// The session, if it is valid.
    pub session: Option<Session>,
    /// The cookie [`VISIT`], and whether the browser already has it.
    pub visit: (String, bool),
    /// BCP 47, one of the host's.
    pub locale: String,
    /// Whether this request chose the language.
    pub chosen: bool,
    pub theme: Theme,
    /// The client's address.
    pub address: Option<IpAddr>,
    /// The browser's User-Agent.
    pub agent: String,
    pub request: String,
}

impl Visitor {
    pub fn of(site: &Site, parts: &Parts) -> Result<Self, Failed> {
        let headers = &parts.headers;
        let session = match cookie(headers, session_cookie(site.https)) {
            Some(cookie) => site.people.session(&site.host, cookie, site.host.now())?,
            None => None,
        };
        let chosen = asked_locale(&parts.uri).is_some();
        // Signed-in people have chosen their language, if not in this browser.
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

    /// Nobody: the request could not even be read that far.
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

    pub fn words(&self) -> Words {
        Words::of(&self.locale)
    }

    /// The person who is signed in.
    pub fn person(&self) -> Option<&Person> {
        self.session.as_ref().map(|session| &session.person)
    }

    /// The caller for the host.
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

    /// An anonymous caller in this browser: for the sign-in, even if somebody is signed in.
    pub fn anonymous(&self) -> Caller {
        Caller {
            address: self.address,
            locale: self.locale.clone(),
            session: format!("visit {}", self.visit.0),
            request: self.request.clone(),
            ..Caller::new(Actor::Anonymous, Reach::none())
        }
    }

    pub fn with_origin<T>(&self, use_it: impl FnOnce(Origin<'_>) -> T) -> T {
        let address = self.address.map(|address| address.to_string());
        use_it(Origin { address: address.as_deref(), agent: &self.agent })
    }

    /// Protects forms that are only a button against forged requests. Nobody else knows what it is made of.
    pub fn token(&self) -> String {
        let of = self.session.as_ref().map_or(self.visit.0.as_str(), |session| session.token.as_str());
        seal::hex(&Sha256::digest(format!("keyturn-example-panel forms {of}")))
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Whether a browser says that another site made it post. Browsers that say nothing are old; the forms' tokens stop them.
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
