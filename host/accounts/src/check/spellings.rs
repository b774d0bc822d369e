//! Logins and addresses in spellings that nobody types. Keyturn finds them; the panel's own code may not.

use super::{Found, Look, Severity};
use crate::{quoted, text};
use keyturn_core::fold::{is_invisible, seen};
use keyturn_store::Value;

impl Look<'_> {
    /// Counts them by what is odd; shows none.
    pub(super) fn spellings(&mut self) -> Found {
        let mapping = self.mapping();
        self.odd("login", &mapping.login)?;
        if let Some(email) = mapping.email.as_ref().filter(|email| **email != mapping.login) {
            self.odd("email", email)?;
        }
        Ok(())
    }

    fn odd(&mut self, setting: &str, name: &str) -> Found {
        let (rest, parameters) = self.rest();
        let (table, column) = (quoted(&self.mapping().table), self.column(name));
        let stored = format!("SELECT {column} FROM {table} WHERE lower({column}) <> keyturn_fold({column}){rest}");
        let (mut spaced, mut invisible, mut letters) = (0_u64, 0_u64, 0_u64);
        for stored in self.sql.rows(&stored, &parameters)?.into_iter().flatten().filter_map(text) {
            spaced += u64::from(stored.trim().len() < stored.len());
            invisible += u64::from(stored.contains(is_invisible));
            letters += u64::from(seen(&stored).rsplit_once('@').is_some_and(|(_, domain)| !domain.is_ascii()));
        }
        let counts = [
            (spaced, "white space around them"),
            (invisible, "invisible characters"),
            (letters, "an international domain in letters, which browsers send as xn--"),
        ];
        let odd: Vec<String> =
            counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} with {what}")).collect();
        if odd.is_empty() {
            return Ok(());
        }
        let text = format!(
            "{setting}: column {name} has odd spellings: {}\nKeyturn finds them in any spelling; your own code may not",
            odd.join("; ")
        );
        let clean = format!("trim({}, char(9, 10, 13, 32, 160))", quoted(name));
        let fix = (spaced > 0).then(|| {
            let name = quoted(name);
            format!("UPDATE {table} SET {name} = {clean} WHERE {name} <> {clean};")
        });
        self.say(Severity::Note, text, fix);
        Ok(())
    }

    /// Addresses of more accounts than are mailed.
    pub(super) fn shared(&mut self, most: usize) -> Found {
        let Some(email) = &self.mapping().email else { return Ok(()) };
        let (rest, mut parameters) = self.rest();
        let (table, column) = (quoted(&self.mapping().table), self.column(email));
        parameters.push(Value::Integer(i64::try_from(most).unwrap_or(i64::MAX)));
        let many = format!(
            "SELECT count(*) FROM (SELECT 1 FROM {table} WHERE coalesce({column}, '') <> ''{rest}
             GROUP BY keyturn_fold({column}) HAVING count(*) > ?{})",
            parameters.len()
        );
        let many = self.number(&many, &parameters)?;
        if many > 0 {
            let text = format!(
                "email: {many} addresses belong to more than {most} accounts each; Forgotten password emails the first {most}"
            );
            self.say(Severity::Note, text, Some("raise limits.accounts-per-address in keyturn.toml".to_owned()));
        }
        Ok(())
    }
}
