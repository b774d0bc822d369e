//! The demo's people. Existing people stay as they are, so a second start changes nothing.

use std::fmt::Write as _;

use anyhow::Context as _;
use keyturn_host::accounts::Reach;
use keyturn_host::caller::{Actor, Caller};
use keyturn_host::mail::config::Way;
use keyturn_host::mail::setup::Chosen;
use rusqlite::ErrorCode;

use crate::folk::Folk;
use crate::owner::set_password;
use crate::people::{Kind, NewPerson, insert};
use crate::site::Site;

/// Everybody's password, except for a few special cases.
const PASSWORD: &str = "violet harbour tram 52";
/// Chidi's password; it must be changed at sign-in.
const TEMPORARY: &str = "paper anchor melon 30";
/// Hassan's old password, stored as bcrypt; today's policy would refuse it.
const LEGACY: &str = "atlas-2019";
/// `password_hash('atlas-2019', PASSWORD_BCRYPT)`.
const LEGACY_HASH: &str = "$2y$10$VaWrVMHme9.sSEEtNg04HOZ2AbhtkS/Oqo95uF4CmigPXQYzdueIS";
const CUSTOMERS: usize = 1_284;

const fn customer(
    login: &'static str,
    email: &'static str,
    name: &'static str,
    locale: &'static str,
    since: &'static str,
) -> NewPerson<'static> {
    let (email, kind) = (Some(email), Kind::Customer);
    NewPerson { kind, login, email, name, locale, suspended: false, reseller: None, hash: None, since }
}

const PEOPLE: [NewPerson<'static>; 14] = [
    NewPerson {
        kind: Kind::Owner,
        ..customer("owner", "ines.duarte@northwind.example", "Inês Duarte", "en", "2019-02-11T09:00:00Z")
    },
    NewPerson {
        kind: Kind::Administrator,
        ..customer("ana", "ana@northwind.example", "Ana Ferrer", "en", "2019-06-03T08:30:00Z")
    },
    NewPerson {
        kind: Kind::Administrator,
        ..customer("tomas", "tomas@northwind.example", "Tomás Rey", "es", "2022-01-17T08:00:00Z")
    },
    NewPerson {
        kind: Kind::Reseller,
        ..customer("costa", "soporte@costamedia.example", "Costa Media", "es", "2020-04-20T10:15:00Z")
    },
    NewPerson {
        kind: Kind::Reseller,
        ..customer("radiosud", "post@radiosud.example", "Radio Sud", "en", "2021-09-01T07:45:00Z")
    },
    customer("marta.vidal", "marta@estudiovidal.example", "Marta Vidal", "es", "2021-03-09T11:20:00Z"),
    NewPerson {
        ..customer("aquesada", "adrian@radioquesada.example", "Adrián Quesada", "es", "2020-05-14T16:02:00Z")
    },
    customer("bramblefinch", "it@bramblefinch.example", "Bramble & Finch Ltd", "en", "2019-11-28T13:40:00Z"),
    customer("chidi", "chidi@lagoswave.example", "Chidi Okonkwo", "en", "2026-11-23T15:10:00Z"),
    NewPerson { email: None, ..customer("epetrova", "", "Elena Petrova", "es", "2023-07-02T09:55:00Z") },
    NewPerson {
        suspended: true,
        ..customer("kringvarp", "drift@kringvarp.example", "Færøya Kringvarp", "en", "2020-10-30T12:00:00Z")
    },
    NewPerson {
        ..customer("gmarchetti", "giulia@ondalibera.example", "Giulia Marchetti", "en", "2024-02-29T18:25:00Z")
    },
    NewPerson {
        hash: Some(LEGACY_HASH),
        ..customer("helamrani", "hassan@atlasfm.example", "Hassan El Amrani", "es", "2019-08-16T10:05:00Z")
    },
    customer("o.haddad", "omar@sawtalmadina.example", "عمر الحداد", "en", "2022-12-05T14:35:00Z"),
];

/// Who manages some of them.
const MANAGED: [(&str, &str); 3] = [("aquesada", "costa"), ("epetrova", "costa"), ("gmarchetti", "radiosud")];

