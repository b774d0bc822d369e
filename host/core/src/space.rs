//! The address space of this process, if the system limits it: the limit in words, and how to live with little.

use std::fmt;

/// How much address space a process may have, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space(pub u64);

impl Space {
    /// This process's limit; none: unlimited.
    #[cfg(target_os = "linux")]
    pub fn of_process() -> Option<Self> {
        rustix::process::getrlimit(rustix::process::Resource::As).current.map(Self)
    }

    #[cfg(not(target_os = "linux"))]
    pub fn of_process() -> Option<Self> {
        None
    }

    /// How many arenas glibc's allocator may have, each with 64 MiB of address space: an eighth of everything. By default it
    /// makes eight for each core, which leaves no room for a hash or a thread. None: there is room for all.
    fn arenas(self, cores: usize) -> Option<u64> {
        let room = (self.0 / 8 / (64 << 20)).max(1);
        (room < 8 * cores as u64).then_some(room)
    }
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "this process may have only {} MiB of address space (RLIMIT_AS, set by `ulimit -v` or by LimitAS= of a service)",
            self.0 >> 20
        )
    }
}

/// What failed, and the limit that may be the cause.
pub fn within_limits(cause: impl fmt::Display) -> String {
    match Space::of_process() {
        Some(space) => format!("{cause} ({space})"),
        None => cause.to_string(),
    }
}

/// Call this first in `main`. If the system limits the address space, the program starts again as the same process, with fewer
/// of the allocator's arenas, because that setting is read only at the start. Otherwise it does nothing.
pub fn spare_address_space() {
    use std::os::unix::process::CommandExt as _;

    const ARENAS: &str = "MALLOC_ARENA_MAX";
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let arenas = Space::of_process().and_then(|space| space.arenas(cores));
    let (Some(arenas), None, Ok(program)) = (arenas, std::env::var_os(ARENAS), std::env::current_exe()) else { return };
    let mut arguments = std::env::args_os();
    let mut command = std::process::Command::new(&program);
    command.arg0(arguments.next().unwrap_or_else(|| program.into_os_string()));
    // If it can't, it continues unchanged.
    let _ = command.args(arguments).env(ARENAS, arenas.to_string()).exec();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_named_with_what_sets_it() {
        let said = Space(1 << 30).to_string();
        assert!(said.contains("1024 MiB") && said.contains("RLIMIT_AS") && said.contains("LimitAS="), "{said}");
    }

    #[test]
    fn arenas_are_fewer_only_where_they_would_take_much_of_what_there_is() {
        assert_eq!((Space(1 << 30).arenas(2), Space(1 << 20).arenas(2)), (Some(2), Some(1)));
        assert_eq!((Space(64 << 30).arenas(2), Space(64 << 30).arenas(64)), (None, Some(128)));
    }
}
