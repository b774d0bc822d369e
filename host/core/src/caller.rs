//! Who calls, from where, in which language. The embedder says it; clients and plugins can't.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::accounts::{Account, AccountId, Reach, Scope};
use crate::seal;

/// How long a password confirmation is valid for operations that need one, in milliseconds: 15 minutes.
pub const STEP_UP_MS: i64 = 15 * 60 * 1000;

/// The name for the host's own forms; a plugin with this name is not admitted.
pub const OWN: &str = "host";

/// Milliseconds by which another clock may be ahead of this one. A time further ahead proves nothing.
const AHEAD: i64 = 60_000;

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// Nobody is signed in.
    Anonymous,
    /// A person of the panel.
    Account(AccountId),
    /// A machine, by the name of its key.
    ServiceKey(String),
    /// The operator at the machine's own console.
    Console,
    /// The panel itself.
    System,
}

impl Actor {
    /// The actor's name in the audit log. No two actors have the same name: no account is in one of
    /// [`crate::accounts::OWN_REALMS`], and the name has no space.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Actor::Anonymous => "anonymous".to_owned(),
            Actor::Account(id) => id.to_string(),
            Actor::ServiceKey(name) => format!("service-key:{name}"),
            Actor::Console => "console".to_owned(),
            Actor::System => "system".to_owned(),
        }
    }
}

/// A fresh request id: 16 hexadecimal digits.
#[must_use]
pub fn request_id() -> String {
    seal::hex(&seal::random::<8>())
}

/// One caller, for one request.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who acts.
    pub actor: Actor,
    /// Whom the caller may manage, besides their own account. Anonymous callers, the console and the system reach everybody,
    /// whatever this says: the manifest decides what they may do.
    pub reach: Reach,
    /// The client's address; none if it is not known. Never a proxy's.
    pub address: Option<IpAddr>,
    /// For a machine: whether this is the address of the person for whom it calls. Otherwise it is the machine's own.
    pub handed_on: bool,
    /// BCP 47, one of the host's locales.
    pub locale: String,
    /// The panel's session, in any form that is unique to it: sealed forms are bound to it. Empty: none.
    pub session: String,
    /// When the caller last confirmed with their password or a second factor: Unix milliseconds. None: not in this session. A
    /// machine can't; if its key need not, this is the present instant.
    pub verified_at: Option<i64>,
    /// What a machine may do: hooks, each as `interface/function`. Only machines have scopes.
    pub scopes: BTreeSet<String>,
    /// The service key that carried the request, by name: the machine's own, or its panel's, which speaks for the actor.
    pub key: Option<String>,
    /// What may be used only once, for a request that was signed: kept in the transaction of its effects.
    pub once: Option<String>,
    /// The request's id, for the log, the audit log and error pages.
    pub request: String,
}

impl Caller {
    /// A caller in English, from nowhere, with a fresh request id.
    #[must_use]
    pub fn new(actor: Actor, reach: Reach) -> Self {
        Self {
            actor,
            reach,
            address: None,
            handed_on: false,
            locale: "en".to_owned(),
            session: String::new(),
            verified_at: None,
            scopes: BTreeSet::new(),
            key: None,
            once: None,
            request: request_id(),
        }
    }

    /// Whether the caller has confirmed within the last 15 minutes, as step-up needs it; `now` is Unix milliseconds. A machine
    /// can't, and its key says whether it need not. The console and the panel itself need not.
    #[must_use]
    pub fn proved_lately(&self, now: i64) -> bool {
        match self.actor {
            Actor::Console | Actor::System => true,
            Actor::Account(_) | Actor::ServiceKey(_) => {
                self.verified_at.is_some_and(|at| (-AHEAD..STEP_UP_MS).contains(&now.saturating_sub(at)))
            }
            Actor::Anonymous => false,
        }
    }

    /// Whether the caller reaches what is left of a deleted account: nobody knows any more who managed it.
    #[must_use]
    pub fn reaches_gone(&self, account: &AccountId) -> bool {
        match &self.actor {
            Actor::Anonymous | Actor::Console | Actor::System => true,
            Actor::ServiceKey(_) | Actor::Account(_) => self.reach.scope(account.realm()) == Scope::All,
        }
    }