const FIRST: [&str; 36] = [
    "Aino",
    "Amira",
    "Beatriz",
    "Bruno",
    "Carmen",
    "Dagny",
    "Daniel",
    "Eszter",
    "Farid",
    "Fiona",
    "Gonzalo",
    "Hana",
    "Ibrahim",
    "Ingrid",
    "Jasper",
    "João",
    "Katarzyna",
    "Kwame",
    "Lucía",
    "Magnus",
    "Mei",
    "Miguel",
    "Nadia",
    "Niamh",
    "Olga",
    "Pau",
    "Priya",
    "Rafael",
    "Rosa",
    "Samir",
    "Sofía",
    "Teodor",
    "Ulla",
    "Valeria",
    "Yusuf",
    "Zoë",
];
const LAST: [&str; 36] = [
    "Abreu",
    "Aguirre",
    "Andersen",
    "Baptiste",
    "Benítez",
    "Castellanos",
    "Cohen",
    "Diallo",
    "Dvořák",
    "Eriksen",
    "Fuentes",
    "García",
    "Haugen",
    "Ibáñez",
    "Iglesias",
    "Jansen",
    "Kaya",
    "Kowalski",
    "Lindqvist",
    "López",
    "Mensah",
    "Molina",
    "Nakamura",
    "Novák",
    "O'Brien",
    "Ortega",
    "Pereira",
    "Quiroga",
    "Rossi",
    "Sørensen",
    "Silva",
    "Tanaka",
    "Ulrich",
    "Vargas",
    "Weber",
    "Zapata",
];
const TRADES: [(&str, &str); 10] = [
    ("Panadería", "panaderia"),
    ("Radio", "radio"),
    ("Studio", "studio"),
    ("Podcasts", "podcasts"),
    ("Clínica", "clinica"),
    ("Books", "books"),
    ("Taller", "taller"),
    ("FM", "fm"),
    ("Bikes", "bikes"),
    ("Garden", "garden"),
];

/// Creates missing people.
pub fn fill(site: &Site) -> anyhow::Result<()> {
    for person in &PEOPLE {
        if site.people.by_login(person.login)?.is_some() {
            continue;
        }
        let managed = MANAGED.iter().find(|(login, _)| *login == person.login);
        let reseller = managed.map(|(_, reseller)| site.people.by_login(reseller)).transpose()?.flatten();
        let id = site.people.add(&NewPerson { reseller, ..*person })?;
        let (password, must_change) = if person.login == "chidi" { (TEMPORARY, true) } else { (PASSWORD, false) };
        if person.hash.is_none()
            && let Err(cause) = set_password(site, Folk::of(person.kind).realm(), id, password, must_change)
        {
            site.people.remove(id)?;
            return Err(cause).with_context(|| format!("the password of {}", person.login));
        }
    }
    generate(site)
}

/// Puts emails into the configured folder, until somebody changes that on the page Email settings.
pub fn set_mail(site: &Site) -> anyhow::Result<()> {
    if site.host.mail_setup()?.chosen != Chosen::default() {
        return Ok(());
    }
    let chosen = Chosen {
        transport: Some(Way::Folder),
        from: Some("no-reply@northwind.example".to_owned()),
        reply_to: Some("support@northwind.example".to_owned()),
        ..Chosen::default()
    };
    let console = Caller::new(Actor::Console, Reach::none());
    site.host.set_mail(&console, chosen, None)?;
    Ok(())
}

