//! The project's tasks. Each installs what it needs and says so; if it may not install it, it says what to type.

mod beside;
mod demo;
mod faults;
mod places;
mod run;
mod setup;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use beside::Older;
use places::Places;

const USAGE: &str = "\
Build, try and test Keyturn.

Usage: cargo xtask <task>

  demo [--listen ADDRESS]  build everything and start the example panel with example customers
                           (default: 127.0.0.1:8080; its folder, target/demo, is kept)
  test                     run every test, including browser, PHP and mail servers
  faults [PART…]           kill, stall and replace what hosts and databases stand on, round after round, and count what became of
                           it: hosts, servers, failover, cluster, network, pooler, versions, million (default: all of them)
  bench [--only PART]      measure: sizes, start, calls, sign-in, commits, memory (calls), Forgotten password (forgotten),
                           hooks and regions over HTTP (hooks), processor time of `keyturn serve` (serve), and that on
                           SQLite, PostgreSQL and MariaDB beside a page of PHP (engines)
    --beside PATH          measure another checkout's build and this one by turns, and print what the new one costs by what
                           the older one does; PATH is that checkout's folder, built there by
                           `cargo build --release --workspace --bins`
    --rounds N             how often each is measured beside the other (default: 5; each takes some minutes)

Each installs what it needs and says so: the wasm32-wasip2 target with rustup; for `test`, `faults` and `bench`, Debian
packages with apt-get (as root; otherwise it prints the command); for `test`, npm and Python packages; for `faults`, npm's.";

#[derive(Debug, PartialEq, Eq)]
enum Task {
    Demo { listen: String },
    Test,
    Faults { only: Vec<String> },
    Bench(Bench),
    Help,
}

#[derive(Debug, PartialEq, Eq)]
struct Bench {
    only: Option<String>,
    beside: Option<PathBuf>,
    rounds: usize,
}

impl Task {
    fn parse(arguments: &[&str]) -> Result<Self, String> {
        match arguments {
            ["demo"] => Ok(Task::Demo { listen: demo::LISTEN.to_owned() }),
            ["demo", "--listen", address] => match address.parse::<std::net::SocketAddr>() {
                Ok(_) => Ok(Task::Demo { listen: (*address).to_owned() }),
                Err(_) => Err(format!("--listen takes an address such as {}, not `{address}`", demo::LISTEN)),
            },
            ["test"] => Ok(Task::Test),
            ["help" | "--help" | "-h"] | [_, "--help" | "-h"] => Ok(Task::Help),
            ["faults", only @ ..] => {
                match only.iter().find(|name| !faults::PARTS.iter().any(|(part, _)| part == *name)) {
                    None => Ok(Task::Faults { only: only.iter().map(|name| (*name).to_owned()).collect() }),
                    Some(name) => {
                        let parts: Vec<&str> = faults::PARTS.iter().map(|(part, _)| *part).collect();
                        Err(format!("faults takes some of {}, not `{name}`", parts.join(", ")))
                    }
                }
            }
            ["bench", options @ ..] => Bench::parse(options).map(Task::Bench),
            [] => Err("which task?".to_owned()),
            other => Err(format!("there is no task `{}`", other.join(" "))),
        }
    }
}

