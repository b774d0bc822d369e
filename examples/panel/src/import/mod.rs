//! `import`: customers of another panel, with their stored hashes, from a file. Good rows are imported, bad ones are listed, and a
//! repeated run continues where the last one ended.
//!
//! Invariants: a row is written with one statement, in a transaction of many, so a customer is there completely or not at all.
//! What is reported as imported is committed. The whole file is never in memory. The plugin decides whether sign-in can verify
//! a hash, not the panel.

mod file;
mod progress;
mod report;
mod row;
mod taken;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::Context as _;
use csv::ByteRecord;
use keyturn_host::accounts::Reach;
use keyturn_host::accounts::fold::fold;
use keyturn_host::caller::{Actor, Caller};
use keyturn_host::{CallError, Failure};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use serde_json::{Value, json};

use crate::people::{self, NewPerson, today};
use crate::site::Site;
use file::{Column, Table};
use progress::Progress;
use report::{End, Report, Tally};
use row::{Problem, Resellers};
use taken::{Standing, Taken};

/// Rows of one transaction: a running panel never waits for more of them.
const TOGETHER: u64 = 250;

/// The command's arguments.
#[derive(clap::Args)]
pub struct Arguments {
    /// The file: CSV, UTF-8, its first line names the columns
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The character between two fields
    #[arg(long, value_name = "SIGN", default_value = ",", value_parser = separator)]
    separator: u8,
    /// Allow customers to share an email address. Nobody can sign in with such an address
    #[arg(long)]
    shared_addresses: bool,
    /// Check every row, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

fn separator(text: &str) -> Result<u8, String> {
    match text {
        "\\t" => Ok(b'\t'),
        text if text.len() == 1 && !text.contains(['"', '\n', '\r']) => Ok(text.as_bytes()[0]),
        _ => Err("one ASCII character, such as ; or \\t".to_owned()),
    }
}

/// Imports.
///
/// # Errors
/// If not even the first row can be read. Later errors are reported with what was imported before.
pub fn run(site: &Site, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut table = Table::open(&arguments.file, arguments.separator)?;
    let mut db = site.people.connection()?;
    let import = Import {
        site,
        console: Caller::new(Actor::Console, Reach::none()),
        resellers: people::resellers(&db)?.into_iter().map(|(login, id)| (fold(&login), id)).collect(),
        taken: Taken::new(&db, arguments.dry_run, arguments.shared_addresses)?,
        since: today(),
        dry: arguments.dry_run,
        interrupted: interruption()?,
    };
    report::begin(&db)?;
    let name = arguments.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut progress = Progress::new(&name, table.rows);
    let (began, mut tally) = (Instant::now(), Tally::default());
    let end = loop {
        match import.some(&mut db, &mut table, &mut tally) {
            Ok(None) => progress.at(tally.seen),
            Ok(Some(end)) => break end,
            Err(cause) => break End::Stopped(cause),
        }
    };
    progress.end();
    let report = Report { tally, rows: table.rows, dry: import.dry, took: began.elapsed(), end };
    if arguments.json { report.print_json(&db) } else { report.print(&db) }?;
    if let End::Stopped(cause) = &report.end {
        eprintln!("error: {cause:#}");
    }
    Ok(report.code())
}

/// Set by Ctrl-C, and by SIGTERM.
fn interruption() -> anyhow::Result<Arc<AtomicBool>> {
    use tokio::signal::unix::{SignalKind, signal};
    let asked = Arc::new(AtomicBool::new(false));
    let (runtime, noted) = (tokio::runtime::Builder::new_current_thread().enable_all().build()?, Arc::clone(&asked));
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    let waiting = move || {
        runtime.block_on(async {
            tokio::select! { _ = interrupt.recv() => {} _ = terminate.recv() => {} }
        });
        noted.store(true, Ordering::Relaxed);
    };
    std::thread::Builder::new().name("panel-interruption".to_owned()).spawn(waiting)?;
    Ok(asked)
}

struct Import<'a> {
    site: &'a Site,
    console: Caller,
    resellers: Resellers,
    taken: Taken,
    since: String,
    dry: bool,
    interrupted: Arc<AtomicBool>,
}

