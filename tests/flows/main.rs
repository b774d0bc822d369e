//! The command line as a person uses it: on the example panel's database, and beside a panel in PHP that was not written
//! for Keyturn, with its own table and its own `password_verify`.

mod beside;
mod command;
mod jobs;
mod mail;
mod mapping;
mod outbox;
mod php;
mod programs;

use std::io::Write as _;
use std::path::{Path, PathBuf};
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

/// Python with what the tests need; `module` is of it.
pub fn python(module: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("python");
    let (python, shown) = (folder.join("bin/python"), folder.display());
    let there = Command::new(&python).args(["-c", &format!("import {module}")]).status();
    assert!(
        there.is_ok_and(|status| status.success()),
        "this needs {module}. `cargo xtask test` installs it; by hand:\n\n  \
         python3 -m venv {shown} && {shown}/bin/python -m pip install --requirement tests/requirements.txt\n"
    );
    python
}
