//! Builds the guests that the tests load, so that plain `cargo test` needs nothing beside it but the wasm32-wasip2 target.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Packages and the environment variables under which the tests find their components.
const GUESTS: [(&str, &str); 5] = [
    ("keyturn-password", "PASSWORD_COMPONENT"),
    ("keyturn-guest-courier", "COURIER_COMPONENT"),
    ("keyturn-guest-foreign", "FOREIGN_COMPONENT"),
    ("keyturn-guest-hostile", "HOSTILE_COMPONENT"),
    ("keyturn-example-notes", "NOTES_COMPONENT"),
];

fn main() {
    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").expect("set by cargo")).join("..");
    let out = PathBuf::from(std::env::var("OUT_DIR").expect("set by cargo"));
    // Beside the profile's own folder, and the same for all of them: guests have one profile.
    let target = out.ancestors().nth(4).expect("OUT_DIR lies in the target folder").join("guests");

    let mut build = Command::new(std::env::var("CARGO").expect("set by cargo"));
    build.current_dir(&root).args(["build", "--quiet", "--target", "wasm32-wasip2", "--profile", "guest"]);
    for (package, _) in GUESTS {
        build.args(["--package", package]);
    }
    // What cargo sets for the machine's own target is not meant for the guest's.
    for variable in ["CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS", "CARGO_BUILD_TARGET", "RUSTC_WORKSPACE_WRAPPER"] {
        build.env_remove(variable);
    }
    build.env("CARGO_TARGET_DIR", &target);
    let status = build.status().expect("cargo runs");
    assert!(
        status.success(),
        "the guests were not built; if the target is missing: rustup target add wasm32-wasip2 (cargo xtask test does it)"
    );
    for (package, variable) in GUESTS {
        let file = target.join("wasm32-wasip2/guest").join(package.replace('-', "_")).with_extension("wasm");
        println!("cargo::rustc-env={variable}={}", file.display());
    }
    for folder in ["plugin", "wit", "tests/guests", "examples/notes-plugin", "Cargo.toml"] {
        watch(&root.join(folder));
    }
}

fn watch(path: &Path) {
    println!("cargo::rerun-if-changed={}", path.display());
}
