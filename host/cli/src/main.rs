//! The command line, for operators at the machine. Results go to standard output, everything else to standard error.

mod commands;
mod exit;
mod output;
mod serve;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ColorChoice, Parser, Subcommand};

use commands::{audit, call, check, database, hosts, jobs, key, keys, mail, outbox, plugin, reset_password, webhooks};
use output::Output;

/// Password management for hosting panels, as a sandboxed plugin.
#[derive(Parser)]
#[command(
    version,
    about,
    before_help = "\
Examples:
  keyturn check
  keyturn reset-password marta.vidal --link",
    after_help = "\
Exit codes: 0 done · 1 failed, nothing changed · 2 wrong usage · 3 done in part · 4 not found ·
5 refused by a policy or a right · 6 configuration wrong · 75 try again later"
)]
struct Cli {
    /// The configuration file.
    #[arg(long, short, global = true, env = "KEYTURN_CONFIG", default_value = "keyturn.toml")]
    config: PathBuf,
    /// Print one JSON document.
    #[arg(long, global = true)]
    json: bool,
    /// Colour the first words: auto (on a terminal, unless NO_COLOR or TERM=dumb is set), always, never.
    #[arg(long, global = true, value_enum, default_value_t = ColorChoice::Auto, hide_possible_values = true)]
    color: ColorChoice,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check the configuration, database, mapping and plugins, and say how to fix what is wrong.
    #[command(after_help = "\
It changes nothing and sends nothing. It names what the first start will create, such as Keyturn's own tables
(keyturnhost_…) and the key file.")]
    Check,
    /// Call a hook of any plugin as the console, with JSON in and out.
    #[command(
        before_help = "\
Examples:
  keyturn call password/account-status '{\"account\": \"customer:42\"}'
  keyturn call password/set-password '{\"account\": \"customer:42\", \"must_change\": true}'
  keyturn call password/verify - < arguments.json",
        after_help = "\
Passwords, tokens and other secrets are refused as arguments, because every user of the machine can list arguments. Leave
them out: the command asks for them on a terminal. Without a terminal it reads one line of standard input for each, in the
order of the function's parameters. With `-` all arguments come from standard input."
    )]
    Call(call::Arguments),
    /// Help someone who is locked out: set a new password, or create a link to choose one.
    #[command(
        before_help = "\
Examples:
  keyturn reset-password marta.vidal --link
  printf %s \"$NEW\" | keyturn reset-password ana.ferrer",
        after_help = "\
Works while the server is running or stopped. Reads the password from standard input, never from an argument."
    )]
    ResetPassword(reset_password::Arguments),
    /// Test whether email goes out.
    #[command(subcommand)]
    Mail(mail::Command),
    /// Waiting, failed and accepted emails: list, show, retry, withdraw.
    #[command(subcommand)]
    Outbox(outbox::Command),
    /// Background jobs of plugins: list them, and run failed ones again.
    #[command(subcommand)]
    Jobs(jobs::Command),
    /// Inspect or pack a plugin.
    #[command(subcommand)]
    Plugin(plugin::Command),
    /// Service keys, for machines such as a billing system that call hooks over HTTP.
    #[command(subcommand)]
    Keys(keys::Command),
    /// Events posted to other machines: create a secret, list deliveries, send again, test.
    #[command(subcommand)]
    Webhooks(webhooks::Command),
    /// Run the server: serve hooks and link pages, send email and webhooks, run jobs.
    #[command(after_help = "\
SIGTERM and Ctrl-C stop it after the running requests. SIGHUP reads grants files, components and [[webhooks]] again.
/healthz answers while the process runs, /readyz while it can work.")]
    Serve(commands::serve::Arguments),
    /// The hosts that serve this database.
    #[command(subcommand)]
    Hosts(hosts::Command),
    /// The key file.
    #[command(subcommand)]
    Key(key::Command),
    /// Keyturn's own tables: the rights they need, making them, moving them to another database.
    #[command(subcommand)]
    Database(database::Command),
    /// The audit log: who did what, and for whom.
    #[command(subcommand)]
    Audit(audit::Command),
}

fn main() -> ExitCode {
    keyturn_host::space::spare_address_space();
    keyturn_host::plugin::compile::serve_compiler();
    let cli = Cli::parse();
    let serves = matches!(cli.command, Command::Serve(_));
    log(if serves { "info" } else { "error" }, serves);
    let output = Output::new(cli.color, cli.json);
    let result = match cli.command {
        Command::Check => check::run(&cli.config, &output),
        Command::Call(arguments) => call::run(&cli.config, &arguments, &output),
        Command::ResetPassword(arguments) => reset_password::run(&cli.config, &arguments, &output),
        Command::Mail(command) => mail::run(&cli.config, &command, &output),
        Command::Outbox(command) => outbox::run(&cli.config, &command, &output),
        Command::Jobs(command) => jobs::run(&cli.config, &command, &output),
        Command::Plugin(command) => plugin::run(&command, &output),
        Command::Keys(command) => keys::run(&cli.config, &command, &output),
        Command::Webhooks(command) => webhooks::run(&cli.config, &command, &output),
        Command::Serve(arguments) => commands::serve::run_command(&cli.config, &arguments, &output),
        Command::Database(command) => database::run(&cli.config, &command, &output),
        Command::Hosts(command) => hosts::run(&cli.config, &command, &output),
        Command::Key(command) => key::run(&cli.config, &command, &output),
        Command::Audit(command) => audit::run(&cli.config, &command, &output),
    };
    result.unwrap_or_else(|error| {
        output.error(&error);
        exit::code(&error)
    })
}

/// A server's lines have a time.
fn log(level: &str, timed: bool) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env();
    let filter = filter.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    if timed { lines.init() } else { lines.without_time().init() }
}
