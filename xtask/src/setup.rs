//! What must be on the machine. What is missing is added where that may be done, or else asked for by the command that
//! adds it.

use anyhow::{Result, bail};

use crate::places::Places;
use crate::run::{program, say};

const TARGET: &str = "wasm32-wasip2";
/// What playwright-core runs on.
const NODE_MAJOR: u32 = 20;

/// What the tests need, with how to see that it is there; so a machine that has it from elsewhere is left alone.
pub(crate) struct Need {
    packages: &'static [&'static str],
    is_there: fn() -> bool,
}

const POSTGRESQL: Need = Need {
    packages: &["postgresql"],
    is_there: || std::fs::read_dir("/usr/lib/postgresql").is_ok_and(|mut versions| versions.next().is_some()),
};
const MARIADB: Need = Need {
    packages: &["mariadb-server"],
    is_there: || program("sh").args(["-c", "command -v mariadb-install-db mariadbd mariadb"]).answer().is_some(),
};

/// For the tests in a browser, with a panel and billing systems in PHP, with mail, and on database servers.
pub(crate) const TESTS: &[Need] = &[
    Need {
        packages: &["chromium"],
        // As tests/browser/lib.mjs looks for it.
        is_there: || {
            let named = std::env::var_os("KEYTURN_CHROMIUM").unwrap_or_else(|| "/usr/bin/chromium".into());
            std::path::Path::new(&named).exists()
        },
    },
    Need {
        packages: &["php-cli", "php-sqlite3", "php-mysql", "php-pgsql", "php-mbstring"],
        is_there: || {
            let loaded = "exit((int) !(extension_loaded('pdo_sqlite') && extension_loaded('pdo_mysql') \
                          && extension_loaded('mysqli') && extension_loaded('pdo_pgsql') && extension_loaded('mbstring')));";
            program("php").args(["-r", loaded]).answer().is_some()
        },
    },
    // For the integrations with billing systems: what these bring along themselves is the same as Debian's.
    Need {
        packages: &["php-cli", "php-curl", "php-xml", "php-illuminate-database", "smarty4"],
        is_there: || {
            let loaded = "exit((int) !(extension_loaded('curl') && extension_loaded('dom') \
                          && stream_resolve_include_path('Illuminate/Database/autoload.php') \
                          && stream_resolve_include_path('smarty4/Smarty.class.php')));";
            program("php").args(["-r", loaded]).answer().is_some()
        },
    },
    // Programs whose tables Keyturn is tried on. WordPress asks for a web server, which no test uses: the smallest ones.
    Need {
        packages: &["php-illuminate-auth", "php-illuminate-hashing"],
        is_there: || {
            let loaded = "exit((int) !(stream_resolve_include_path('Illuminate/Auth/autoload.php') \
                          && stream_resolve_include_path('Illuminate/Hashing/autoload.php')));";
            program("php").args(["-r", loaded]).answer().is_some()
        },
    },
    Need {
        packages: &["wordpress", "micro-httpd", "php-cgi"],
        is_there: || std::path::Path::new("/usr/share/wordpress/wp-settings.php").exists(),
    },
    Need { packages: &["phpunit"], is_there: || program("phpunit").arg("--version").answer().is_some() },
    Need {
        packages: &["python3-venv"],
        is_there: || program("python3").args(["-c", "import venv, ensurepip"]).answer().is_some(),
    },
    POSTGRESQL,
    MARIADB,
    // For hosts whose clock is wrong.
    Need { packages: &["faketime"], is_there: || program("faketime").arg("--version").answer().is_some() },
    Need { packages: &["curl"], is_there: || program("curl").arg("--version").answer().is_some() },
    Need { packages: &["openssl"], is_there: || program("openssl").arg("version").answer().is_some() },
    Need { packages: &["msmtp"], is_there: || std::path::Path::new("/usr/bin/msmtp").exists() },
    Need { packages: &["spamassassin"], is_there: || program("spamassassin").arg("--version").answer().is_some() },
];

/// Yardsticks: a sign-in's hash, and a page of PHP; and the servers that engines are measured on.
pub(crate) const BENCH: &[Need] = &[
    Need { packages: &["argon2"], is_there: || program("sh").args(["-c", "command -v argon2"]).answer().is_some() },
    Need {
        packages: &["php-fpm", "php-mysql", "nginx-light"],
        is_there: || {
            program("sh")
                .args(["-c", "ls /usr/sbin/php-fpm* && command -v nginx && php -m | grep -q pdo_mysql"])
                .answer()
                .is_some()
        },
    },
    POSTGRESQL,
    MARIADB,
];

