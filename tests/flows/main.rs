//! The command line as a person uses it: on the example panel's database, and beside a panel in PHP that was not written
//! for Keyturn, with its own table and its own `password_verify`.

mod command;
mod jobs;
mod mail;
mod mapping;
mod outbox;
mod php;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Runs `keyturn` with this configuration, arguments and standard input.
fn keyturn(config: &Path, arguments: &[&str], input: &str) -> Output {
    fed(Command::new(env!("CARGO_BIN_EXE_keyturn")).arg("--config").arg(config).args(arguments), input)
}

/// Runs a command with this standard input.
fn fed(command: &mut Command, input: &str) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("keyturn starts");
    // One that refuses before it reads has closed its end already.
    let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
    child.wait_with_output().expect("keyturn ends")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn done(output: &Output) -> String {
    assert!(output.status.success(), "{}{}", out(output), err(output));
    out(output)
}