impl Bench {
    fn parse(mut options: &[&str]) -> Result<Self, String> {
        let (mut only, mut beside, mut rounds) = (None, None, None);
        while let [name, rest @ ..] = options {
            let [value, rest @ ..] = rest else {
                return Err(format!("there is no task `bench {name}`, or {name} lacks its value"));
            };
            let twice = match *name {
                "--only" if beside::PARTS.contains(value) => only.replace((*value).to_owned()).is_some(),
                "--only" => return Err(format!("--only takes one of {}, not `{value}`", beside::PARTS.join(", "))),
                "--beside" => beside.replace(PathBuf::from(value)).is_some(),
                "--rounds" => match value.parse() {
                    Ok(number @ 1..=100) => rounds.replace(number).is_some(),
                    _ => return Err(format!("--rounds takes a number from 1 to 100, not `{value}`")),
                },
                _ => return Err(format!("bench has no option `{name}`")),
            };
            if twice {
                return Err(format!("{name} is given twice"));
            }
            options = rest;
        }
        if rounds.is_some() && beside.is_none() {
            return Err("--rounds is for --beside".to_owned());
        }
        Ok(Self { only, beside, rounds: rounds.unwrap_or(beside::ROUNDS) })
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args_os().skip(1).map(|a| a.to_string_lossy().into_owned()).collect();
    let task = match Task::parse(&arguments.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(Task::Help) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Ok(task) => task,
        Err(problem) => {
            eprintln!("error: {problem}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match perform(&task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(task: &Task) -> Result<()> {
    let places = Places::find()?;
    setup::guest_target()?;
    match task {
        Task::Demo { listen } => demo::start(&places, listen),
        Task::Test => {
            setup::debian_packages("test", setup::TESTS)?;
            setup::npm_packages(&places)?;
            setup::python_packages(&places)?;
            run::say("running every test");
            run::cargo(&places).args(["test", "--workspace"]).done("a test failed")?;
            run::say("every test passed");
            Ok(())
        }
        Task::Faults { only } => {
            setup::debian_packages("faults", setup::FAULTS)?;
            faults::inject(&places, only)
        }
        Task::Bench(bench) => {
            // Before the build, which takes minutes.
            let older = bench.beside.as_deref().map(|path| Older::find(&places, path)).transpose()?;
            setup::debian_packages("bench", setup::BENCH)?;
            run::say("measuring; a quiet machine gives the best figures");
            let build = ["build", "--release", "--workspace", "--bins"];
            run::cargo(&places).args(build).quiet_off_a_terminal().done("what is measured could not be built")?;
            match older {
                Some(older) => older.compare(&places, bench.rounds, bench.only.as_deref()),
                None => run::program(places.target.join("release/bench")).args(&bench.only).done("measuring failed"),
            }
        }
        Task::Help => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Bench, Task, demo};

    #[test]
    fn the_tasks_are_understood() {
        let demo = |listen: &str| Ok(Task::Demo { listen: listen.to_owned() });
        assert_eq!(Task::parse(&["demo"]), demo(demo::LISTEN));
        assert_eq!(Task::parse(&["demo", "--listen", "[::1]:9000"]), demo("[::1]:9000"));
        assert_eq!(Task::parse(&["test"]), Ok(Task::Test));
        let faults = |only: &[&str]| Ok(Task::Faults { only: only.iter().map(ToString::to_string).collect() });
        assert_eq!(Task::parse(&["faults"]), faults(&[]));
        assert_eq!(Task::parse(&["faults", "hosts", "network"]), faults(&["hosts", "network"]));
        let bench = |only: Option<&str>, beside: Option<&str>, rounds| {
            Ok(Task::Bench(Bench { only: only.map(str::to_owned), beside: beside.map(Into::into), rounds }))
        };
        assert_eq!(Task::parse(&["bench"]), bench(None, None, 5));
        assert_eq!(Task::parse(&["bench", "--only", "hooks"]), bench(Some("hooks"), None, 5));
        let beside = ["bench", "--beside", "../older", "--rounds", "3"];
        assert_eq!(Task::parse(&beside), bench(None, Some("../older"), 3));
        for help in [&["--help"][..], &["demo", "--help"], &["bench", "--help"]] {
            assert_eq!(Task::parse(help), Ok(Task::Help));
        }
    }

    #[test]
    fn anything_else_is_refused_by_name() {
        for (arguments, named) in [
            (&[][..], "which task"),
            (&["tset"], "`tset`"),
            (&["test", "fast"], "`test fast`"),
            (&["demo", "--listen"], "`demo --listen`"),
            (&["demo", "--listen", "8080"], "`8080`"),
            (&["faults", "floods"], "`floods`"),
            (&["bench", "fast"], "`bench fast`"),
            (&["bench", "--beside"], "--beside lacks its value"),
            (&["bench", "--only", "walks"], "`walks`"),
            (&["bench", "--beside", "x", "--rounds", "0"], "`0`"),
            (&["bench", "--beside", "x", "--beside", "y"], "twice"),
            (&["bench", "--rounds", "3"], "for --beside"),
            (&["bench", "--fast", "x"], "`--fast`"),
        ] {
            let refusal = Task::parse(arguments).expect_err("refused");
            assert!(refusal.contains(named), "{refusal}");
        }
    }
}
