//! Addresses on file that nothing can be sent to.

use std::ops::ControlFlow;

use super::{Found, Look, Severity, Sql, key_text, quoted, text};
use keyturn_mail::address::{self, Problem};
use keyturn_store::StorageError;
use keyturn_store::database::{Bind, Connection, ValueRef};

/// Accounts that are named for each problem.
const NAMED: usize = 5;

/// What is wrong with addresses: with how many, and whose the first ones are.
type Unusable = Vec<(Problem, usize, Vec<String>)>;

impl Sql {
    /// How many addresses of a realm cannot be used; none of one that is not mapped.
    ///
    /// # Errors
    /// [`StorageError`], where the tables are not as mapped.
    pub fn unusable_addresses(&self, sql: &dyn Connection, name: &str) -> Result<usize, StorageError> {
        let Some(realm) = self.realms.get(name) else { return Ok(0) };
        let look = Look { sql, provider: self, name, realm, findings: &mut Vec::new() };
        Ok(look.unusable()?.iter().map(|(_, count, _)| count).sum())
    }
}

impl Look<'_> {
    /// Addresses that cannot be used are counted by what is wrong with them, with whose they are.
    pub(super) fn addresses(&mut self) -> Found {
        let unusable = self.unusable()?;
        if unusable.is_empty() {
            return Ok(());
        }
        let count: usize = unusable.iter().map(|(_, count, _)| count).sum();
        let mut said = match count {
            1 => "email: 1 address can't be used, so its owner gets no email".to_owned(),
            count => format!("email: {count} addresses can't be used, so their owners get no email"),
        };
        for (problem, count, whose) in unusable {
            let more = if count > whose.len() { ", …" } else { "" };
            said += &format!("\n{count}: {problem} ({}{more})", whose.join(", "));
        }
        self.say(Severity::Note, said, Some("correct these addresses in the panel".to_owned()));
        Ok(())
    }

    fn unusable(&self) -> Result<Unusable, StorageError> {
        let Some(email) = &self.mapping().email else { return Ok(Vec::new()) };
        let mapping = self.mapping();
        let (rest, parameters) = self.rest();
        let (key, keyed) = (self.column(&mapping.id), self.realm.holds(self.sql)?[0]);
        let stored = format!(
            "SELECT {key}, {} FROM {} WHERE {}{rest} ORDER BY {key}",
            self.text(email),
            quoted(&mapping.table),
            self.given(email)
        );
        let parameters: Vec<ValueRef<'_>> = parameters.iter().map(Bind::bind).collect();
        let mut unusable: Unusable = Vec::new();
        self.sql.query(&stored, &parameters, &mut |row| {
            let Some(address) = text(row.column(1)?.to_owned()) else { return Ok(ControlFlow::Continue(())) };
            if address::is_blank(&address) {
                return Ok(ControlFlow::Continue(()));
            }
            let Err(cause) = address::check(&address) else { return Ok(ControlFlow::Continue(())) };
            let at = unusable.iter().position(|(problem, ..)| *problem == cause.problem).unwrap_or_else(|| {
                unusable.push((cause.problem, 0, Vec::new()));
                unusable.len() - 1
            });
            let (_, count, whose) = &mut unusable[at];
            *count += 1;
            if whose.len() < NAMED
                && let Some(key) = key_text(&row.column(0)?.to_owned(), keyed)
            {
                whose.push(format!("{}:{key}", self.name));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(unusable)
    }
}
