//! The outbox's rows. What a mail carries is sealed for its row, recipient, template and end: a row that somebody else has
//! written or altered does not open, and is never delivered.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::{
    Filling, LeasedMail, Mail, MailFilter, MailId, MailState, Mend, NewMail, Obstacle, Recipient, Settled, Told,
};
use crate::database::{Row, ValueRef, params};
use crate::entry::AuditEntry;
use crate::error::StorageError;
use crate::queue::{Lease, MAILS_QUEUE, Over, WAITING, waiting};
use crate::quotas::Quotas;
use crate::store::{Rows, Store, forged};
use keyturn_core::accounts::{AccountId, Field};
use keyturn_core::seal::hex;
use keyturn_mail::template::{Kind, Template, Value};

impl Store {
    /// One mail; none if there is none of that name.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn mail(&self, id: &MailId) -> Result<Option<Mail>, StorageError> {
        self.rows(|rows| Ok(rows.carrying(id)?.map(|row| row.mail)))
    }

    /// What one mail is filled with; what was secret is absent once it is wiped. None if there is no such mail.
    ///
    /// # Errors
    /// [`StorageError`]; a row that was not sealed by this host for its place is one.
    pub fn filling(&self, id: &MailId) -> Result<Option<Filling>, StorageError> {
        self.rows(|rows| rows.carrying(id)?.map(|row| rows.opened(&row)).transpose())
    }

    /// Mails, newest first.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn mails(&self, filter: &MailFilter) -> Result<Vec<Mail>, StorageError> {
        self.rows(|rows| rows.mails(filter))
    }

    /// How many there are in each state, by the realm of the accounts that they go to; those to the operators have none.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn mail_counts(&self) -> Result<Vec<(String, MailState, u64)>, StorageError> {
        let counted = self.rows(|rows| {
            rows.all(
                "SELECT recipient, state, count(*) FROM keyturnhost_outbox GROUP BY recipient, state",
                &[],
                |row| Ok((row.get::<String>(0)?, row.get::<String>(1)?, row.get::<u64>(2)?)),
            )
        })?;
        let mut counts: Vec<(String, MailState, u64)> = Vec::new();
        for (recipient, state, count) in counted {
            let Some((to, state)) = Recipient::named(&recipient).zip(MailState::named(&state)) else { continue };
            let realm = to.account().map_or("", AccountId::realm);
            match counts.iter_mut().find(|(known, of, _)| known == realm && *of == state) {
                Some((_, _, sum)) => *sum += count,
                None => counts.push((realm.to_owned(), state, count)),
            }
        }
        Ok(counts)
    }

    /// How many mails a plugin has asked for within the minute before `now`, Unix milliseconds, and the rest of its first second.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn mails_lately(&self, plugin: &str, now: i64) -> Result<u64, StorageError> {
        self.ask(|rows| rows.mails_lately(plugin, now))
    }

    /// Takes mails that are due, longest waiting first, at most `most`, for `lease_ms` milliseconds of the database's clock.
    /// Notes the address on file as that of the attempt. `operators` is the address of the operators.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn lease_mail(
        &self,
        most: u32,
        lease_ms: i64,
        operators: Option<&str>,
    ) -> Result<Vec<LeasedMail>, StorageError> {
        let operators = operators.map(str::to_owned);
        self.leases(&MAILS_QUEUE, move |rows| rows.lease_mail(most, lease_ms, operators.as_deref()))
    }

    /// Says how an attempt came out. Answers whether the lease still held: if not, another worker has the mail, or
    /// somebody has withdrawn it, and nothing is written.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn settle_mail(&self, lease: &Lease, settled: &Settled) -> Result<bool, StorageError> {
        let (lease, settled) = (lease.clone(), settled.clone());
        self.write(move |rows| rows.settle_mail(&lease, &settled))
    }

    /// As [`Store::settle_mail`], and takes the mail that has waited longest, as [`Store::lease_mail`], in one write.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn settle_and_lease_mail(
        &self,
        lease: &Lease,
        settled: &Settled,
        lease_ms: i64,
        operators: Option<&str>,
    ) -> Result<(bool, Option<LeasedMail>), StorageError> {
        let (lease, settled, operators) = (lease.clone(), settled.clone(), operators.map(str::to_owned));
        self.write(move |rows| {
            let held = rows.settle_mail(&lease, &settled)?;
            Ok((held, rows.lease_mail(1, lease_ms, operators.as_deref())?.pop()))
        })
    }

    /// Does something to mails by hand, and writes it down. Answers which of them it was done to: one whose content is
    /// wiped cannot be retried, one that is being sent or has gone can neither be retried nor withdrawn.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn mend(&self, mend: Mend, ids: &[MailId], audit: AuditEntry) -> Result<Vec<MailId>, StorageError> {
        let ids = ids.to_vec();
        self.write(move |rows| {
            let now = rows.now()?;
            let mut done = Vec::new();
            for id in &ids {
                let row = rows.carrying(id)?;
                let Some(row) = row.filter(|row| row.secrets.is_some() && row.mail.state != MailState::Sending) else {
                    continue;
                };
                match mend {
                    Mend::Withdraw => rows.end(&row, MailState::Withdrawn, now)?,
                    Mend::Retry => {
                        rows.again(&MAILS_QUEUE, row.mail.number, now)?;
                        let none = "UPDATE keyturnhost_outbox SET obstacle = NULL WHERE number = ?1";
                        rows.change(none, params![row.mail.number])?;
                    }
                }
                done.push(id.clone());
            }
            if !done.is_empty() {
                rows.insert_audit(&audit)?;
            }
            Ok(done)
        })
    }
}

