//! `keyturn database`: Keyturn's own tables, and the rights on a server.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use keyturn_host::config::{Config, Login};
use keyturn_host::storage::moves::Copied;
use serde_json::{Value, json};

use super::{configuration, ended};
use crate::exit;
use crate::output::Output;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Print the least rights for two users of a database server, as SQL.
    #[command(after_help = "\
It changes nothing and opens no connection. The owner makes Keyturn's own tables (keyturnhost_…) and changes them with a new
version; hosts run as the user of database.url, who may do neither.")]
    Grants {
        /// Print only what is for this user.
        #[arg(value_enum)]
        role: Option<Who>,
        /// The user who owns Keyturn's own tables.
        #[arg(long, value_name = "NAME", default_value = "keyturn_owner")]
        owner: String,
        /// Where hosts connect from, for MariaDB: an address or a pattern.
        #[arg(long, value_name = "HOST", default_value = "%")]
        from: String,
    },
    /// Make Keyturn's own tables, or bring them up to date with this program.
    #[command(after_help = "\
A host does so itself when it starts, if its user has the rights. Any number of them may start at once.")]
    Migrate {
        /// Connect as this user instead of the one in database.url.
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        /// The file with that user's password. Default: the variable KEYTURN_DATABASE_PASSWORD.
        #[arg(long, value_name = "FILE", requires = "user")]
        password_file: Option<PathBuf>,
    },
    /// Copy everything of Keyturn's to another database, verify it, and retire the old one.
    #[command(
        before_help = "\
Example:
  keyturn database copy --from old.toml --to new.toml",
        after_help = "\
Each file names its database under [database]; both name the same key file. Stop all hosts first. No host starts on the old
database afterwards. The panel's own tables are not copied. If the copy is interrupted, run it again."
    )]
    Copy {
        /// The configuration of the old database. Default: the one of --config.
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
        /// The configuration of the new database.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Who {
    /// The user who makes the tables.
    Owner,
    /// The user that hosts run as.
    Service,
}

pub fn run(path: &Path, command: &Command, output: &Output) -> anyhow::Result<ExitCode> {
    match command {
        Command::Grants { role, owner, from } => grants(&configuration(path)?, *role, (owner, from), output),
        Command::Migrate { user, password_file } => {
            let login = user.clone().map(|user| Login { user, password_file: password_file.clone() });
            let config = configuration(path)?;
            config.make_tables(login.as_ref())?;
            output.answer(&json!({ "database": config.database_name() }), |output| {
                output.line(&format!("Keyturn's own tables in {} are up to date.", config.database_name()));
            })
        }
        Command::Copy { from, to } => {
            copy(&configuration(from.as_deref().unwrap_or(path))?, &configuration(to)?, output)
        }
    }
}

fn grants(
    config: &Config,
    role: Option<Who>,
    (owner, from): (&str, &str),
    output: &Output,
) -> anyhow::Result<ExitCode> {
    let Some((grants, roles)) = config.least_rights(owner, from)? else {
        let text = "database.sqlite names a file, which has no users: protect the file and its folder by their owner";
        return Err(ended(exit::CONFIGURATION, text));
    };
    let wanted = |who| role.is_none_or(|role| role == who);
    let document =
        |who: Who, statements: &[String]| -> Value { if wanted(who) { statements.into() } else { Value::Null } };
    let all =
        json!({ "owner": document(Who::Owner, &grants.owner), "service": document(Who::Service, &grants.service) });
    output.answer(&all, |output| {
        let say = |statements: &[String]| statements.iter().for_each(|one| output.line(&format!("{one};")));
        if wanted(Who::Owner) {
            output.line(&format!(
                "-- 1. As an administrator, in the database {}. The users {owner} and {} must exist.",
                roles.database, roles.service
            ));
            say(&grants.owner);
        }
        if wanted(Who::Owner) && wanted(Who::Service) {
            output.line(&format!("\n-- 2. On the host: keyturn database migrate --user {owner}\n"));
        }
        if wanted(Who::Service) {
            output
                .line(&format!("-- 3. As an administrator again, and after each new version, in {}.", roles.database));
            say(&grants.service);
        }
    })
}

fn copy(from: &Config, to: &Config, output: &Output) -> anyhow::Result<ExitCode> {
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("{msg:32} {bar:30} {pos}/{len} rows");
    bar.set_style(style?);
    let copied = from.copy_to(to, &mut |progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
        bar.set_message(progress.table);
    });
    bar.finish_and_clear();
    let copied = copied?;
    let rows: u64 = copied.iter().map(|table| table.rows).sum();
    let document = |Copied { table, rows, digest }: &Copied| json!({ "table": table, "rows": rows, "sha256": digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>() });
    let tables: Vec<Value> = copied.iter().map(document).collect();
    let (old, new) = (from.database_name(), to.database_name());
    output.answer(&json!({ "from": old, "to": new, "rows": rows, "tables": tables }), |output| {
        output.line(&format!(
            "{rows} rows in {} tables were copied to {new} and read back. {old} is retired: no host starts on it. Start the hosts \
             with {}.",
            tables.len(),
            to.file_name()
        ));
    })
}