/// For what fails: also a cluster of MariaDB's, and a pooler before PostgreSQL.
pub(crate) const FAULTS: &[Need] = &[
    POSTGRESQL,
    MARIADB,
    Need {
        packages: &["galera-4", "rsync"],
        is_there: || {
            let galera = std::path::Path::new("/usr/lib/galera/libgalera_smm.so").exists();
            galera && program("rsync").arg("--version").answer().is_some()
        },
    },
    Need { packages: &["pgbouncer"], is_there: || std::path::Path::new("/usr/sbin/pgbouncer").exists() },
];

/// The target that guests are built for.
pub(crate) fn guest_target() -> Result<()> {
    if let Some(installed) = program("rustup").args(["target", "list", "--installed"]).answer() {
        if installed.lines().any(|target| target.trim() == TARGET) {
            return Ok(());
        }
        say(format!("adding the target {TARGET} with rustup"));
        return program("rustup").args(["target", "add", TARGET]).quietly(&format!("can't add the target {TARGET}"));
    }
    // A Rust from elsewhere may have it all the same.
    let libraries =
        program("rustc").args(["--print", "target-libdir", "--target", TARGET]).answer().unwrap_or_default();
    if std::path::Path::new(libraries.trim()).is_dir() {
        return Ok(());
    }
    bail!(
        "plugins are built for the target {TARGET}, which this Rust lacks, and there is no rustup to add it. \
         Install Rust by rustup, then: rustup target add {TARGET}"
    )
}

/// What `task` needs of Debian's.
pub(crate) fn debian_packages(task: &str, needs: &[Need]) -> Result<()> {
    let missing: Vec<&str> =
        needs.iter().filter(|need| !(need.is_there)()).flat_map(|need| need.packages).copied().collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages = missing.join(" ");
    let is_root = program("id").arg("-u").answer().is_some_and(|id| id.trim() == "0");
    if program("apt-get").arg("--version").answer().is_none() {
        bail!(
            "`{task}` needs the Debian packages {packages}, and there is no apt-get here: install what corresponds to them"
        );
    }
    if !is_root {
        bail!(
            "`{task}` needs {packages}. Only root may install them. Type:\n\n  \
             sudo apt-get update && sudo apt-get install --no-install-recommends {packages}\n"
        );
    }
    say(format!("installing {packages} with apt-get"));
    let apt = || program("apt-get").env("DEBIAN_FRONTEND", "noninteractive").arg("-qq");
    apt().arg("update").quietly("can't read the package lists")?;
    apt().args(["install", "--yes", "--no-install-recommends"]).args(missing).quietly("can't install all packages")
}

/// The mail server and the checker of signatures of the mail tests, and what tries hooks, in a virtual environment, exactly
/// as listed.
pub(crate) fn python_packages(places: &Places) -> Result<()> {
    let list = places.root.join("tests/requirements.txt");
    let wanted = std::fs::read_to_string(&list)?;
    let folder = places.target.join("python");
    // Written last, so that an installation that broke off is made again.
    let done = folder.join("keyturn-requirements.txt");
    if std::fs::read_to_string(&done).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    say(format!("installing the Python packages of the tests into {}", places.shown(&folder)));
    program("python3").args(["-m", "venv", "--clear"]).arg(&folder).quietly("can't create the virtual environment")?;
    let pip = folder.join("bin/pip");
    program(&pip)
        .args(["--quiet", "--disable-pip-version-check", "install", "--requirement"])
        .arg(&list)
        .quietly("can't install the Python packages")?;
    std::fs::write(done, wanted)?;
    Ok(())
}

/// What drives the browser, exactly as locked.
pub(crate) fn npm_packages(places: &Places) -> Result<()> {
    let folder = places.root.join("tests/browser");
    let changed = |file: &str| folder.join(file).metadata().and_then(|about| about.modified()).ok();
    // npm writes the second when it is done.
    if changed("node_modules/.package-lock.json").is_some_and(|at| Some(at) >= changed("package-lock.json")) {
        return Ok(());
    }
    let node = program("node").arg("--version").answer().unwrap_or_default();
    if major(&node).is_none_or(|major| major < NODE_MAJOR) || program("npm").arg("--version").answer().is_none() {
        let found = if node.is_empty() { "there is none".to_owned() } else { format!("here is {}", node.trim()) };
        bail!("the browser test needs Node.js {NODE_MAJOR} or later with npm; {found}. Install it");
    }
    say("installing the npm packages of tests/browser");
    program("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
        .at(&folder)
        .quietly("can't install the npm packages")
}

/// Of `v20.20.2`: 20.
fn major(version: &str) -> Option<u32> {
    version.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::major;

    #[test]
    fn the_version_of_node_is_read() {
        assert_eq!(major("v20.20.2\n"), Some(20));
        assert_eq!(major("v9.0.0"), Some(9));
        assert_eq!(major(""), None);
        assert_eq!(major("nightly"), None);
    }
}
