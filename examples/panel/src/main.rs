//! A small hosting panel: people sign in, find a customer, press Manage and set a password. It shows how a panel embeds
//! the host, and uses only its public API.
//!
//! Invariants: only the plugin's hooks check and set passwords, so this crate has no hash function. [`folk`] decides who
//! reaches whom, and the host is told with each call. A session lasts no longer than the password that it began under.

mod answer;
mod database;
mod exit;
mod folk;
mod import;
mod list;
mod owner;
mod pages;
mod people;
mod request;
mod seed;
mod serve;
mod session;
mod site;
mod terminal;
#[cfg(test)]
mod tests;
mod visitor;
mod words;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use keyturn_host::config::ConfigError;
use keyturn_host::plugin::compile::serve_compiler;
use keyturn_host::space::spare_address_space;
use keyturn_host::work::Working;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::site::Site;

/// How long running requests may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// A small hosting panel that embeds Keyturn.
#[derive(Parser)]
#[command(
    version,
    max_term_width = 100,
    before_help = "\
Examples:
  keyturn-example-panel serve
  keyturn-example-panel import customers.csv",
    after_help = "\
Exit codes: 0 done · 1 failed, nothing changed · 2 wrong usage · 3 done in part · 4 no such file ·
6 configuration wrong · 130 interrupted"
)]
struct Arguments {
    /// The panel's keyturn.toml; paths in it are relative to it
    #[arg(long, short, global = true, value_name = "FILE", env = "KEYTURN_CONFIG", default_value = "keyturn.toml")]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the panel until Ctrl-C
    Serve {
        /// Where to listen
        #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
        listen: SocketAddr,
        /// Fill the database with example people; existing people stay as they are
        #[arg(long)]
        demo: bool,
        /// Leave email and jobs to `work`, in a process of its own
        #[arg(long)]
        without_workers: bool,
    },
    /// Send email and run jobs until Ctrl-C, without serving pages
    Work,
    /// Create the first owner, in a database without one. Reads the password from standard input
    CreateOwner {
        /// What the owner types at sign-in
        login: String,
        /// The owner's email address
        #[arg(long)]
        email: Option<String>,
        /// The owner's name, if it isn't the login
        #[arg(long)]
        name: Option<String>,
    },
    /// Import customers of another panel, with their stored hashes, from a CSV file
    #[command(
        before_help = "\
Examples:
  keyturn-example-panel import customers.csv --dry-run
  keyturn-example-panel import customers.csv",
        after_help = IMPORTED
    )]
    Import(import::Arguments),
    /// List customers, by name
    #[command(before_help = "\
Examples:
  keyturn-example-panel list vidal
  keyturn-example-panel list --state no-email --json")]
    List(list::Arguments),
}

const IMPORTED: &str = "\
Columns, in any order; the file's first line names them:
  login      What is typed at sign-in; nobody else's login or address
  email      The email address; may be empty, then the customer gets no email
  name       Of the person or company
  password   The stored hash, as crypt(3) or PHC string: $2y$… or $argon2id$…; never a password
             itself. Empty: the customer can't sign in until a password is set
  reseller   Optional. The login of a reseller of this panel, who manages the customer
  state      Optional. active or suspended; empty: active
  language   Optional. en or es; empty: en

A field that is NULL or \\N, as databases export it, counts as empty.

Good rows are imported and bad ones are listed. Customers who already exist, with that login and
address, are skipped and stay as they are. So fix the bad rows and run it again. You can interrupt
it at any time: run it again, and it continues.

Exit codes: 0 all rows imported · 1 none imported · 3 some · 4 no such file · 130 interrupted";

fn main() -> ExitCode {
    spare_address_space();
    serve_compiler();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    run(&Arguments::parse()).unwrap_or_else(|cause| {
        eprintln!("error: {cause:#}");
        if cause.downcast_ref::<ConfigError>().is_some_and(ConfigError::is_missing) {
            eprintln!("  set    --config FILE, or the variable KEYTURN_CONFIG");
        }
        exit::code(&cause)
    })
}

fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if let Command::Serve { demo: true, .. } = &arguments.command {
        seed::fill(&Site::open_without_mail(&arguments.config)?).context("the demo's people could not be created")?;
    }
    let site = match &arguments.command {
        Command::Serve { .. } => Site::open(&arguments.config)?,
        // Beside the panel's server, or without one.
        _ => Site::open_beside(&arguments.config)?,
    };
    if let Command::Serve { demo: true, .. } = &arguments.command {
        seed::set_mail(&site).context("the demo's mail could not be set up")?;
    }
    match &arguments.command {
        Command::Import(arguments) => return import::run(&site, arguments),
        Command::List(arguments) => list::run(&site, arguments)?,
        Command::CreateOwner { login, email, name } => owner::create(&site, login, email.as_deref(), name.as_deref())?,
        Command::Serve { listen, demo, without_workers } => {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            let workers = if *without_workers { None } else { Some(site.host.start_workers()?) };
            runtime.block_on(async {
                serve(Arc::new(site), *listen, *demo).await?;
                finish(workers).await;
                anyhow::Ok(())
            })?;
        }
        Command::Work => {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            let workers = site.host.start_workers()?;
            println!("Sending email and running jobs. Press Ctrl-C to stop.");
            runtime.block_on(async {
                told_to_stop().await?;
                finish(Some(workers)).await;
                anyhow::Ok(())
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn finish(workers: Option<Working>) {
    if let Some(workers) = workers {
        let _ = tokio::task::spawn_blocking(|| workers.finish()).await;
    }
}

async fn told_to_stop() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

async fn serve(site: Arc<Site>, listen: SocketAddr, demo: bool) -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::bind(listen).await.with_context(|| format!("can't listen on {listen}"))?;
    let address = format!("http://{}", listener.local_addr()?);
    println!("{}", seed::greeting(&site, &address, demo)?);
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let serving = serve::run(site, listener, async {
        // An error counts as the signal: the sender is gone.
        let _ = stopped.await;
    });
    let mut serving = std::pin::pin!(serving);
    tokio::select! {
        () = &mut serving => return Ok(()),
        told = told_to_stop() => told?,
    }
    println!("\nStopping after the running requests.");
    let _ = stop.send(());
    // A browser that keeps its connection open must not keep the panel running.
    if tokio::time::timeout(PATIENCE, serving).await.is_err() {
        tracing::warn!("some requests were not finished");
    }
    Ok(())
}
