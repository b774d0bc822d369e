//! The panel's people: their rows, and every query on them.

use clap::ValueEnum;
use jiff::Timestamp;
use keyturn_host::accounts::{AccountId, Scope};
use rusqlite::{Connection, OptionalExtension as _, Row, named_params, params};

use crate::database::{Database, plain};
use crate::folk::Folk;

/// The role of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Reaches everybody.
    Owner,
    /// Reaches resellers and customers.
    Administrator,
    /// Reaches their own customers.
    Reseller,
    /// Reaches only themselves.
    Customer,
}

impl Kind {
    pub const ALL: [Kind; 4] = [Kind::Owner, Kind::Administrator, Kind::Reseller, Kind::Customer];

    /// The name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Owner => "owner",
            Kind::Administrator => "administrator",
            Kind::Reseller => "reseller",
            Kind::Customer => "customer",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Characters of a name, login or address that are read. If something else wrote more into the table, nobody signs in with it.
const READ: usize = 600;

fn shortened(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(READ) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// One person. What is too long is cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub id: i64,
    pub kind: Kind,
    /// What is typed at sign-in.
    pub login: String,
    pub email: Option<String>,
    /// Name of the person or company.
    pub name: String,
    /// BCP 47.
    pub locale: String,
    pub suspended: bool,
    /// The reseller who manages this person, if one does: row and name.
    pub reseller: Option<(i64, String)>,
    /// Unix milliseconds, if it can be read.
    pub since: Option<i64>,
    /// Unix milliseconds of the last sign-in here.
    pub signed_in_at: Option<i64>,
}

/// The account of a row in a realm.
pub fn account(realm: &str, id: i64) -> Option<AccountId> {
    AccountId::new(realm, &id.to_string()).ok()
}

impl Person {
    pub fn folk(&self) -> Folk {
        Folk::of(self.kind)
    }

    /// The account's name in the host. A row's id is digits, so there always is one.
    pub fn account(&self) -> Option<AccountId> {
        account(self.folk().realm(), self.id)
    }

    pub fn url(&self) -> String {
        format!("/{}/{}", self.folk().path(), self.id)
    }

    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        let kind: String = row.get("kind")?;
        let reseller: Option<i64> = row.get("reseller_id")?;
        let reseller_name: Option<String> = row.get("reseller_name")?;
        let since: String = row.get("created_at")?;
        let email: Option<String> = row.get("email")?;
        Ok(Self {
            id: row.get("id")?,
            kind: Kind::named(&kind).unwrap_or(Kind::Customer),
            login: shortened(row.get("login")?),
            email: email.filter(|email| !email.is_empty()).map(shortened),
            name: shortened(row.get("name")?),
            locale: row.get("locale")?,
            suspended: row.get::<_, String>("state")? == "suspended",
            reseller: reseller.zip(reseller_name.map(shortened)),
            since: since.parse::<Timestamp>().ok().map(|since| since.as_millisecond()),
            signed_in_at: row.get("signed_in_at")?,
        })
    }
}

const PERSON: &str = "SELECT p.id, p.kind, p.login, p.email, p.name, p.locale, p.state, p.reseller_id, p.created_at, \
     p.signed_in_at, r.name AS reseller_name FROM people p LEFT JOIN people r ON r.id = p.reseller_id";

/// What a query may see: everybody in a list, or the customers of one reseller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Within {
    folk: Folk,
    reseller: Option<i64>,
}

impl Within {
    /// All of a list, for the console.
    pub fn all(folk: Folk) -> Self {
        Self { folk, reseller: None }
    }

    /// What `viewer` sees of a list; none if nothing.
    pub fn seen_by(viewer: &Person, folk: Folk) -> Option<Self> {
        let reseller = match crate::folk::scope(viewer.kind, folk) {
            Scope::None => return None,
            Scope::Own => Some(viewer.id),
            Scope::All => None,
        };
        Some(Self { folk, reseller })
    }

    /// A condition on `p`, with `:reseller` in it.
    fn condition(self) -> String {
        let kinds: Vec<String> = self.folk.kinds().iter().map(|kind| format!("'{}'", kind.name())).collect();
        format!("p.kind IN ({}) AND (:reseller IS NULL OR p.reseller_id = :reseller)", kinds.join(", "))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Filter {
    /// Everybody
    All,
    /// People who may sign in
    Active,
    /// People who may not
    Suspended,
    /// People without an email address
    NoEmail,
}

impl Filter {
    /// In the order of the tabs.
    pub const ALL: [Filter; 4] = [Filter::All, Filter::Active, Filter::Suspended, Filter::NoEmail];

    /// Its name in an address.
    pub fn name(self) -> &'static str {
        match self {
            Filter::All => "all",
            Filter::Active => "active",
            Filter::Suspended => "suspended",
            Filter::NoEmail => "no-email",
        }
    }

    /// From an address; anything unknown is [`Filter::All`].
    pub fn named(name: &str) -> Self {
        Filter::ALL.into_iter().find(|filter| filter.name() == name).unwrap_or(Filter::All)
    }

    fn condition(self) -> &'static str {
        match self {
            Filter::All => "TRUE",
            Filter::Active => "p.state = 'active'",
            Filter::Suspended => "p.state = 'suspended'",
            Filter::NoEmail => "coalesce(p.email, '') = ''",
        }
    }
}

