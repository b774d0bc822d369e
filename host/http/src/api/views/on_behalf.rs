//! The reader for whom a panel asks. The header `Keyturn-On-Behalf` has, in base64, a JSON object with the members of [`Said`];
//! the request is signed, and its signature covers the header: it is valid for this request, for a minute, once.

use std::collections::BTreeMap;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;

use super::super::problem::{self, Problem};
use super::super::request::Asked;
use super::super::signature::{self, ON_BEHALF};
use keyturn_core::accounts::{AccountId, Reach, Scope};
use keyturn_core::caller::{Actor, Caller};
use keyturn_core::time::now;
use keyturn_core::words::Language;
use keyturn_operator::service_key::VIEWS as SCOPE;

/// What a panel says about its reader. All members must be there, null or not: a missing one is an error, never a default.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    /// The host that this is for: its link origin. A copy of the host at another address refuses it.
    audience: String,
    /// The reader's account, or null: nobody is signed in.
    #[serde(deserialize_with = "Option::deserialize")]
    who: Option<AccountId>,
    /// The accounts that the reader manages besides their own: realms, each with `own` or `all`.
    reach: BTreeMap<String, Far>,
    /// The reader's session with the panel, in any unique form: 16 to 128 visible characters. Forms are bound to it.
    session: String,
    /// When the reader last confirmed their identity, in Unix seconds; null: not in this session.
    #[serde(deserialize_with = "Option::deserialize")]
    verified_at: Option<i64>,
    /// BCP 47; a language that the host doesn't have means English.
    locale: String,
    /// The reader's client address.
    #[serde(deserialize_with = "Option::deserialize")]
    address: Option<IpAddr>,
    /// Whether the reader may use the host's own pages.
    operator: bool,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Far {
    Own,
    All,
}

/// A panel's reader, as a caller.
pub(super) struct OnBehalf {
    pub(super) caller: Caller,
    operator: bool,
}

impl OnBehalf {
    /// Reads the header of a request whose signature covers it.
    pub(super) fn of(asked: &Asked) -> Result<Self, Problem> {
        asked.needs(SCOPE)?;
        let wrong = |why: String| problem::ON_BEHALF.detail(why);
        let mut values = asked.received.headers.get_all(ON_BEHALF).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(wrong(format!("The header {ON_BEHALF} must be there, once.")));
        };
        let json = BASE64.decode(value).map_err(|_| wrong(format!("{ON_BEHALF} must be base64.")))?;
        let said: Said = serde_json::from_slice(&json).map_err(|cause| wrong(format!("{ON_BEHALF}: {cause}.")))?;
        let origin = asked.served.host.origin();
        if said.audience != origin {
            return Err(wrong(format!("audience is “{}”; this host's is “{origin}”.", said.audience.escape_debug())));
        }
        if !(16..=128).contains(&said.session.len()) || !said.session.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(wrong("session must have 16 to 128 visible characters.".to_owned()));
        }
        let now = now().div_euclid(1_000);
        if said.verified_at.is_some_and(|at| !(0..=now + signature::WINDOW).contains(&at)) {
            return Err(wrong("verified_at must be Unix seconds in the past, or null.".to_owned()));
        }
        Self::within(asked, said)
    }

    /// Nobody reaches further than the key.
    fn within(asked: &Asked, said: Said) -> Result<Self, Problem> {
        let beyond = |realm: &str| problem::NOT_ALLOWED.detail(format!("The key does not reach accounts of {realm}."));
        if let Some(realm) = said.reach.keys().find(|realm| !asked.key.realms.contains(*realm)) {
            return Err(beyond(realm));
        }
        // Staff in no mapped table are a name in the audit log, and no account that anything could be done to.
        let mapped = |realm: &str| asked.served.host.storage.realms().iter().any(|known| known == realm);
        if let Some(who) = &said.who
            && mapped(who.realm())
            && !asked.key.realms.contains(who.realm())
        {
            return Err(beyond(who.realm()));
        }
        let reach = said.reach.iter().fold(Reach::none(), |reach, (realm, far)| {
            reach.with(realm, if *far == Far::All { Scope::All } else { Scope::Own })
        });
        let operator = said.operator && said.who.is_some();
        let (actor, reach) = match said.who {
            Some(who) => (Actor::Account(who), reach),
            None => (Actor::Anonymous, Reach::none()),
        };
        let mut caller = Caller::new(actor, reach);
        caller.address = said.address;
        caller.session = format!("views {} {}", asked.key.id, said.session);
        caller.verified_at = said.verified_at.map(|seconds| seconds.saturating_mul(1_000));
        caller.key.clone_from(&asked.caller.key);
        caller.request.clone_from(&asked.caller.request);
        Language::of(&said.locale).tag().clone_into(&mut caller.locale);
        Ok(Self { caller, operator })
    }

    /// Whether the reader may use the host's own pages.
    pub(super) fn operates(&self) -> Result<(), Problem> {
        match self.operator {
            true => Ok(()),
            false => Err(problem::FORBIDDEN.detail("operator is false: this page is for people who run the panel.")),
        }
    }
}
