//! What of the panel's tables the mapping uses, for whoever grants rights.

use keyturn_store::rights::Use;

use super::{Rows, Sql};

impl Sql {
    /// Each table that is mapped, once.
    #[must_use]
    pub fn uses(&self) -> Vec<Use> {
        let mut uses: Vec<Use> = Vec::new();
        for realm in self.realms.values() {
            let mapping = &realm.mapping;
            let used = of(&mut uses, &mapping.table);
            let read = [&mapping.id, &mapping.login, &mapping.hash].into_iter();
            let optional = [&mapping.email, &mapping.locale, &mapping.manager, &mapping.epoch, &mapping.deleted]
                .into_iter()
                .flatten();
            let columns = mapping.state.iter().map(|state| &state.column);
            let only = mapping.only.iter().map(|only| &only.column);
            used.reads.extend(read.chain(optional).chain(&mapping.name).chain(columns).chain(only).cloned());
            let touched = mapping.touch.iter().map(|touch| &touch.column);
            used.writes.extend([&mapping.hash].into_iter().chain(&mapping.epoch).chain(touched).cloned());
            for (setting, Rows { table, account, only }) in mapping.others() {
                let used = of(&mut uses, table);
                used.reads.insert(account.clone());
                used.reads.extend(only.iter().map(|only| only.column.clone()));
                used.deletes |= setting == "sessions";
            }
        }
        uses
    }
}

fn of<'a>(uses: &'a mut Vec<Use>, table: &str) -> &'a mut Use {
    let at = uses.iter().position(|used| used.table == table).unwrap_or_else(|| {
        uses.push(Use { table: table.to_owned(), ..Use::default() });
        uses.len() - 1
    });
    &mut uses[at]
}
