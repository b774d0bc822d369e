//! Logins and addresses that are stored as nobody types them. They are found all the same; the panel's own code may not find
//! them.

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
            (invisible, "characters that nobody sees"),
            (letters, "an international domain in letters, which browsers send as xn--"),
        ];
        let odd: Vec<String> =
            counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} with {what}")).collect();
        if odd.is_empty() {
            return Ok(());
        }
        let text = format!(
            "{setting}: column {name} holds odd spellings: {}\nKeyturn finds them however they are typed; your own code may not",
            odd.join("; ")
        );
        let clean = format!("trim({}, char(9, 10, 13, 32, 160))", quoted(name));
        let mend = (spaced > 0).then(|| {
            let name = quoted(name);
            format!("UPDATE {table} SET {name} = {clean} WHERE {name} <> {clean};")
        });
        self.say(Severity::Note, text, mend);
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
                "email: {many} addresses belong to more than {most} accounts each; Forgotten password mails the first {most}"
            );
            self.say(Severity::Note, text, Some("a greater limits.accounts-per-address in keyturn.toml".to_owned()));
        }
        Ok(())
    }
}