pub struct Listing {
    pub people: Vec<Person>,
    /// How many the search finds for each of [`Filter::ALL`].
    pub counts: [i64; 4],
    /// How many there are without a search.
    pub total: i64,
}

/// Rows of one page of a list.
pub const PAGE: i64 = 25;

/// A query's condition that a name, login or address contains what was typed.
const FOUND: &str = "(:typed = '' OR instr(plain(p.name), :typed) OR instr(plain(p.login), :typed) \
     OR instr(plain(p.email), :typed))";

impl Database {
    /// A page of a list, `page` from 0, of people whose name, login or address contains what was typed.
    pub fn list(&self, within: Within, typed: &str, filter: Filter, page: i64) -> rusqlite::Result<Listing> {
        let condition = within.condition();
        let typed = plain(typed.trim());
        self.with(|db| {
            let snapshot = db.transaction()?;
            let sums: Vec<String> = Filter::ALL
                .iter()
                .map(|filter| format!("coalesce(sum({FOUND} AND {}), 0)", filter.condition()))
                .collect();
            let sql = format!("SELECT count(*), {} FROM people p WHERE {condition}", sums.join(", "));
            let bound = named_params! {":reseller": within.reseller, ":typed": typed};
            let (total, counts) = snapshot.query_row(&sql, bound, |row| {
                Ok((row.get(0)?, [row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?]))
            })?;
            let sql = format!(
                "{PERSON} WHERE {condition} AND {FOUND} AND {} ORDER BY plain(p.name), p.id LIMIT :limit OFFSET :offset",
                filter.condition()
            );
            let mut statement = snapshot.prepare_cached(&sql)?;
            let bound = named_params! {
                ":reseller": within.reseller, ":typed": typed, ":limit": PAGE, ":offset": page.saturating_mul(PAGE),
            };
            let people = statement.query_map(bound, Person::of)?.collect::<Result<_, _>>()?;
            Ok(Listing { people, counts, total })
        })
    }

    /// Everybody in a list, found and ordered as by [`Database::list`].
    pub fn each(
        &self,
        within: Within,
        typed: &str,
        filter: Filter,
        use_it: &mut dyn FnMut(Person),
    ) -> rusqlite::Result<()> {
        let condition = within.condition();
        let sql =
            format!("{PERSON} WHERE {condition} AND {FOUND} AND {} ORDER BY plain(p.name), p.id", filter.condition());
        self.with(|db| {
            let mut statement = db.prepare_cached(&sql)?;
            let bound = named_params! {":reseller": within.reseller, ":typed": plain(typed.trim())};
            for person in statement.query_map(bound, Person::of)? {
                use_it(person?);
            }
            Ok(())
        })
    }

    /// Somebody in a list, if they are within.
    pub fn find(&self, within: Within, id: i64) -> rusqlite::Result<Option<Person>> {
        let sql = format!("{PERSON} WHERE p.id = :id AND {}", within.condition());
        self.with(|db| {
            db.prepare_cached(&sql)?
                .query_row(named_params! {":id": id, ":reseller": within.reseller}, Person::of)
                .optional()
        })
    }

    /// Anybody: for signed-in people, and for names in the audit log.
    pub fn person(&self, id: i64) -> rusqlite::Result<Option<Person>> {
        let sql = format!("{PERSON} WHERE p.id = ?1");
        self.with(|db| db.prepare_cached(&sql)?.query_row([id], Person::of).optional())
    }

    /// Changes what the panel's own form changes. What the form left unchanged stays as it is in the table, where it may be
    /// longer.
    pub fn change(&self, before: &Person, name: &str, email: Option<&str>, locale: &str) -> rusqlite::Result<()> {
        let name = Some(name).filter(|name| *name != before.name);
        let readdressed = email != before.email.as_deref();
        let sql = "UPDATE people SET name = coalesce(?2, name), email = iif(?3, ?4, email), locale = ?5, updated_at = ?6 \
             WHERE id = ?1";
        self.with(|db| db.execute(sql, params![before.id, name, readdressed, email, locale, today()]))?;
        Ok(())
    }