/// What a mail counts for in `outbox-bytes` beside what is sealed: about what its row and its places in the indices take.
const ROW: i64 = 512;
/// How long a mail that is done stays to be seen, in milliseconds: 30 days.
const DONE_STAYS: i64 = 30 * 24 * 3600 * 1000;
/// How many of a plugin's that are done stay to be seen: the newest ones. They take a part of its `outbox-bytes` only, or a flood of
/// them would leave no room for a mail.
const DONE_MOST: u32 = 50_000;
/// The minute of `per-minute`, in milliseconds.
const MINUTE: i64 = 60_000;
/// The plugin's total of the outbox in keyturnhost_usage.
const USAGE: &str = "outbox";

/// Recipients that one statement asks for.
const RECIPIENTS: usize = 1_000;

const MAILS: &str = "SELECT number, id, plugin, recipient, template_name, state, attempts, asked_at, due, expires, changed_at,
    last_at, last, obstacle, secrets IS NOT NULL, address_mac, server, template, variables, secrets FROM keyturnhost_outbox";

/// Where the mails that a plugin asks for in this second are counted, in keyturnhost_usage: a minute is sixty rows there, however
/// many mails it has.
fn asked_in(at: i64) -> String {
    format!("mails {:016}", at.max(0) / 1_000)
}

/// A row with what it carries, sealed.
struct Carrying {
    mail: Mail,
    template: Vec<u8>,
    variables: Vec<u8>,
    secrets: Option<Vec<u8>>,
}

fn carrying(row: &dyn Row) -> Result<Option<Carrying>, StorageError> {
    let Some(mail) = mail(row)? else { return Ok(None) };
    Ok(Some(Carrying { mail, template: row.get(17)?, variables: row.get(18)?, secrets: row.get(19)? }))
}

fn mail(row: &dyn Row) -> Result<Option<Mail>, StorageError> {
    let told = row.get::<Option<String>>(12)?.and_then(|json| serde_json::from_str(&json).ok());
    let (at, server) = (row.get::<Option<i64>>(11)?, row.get::<Option<String>>(16)?);
    let last = at.zip(server).zip(told).map(|((at, server), attempt)| Told { at, server, attempt });
    let id: Option<MailId> = row.get::<String>(1)?.parse().ok();
    let to = Recipient::named(&row.get::<String>(3)?);
    let state = MailState::named(&row.get::<String>(5)?);
    let (Some(id), Some(to), Some(state)) = (id, to, state) else { return Ok(None) };
    Ok(Some(Mail {
        number: row.get(0)?,
        id,
        plugin: row.get(2)?,
        to,
        template: row.get(4)?,
        state,
        attempts: row.get(6)?,
        asked_at: row.get(7)?,
        due: row.get(8)?,
        expires: row.get(9)?,
        changed_at: row.get(10)?,
        last,
        obstacle: row.get::<Option<String>>(13)?.and_then(|name| Obstacle::named(&name)),
        whole: row.get(14)?,
        address: row.get(15)?,
    }))
}

