//! What ends the sessions of an account, and whether they are found by its key: SQLite takes the text `17` for the number 17 in some
//! columns, and not in others.

use super::{Found, Look, Severity};
use crate::{Rows, Statement, key, quoted, text};
use keyturn_core::accounts::AccountId;
use keyturn_store::Provider as _;
use keyturn_store::dialect::{Holds, Table};
use keyturn_store::{StorageError, Value};

impl Look<'_> {
    /// What ends sessions, and what to map if nothing does.
    pub(super) fn sessions(&mut self) -> Found {
        let mapping = self.mapping();
        let (table, name) = (quoted(&mapping.table), self.name);
        match (&mapping.sessions, &mapping.epoch) {
            (Some(sessions), _) => {
                let text = format!("sessions: each new password ends those in {}", sessions.table);
                self.say(Severity::Good, text, None);
                self.session_keys(sessions)?;
                if let Some(count) = &self.realm.count_sessions
                    && !self.by_index(count, sessions)?
                {
                    let text = format!(
                        "sessions: no index serves {}, so ending sessions reads the whole table",
                        sessions.account
                    );
                    let index = quoted(&format!("{}_{}", sessions.table, sessions.account));
                    let (table, account) = (quoted(&sessions.table), quoted(&sessions.account));
                    let fix = format!("CREATE INDEX {index} ON {table} ({account});");
                    self.say(Severity::Note, text, Some(self.dialect().for_a_session(fix)));
                }
            }
            (None, Some(epoch)) => {
                let text = format!("epoch: each new password raises column {epoch}; the panel must compare it");
                self.say(Severity::Note, text, None);
            }
            (None, None) => {
                let text = "sessions and epoch are not mapped: the panel must end sessions itself, or people stay \
                            signed in after a new password";
                let seen = self.session_table()?.map_or_else(
                    || "sessions = { table = …, account = … }, if a table has them with their account".to_owned(),
                    |(table, account)| format!("sessions = {{ table = \"{table}\", account = \"{account}\" }}"),
                );
                let add = format!("ALTER TABLE {table} ADD COLUMN \"password_epoch\" INTEGER NOT NULL DEFAULT 0;");
                let add = self.dialect().for_a_session(add);
                let fix = format!(
                    "{seen}\nor:   epoch = \"password_epoch\", for the panel to compare, after\n      \
                     {add}\n\
                     or:   let the panel compare GET /v1/accounts/{name}:ID/epoch at each request"
                );
                self.say(Severity::Note, text.to_owned(), Some(fix));
            }
        }
        Ok(())
    }

    /// A table of sessions with a column for these accounts' keys, by their names.
    fn session_table(&self) -> Result<Option<(String, String)>, StorageError> {
        let table = self.mapping().table.to_lowercase();
        let names = ["user_id".to_owned(), "account_id".to_owned(), format!("{table}_id"), format!("{}_id", self.name)];
        let singular = table.strip_suffix('s').map(|table| format!("{table}_id"));
        for Table { name, .. } in self.tables()?.into_iter().filter(|table| table.name.contains("session")) {
            let mut present = self.present(&name)?.into_iter();
            if let Some(column) = present.find(|column| names.iter().chain(&singular).any(|name| name == column)) {
                return Ok(Some((name, column)));
            }
        }
        Ok(None)
    }

    /// Whether a statement over the sessions of an account finds them by an index.
    fn by_index(&self, statement: &Statement, sessions: &Rows) -> Result<bool, StorageError> {
        let key = match self.realm.holds(self.sql)?[1] {
            Holds::Integer => Value::Integer(0),
            Holds::Bytes16 => Value::Blob(vec![0; 16]),
            Holds::Uuid => Value::Text("00000000-0000-0000-0000-000000000000".to_owned()),
            _ => Value::Text("x".to_owned()),
        };
        self.dialect().uses_index(self.sql, &statement.text, &statement.with([key]), &sessions.table)
    }

    /// Takes one session of each type that the column holds, and looks for it as a new password would.
    fn session_keys(&mut self, sessions: &Rows) -> Found {
        if self.realm.holds(self.sql)?[1] != Holds::Anything {
            return Ok(());
        }
        let (table, account, accounts) = (quoted(&sessions.table), &sessions.account, quoted(&self.mapping().table));
        let (of, id) = (format!("{table}.{}", quoted(account)), self.column(&self.mapping().id));
        let rows = self.sql.rows(
            &format!(
                "SELECT typeof({of}), max({of}), count(*) FROM {table}
                 WHERE EXISTS (SELECT 1 FROM {accounts} WHERE {id} = CAST({of} AS TEXT)) GROUP BY typeof({of})"
            ),
            &[],
        )?;
        let all = self.number(&format!("SELECT count(*) FROM {table} WHERE {of} IS NOT NULL"), &[])?;
        if all > 0 && rows.is_empty() {
            let text = format!("sessions: of {all} rows of {}, none names an account in {account}", sessions.table);
            let fix = format!("accounts.{}.sessions.account = the column with the account's id", self.name);
            self.say(Severity::Note, text, Some(fix));
        }
        for row in rows {
            let Ok([Value::Text(held), value, Value::Integer(count)]) = <[Value; 3]>::try_from(row) else { continue };
            let named = text(value).and_then(|key| AccountId::new(self.name, &key).ok());
            let Some(named) = named else { continue };
            // It can be another realm's.
            let theirs = self.provider.account(self.sql, &named)?.is_some();
            let found = format!("SELECT count(*) FROM {table} WHERE {of} = ?1");
            let key = key(&named, Holds::Anything);
            if !theirs || self.number(&found, key.as_slice())? > 0 {
                continue;
            }
            let kind = match key {
                Some(Value::Integer(_)) => "INTEGER",
                _ => "TEXT",
            };
            let (ids, name) = (kind.to_lowercase(), quoted(account));
            let text = format!(
                "sessions: {count} rows of {} have {account} as {held}, but ids are {ids}: new passwords don't end these sessions",
                sessions.table
            );
            let fix = format!(
                "declare the column {account} as {kind}, so that the panel stores ids in it. For existing rows:\n\
                 UPDATE {table} SET {name} = CAST({name} AS {kind}) WHERE typeof({name}) = '{held}';"
            );
            self.say(Severity::Wrong, text, Some(fix));
        }
        Ok(())
    }
}
