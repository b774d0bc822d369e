//! The outbox's rows. What a mail carries is sealed for its row, recipient, template and end: a row that somebody else has
//! written or altered does not open, and is never delivered.

use std::collections::BTreeMap;

use rusqlite::{Row, params, params_from_iter};
use zeroize::Zeroizing;

use super::rows::{Rows, forged};
use keyturn_core::accounts::{AccountId, Field};
use keyturn_core::seal::hex;
use keyturn_mail::template::{Kind, Template, Value};
use keyturn_store::outbox::{
    ATTEMPTS, Filling, LeasedMail, Mail, MailFilter, MailId, MailState, Mend, NewMail, Obstacle, Recipient, Settled,
    Told,
};
use keyturn_store::tasks::Lease;
use keyturn_store::{AuditEntry, Quotas, StorageError};

/// What a mail counts for in `outbox-bytes` beside what is sealed: about what its row and its places in the indices take.
const ROW: i64 = 512;
/// How long a mail that is done stays to be seen, in milliseconds: 30 days.
const DONE_STAYS: i64 = 30 * 24 * 3600 * 1000;
/// How many of a plugin's that are done stay to be seen: the newest ones. They take a part of its `outbox-bytes` only, or a flood of
/// them would leave no room for a mail.
const DONE_MOST: u32 = 50_000;
/// The minute of `per-minute`, in milliseconds.
pub(super) const MINUTE: i64 = 60_000;
/// The plugin's total of the outbox in keyturnhost_usage.
const USAGE: &str = "outbox";

const COLUMNS: &str =
    "number, id, plugin, recipient, template_name, state, attempts, asked_at, due, expires, changed_at,
    last_at, last, obstacle, secrets IS NOT NULL, address_mac, server, template, variables, secrets";

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

fn carrying(row: &Row<'_>) -> rusqlite::Result<Carrying> {
    Ok(Carrying { mail: mail(row)?, template: row.get(17)?, variables: row.get(18)?, secrets: row.get(19)? })
}

