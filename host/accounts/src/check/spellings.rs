//! Logins and addresses in spellings that nobody types. Keyturn finds them; the panel's own code may not.

use super::{Found, Look, Severity};
use crate::quoted;
use keyturn_core::fold::{is_invisible, seen};

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
        let (mut spaced, mut invisible, mut letters) = (0_u64, 0_u64, 0_u64);
        self.each_text(name, &self.dialect().is_odd(&self.column(name)), |stored| {
            spaced += u64::from(stored.trim().len() < stored.len());
            invisible += u64::from(stored.contains(is_invisible));
            letters += u64::from(seen(stored).rsplit_once('@').is_some_and(|(_, domain)| !domain.is_ascii()));
        })?;
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
        let fix = (spaced > 0).then(|| {
            let (table, name) = (quoted(&self.mapping().table), quoted(name));
            let clean = self.dialect().trimmed(&name);
            format!("UPDATE {table} SET {name} = {clean} WHERE {name} <> {clean};")
        });
        self.say(Severity::Note, text, fix);
        Ok(())
    }

    /// Addresses of more accounts than are mailed.
    pub(super) fn shared(&mut self, most: usize) -> Found {
        let Some(email) = &self.mapping().email else { return Ok(()) };
        let many = self.several(email)?.values().filter(|count| **count > most).count();
        if many > 0 {
            let text = format!(
                "email: {many} addresses belong to more than {most} accounts each; Forgotten password emails the first {most}"
            );
            self.say(Severity::Note, text, Some("raise limits.accounts-per-address in keyturn.toml".to_owned()));
        }
        Ok(())
    }
}
