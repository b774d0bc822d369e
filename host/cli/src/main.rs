//! The command line: what an operator does at the machine. Results on standard output, everything else on standard error.

mod commands;
mod exit;
mod output;
mod serve;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use commands::{audit, call, check, jobs, key, keys, mail, outbox, plugin, reset_password, webhooks};
use output::{Colour, Output};

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
5 refused by policy or right · 6 configuration wrong · 75 try again later"
)]
struct Cli {
    /// The configuration.
    #[arg(long, short, global = true, env = "KEYTURN_CONFIG", default_value = "keyturn.toml")]
    config: PathBuf,
    /// One JSON document on standard output.
    #[arg(long, global = true)]
    json: bool,
    /// Colours of the first words: auto (on a terminal, unless NO_COLOR or TERM=dumb says no), always, never.
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto, hide_possible_values = true)]
    color: Colour,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Look at configuration, database, mapping and plugins: what is there, what is wrong, how to mend it.
    #[command(after_help = "\
It changes nothing and sends nothing. What the first start will make, such as Keyturn's own tables (keyturnhost_…) and the
key file, it names.")]
    Check,
    /// Call a hook of any plugin as the console, JSON in and out.
    #[command(
        before_help = "\
Examples:
  keyturn call password/account-status '{\"account\": \"customer:42\"}'
  keyturn call password/set-password '{\"account\": \"customer:42\", \"must_change\": true}'
  keyturn call password/verify - < arguments.json",
        after_help = "\
Passwords, tokens and whatever else a plugin declares secret are refused as arguments, which every user of the machine
can list. Left out, they are asked for on a terminal; where there is none, each is a line of standard input, in the order
of the function's parameters. With `-` all arguments come from there."
    )]
    Call(call::Arguments),
    /// Give somebody a new password, or a link to choose one: the rescue of who is locked out.
    #[command(
        before_help = "\
Examples:
  keyturn reset-password marta.vidal --link
  printf %s \"$NEW\" | keyturn reset-password ana.ferrer",
        after_help = "\
Works with the server running or stopped. A password is read from standard input, never from an argument."
    )]
    ResetPassword(reset_password::Arguments),
    /// Whether mail goes out.
    #[command(subcommand)]
    Mail(mail::Command),
    /// Mails that wait, failed or were accepted: look, retry, withdraw.
    #[command(subcommand)]
    Outbox(outbox::Command),
    /// What plugins do behind the pages: what waits or failed, and another try.
    #[command(subcommand)]
    Jobs(jobs::Command),
    /// Look into plugins, or make one ready.
    #[command(subcommand)]
    Plugin(plugin::Command),
    /// Keys for machines, such as a billing system, that call hooks over HTTP.
    #[command(subcommand)]
    Keys(keys::Command),
    /// Events that are posted to other machines: a secret for them, what became of them, another try.
    #[command(subcommand)]
    Webhooks(webhooks::Command),
    /// Serve hooks and link pages, send mail and webhooks, run jobs, until the word to stop.
    #[command(after_help = "\
SIGTERM and Ctrl-C stop it when what was begun is finished. SIGHUP takes grants, components and [[webhooks]] as they are then.
/healthz says that it lives, /readyz that it can do something.")]
    Serve(commands::serve::Arguments),
    /// The key file.
    #[command(subcommand)]
    Key(key::Command),
    /// What was done, by whom, for whom.
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
        Command::Key(command) => key::run(&cli.config, &command, &output),
        Command::Audit(command) => audit::run(&cli.config, &command, &output),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            let code = exit::code(&error);
            output.error(&error);
            code
        }
    }
}

/// A server's lines bear their time.
fn log(level: &str, timed: bool) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env();
    let filter = filter.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    if timed { lines.init() } else { lines.without_time().init() }
}
