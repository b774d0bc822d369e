//! `keyturn:panel/accounts`: the panel's accounts, within the grant and the caller's reach. Everything outside is `not-found`,
//! like an account that doesn't exist.

use crate::call::ledger::{Ledger, Stop, View};
use keyturn_core::accounts::{AccountId, Field, Matched, Why};
use keyturn_core::fold::fold;
use std::collections::BTreeSet;

use keyturn_contract::keyturn::panel::accounts::{
    Error, Host, Match, Matched as MatchedBy, Replacement, StoredCredential,
};
use keyturn_core::seal;
use keyturn_package::manifest::Accounts;
use keyturn_store::{Effect, Known, StorageError};

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

fn unavailable(ledger: &Ledger, cause: &StorageError) -> Error {
    Error::Unavailable(ledger.come_back(cause))
}

impl View<'_, Part> {
    fn rights(&self) -> Result<&Accounts, Error> {
        self.ledger.plugin.authority.accounts.as_ref().ok_or_else(|| Error::Denied("accounts".to_owned()))
    }

    /// The account, if it is within grant and reach. It is read once in a call, and checked again at the commit.
    fn known(&mut self, name: &str) -> Result<Known, Error> {
        let realms = &self.rights()?.realms;
        let id: AccountId = name.parse().map_err(|_| Error::NotFound)?;
        if !realms.contains(id.realm()) {
            return Err(Error::NotFound);
        }
        self.ledger.reading().map_err(|limit| Error::Limit(limit.to_owned()))?;
        self.ledger.note(&id).map_err(|cause| unavailable(self.ledger, &cause))?;
        match self.ledger.accounts.get(&id) {
            Some(Some(known)) if self.ledger.caller.reaches(&known.account) => Ok(known.clone()),
            _ => Err(Error::NotFound),
        }
    }

    fn credential_right(&self) -> Result<(), Error> {
        if self.rights()?.credential { Ok(()) } else { Err(Error::Denied("credential".to_owned())) }
    }

    fn find(&mut self, typed: &str) -> Result<Vec<Match>, Error> {
        let realms: Vec<String> = self.rights()?.realms.iter().cloned().collect();
        self.ledger.reading().map_err(|limit| Error::Limit(limit.to_owned()))?;
        if typed.len() > MAX_TYPED {
            return Ok(Vec::new());
        }
        let realms: Vec<&str> = realms.iter().map(String::as_str).collect();
        let found = self
            .ledger
            .in_host(|call| call.around.find(typed, &realms))
            .map_err(|cause| unavailable(self.ledger, &cause))?;
        let mut matches = Vec::new();
        for (id, by) in found {
            match self.known(id.as_str()) {
                Ok(_) => matches.push(Match {
                    account: id.into(),
                    by: match by {
                        Matched::Login => MatchedBy::Login,
                        Matched::Email => MatchedBy::Email,
                    },
                }),
                Err(Error::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(matches)
    }

    fn fields(&mut self, account: &str, names: &[String]) -> Result<Vec<Option<String>>, Error> {
        let granted = self.rights()?.read.clone();
        let mut fields = Vec::new();
        for name in names {
            let field = Field::named(name).filter(|field| granted.contains(field));
            fields.push(field.ok_or_else(|| Error::Denied(format!("read {name}")))?);
        }
        let known = self.known(account)?;
        Ok(fields.into_iter().map(|field| known.account.value(field).map(str::to_owned)).collect())
    }

    fn replace(&mut self, account: &str, hash: String, why: Why) -> Result<Result<String, Error>, Stop> {
        let (id, mut known) = match self.credential_right().and_then(|()| self.known(account)) {
            Ok(known) => (known.account.id.clone(), known),
            Err(error) => return Ok(Err(error)),
        };
        let well_formed = hash.len() <= MAX_HASH && !hash.is_empty() && hash.bytes().all(|b| b.is_ascii_graphic());
        if !well_formed {
            return Ok(Err(Error::Denied("hash: not a PHC or crypt(3) string".to_owned())));
        }
        if let Err(reason) = self.ledger.around.storage.accepts(id.realm(), &hash) {
            return Ok(Err(Error::Denied(reason)));
        }
        let epoch = match why {
            Why::Password => seal::hex(&seal::random::<16>()),
            Why::Upgrade => known.epoch.clone(),
        };
        let effect = Effect::Replace { id: id.clone(), hash: hash.clone(), why, epoch: epoch.clone() };
        if let Err(limit) = self.ledger.effect(effect, hash.len())? {
            return Ok(Err(Error::Limit(limit.to_owned())));
        }
        known.account.hash = Some(hash);
        known.epoch = epoch.clone();
        self.ledger.accounts.insert(id, Some(known));
        Ok(Ok(epoch))
    }
}

impl Host for View<'_, Part> {
    fn find(&mut self, login_or_email: String) -> wasmtime::Result<Result<Vec<Match>, Error>> {
        Ok(View::find(self, &login_or_email))
    }

    fn fold(&mut self, login_or_email: String) -> wasmtime::Result<String> {
        let mut typed = login_or_email;
        let mut end = typed.len().min(MAX_TYPED);
        while !typed.is_char_boundary(end) {
            end -= 1;
        }
        typed.truncate(end);
        Ok(fold(&typed))
    }

    fn get(&mut self, account: String, fields: Vec<String>) -> wasmtime::Result<Result<Vec<Option<String>>, Error>> {
        Ok(self.fields(&account, &fields))
    }

    fn credential(&mut self, account: String) -> wasmtime::Result<Result<StoredCredential, Error>> {
        let known = self.credential_right().and_then(|()| self.known(&account));
        Ok(known
            .inspect(|known| {
                self.part.checked.insert(known.account.id.clone());
            })
            .map(|known| StoredCredential { hash: known.account.hash, session_epoch: known.epoch }))
    }

    fn sessions(&mut self, account: String) -> wasmtime::Result<Result<Option<u32>, Error>> {
        Ok(self.known(&account).and_then(|known| {
            let sessions = self.ledger.in_host(|call| call.around.storage.sessions(&known.account.id));
            sessions.map_err(|cause| unavailable(self.ledger, &cause))
        }))
    }

    fn replace(&mut self, account: String, hash: String, why: Replacement) -> wasmtime::Result<Result<String, Error>> {
        let why = match why {
            Replacement::Password => Why::Password,
            Replacement::Upgrade => Why::Upgrade,
        };
        Ok(View::replace(self, &account, hash, why)?)
    }
}
