//! `keyturn:panel/accounts`: the panel's accounts, within the grant and the caller's reach. Everything outside is `not-found`,
//! like an account that doesn't exist.

use crate::call::ledger::{View, told};
use keyturn_core::accounts::{AccountId, Field, Matched, Why};
use keyturn_core::fold::fold;
use std::collections::BTreeSet;

use keyturn_contract::keyturn::panel::accounts::{
    Error, Host, Match, Matched as MatchedBy, Replacement, StoredCredential,
};
use keyturn_core::seal;
use keyturn_package::manifest::Accounts;
use keyturn_store::{Effect, Known};

/// What this capability keeps of a call.
#[derive(Default)]
pub(crate) struct Part {
    /// Accounts whose hash the guest got, for the audit log.
    pub(crate) checked: BTreeSet<AccountId>,
}

/// The most bytes of a stored hash.
const MAX_HASH: usize = 512;
/// The most bytes of a login or address.
const MAX_TYPED: usize = 1_024;

impl View<'_, Part> {
    fn rights(&self) -> Result<&Accounts, Error> {
        self.ledger.plugin.authority.accounts.as_ref().ok_or_else(|| Error::Denied("accounts".to_owned()))
    }

    /// The account, if it is within grant and reach. It is read once in a call, and checked again at the commit.
    fn reached(&mut self, name: &str) -> wasmtime::Result<Option<Known>> {
        let realms = &self.rights()?.realms;
        let Some(id) = name.parse::<AccountId>().ok().filter(|id| realms.contains(id.realm())) else { return Ok(None) };
        self.ledger.reading()?;
        let known = self.ledger.account(&id)?.cloned();
        Ok(known.filter(|known| self.ledger.caller.reaches(&known.account)))
    }

    fn known(&mut self, name: &str) -> wasmtime::Result<Known> {
        Ok(self.reached(name)?.ok_or(Error::NotFound)?)
    }

    fn credential_right(&self) -> Result<(), Error> {
        if self.rights()?.credential { Ok(()) } else { Err(Error::Denied("credential".to_owned())) }
    }
}

impl Host for View<'_, Part> {
    fn convert_error(&mut self, cause: wasmtime::Error) -> wasmtime::Result<Error> {
        told(cause, Error::Limit, Some(Error::Unavailable))
    }

    fn find(&mut self, typed: String) -> wasmtime::Result<Vec<Match>> {
        let realms: Vec<String> = self.rights()?.realms.iter().cloned().collect();
        self.ledger.reading()?;
        if typed.len() > MAX_TYPED {
            return Ok(Vec::new());
        }
        let realms: Vec<&str> = realms.iter().map(String::as_str).collect();
        let mut matches = Vec::new();
        for (id, by) in self.ledger.ask(|call| call.around.find(&typed, &realms))? {
            if self.reached(id.as_str())?.is_some() {
                let by = match by {
                    Matched::Login => MatchedBy::Login,
                    Matched::Email => MatchedBy::Email,
                };
                matches.push(Match { account: id.into(), by });
            }
        }
        Ok(matches)
    }

    fn fold(&mut self, mut typed: String) -> wasmtime::Result<String> {
        typed.truncate(typed.floor_char_boundary(MAX_TYPED));
        Ok(fold(&typed))
    }

    fn get(&mut self, account: String, names: Vec<String>) -> wasmtime::Result<Vec<Option<String>>> {
        let granted = self.rights()?.read.clone();
        let mut fields = Vec::new();
        for name in names {
            let field = Field::named(&name).filter(|field| granted.contains(field));
            fields.push(field.ok_or_else(|| Error::Denied(format!("read {name}")))?);
        }
        let known = self.known(&account)?;
        Ok(fields.into_iter().map(|field| known.account.value(field).map(str::to_owned)).collect())
    }

    fn credential(&mut self, account: String) -> wasmtime::Result<StoredCredential> {
        self.credential_right()?;
        let Known { account, epoch, .. } = self.known(&account)?;
        self.part.checked.insert(account.id);
        Ok(StoredCredential { hash: account.hash, session_epoch: epoch })
    }

    fn sessions(&mut self, account: String) -> wasmtime::Result<Option<u32>> {
        let known = self.known(&account)?;
        Ok(self.ledger.ask(|call| call.around.storage.sessions(&known.account.id))?)
    }

    fn replace(&mut self, account: String, hash: String, why: Replacement) -> wasmtime::Result<String> {
        self.credential_right()?;
        let mut known = self.known(&account)?;
        let id = known.account.id.clone();
        if !(1..=MAX_HASH).contains(&hash.len()) || !hash.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Error::Denied("hash: not a PHC or crypt(3) string".to_owned()).into());
        }
        self.ledger.around.storage.accepts(id.realm(), &hash).map_err(Error::Denied)?;
        let (why, epoch) = match why {
            Replacement::Password => (Why::Password, seal::hex(&seal::random::<16>())),
            Replacement::Upgrade => (Why::Upgrade, known.epoch.clone()),
        };
        let effect = Effect::Replace { id: id.clone(), hash: hash.clone(), why, epoch: epoch.clone() };
        self.ledger.effect(effect, hash.len())?;
        known.account.hash = Some(hash);
        known.epoch.clone_from(&epoch);
        self.ledger.accounts.insert(id, Some(known));
        Ok(epoch)
    }
}