/// What a mail's sealed parts are bound to.
struct Place([String; 8]);

impl Place {
    fn new(part: &str, mail: &MailId, plugin: &str, to: &Recipient, template: &[u8], asked: i64, ends: i64) -> Self {
        Self([
            "keyturnhost_outbox".to_owned(),
            part.to_owned(),
            mail.to_string(),
            plugin.to_owned(),
            to.text().into_owned(),
            hex(template),
            asked.to_string(),
            ends.to_string(),
        ])
    }

    fn of(part: &str, row: &Carrying) -> Self {
        let Mail { id, plugin, to, asked_at, expires, .. } = &row.mail;
        Self::new(part, id, plugin, to, &row.template, *asked_at, *expires)
    }

    fn parts(&self) -> [&str; 8] {
        self.0.each_ref().map(String::as_str)
    }
}

/// What stands open in a mail, as JSON.
#[derive(serde::Serialize, serde::Deserialize)]
struct Open {
    variables: Vec<(String, Value)>,
    origin: Option<String>,
    message_id: String,
    #[serde(default)]
    address: Option<String>,
}

fn secret(value: &Value) -> bool {
    matches!(value.kind(), Kind::Link | Kind::Secret)
}

impl Rows<'_> {
    // ----- a call's effects -----

    pub fn send(&self, plugin: &str, mail: &NewMail, quotas: &Quotas, now: i64) -> Result<(), StorageError> {
        if self.mails_lately(plugin, now)? >= u64::from(mail.per_minute) {
            return Err(StorageError::Limit("per-minute"));
        }
        self.usage(plugin, &asked_in(now), 1)?;
        if let Recipient::Previous(id) = &mail.to {
            self.take_address_before(id, mail.address.as_deref().unwrap_or_default())?;
        }
        let template = &mail.template;
        self.keep_template(&template.id, &template.json)?;
        let (secrets, open): (Vec<_>, Vec<_>) = mail.variables.iter().cloned().partition(|(_, value)| secret(value));
        let (origin, message_id, address) = (mail.origin.clone(), mail.message_id.clone(), mail.address.clone());
        let open = Open { variables: open, origin, message_id, address };
        let place = |part| Place::new(part, &mail.id, plugin, &mail.to, &template.id, now, mail.expires);
        let open = self.keys.seal(&place("open").parts(), &json(&open));
        // Sealed also where there is none: without it a mail does not go, so one that is wiped never goes again.
        let secrets = self.keys.seal(&place("secrets").parts(), &json(&secrets));
        let bytes = ROW + (open.len() + secrets.len()) as i64;
        self.change(
            "INSERT INTO keyturnhost_outbox (id, plugin, recipient, template_name, template, variables, secrets, state,
                attempts, due, asked_at, changed_at, expires) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'queued', 0, ?8, ?8, ?8, ?9)",
            params![
                mail.id.as_str(),
                plugin,
                mail.to.text(),
                template.name,
                template.id,
                open,
                secrets,
                now,
                mail.expires
            ],
        )?;
        if self.usage(plugin, USAGE, bytes)? > quotas.outbox_bytes {
            return Err(StorageError::Limit("outbox-bytes"));
        }
        Ok(())
    }

    /// Nothing happens to one that has gone. One that is being sent may still go: then its worker says so.
    pub fn withdraw(&self, plugin: &str, id: &MailId, now: i64) -> Result<bool, StorageError> {
        let Some(row) = self.carrying(id)?.filter(|row| row.mail.plugin == plugin && row.secrets.is_some()) else {
            return Ok(false);
        };
        self.end(&row, MailState::Withdrawn, now)?;
        Ok(true)
    }

    /// Ends a mail and wipes what it carries. A worker that is sending it keeps its lease, to tell if it has gone.
    fn end(&self, row: &Carrying, state: MailState, now: i64) -> Result<(), StorageError> {
        self.change(
            "UPDATE keyturnhost_outbox SET state = ?2, due = NULL, secrets = NULL, changed_at = ?3 WHERE number = ?1",
            params![row.mail.number, state.name(), now],
        )?;
        self.wiped(row)
    }

    fn wipe(&self, number: i64) -> Result<(), StorageError> {
        self.change("UPDATE keyturnhost_outbox SET secrets = NULL WHERE number = ?1", params![number])
    }

    fn wiped(&self, row: &Carrying) -> Result<(), StorageError> {
        let bytes = row.secrets.as_ref().map_or(0, Vec::len) as i64;
        self.usage(&row.mail.plugin, USAGE, -bytes).map(drop)
    }

    /// One text stands once, however many mails are written by it.
    fn keep_template(&self, id: &[u8; 32], json: &[u8]) -> Result<(), StorageError> {
        let there = self.one("SELECT 1 FROM keyturnhost_templates WHERE id = ?1", params![id], |_| Ok(()))?;
        if there.is_some() {
            return Ok(());
        }
        let sealed = self.keys.seal(&["keyturnhost_templates", &hex(id)], json);
        self.change("INSERT INTO keyturnhost_templates (id, text) VALUES (?1, ?2)", params![id, sealed])
    }

    // ----- a worker -----

    fn lease_mail(&self, most: u32, lease_ms: i64, operators: Option<&str>) -> Result<Vec<LeasedMail>, StorageError> {
        let due = format!("SELECT {WAITING}, expires FROM keyturnhost_outbox WHERE due <= ?1 ORDER BY due LIMIT ?2");
        let claimed = self.claim(
            &MAILS_QUEUE,
            (most, lease_ms, false),
            |now, left| self.all(&due, params![now, left], waiting),
            |number| self.numbered(number),
            |number, over, now| self.over(number, over, now),
        )?;
        claimed.into_iter().map(|(row, lease)| self.leased_mail(row, lease, operators)).collect()
    }

    fn numbered(&self, number: i64) -> Result<Option<Carrying>, StorageError> {
        let sql = format!("{MAILS} WHERE number = ?1");
        Ok(self.one(&sql, params![number], carrying)?.flatten())
    }

    fn over(&self, number: i64, over: Over, now: i64) -> Result<(), StorageError> {
        match (self.numbered(number)?, over) {
            (Some(row), Over::Ended) => self.end(&row, MailState::Ended, now),
            (Some(row), _) => {
                let obstacle = row.mail.obstacle.map(Obstacle::name);
                self.settle(&MAILS_QUEUE, number, MailState::GaveUp, None, obstacle, now)
            }
            // It was never this host's.
            (None, _) => {
                self.wipe(number)?;
                self.settle(&MAILS_QUEUE, number, MailState::Refused, None, Some(Obstacle::Forged.name()), now)
            }
        }
    }

    fn leased_mail(
        &self,
        mut row: Carrying,
        lease: Lease,
        operators: Option<&str>,
    ) -> Result<LeasedMail, StorageError> {
        let account = row.mail.to.account().map(|id| self.provider.account(self.db, id)).transpose()?.flatten();
        let filling = match self.opened(&row) {
            Ok(filling) if row.secrets.is_some() => Ok(filling),
            Ok(_) => Err("what it carries was wiped".to_owned()),
            Err(StorageError::Failed { cause, .. }) => Err(cause),
            Err(error) => return Err(error),
        };
        let address = match &row.mail.to {
            Recipient::Account(_) => account.as_ref().and_then(|account| account.value(Field::Email)),
            Recipient::Previous(_) => filling.as_ref().ok().and_then(|filling| filling.address.as_deref()),
            Recipient::Operators => operators,
        };
        if let Some(address) = address {
            let mac = row.mail.to.address_mac(self.keys, address);
            let attempted = "UPDATE keyturnhost_outbox SET address_mac = ?2 WHERE number = ?1";
            self.change(attempted, params![row.mail.number, mac])?;
            row.mail.address = Some(mac.to_vec());
        }
        Ok(LeasedMail { lease, mail: row.mail, account, filling })
    }

    fn settle_mail(&self, lease: &Lease, settled: &Settled) -> Result<bool, StorageError> {
        let now = self.now()?;
        let sql = format!("{MAILS} WHERE id = ?1 AND lease = ?2");
        let Some(row) = self.one(&sql, params![lease.row, lease.token], carrying)?.flatten() else {
            return Ok(false);
        };
        // Withdrawn while it was being sent. That it has gone all the same is what its page must say.
        let withdrawn = row.mail.state == MailState::Withdrawn && settled.state != MailState::Accepted;
        let state = if withdrawn { MailState::Withdrawn } else { settled.state };
        let due = settled.again_in.filter(|_| !withdrawn).map(|pause| now.saturating_add(pause));
        if let Some((server, attempt)) = &settled.told {
            self.change(
                "UPDATE keyturnhost_outbox SET last_at = ?2, server = ?3, last = ?4 WHERE number = ?1",
                params![row.mail.number, now, server, serde_json::to_string(attempt).unwrap_or_default()],
            )?;
        }
        self.settle(&MAILS_QUEUE, row.mail.number, state, due, settled.obstacle.map(Obstacle::name), now)?;
        if settled.obstacle == Some(Obstacle::Forged)
            || matches!(state, MailState::Accepted | MailState::Ended | MailState::Withdrawn)
        {
            self.wipe(row.mail.number)?;
            self.wiped(&row)?;
        }
        Ok(true)
    }

    // ----- reading -----

    fn carrying(&self, id: &MailId) -> Result<Option<Carrying>, StorageError> {
        let sql = format!("{MAILS} WHERE id = ?1");
        Ok(self.one(&sql, params![id.as_str()], carrying)?.flatten())
    }

    fn opened(&self, row: &Carrying) -> Result<Filling, StorageError> {
        let forged = || forged("keyturnhost_outbox", &row.mail.plugin);
        let open = |part, sealed: &[u8]| self.keys.open_sealed(&Place::of(part, row).parts(), sealed);
        let Open { variables, origin, message_id, address } =
            open("open", &row.variables).ok().and_then(|json| serde_json::from_slice(&json).ok()).ok_or_else(forged)?;
        let mut variables: BTreeMap<String, Value> = variables.into_iter().collect();
        if let Some(sealed) = &row.secrets {
            let secrets = open("secrets", sealed).ok().and_then(|json| serde_json::from_slice(&json).ok());
            let secrets: Vec<(String, Value)> = secrets.ok_or_else(forged)?;
            variables.extend(secrets);
        }
        let sealed =
            self.one("SELECT text FROM keyturnhost_templates WHERE id = ?1", params![&row.template], |row| {
                row.get::<Vec<u8>>(0)
            })?;
        let place = ["keyturnhost_templates", &hex(&row.template)];
        let text = sealed.and_then(|sealed| self.keys.open_sealed(&place, &sealed).ok());
        let template: Option<Template> = text.and_then(|json| serde_json::from_slice(&json).ok());
        Ok(Filling { template: template.ok_or_else(forged)?, variables, origin, message_id, address })
    }

    fn mails(&self, filter: &MailFilter) -> Result<Vec<Mail>, StorageError> {
        let list = |recipients: &[String]| {
            let conditions = [
                ("state", filter.states.iter().map(|state| state.name()).collect()),
                ("plugin", filter.plugin.iter().map(String::as_str).collect()),
                ("recipient", recipients.iter().map(String::as_str).collect()),
            ];
            self.list(MAILS, &conditions, filter.before, filter.limit, mail)
        };
        if filter.search.is_none() && filter.account.is_none() {
            return list(&[]);
        }
        let mut accounts: Vec<AccountId> = filter.account.iter().cloned().collect();
        if let Some(typed) = &filter.search {
            let found = self.provider.find(self.db, typed, &self.provider.realms(), usize::MAX)?;
            accounts.extend(found.into_iter().map(|(id, _)| id));
        }
        let recipients: Vec<String> = accounts
            .into_iter()
            .flat_map(|id| [Recipient::Account(id.clone()), Recipient::Previous(id)])
            .map(|recipient| recipient.text().into_owned())
            .collect();
        // As many accounts as there are can share an address.
        let mut mails: Vec<Mail> = Vec::new();
        for some in recipients.chunks(RECIPIENTS) {
            mails.extend(list(some)?);
        }
        mails.sort_by_key(|mail| std::cmp::Reverse(mail.number));
        mails.dedup_by_key(|mail| mail.number);
        mails.truncate(filter.limit.clamp(1, 1000) as usize);
        Ok(mails)
    }

    pub fn mails_lately(&self, plugin: &str, now: i64) -> Result<u64, StorageError> {
        let counted = self.one(
            "SELECT sum(amount) FROM keyturnhost_usage WHERE plugin = ?1 AND kind BETWEEN ?2 AND ?3",
            params![plugin, asked_in(now - MINUTE), asked_in(i64::MAX)],
            |row| row.get::<Option<i64>>(0),
        )?;
        // A count, as long as nobody else writes there.
        Ok(counted.flatten().unwrap_or(0).max(0).unsigned_abs())
    }

    /// MAC of the address of the latest attempt, if the mail is there and one was made.
    pub fn attempted(&self, id: &MailId) -> Result<Option<Vec<u8>>, StorageError> {
        let address =
            self.one("SELECT address_mac FROM keyturnhost_outbox WHERE id = ?1", params![id.as_str()], |row| {
                row.get(0)
            })?;
        Ok(address.flatten())
    }

    // ----- tidying -----

    /// Wipes what ran out, and removes what was done long ago; at most `most` of each.
    pub fn tidy_outbox(&self, now: i64, most: u32) -> Result<usize, StorageError> {
        let ended = self.all(
            "SELECT number FROM keyturnhost_outbox
             WHERE secrets IS NOT NULL AND expires <= ?1 AND (state <> 'sending' OR due <= ?1) LIMIT ?2",
            params![now, most],
            |row| row.get::<i64>(0),
        )?;
        for number in &ended {
            self.over(*number, Over::Ended, now)?;
        }
        let done = "SELECT number, plugin, length(variables) FROM keyturnhost_outbox WHERE secrets IS NULL";
        let old = format!("{done} AND asked_at <= ?1 ORDER BY asked_at LIMIT ?2");
        let mut gone = self.remove_mails(&old, params![now.saturating_sub(DONE_STAYS), most])?;
        let plugins = "SELECT plugin FROM keyturnhost_usage WHERE kind = ?1";
        for plugin in self.all(plugins, params![USAGE], |row| row.get::<String>(0))? {
            let oldest = "SELECT number FROM keyturnhost_outbox WHERE plugin = ?1 AND secrets IS NULL
                ORDER BY number DESC LIMIT 1 OFFSET ?2";
            let Some(oldest) = self.one(oldest, params![plugin, DONE_MOST], |row| row.get::<i64>(0))? else { continue };
            let beyond = format!("{done} AND plugin = ?1 AND number <= ?2 ORDER BY number LIMIT ?3");
            gone += self.remove_mails(&beyond, params![plugin, oldest, most])?;
        }
        self.change(
            "DELETE FROM keyturnhost_usage WHERE kind BETWEEN ?1 AND ?2",
            params![asked_in(0), asked_in(now.saturating_sub(2 * MINUTE))],
        )?;
        Ok(ended.len() + gone)
    }

    /// Removes those that a query names, with their plugin and the bytes of their variables. Each by its number: no engine then
    /// locks more rows than these.
    fn remove_mails(&self, named: &str, parameters: &[ValueRef<'_>]) -> Result<usize, StorageError> {
        let row = |row: &dyn Row| Ok((row.get::<i64>(0)?, row.get::<String>(1)?, row.get::<i64>(2)?));
        let mails = self.all(named, parameters, row)?;
        for (number, plugin, bytes) in &mails {
            self.change("DELETE FROM keyturnhost_outbox WHERE number = ?1", params![number])?;
            self.usage(plugin, USAGE, -(ROW + bytes))?;
        }
        Ok(mails.len())
    }
}

fn json(value: &impl serde::Serialize) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(serde_json::to_vec(value).unwrap_or_default())
}