    /// The address of the person behind the call. None for a machine that passes on none: it may speak for many people.
    #[must_use]
    pub fn person_address(&self) -> Option<IpAddr> {
        let own = matches!(self.actor, Actor::ServiceKey(_)) && !self.handed_on;
        self.address.filter(|_| !own)
    }

    /// Whether the caller reaches this account.
    #[must_use]
    pub fn reaches(&self, account: &Account) -> bool {
        let manager = account.manager.as_deref();
        let scope = self.reach.scope(account.id.realm());
        match &self.actor {
            Actor::Anonymous | Actor::Console | Actor::System => true,
            Actor::Account(own) if *own == account.id => true,
            Actor::Account(_) | Actor::ServiceKey(_) if scope != Scope::Own => scope == Scope::All,
            Actor::Account(own) => {
                let realm = account.manager_realm.as_deref();
                manager == Some(own.key()) && realm.is_none_or(|realm| realm == own.realm())
            }
            Actor::ServiceKey(_) => manager.is_some() && manager == self.reach.manager(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_a_managers_key_in_another_realm_manages_nobody() {
        let account = |realm: Option<&str>| Account {
            id: "customer:7".parse().expect("an account"),
            manager: Some("4".to_owned()),
            manager_realm: realm.map(str::to_owned),
            values: Default::default(),
            hash: None,
        };
        for (who, realm, reaches) in [
            ("reseller:4", Some("reseller"), true),
            ("customer:4", Some("reseller"), false),
            ("reseller:5", Some("reseller"), false),
            ("customer:4", None, true),
        ] {
            let who = Actor::Account(who.parse().expect("an account"));
            let caller = Caller::new(who.clone(), Reach::none().with("customer", Scope::Own));
            assert_eq!(caller.reaches(&account(realm)), reaches, "{who:?} {realm:?}");
        }
    }

    #[test]
    fn what_is_left_of_somebody_who_is_gone_is_for_who_reaches_the_whole_realm() {
        let gone: AccountId = "customer:7".parse().expect("an account");
        let reseller = Reach::none().with("customer", Scope::Own).of_manager("4");
        let key = |reach| Caller::new(Actor::ServiceKey("k".to_owned()), reach);
        assert!(!key(reseller).reaches_gone(&gone));
        assert!(!key(Reach::none().with("staff", Scope::All)).reaches_gone(&gone));
        assert!(key(Reach::none().with("customer", Scope::All)).reaches_gone(&gone));
        assert!(Caller::new(Actor::Console, Reach::none()).reaches_gone(&gone));
    }

    #[test]
    fn no_account_has_the_name_of_an_actor_of_another_kind() {
        let names = [
            Actor::Anonymous.name(),
            Actor::Console.name(),
            Actor::System.name(),
            Actor::ServiceKey("full".to_owned()).name(),
        ];
        for name in names {
            for id in [name.clone(), format!("{name}:1"), format!("{name}:full")] {
                assert!(id.parse::<AccountId>().is_err(), "{id}");
            }
        }
        assert_eq!(Actor::Account("service-keys:full".parse().expect("another realm")).name(), "service-keys:full");
    }

    #[test]
    fn a_proof_that_lies_ahead_or_before_all_time_is_none() {
        let mut caller = Caller::new(Actor::Console, Reach::none());
        caller.actor = Actor::Account("customer:1".parse().expect("an account"));
        let now = 1_795_525_331_000;
        for (at, proved) in [
            (now, true),
            (now - STEP_UP_MS + 1, true),
            (now - STEP_UP_MS, false),
            (now + AHEAD, true),
            (now + AHEAD + 1, false),
            (now * 1_000, false),
            (i64::MIN, false),
            (i64::MAX, false),
        ] {
            caller.verified_at = Some(at);
            assert_eq!(caller.proved_lately(now), proved, "{at}");
        }
    }
}
