//! `bench --beside`: an older build and this one by turns, so that other load on the machine affects both.

mod figures;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

use crate::places::Places;
use crate::run::{program, say};
use figures::{Comparison, Side};

/// How often each build is measured by default.
pub(crate) const ROUNDS: usize = 5;
/// The parts of a bench, each measured in a process of its own.
pub(crate) const PARTS: [&str; 5] = ["calls", "forgotten", "hooks", SERVE, ENGINES];
/// The part that measures the server of a checkout, so this build's bench does it for both.
const SERVE: &str = "serve";

/// The part that builds of before have not; it compares engines, not builds.
const ENGINES: &str = "engines";

const BUILD: &str = "cargo build --release --workspace --bins";

/// The older build: a checkout whose programs are built.
pub(crate) struct Older {
    root: PathBuf,
}

impl Older {
    /// Looks whether everything is there.
    ///
    /// # Errors
    /// What is missing, and how it is made.
    pub(crate) fn find(places: &Places, path: &Path) -> Result<Self> {
        let root =
            path.canonicalize().with_context(|| format!("--beside {}: there is no such folder", path.display()))?;
        ensure!(
            root.join("plugin/manifest.toml").is_file(),
            "--beside {}: not a checkout of Keyturn; give the folder that has plugin/ and target/ in it",
            path.display()
        );
        ensure!(
            root != places.root,
            "--beside {}: this is the checkout that it would be compared with",
            path.display()
        );
        let release = ["bench", "keyturn", "keyturn-example-panel"].map(|name| root.join("target/release").join(name));
        let guest = root.join("target/guests/wasm32-wasip2/guest/keyturn_password.wasm");
        if let Some(missing) = release.iter().chain([&guest]).find(|file| !file.is_file()) {
            bail!("{} is missing. Build the older checkout: cd {} && {BUILD}", missing.display(), root.display());
        }
        Ok(Self { root })
    }

    /// Measures both and prints what the new build costs by what the older one does.
    ///
    /// # Errors
    /// If a bench fails.
    pub(crate) fn compare(&self, places: &Places, rounds: usize, only: Option<&str>) -> Result<()> {
        let mut both = Comparison::default();
        for round in 0..rounds {
            // The first one changes, because the second finds the machine warmer.
            let sides = if round % 2 == 0 { [Side::Old, Side::New] } else { [Side::New, Side::Old] };
            for part in PARTS.into_iter().filter(|part| only.map_or(*part != ENGINES, |only| only == *part)) {
                for side in sides {
                    let whose = if side == Side::Old { "older" } else { "new" };
                    say(format!("round {} of {rounds}: {part}, {whose} build", round + 1));
                    both.take(side, &self.printed(places, side, part)?);
                }
            }
        }
        println!("{}", both.drawn());
        println!(
            "Medians of {rounds} rounds by turns. What the new build costs is new by older; of a rate it is older by new.\n\
             In parentheses the rounds' own least and greatest. MORE and less: by more than 3 % and than was rounded, in\n\
             every round; unsure: the rounds disagree, so take more of them or a quieter machine."
        );
        Ok(())
    }

    fn printed(&self, places: &Places, side: Side, part: &str) -> Result<String> {
        let root = if side == Side::Old { &self.root } else { &places.root };
        let own = places.target.join("release");
        let release = if side == Side::Old { self.root.join("target/release") } else { own.clone() };
        let bench = match part {
            SERVE => program(own.join("bench")).arg(SERVE).arg(root).arg(release),
            part => program(release.join("bench")).arg(part),
        };
        bench.printed(&format!("measuring {part} of {} failed", root.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(places: &Places, path: &Path) -> String {
        Older::find(places, path).err().expect("refused").to_string()
    }

    #[test]
    fn an_older_build_that_is_not_there_is_said_with_what_to_do() {
        let places = Places::find().expect("found");
        let folder = std::env::temp_dir().join(format!("keyturn-xtask-beside-{}", std::process::id()));
        assert!(refused(&places, &folder).contains("there is no such folder"));
        std::fs::create_dir_all(folder.join("plugin")).expect("made");
        assert!(refused(&places, &folder).contains("not a checkout"));
        std::fs::write(folder.join("plugin/manifest.toml"), "").expect("written");
        let said = refused(&places, &folder);
        assert!(said.contains("target/release/bench is missing") && said.contains(BUILD), "{said}");
        assert!(refused(&places, &places.root).contains("this is the checkout"));
        for file in ["release/bench", "release/keyturn", "release/keyturn-example-panel"] {
            let file = folder.join("target").join(file);
            std::fs::create_dir_all(file.parent().expect("a folder")).expect("made");
            std::fs::write(file, "").expect("written");
        }
        assert!(refused(&places, &folder).contains("keyturn_password.wasm is missing"));
        std::fs::remove_dir_all(&folder).expect("removed");
    }
}
