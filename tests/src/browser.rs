//! Walks in a browser, which node goes.

use std::process::Command;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

/// Goes a walk of the folder `browser`, one at a time: each has a browser of its own.
pub fn walk(script: &str, facts: &Value) {
    static ONE: Mutex<()> = Mutex::new(());
    let _alone = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let walk = Command::new("node")
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/browser"))
        .args([script, &facts.to_string()])
        .output()
        .expect("node runs; `cargo xtask test` installs what this test needs");
    println!("{}", String::from_utf8_lossy(&walk.stdout));
    assert!(walk.status.success(), "{}", String::from_utf8_lossy(&walk.stderr));
}
