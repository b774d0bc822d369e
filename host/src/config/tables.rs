//! What operators do with the host's own tables: who may what, making them, moving them.

use std::path::PathBuf;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::database::{Place, failed};
use super::{Config, ConfigError};
use crate::seal::{KeyError, Keys};
use crate::sqlite;
use crate::storage::moves::{Copied, CopyError, End, Progress, Side, copy};
use crate::storage::rights::{Grants, Guarded, Needs, Roles};
use crate::{mariadb, postgres};

/// Somebody else than the configured user of a server.
pub struct Login {
    /// The user.
    pub user: String,
    /// The password; none: the variable's.
    pub password_file: Option<PathBuf>,
}

impl Config {
    /// How the configured engine keeps rights; none: it has no users.
    #[must_use]
    pub fn guarded(&self) -> Option<&'static dyn Guarded> {
        match self.database.engine() {
            Some("postgres" | "postgresql") => Some(&postgres::Postgres),
            Some(_) => Some(&mariadb::MariaDb),
            None => None,
        }
    }

    /// SQL for an operator's own session with the server.
    #[must_use]
    pub fn for_a_session(&self, sql: String) -> String {
        self.dialect().for_a_session(sql)
    }

    /// What a host needs rights for. `made`: whether its own tables are there.
    ///
    /// # Errors
    /// [`ConfigError::Setting`].
    pub fn needs(&self, made: bool) -> Result<Needs, ConfigError> {
        Ok(Needs { uses: self.provider()?.uses(), own: self.database.schema.clone(), made })
    }

    /// SQL for the least rights of two users, for a session of an administrator's; opens nothing. None: the engine has no users.
    ///
    /// # Errors
    /// [`ConfigError::Setting`].
    pub fn least_rights(&self, owner: &str, from: &str) -> Result<Option<(Grants, Roles)>, ConfigError> {
        let Some(guarded) = self.guarded() else { return Ok(None) };
        let (database, service) = match self.place(None)? {
            Place::Postgres(address) => (address.database().to_owned(), address.user().to_owned()),
            Place::MariaDb(address) => (address.database().to_owned(), address.user().to_owned()),
            Place::File(_) => return Ok(None),
        };
        if owner == service {
            return Err(self.wrong(("database.url", format!("names {owner}, and the owner must be another user"))));
        }
        let roles = Roles { database, owner: owner.to_owned(), service, from: from.to_owned() };
        let Grants { owner, service } = guarded.grants(&self.needs(false)?, &roles);
        let said =
            |statements: Vec<String>| statements.into_iter().map(|statement| self.for_a_session(statement)).collect();
        Ok(Some((Grants { owner: said(owner), service: said(service) }, roles)))
    }

    /// Makes the host's own tables, or brings them up to date.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn make_tables(&self, login: Option<&Login>) -> Result<(), ConfigError> {
        if self.database.url.is_none() && login.is_some() {
            return Err(self.wrong(("database.sqlite", "names a file, which has no users".to_owned())));
        }
        let place = self.there(login)?;
        let made = match &place {
            Place::File(path) => sqlite::make_tables(path),
            Place::Postgres(address) => postgres::make_tables(address, &self.on_postgres()),
            Place::MariaDb(address) => mariadb::make_tables(address),
        };
        made.map_err(|cause| failed(&place, cause))
    }

    /// Copies everything of the host's own to the database of another configuration, and retires this one's: see [`copy`]. The
    /// panel's tables are not touched.
    ///
    /// # Errors
    /// [`ConfigError`], naming the database that it is about.
    pub fn copy_to(&self, to: &Config, told: &mut dyn FnMut(Progress)) -> Result<Vec<Copied>, ConfigError> {
        let keys = self.written_keys()?;
        if to.written_keys()?.mac("this file", &[]) != keys.mac("this file", &[]) {
            let problem =
                format!("is not the key file of {}; copy that one, since it has sealed what is copied", self.file);
            return Err(to.wrong(("key-file", problem)));
        }
        let (source, target) = (self.there(None)?, to.there(None)?);
        if source.to_string() == target.to_string() && self.database.schema == to.database.schema {
            return Err(to.wrong(("database", "names the database that is copied".to_owned())));
        }
        let (from, into) = (self.side(&source)?, to.side(&target)?);
        let (source_name, target_name) = (self.own_place(&source), to.own_place(&target));
        let end = |side, place| End { side, place };
        let copied = copy(end(&*from, &source_name), end(&*into, &target_name), &keys, told);
        copied.map_err(|error| match error {
            CopyError::Source(cause) => failed(&source, cause),
            CopyError::Target(cause) => failed(&target, cause),
        })
    }

    fn written_keys(&self) -> Result<Arc<Keys>, ConfigError> {
        let file = self.path(&self.key_file);
        Ok(Arc::new(Keys::read(&file)?.ok_or_else(|| KeyError::missing(&file))?))
    }

    /// With the schema, if there is one.
    fn own_place(&self, place: &Place) -> String {
        match &self.database.schema {
            Some(schema) => format!("{place}, schema {schema}"),
            None => place.to_string(),
        }
    }

    fn side(&self, place: &Place) -> Result<Box<dyn Side>, ConfigError> {
        let side = match place {
            Place::File(path) => sqlite::side(path),
            Place::Postgres(address) => postgres::side(address, &self.on_postgres()),
            Place::MariaDb(address) => mariadb::side(address),
        };
        side.map_err(|cause| failed(place, cause))
    }

    pub(super) fn password_of(
        &self,
        file: Option<&PathBuf>,
        setting: &str,
    ) -> Result<Option<Zeroizing<String>>, ConfigError> {
        let Some(file) = file else { return Ok(std::env::var(super::database::PASSWORD).ok().map(Zeroizing::new)) };
        let read = std::fs::read_to_string(file).map(Zeroizing::new);
        let read = read.map_err(|cause| self.wrong((setting, format!("{}: {cause}", file.display()))))?;
        Ok(Some(Zeroizing::new(read.trim_end_matches(['\r', '\n']).to_owned())))
    }
}
