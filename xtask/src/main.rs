//! The project's tasks. Each installs what it needs and says so; if it may not install it, it says what to type.

mod demo;
mod places;
mod run;
mod setup;

use std::process::ExitCode;

use anyhow::Result;

use places::Places;

const USAGE: &str = "\
Build, try and test Keyturn.

Usage: cargo xtask <task>

  demo [--listen ADDRESS]  build everything and start the example panel with example customers
                           (default: 127.0.0.1:8080; its folder, target/demo, is kept)
  test                     run every test, including browser, PHP and mail servers
  bench                    measure: sizes, start, calls, sign-in, commits, memory, Forgotten password, hooks

Each installs what it needs and says so: the wasm32-wasip2 target with rustup; for `test` and `bench`, Debian packages
with apt-get (as root; otherwise it prints the command); for `test`, npm and Python packages.";

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
enum Task {
    Demo { listen: String },
    Test,
    Bench,
    Help,
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
            ["bench"] => Ok(Task::Bench),
            ["help" | "--help" | "-h"] | [_, "--help" | "-h"] => Ok(Task::Help),
            [] => Err("which task?".to_owned()),
            other => Err(format!("there is no task `{}`", other.join(" "))),
        }
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
        Task::Bench => {
            setup::debian_packages("bench", setup::BENCH)?;
            run::say("measuring; a quiet machine gives the best figures");
            let build = ["build", "--release", "--workspace", "--bins"];
            run::cargo(&places).args(build).quiet_off_a_terminal().done("what is measured could not be built")?;
            run::program(places.target.join("release/bench")).done("measuring failed")
        }
        Task::Help => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Task, demo};

    #[test]
    fn the_three_tasks_are_understood() {
        let demo = |listen: &str| Ok(Task::Demo { listen: listen.to_owned() });
        assert_eq!(Task::parse(&["demo"]), demo(demo::LISTEN));
        assert_eq!(Task::parse(&["demo", "--listen", "[::1]:9000"]), demo("[::1]:9000"));
        assert_eq!(Task::parse(&["test"]), Ok(Task::Test));
        assert_eq!(Task::parse(&["bench"]), Ok(Task::Bench));
        for help in [&["--help"][..], &["demo", "--help"]] {
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
        ] {
            let refusal = Task::parse(arguments).expect_err("refused");
            assert!(refusal.contains(named), "{refusal}");
        }
    }
}
