//! Running other programs.

use std::ffi::OsStr;
use std::io::IsTerminal as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::places::Places;

/// One calm line about what is being done.
pub(crate) fn say(what: impl std::fmt::Display) {
    eprintln!("xtask: {what}");
}

/// A command that is to succeed.
pub(crate) struct Run(Command);

pub(crate) fn program(name: impl AsRef<OsStr>) -> Run {
    Run(Command::new(name))
}

/// Cargo at the workspace, for the machine itself.
pub(crate) fn cargo(places: &Places) -> Run {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(&places.root);
    // `cargo run` tells its program about this crate; cargo itself must not take that for its own.
    for name in ["CARGO_PKG_NAME", "CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH"] {
        command.env_remove(name);
    }
    Run(command)
}

/// Cargo for guests: flags that people set for their own machine are wrong for wasm.
pub(crate) fn cargo_for_guests(places: &Places) -> Run {
    let Run(mut command) = cargo(places);
    command.env("CARGO_TARGET_DIR", places.guests());
    for name in ["CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS", "CARGO_BUILD_TARGET", "CARGO_BUILD_RUSTFLAGS", "RUSTDOCFLAGS"]
    {
        command.env_remove(name);
    }
    Run(command)
}

impl Run {
    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.0.arg(argument);
        self
    }

    pub(crate) fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.0.args(arguments);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.0.env(name, value);
        self
    }

    pub(crate) fn at(mut self, folder: &std::path::Path) -> Self {
        self.0.current_dir(folder);
        self
    }

    /// Cargo shows its progress on a terminal, because it takes minutes the first time; a log gets only its errors.
    pub(crate) fn quiet_off_a_terminal(self) -> Self {
        if std::io::stderr().is_terminal() { self } else { self.arg("--quiet") }
    }

    /// Runs it in sight.
    ///
    /// # Errors
    /// `otherwise`, with the command, if it cannot be started or does not succeed.
    pub(crate) fn done(mut self, otherwise: &str) -> Result<()> {
        let status = self.0.status().with_context(|| format!("{otherwise}: can't start {}", self.shown()))?;
        if !status.success() {
            bail!("{otherwise}: {} ended with {status}", self.shown());
        }
        Ok(())
    }

    /// Runs it out of sight; only if it fails is what it said shown.
    ///
    /// # Errors
    /// As [`Run::done`].
    pub(crate) fn quietly(mut self, otherwise: &str) -> Result<()> {
        let output = self.0.stdin(Stdio::null()).output();
        let output = output.with_context(|| format!("{otherwise}: can't start {}", self.shown()))?;
        if !output.status.success() {
            let said = [output.stdout, output.stderr].concat();
            bail!(
                "{otherwise}: {} ended with {}:\n{}",
                self.shown(),
                output.status,
                String::from_utf8_lossy(&said).trim_end()
            );
        }
        Ok(())
    }

    /// What it printed. What it says on standard error is seen.
    ///
    /// # Errors
    /// As [`Run::done`].
    pub(crate) fn printed(mut self, otherwise: &str) -> Result<String> {
        let output = self.0.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
        let output = output.with_context(|| format!("{otherwise}: can't start {}", self.shown()))?;
        if !output.status.success() {
            bail!("{otherwise}: {} ended with {}", self.shown(), output.status);
        }
        String::from_utf8(output.stdout).with_context(|| format!("{otherwise}: {} printed no text", self.shown()))
    }

    /// What it printed, if it could be started and succeeded.
    pub(crate) fn answer(mut self) -> Option<String> {
        let output = self.0.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn shown(&self) -> String {
        let name = std::path::Path::new(self.0.get_program()).file_name().unwrap_or_default().to_string_lossy();
        let words = self.0.get_args().map(OsStr::to_string_lossy);
        let line = std::iter::once(name).chain(words).collect::<Vec<_>>().join(" ");
        format!("`{line}`")
    }
}