/// The result of one row.
enum Came {
    Imported(String),
    There,
    Bad(Vec<Problem>),
}

impl Import<'_> {
    /// Imports the next rows, in one transaction. Changes the tally with its commit; answers an end after it.
    fn some(&self, db: &mut Connection, table: &mut Table, tally: &mut Tally) -> anyhow::Result<Option<End>> {
        let behaviour = if self.dry { TransactionBehavior::Deferred } else { TransactionBehavior::Immediate };
        let change = db.transaction_with_behavior(behaviour).context("can't write to the database")?;
        let mut now = tally.clone();
        let (mut row, mut end) = (ByteRecord::new(), None);
        while now.seen - tally.seen < TOGETHER && end.is_none() {
            if self.interrupted.load(Ordering::Relaxed) {
                end = Some(End::Interrupted);
                break;
            }
            match table.next(&mut row) {
                Ok(true) => self.one(&change, table, &row, &mut now)?,
                Ok(false) => end = Some(End::Done),
                Err(cause) => end = Some(End::Stopped(cause)),
            }
        }
        change.commit().context("can't write to the database")?;
        *tally = now;
        Ok(end)
    }

    fn one(&self, db: &Transaction<'_>, table: &Table, row: &ByteRecord, tally: &mut Tally) -> anyhow::Result<()> {
        let line = row.position().and_then(|at| i64::try_from(at.line()).ok()).unwrap_or_default();
        let came = match row::read(&table.columns, row, &self.resellers, &self.since) {
            Ok(new) => self.customer(db, &new, line).with_context(|| format!("line {line}"))?,
            Err(problems) => Came::Bad(problems),
        };
        tally.seen += 1;
        match came {
            Came::Imported(scheme) => {
                tally.imported += 1;
                *tally.schemes.entry(scheme).or_default() += 1;
            }
            Came::There => tally.there += 1,
            Came::Bad(problems) => {
                tally.bad += 1;
                problems.iter().try_for_each(|problem| report::note(db, line, problem))?;
            }
        }
        Ok(())
    }

    fn customer(&self, db: &Transaction<'_>, new: &NewPerson<'_>, line: i64) -> anyhow::Result<Came> {
        let mut problems = match self.taken.standing(db, new, line)? {
            Standing::There => return Ok(Came::There),
            Standing::New => Vec::new(),
            Standing::Taken(problems) => problems,
        };
        let mut scheme = String::new();
        if let Some(hash) = new.hash {
            match self.recognised(hash)? {
                Ok(known) => scheme = known,
                Err(reasons) => {
                    problems.extend(reasons.into_iter().map(|reason| Problem::about(Column::Password, hash, reason)));
                }
            }
        }
        if !problems.is_empty() {
            return Ok(Came::Bad(problems));
        }
        let made = if self.dry { None } else { Some(people::insert(db, new)?) };
        self.taken.made(db, new, made, line)?;
        Ok(Came::Imported(scheme))
    }

    /// The scheme of a hash that sign-in can verify, or why it can't, from the plugin's hook.
    fn recognised(&self, hash: &str) -> anyhow::Result<Result<String, Vec<String>>> {
        let hook = &self.site.recognise;
        match self.site.host.call(&self.console, hook, &json!({ "hash": hash }), None) {
            Ok(Value::String(scheme)) => Ok(Ok(scheme)),
            Ok(other) => anyhow::bail!("the hook {hook} answered {other}, which isn't the name of a scheme"),
            Err(CallError::Failed(Failure::Invalid(errors))) => {
                Ok(Err(errors.into_iter().map(|error| error.message).collect()))
            }
            Err(cause) => Err(cause).with_context(|| format!("the hook {hook} could not check a hash")),
        }
    }
}
