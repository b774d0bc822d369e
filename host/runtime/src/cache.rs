//! Compiled components, kept beside the configuration, so that a host starts in milliseconds. This is the one module with
//! unsafe code: loading compiled code runs whatever it contains, so each file has a MAC under the host's own key, over its
//! content and the component it was compiled from. A file without that MAC is ignored, and its component is compiled again.
#![allow(unsafe_code)]

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::compile;
use crate::engine::Machine;
use keyturn_core::seal::Keys;
use keyturn_package::grants::digest;

const MAC_BYTES: usize = 32;

/// Where compiled components are kept.
#[derive(Debug, Clone)]
pub struct Folder {
    /// Created when the first component is kept.
    pub path: PathBuf,
    /// Whether new files are stored. A read-only command stores none.
    pub keeps: bool,
}

/// The compiled component: from the cache folder if it is there, otherwise compiled now.
///
/// # Errors
/// The compiler's error.
pub fn load(machine: &Machine, keys: &Keys, folder: Option<&Folder>, component: &[u8]) -> wasmtime::Result<Component> {
    let engine = &machine.engine;
    let Some(Folder { path: folder, keeps }) = folder else {
        return deserialize(engine, &compile::compile(machine, component)?);
    };
    let name = name(engine, component);
    let path = folder.join(&name);
    if let Some(code) = read(keys, &path, &name) {
        match deserialize(engine, &code) {
            Ok(component) => return Ok(component),
            Err(cause) => tracing::warn!(file = %path.display(), "compiled component not used: {cause}"),
        }
    }
    let code = compile::compile(machine, component)?;
    if *keeps && let Err(cause) = write(keys, folder, &name, &code) {
        tracing::warn!(folder = %folder.display(), "compiled component not stored; the next start compiles it again: {cause}");
    }
    deserialize(engine, &code)
}

/// The name covers component and engine, so a file for another engine isn't found.
fn name(engine: &Engine, component: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{}-{:016x}.cwasm", digest(component), hasher.finish())
}

fn read(keys: &Keys, path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut file = std::fs::read(path).ok()?;
    let (mac, code) = file.split_first_chunk::<MAC_BYTES>()?;
    // Timing tells an attacker who can write here no more than reading the file would.
    if keys.mac("compiled", &[name.as_bytes(), code]) != *mac {
        tracing::warn!(file = %path.display(), "compiled component has no valid MAC of this host; compiling it again");
        return None;
    }
    Some(file.split_off(MAC_BYTES))
}

fn write(keys: &Keys, folder: &Path, name: &str, code: &[u8]) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    // Only its owner can read it. It is removed if anything fails: otherwise each start on a full disk would leave one more.
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(&keys.mac("compiled", &[name.as_bytes(), code]))?;
    file.write_all(code)?;
    file.persist(folder.join(name))?;
    Ok(())
}

fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `code` comes either from this process's compiler (or its child's, over a pipe of ours) or from a file whose
    // MAC under the host's own key was checked over these very bytes, in memory, so that nobody can change them between
    // the check and the use. Code of another version or configuration is refused by wasmtime itself.
    unsafe { Component::deserialize(engine, code) }
}