    pub fn signed_in(&self, id: i64, now: i64) -> rusqlite::Result<()> {
        let sql = "UPDATE people SET signed_in_at = ?2, confirmations = 0 WHERE id = ?1";
        self.with(|db| db.execute(sql, [id, now]))?;
        Ok(())
    }

    /// Counts one attempt to confirm with the own password, before it is checked; false: there were too many. It counts for the
    /// person, not the session, so several stolen sessions have only so many guesses together.
    pub fn may_confirm(&self, id: i64) -> rusqlite::Result<bool> {
        let sql = "UPDATE people SET confirmations = confirmations + 1 WHERE id = ?1 AND confirmations < ?2";
        Ok(self.with(|db| db.execute(sql, [id, CONFIRMATIONS]))? == 1)
    }

    /// Whether no attempt is left.
    pub fn confirmed_too_often(&self, id: i64) -> rusqlite::Result<bool> {
        let sql = "SELECT confirmations >= ?2 FROM people WHERE id = ?1";
        self.with(|db| db.query_row(sql, [id, CONFIRMATIONS], |row| row.get(0)))
    }

    /// Takes back an attempt that was not checked.
    pub fn unconfirm(&self, id: i64) -> rusqlite::Result<()> {
        let sql = "UPDATE people SET confirmations = max(confirmations - 1, 0) WHERE id = ?1";
        self.with(|db| db.execute(sql, [id]))?;
        Ok(())
    }

    /// The own password was right.
    pub fn confirmed(&self, id: i64) -> rusqlite::Result<()> {
        self.with(|db| db.execute("UPDATE people SET confirmations = 0 WHERE id = ?1", [id]))?;
        Ok(())
    }

    pub fn has_owner(&self) -> rusqlite::Result<bool> {
        self.with(|db| db.query_row("SELECT EXISTS (SELECT 1 FROM people WHERE kind = 'owner')", [], |row| row.get(0)))
    }

    pub fn by_login(&self, login: &str) -> rusqlite::Result<Option<i64>> {
        let sql = "SELECT id FROM people WHERE lower(login) = lower(?1)";
        self.with(|db| db.query_row(sql, [login], |row| row.get(0)).optional())
    }

    pub fn add(&self, new: &NewPerson<'_>) -> rusqlite::Result<i64> {
        self.with(|db| insert(db, new))
    }

    /// Deletes a row whose password was refused.
    pub fn remove(&self, id: i64) -> rusqlite::Result<()> {
        self.with(|db| db.execute("DELETE FROM people WHERE id = ?1", [id]))?;
        Ok(())
    }
}

/// Inserts a row with one statement.
pub fn insert(db: &Connection, new: &NewPerson<'_>) -> rusqlite::Result<i64> {
    let NewPerson { login, email, name, locale, reseller, hash, since, .. } = new;
    let sql = "INSERT INTO people \
         (kind, login, email, name, locale, state, reseller_id, password_hash, created_at, updated_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9)";
    let state = if new.suspended { "suspended" } else { "active" };
    db.prepare_cached(sql)?.insert(params![new.kind.name(), login, email, name, locale, state, reseller, hash, since])
}

/// Logins and rows of all resellers.
pub fn resellers(db: &Connection) -> rusqlite::Result<Vec<(String, i64)>> {
    let mut resellers = db.prepare("SELECT login, id FROM people WHERE kind = 'reseller'")?;
    resellers.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// How often signed-in people may mistype their own password. After that, all their sessions end.
const CONFIRMATIONS: i64 = 5;

pub const LONGEST: usize = 200;

/// What is wrong with a login, if anything.
pub fn login_problem(login: &str) -> Option<String> {
    let odd =
        login.trim() != login || login.is_empty() || login.chars().count() > 100 || login.contains(char::is_control);
    odd.then(|| "must be 1 to 100 characters without spaces around it".to_owned())
}

#[derive(Debug, Clone, Copy)]
pub struct NewPerson<'a> {
    pub kind: Kind,
    /// What is typed at sign-in.
    pub login: &'a str,
    pub email: Option<&'a str>,
    /// Name of the person or company.
    pub name: &'a str,
    /// BCP 47.
    pub locale: &'a str,
    pub suspended: bool,
    pub reseller: Option<i64>,
    /// The stored hash of an imported account. New passwords are set by a hook only.
    pub hash: Option<&'a str>,
    /// ISO 8601.
    pub since: &'a str,
}

/// Now, as the table writes times: like the host's `touch … as iso8601`.
pub fn today() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
