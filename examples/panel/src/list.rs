//! `list`: customers, at the console.

use std::io::Write as _;

use keyturn_host::view::words::Words;
use serde_json::json;

use crate::folk::Folk;
use crate::people::{Filter, Person, Within};
use crate::site::Site;
use crate::terminal::{Out, left, plain, width};

/// The command's arguments.
#[derive(clap::Args)]
pub struct Arguments {
    /// Only customers whose name, user name or address contains it; case and accents don't matter
    #[arg(value_name = "TEXT", default_value = "")]
    typed: String,
    /// Only customers in this state
    #[arg(long, value_enum, default_value_t = Filter::All)]
    state: Filter,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Lists them by name.
///
/// # Errors
/// If the database can't be read.
pub fn run(site: &Site, arguments: &Arguments) -> anyhow::Result<()> {
    let Arguments { typed, state, .. } = arguments;
    let each = |use_it: &mut dyn FnMut(Person)| site.people.each(Within::all(Folk::Customers), typed, *state, use_it);
    if arguments.json {
        let mut out = std::io::stdout().lock();
        let mut between = "[\n";
        // If the reader has gone away, that is not our error.
        each(&mut |person| {
            let _ = write!(out, "{between}  {}", document(&person));
            between = ",\n";
        })?;
        let _ = writeln!(out, "{}", if between == "[\n" { "[]" } else { "\n]" });
        return Ok(());
    }
    // Reads twice, so that the columns fit without keeping anybody in memory.
    let heads = ["USER NAME", "NAME", "EMAIL", "STATUS", "RESELLER", "SINCE"];
    let mut widths = heads.map(width);
    let mut found: u64 = 0;
    each(&mut |person| {
        found += 1;
        for (most, cell) in widths.iter_mut().zip(cells(site, &person)) {
            *most = width(&cell).max(*most);
        }
    })?;
    if found == 0 {
        eprintln!("No matching customers");
        return Ok(());
    }
    let out = Out::new();
    let line = |cells: [String; 6]| {
        let padded: Vec<String> = cells.iter().zip(widths).map(|(cell, width)| left(cell, width)).collect();
        out.line(&padded.join("  "));
    };
    line(heads.map(str::to_owned));
    each(&mut |person| line(cells(site, &person)))?;
    Ok(())
}

fn cells(site: &Site, person: &Person) -> [String; 6] {
    let since = person.since.map(|since| Words::default().day(since, &site.host.brand().zone));
    [
        plain(&person.login),
        plain(&person.name),
        person.email.as_deref().map(plain).unwrap_or_default(),
        state(person).to_owned(),
        person.reseller.as_ref().map(|(_, name)| plain(name)).unwrap_or_default(),
        since.unwrap_or_default(),
    ]
}

fn state(person: &Person) -> &'static str {
    if person.suspended { "suspended" } else { "active" }
}

fn document(person: &Person) -> serde_json::Value {
    json!({
        "account": person.account().map(String::from),
        "login": person.login,
        "name": person.name,
        "email": person.email,
        "state": state(person),
        "locale": person.locale,
        "reseller": person.reseller.as_ref().map(|(_, name)| name),
        "since": person.since,
        "signed_in_at": person.signed_in_at,
    })
}
