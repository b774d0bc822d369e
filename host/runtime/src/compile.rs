//! Compiles a component; in a child process if the program allows it, because a compiler leaves 40 MiB behind in its process.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::engine::{Machine, compiler};
use keyturn_core::space::within_limits;

/// Set in the child's environment, to the kind of engine that it compiles for.
const CHILD: &str = "KEYTURN_COMPILER_CHILD";
const POOLING: &str = "pooling";
const ON_DEMAND: &str = "on-demand";

static IN_CHILD: AtomicBool = AtomicBool::new(false);

/// Call this first in `main`. If this process was started as the compiler, it compiles its standard input and ends here. A
/// program that never calls it compiles in its own process.
pub fn serve_compiler() {
    IN_CHILD.store(true, Ordering::Relaxed);
    let Some(kind) = std::env::var_os(CHILD) else { return };
    let outcome = (|| -> wasmtime::Result<()> {
        let mut component = Vec::new();
        std::io::stdin().read_to_end(&mut component)?;
        let code = compiler(kind == ON_DEMAND)?.precompile_component(&component)?;
        std::io::stdout().write_all(&code)?;
        Ok(())
    })();
    if let Err(cause) = &outcome {
        eprint!("{cause:#}");
    }
    std::process::exit(i32::from(outcome.is_err()));
}

/// Compiled code for this engine.
pub fn compile(machine: &Machine, component: &[u8]) -> wasmtime::Result<Vec<u8>> {
    if !IN_CHILD.load(Ordering::Relaxed) {
        return machine.engine.precompile_component(component);
    }
    let mut child = Command::new(std::env::current_exe()?)
        .env_clear()
        .env(CHILD, if machine.on_demand { ON_DEMAND } else { POOLING })
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    // The child reads everything before it writes, so this can't deadlock. It ends early only if it fails.
    let written = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(component));
    let output = child.wait_with_output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        // Out of memory, it ends silently or in the middle of a message.
        let said = if said.trim().is_empty() { output.status.to_string() } else { said.into_owned() };
        return Err(wasmtime::Error::msg(within_limits(format_args!("it could not be compiled: {}", said.trim()))));
    }
    written?;
    Ok(output.stdout)
}