/// A row, or only its number where its name, recipient or state is none: somebody else has written that. One such row holds up
/// no other.
fn readable<T>(read: fn(&Row<'_>) -> rusqlite::Result<T>) -> impl Fn(&Row<'_>) -> rusqlite::Result<Result<T, i64>> {
    move |row| match read(row) {
        Ok(read) => Ok(Ok(read)),
        Err(rusqlite::Error::FromSqlConversionFailure(..)) => Ok(Err(row.get(0)?)),
        Err(cause) => Err(cause),
    }
}

fn mail(row: &Row<'_>) -> rusqlite::Result<Mail> {
    let wrong = |column: usize| {
        let text: Box<dyn std::error::Error + Send + Sync> = "changed from outside".into();
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, text)
    };
    let told = row.get::<_, Option<String>>(12)?.and_then(|json| serde_json::from_str(&json).ok());
    let (at, server) = (row.get::<_, Option<i64>>(11)?, row.get::<_, Option<String>>(16)?);
    let last = at.zip(server).zip(told).map(|((at, server), attempt)| Told { at, server, attempt });
    Ok(Mail {
        number: row.get(0)?,
        id: row.get::<_, String>(1)?.parse().map_err(|_| wrong(1))?,
        plugin: row.get(2)?,
        to: Recipient::named(&row.get::<_, String>(3)?).ok_or_else(|| wrong(3))?,
        template: row.get(4)?,
        state: MailState::named(&row.get::<_, String>(5)?).ok_or_else(|| wrong(5))?,
        attempts: row.get(6)?,
        asked_at: row.get(7)?,
        due: row.get(8)?,
        expires: row.get(9)?,
        changed_at: row.get(10)?,
        last,
        obstacle: row.get::<_, Option<String>>(13)?.and_then(|name| Obstacle::named(&name)),
        whole: row.get(14)?,
        address: row.get(15)?,
    })
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
            "writing keyturnhost_outbox",
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
            "writing keyturnhost_outbox",
            "UPDATE keyturnhost_outbox SET state = ?2, due = NULL, secrets = NULL, changed_at = ?3 WHERE number = ?1",
            params![row.mail.number, state.name(), now],
        )?;
        self.wiped(row)
    }

    /// Takes a row out of the way that was never this host's.
    fn set_aside(&self, number: i64, now: i64) -> Result<(), StorageError> {
        self.change(
            "writing keyturnhost_outbox",
            "UPDATE keyturnhost_outbox SET state = 'refused', obstacle = 'forged', due = NULL, lease = NULL, secrets = NULL,
                changed_at = ?2 WHERE number = ?1",
            params![number, now],
        )
    }

    fn wiped(&self, row: &Carrying) -> Result<(), StorageError> {
        let bytes = row.secrets.as_ref().map_or(0, Vec::len) as i64;
        self.usage(&row.mail.plugin, USAGE, -bytes).map(drop)
    }

    /// One text stands once, however many mails are written by it.
    fn keep_template(&self, id: &[u8; 32], json: &[u8]) -> Result<(), StorageError> {
        let doing = "writing keyturnhost_templates";
        let there = self.one(doing, "SELECT 1 FROM keyturnhost_templates WHERE id = ?1", [id], |_| Ok(()))?;
        if there.is_some() {
            return Ok(());
        }
        let sealed = self.keys.seal(&["keyturnhost_templates", &hex(id)], json);
        self.change(doing, "INSERT INTO keyturnhost_templates (id, text) VALUES (?1, ?2)", params![id, sealed])
    }

    // ----- a worker -----

    pub fn lease_mail(
        &self,
        most: u32,
        lease_ms: i64,
        operators: Option<&str>,
    ) -> Result<Vec<LeasedMail>, StorageError> {
        let now = self.clock()?;
        let sql = format!("SELECT {COLUMNS} FROM keyturnhost_outbox WHERE due <= ?1 ORDER BY due LIMIT ?2");
        let mut leased = Vec::new();
        // Each round leaves fewer that are due: what is not leased is ended.
        while leased.len() < most as usize {
            let left = most - leased.len() as u32;
            let rows = self.all("leasing from keyturnhost_outbox", &sql, params![now, left], readable(carrying))?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                let mut row = match row {
                    Ok(row) => row,
                    Err(number) => {
                        self.set_aside(number, now)?;
                        continue;
                    }
                };
                if row.mail.expires <= now {
                    self.end(&row, MailState::Ended, now)?;
                } else if row.mail.state == MailState::Sending && row.mail.attempts >= ATTEMPTS {
                    // Each of its workers went away while it was being sent.
                    self.change(
                        "writing keyturnhost_outbox",
                        "UPDATE keyturnhost_outbox SET state = 'gave-up', due = NULL, lease = NULL, changed_at = ?2
                         WHERE number = ?1",
                        params![row.mail.number, now],
                    )?;
                } else {
                    leased.push(self.lease_one(&mut row, now, lease_ms, operators)?);
                }
            }
        }
        Ok(leased)
    }

    fn lease_one(
        &self,
        row: &mut Carrying,
        now: i64,
        lease_ms: i64,
        operators: Option<&str>,
    ) -> Result<LeasedMail, StorageError> {
        let account = row.mail.to.account().map(|id| self.provider.account(self.db, id)).transpose()?.flatten();
        let filling = match self.opened(row) {
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
        let mac = address.map(|address| row.mail.to.address_mac(self.keys, address).to_vec());
        let lease = Lease::fresh(row.mail.id.as_str());
        let mail = &mut row.mail;
        mail.state = MailState::Sending;
        mail.attempts += 1;
        mail.due = Some(now + lease_ms);
        mail.changed_at = now;
        mail.address = mac.or_else(|| mail.address.take());
        self.change(
            "leasing from keyturnhost_outbox",
            "UPDATE keyturnhost_outbox SET state = 'sending', attempts = ?2, due = ?3, lease = ?4, address_mac = ?5,
                changed_at = ?6 WHERE number = ?1",
            params![mail.number, mail.attempts, mail.due, lease.token, mail.address, now],
        )?;
        Ok(LeasedMail { lease, mail: row.mail.clone(), account, filling })
    }

    pub fn settle_mail(&self, lease: &Lease, settled: &Settled) -> Result<bool, StorageError> {
        let now = self.clock()?;
        let sql = format!("SELECT {COLUMNS} FROM keyturnhost_outbox WHERE id = ?1 AND lease = ?2");
        let doing = "settling keyturnhost_outbox";
        let Some(row) = self.one(doing, &sql, params![lease.row, lease.token], carrying)? else {
            return Ok(false);
        };
        // Withdrawn while it was being sent. That it has gone all the same is what its page must say.
        let withdrawn = row.mail.state == MailState::Withdrawn && settled.state != MailState::Accepted;
        let state = if withdrawn { MailState::Withdrawn } else { settled.state };
        let due = settled.again_in.filter(|_| !withdrawn).map(|pause| now.saturating_add(pause));
        let wipe = settled.obstacle == Some(Obstacle::Forged)
            || matches!(state, MailState::Accepted | MailState::Ended | MailState::Withdrawn);
        if let Some((server, attempt)) = &settled.told {
            self.change(
                doing,
                "UPDATE keyturnhost_outbox SET last_at = ?2, server = ?3, last = ?4 WHERE number = ?1",
                params![row.mail.number, now, server, serde_json::to_string(attempt).unwrap_or_default()],
            )?;
        }
        self.change(
            doing,
            "UPDATE keyturnhost_outbox SET state = ?2, due = ?3, lease = NULL, obstacle = ?4, changed_at = ?5,
                secrets = iif(?6, NULL, secrets) WHERE number = ?1",
            params![row.mail.number, state.name(), due, settled.obstacle.map(Obstacle::name), now, wipe],
        )?;
        if wipe {
            self.wiped(&row)?;
        }
        Ok(true)
    }

    /// Settles one, and takes the next, if there is one: in one write.
    pub fn settle_and_lease_mail(
        &self,
        lease: &Lease,
        settled: &Settled,
        lease_ms: i64,
        operators: Option<&str>,
    ) -> Result<(bool, Option<LeasedMail>), StorageError> {
        let held = self.settle_mail(lease, settled)?;
        Ok((held, self.lease_mail(1, lease_ms, operators)?.pop()))
    }

    // ----- an operator -----

    pub fn mend(&self, mend: Mend, ids: &[MailId], audit: &AuditEntry) -> Result<Vec<MailId>, StorageError> {
        let now = self.clock()?;
        let mut done = Vec::new();
        for id in ids {
            let Some(row) = self.carrying(id)?.filter(|row| row.secrets.is_some()) else { continue };
            match (mend, row.mail.state) {
                (_, MailState::Sending) => continue,
                (Mend::Withdraw, _) => self.end(&row, MailState::Withdrawn, now)?,
                (Mend::Retry, _) => self.change(
                    "writing keyturnhost_outbox",
                    "UPDATE keyturnhost_outbox SET state = 'queued', attempts = 0, due = ?2, lease = NULL, obstacle = NULL,
                        changed_at = ?2 WHERE number = ?1",
                    params![row.mail.number, now],
                )?,
            }
            done.push(id.clone());
        }
        if !done.is_empty() {
            self.insert_audit(audit)?;
        }
        Ok(done)
    }

    // ----- reading -----

    fn carrying(&self, id: &MailId) -> Result<Option<Carrying>, StorageError> {
        let sql = format!("SELECT {COLUMNS} FROM keyturnhost_outbox WHERE id = ?1");
        self.one("reading keyturnhost_outbox", &sql, [id.as_str()], carrying)
    }

    pub fn mail(&self, id: &MailId) -> Result<Option<Mail>, StorageError> {
        Ok(self.carrying(id)?.map(|row| row.mail))
    }

    pub fn filling(&self, id: &MailId) -> Result<Option<Filling>, StorageError> {
        self.carrying(id)?.map(|row| self.opened(&row)).transpose()
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
        let sealed = self.one(
            "reading keyturnhost_templates",
            "SELECT text FROM keyturnhost_templates WHERE id = ?1",
            [&row.template],
            |row| row.get::<_, Vec<u8>>(0),
        )?;
        let place = ["keyturnhost_templates", &hex(&row.template)];
        let text = sealed.and_then(|sealed| self.keys.open_sealed(&place, &sealed).ok());
        let template: Option<Template> = text.and_then(|json| serde_json::from_slice(&json).ok());
        Ok(Filling { template: template.ok_or_else(forged)?, variables, origin, message_id, address })
    }

    pub fn mails(&self, filter: &MailFilter) -> Result<Vec<Mail>, StorageError> {
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
        let asks_whom = filter.search.is_some() || filter.account.is_some();
        if asks_whom && recipients.is_empty() {
            return Ok(Vec::new());
        }
        let before = filter.before.unwrap_or(i64::MAX).to_string();
        let mut sql = format!("SELECT {COLUMNS} FROM keyturnhost_outbox WHERE number < CAST(?1 AS INTEGER)");
        let mut parameters = vec![before];
        if asks_whom {
            // As one value: as many accounts as there are can share an address.
            parameters.push(serde_json::Value::from(recipients).to_string());
            sql.push_str(" AND recipient IN (SELECT value FROM json_each(?2))");
        }
        let mut one_of = |column: &str, values: Vec<String>| {
            let marks: Vec<String> = values
                .into_iter()
                .map(|value| {
                    parameters.push(value);
                    format!("?{}", parameters.len())
                })
                .collect();
            sql.push_str(&format!(" AND {column} IN ({})", marks.join(", ")));
        };
        if !filter.states.is_empty() {
            one_of("state", filter.states.iter().map(|state| state.name().to_owned()).collect());
        }
        if let Some(plugin) = &filter.plugin {
            one_of("plugin", vec![plugin.clone()]);
        }
        sql.push_str(&format!(" ORDER BY number DESC LIMIT {}", filter.limit.clamp(1, 1000)));
        let found = self.all("reading keyturnhost_outbox", &sql, params_from_iter(parameters), readable(mail))?;
        Ok(found.into_iter().flatten().collect())
    }

    pub fn mail_counts(&self) -> Result<Vec<(String, MailState, u64)>, StorageError> {
        let counted = self.all(
            "reading keyturnhost_outbox",
            "SELECT substr(account, 1, max(instr(account, ':') - 1, 0)) AS realm, state, count(*)
                FROM (SELECT replace(recipient, 'previous ', '') AS account, state FROM keyturnhost_outbox)
                GROUP BY realm, state",
            [],
            |row| Ok((row.get(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?.unsigned_abs())),
        )?;
        let known = |(realm, state, count): (String, String, u64)| Some((realm, MailState::named(&state)?, count));
        Ok(counted.into_iter().filter_map(known).collect())
    }

    pub fn mails_lately(&self, plugin: &str, now: i64) -> Result<u64, StorageError> {
        let counted = self.one(
            "reading keyturnhost_usage",
            "SELECT total(amount) FROM keyturnhost_usage WHERE plugin = ?1 AND kind BETWEEN ?2 AND ?3",
            params![plugin, asked_in(now - MINUTE), asked_in(i64::MAX)],
            |row| row.get::<_, f64>(0),
        )?;
        // A count, as long as nobody else writes there.
        Ok(counted.unwrap_or(0.0).max(0.0) as u64)
    }

    /// MAC of the address of the latest attempt, if the mail is there and one was made.
    pub fn attempted(&self, id: &MailId) -> Result<Option<Vec<u8>>, StorageError> {
        let address = self.one(
            "checking keyturnhost_outbox",
            "SELECT address_mac FROM keyturnhost_outbox WHERE id = ?1",
            [id.as_str()],
            |row| row.get(0),
        )?;
        Ok(address.flatten())
    }

    // ----- tidying -----

    /// Wipes what ran out, and removes what was done long ago; at most `most` of each.
    pub fn tidy_outbox(&self, now: i64, most: u32) -> Result<usize, StorageError> {
        let doing = "tidying keyturnhost_outbox";
        let sql = format!(
            "SELECT {COLUMNS} FROM keyturnhost_outbox
             WHERE secrets IS NOT NULL AND expires <= ?1 AND (state <> 'sending' OR due <= ?1) LIMIT ?2"
        );
        let ended = self.all(doing, &sql, params![now, most], readable(carrying))?;
        for row in &ended {
            match row {
                Ok(row) => self.end(row, MailState::Ended, now)?,
                Err(number) => self.set_aside(*number, now)?,
            }
        }
        let mut done = self.all(
            doing,
            "DELETE FROM keyturnhost_outbox WHERE number IN (SELECT number FROM keyturnhost_outbox
             WHERE secrets IS NULL AND asked_at <= ?1 ORDER BY asked_at LIMIT ?2) RETURNING plugin, length(variables)",
            params![now.saturating_sub(DONE_STAYS), most],
            |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)),
        )?;
        let plugins = self.all(doing, "SELECT plugin FROM keyturnhost_usage WHERE kind = ?1", [USAGE], |row| {
            row.get::<_, String>(0)
        })?;
        for plugin in plugins {
            done.extend(self.all(
                doing,
                "DELETE FROM keyturnhost_outbox WHERE number IN (SELECT number FROM keyturnhost_outbox
                 WHERE plugin = ?1 AND secrets IS NULL AND number <= (SELECT number FROM keyturnhost_outbox
                    WHERE plugin = ?1 AND secrets IS NULL ORDER BY number DESC LIMIT 1 OFFSET ?2)
                 ORDER BY number LIMIT ?3) RETURNING plugin, length(variables)",
                params![plugin, DONE_MOST, most],
                |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)),
            )?);
        }
        for (plugin, bytes) in &done {
            self.usage(plugin, USAGE, -(ROW + bytes))?;
        }
        self.change(
            "tidying keyturnhost_usage",
            "DELETE FROM keyturnhost_usage WHERE kind BETWEEN ?1 AND ?2",
            params![asked_in(0), asked_in(now.saturating_sub(2 * MINUTE))],
        )?;
        Ok(ended.len() + done.len())
    }
}

fn json(value: &impl serde::Serialize) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(serde_json::to_vec(value).unwrap_or_default())
}
