//! Where things are.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// The tree, and where its builds go.
pub(crate) struct Places {
    pub(crate) root: PathBuf,
    /// Cargo's target folder, wherever the environment or a configuration put it.
    pub(crate) target: PathBuf,
}

impl Places {
    pub(crate) fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the workspace is the folder above xtask")?;
        // This program is TARGET/debug/xtask: so no setting of cargo's has to be read again here.
        let program = std::env::current_exe().context("looking for this program's own file")?;
        let target = program.ancestors().nth(2).context("this program is not in a target folder")?;
        Ok(Self { root: root.to_owned(), target: target.to_owned() })
    }

    /// Guests are built in a folder of their own, so that they and the host never wait for one another's lock.
    pub(crate) fn guests(&self) -> PathBuf {
        self.target.join("guests")
    }

    /// The demo's folder: its configuration, its key, its database.
    pub(crate) fn demo(&self) -> PathBuf {
        self.target.join("demo")
    }

    /// A path as a person at the workspace would type it.
    pub(crate) fn shown<'a>(&self, path: &'a Path) -> std::path::Display<'a> {
        path.strip_prefix(&self.root).unwrap_or(path).display()
    }
}