/// Many customers: one transaction, and one hash for all of them, because hashing each would take a minute.
fn generate(site: &Site) -> anyhow::Result<()> {
    let resellers = ["costa", "radiosud"].map(|login| site.people.by_login(login));
    let [costa, sud] = resellers;
    let (costa, sud) = (costa?, sud?);
    site.people.with(|db| {
        let there: i64 = db.query_row("SELECT count(*) FROM people WHERE kind = 'customer'", [], |row| row.get(0))?;
        let missing = CUSTOMERS.saturating_sub(usize::try_from(there).unwrap_or_default());
        if missing == 0 {
            return Ok(());
        }
        let hash: Option<String> =
            db.query_row("SELECT password_hash FROM people WHERE login = 'o.haddad'", [], |row| row.get(0))?;
        let all = db.transaction()?;
        let mut made = 0;
        for n in 0..CUSTOMERS * 2 {
            if made == missing {
                break;
            }
            let one = Generated::nth(n);
            let new = NewPerson {
                kind: Kind::Customer,
                login: &one.login,
                email: (n % 61 != 30).then_some(&one.email),
                name: &one.name,
                locale: one.locale,
                suspended: n % 21 == 9,
                reseller: match n % 11 {
                    0 | 4 => costa,
                    7 => sud,
                    _ => None,
                },
                hash: hash.as_deref(),
                since: &one.since,
            };
            match insert(&all, &new) {
                Ok(_) => made += 1,
                // From an earlier start.
                Err(cause) if cause.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {}
                Err(cause) => return Err(cause),
            }
        }
        all.commit()
    })?;
    Ok(())
}

struct Generated {
    login: String,
    email: String,
    name: String,
    locale: &'static str,
    since: String,
}

impl Generated {
    fn nth(n: usize) -> Self {
        // Steps without a common divisor with the lists, so that names meet in all combinations.
        let (first, last) = (FIRST[n * 7 % FIRST.len()], LAST[(n * 5 + n / FIRST.len()) % LAST.len()]);
        let plain = |text: &str| -> String {
            crate::database::plain(text).chars().filter(char::is_ascii_alphanumeric).collect()
        };
        let (name, login) = if n % 5 == 3 {
            let (trade, short) = TRADES[n / 5 % TRADES.len()];
            (format!("{trade} {last}"), format!("{short}.{}{n}", plain(last)))
        } else {
            (format!("{first} {last}"), format!("{}.{}{n}", plain(first), plain(last)))
        };
        let (year, month, day) = (2019 + n % 8, 1 + n * 5 % 10, 1 + n * 11 % 28);
        Self {
            email: format!("{login}@mail.example"),
            login,
            name,
            locale: if n.is_multiple_of(3) { "es" } else { "en" },
            since: format!("{year}-{month:02}-{day:02}T{:02}:{:02}:00Z", 7 + n % 12, n * 13 % 60),
        }
    }
}

/// What the terminal shows when the panel is up.
pub fn greeting(site: &Site, address: &str, demo: bool) -> anyhow::Result<String> {
    let brand = site.host.brand();
    let mut text = format!("\n  {} is up at {address}\n", brand.name);
    let origin = site.host.origin();
    if origin != address {
        writeln!(text, "  Its links lead to {origin}")?;
    }
    if demo {
        writeln!(text, "\n  Sign in as                                    password (unless changed since)")?;
        for (login, what, password) in [
            ("ana", "administrator", PASSWORD),
            ("owner", "owner", PASSWORD),
            ("costa", "reseller, in Spanish", PASSWORD),
            ("marta.vidal", "customer", PASSWORD),
            ("chidi", "customer who must choose a new one", TEMPORARY),
            ("helamrani", "customer with an old bcrypt hash", LEGACY),
        ] {
            writeln!(text, "    {login:<12} {what:<34} {password}")?;
        }
        text.push_str(
            "\n  Try: as ana, find Marta, press Manage, type a new password twice, press Save. In another browser\n  \
             Marta is signed out. Her old password no longer works; with the new one she has to choose her own.\n\n  \
             Or press Reset & mail password, or follow Forgotten password on the sign-in page. Emails go into a\n  \
             folder here: as ana, read them in Inbox (trial). As owner, set up a real mail server in Email settings.\n",
        );
    } else if !site.people.has_owner()? {
        text.push_str(
            "\n  It has no owner yet. Create the first one: keyturn-example-panel --config FILE create-owner LOGIN\n",
        );
    }
    text.push_str("\n  Press Ctrl-C to stop.\n");
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_people_have_logins_of_their_own() {
        let logins: std::collections::BTreeSet<String> = (0..CUSTOMERS * 2).map(|n| Generated::nth(n).login).collect();
        assert_eq!(logins.len(), CUSTOMERS * 2);
        assert!(logins.iter().all(|login| login.is_ascii()));
    }
}
