//! Puts a manifest into a component and reads it: a custom section at the component's own level, which every language's
//! toolchain leaves room for and no engine runs.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use wasm_encoder::{ComponentSection as _, CustomSection};
use wasmparser::{Encoding, Parser, Payload};

use super::docs::Docs;
use super::manifest::{MAX_BYTES, Manifest, SECTION, wrong};

/// Why a file can't be packed or read, in a sentence.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct PackError(pub(super) String);

/// What goes into a component besides its manifest.
#[derive(Debug, Clone, Default)]
pub struct Beside {
    /// Templates of its emails: TOML, by name.
    pub mails: BTreeMap<String, String>,
    /// Its WIT: files or folders, each after those that it uses. None: its hooks have no docs.
    pub wit: Vec<PathBuf>,
}

/// The component with the manifest of a `manifest.toml` in it, and what is beside that.
///
/// # Errors
/// [`PackError`], also for a template that can't be drawn, and for WIT without an interface of the manifest's hooks.
pub fn pack(component: &[u8], manifest_toml: &str, beside: &Beside) -> Result<Vec<u8>, PackError> {
    if !sections(component)?.is_empty() {
        return Err(PackError("the component already has a manifest; pack the compiler's own output".to_owned()));
    }
    let mut manifest = Manifest::from_toml_with_mails(manifest_toml, &beside.mails)?;
    if !beside.wit.is_empty() {
        let hooks: BTreeSet<&str> = manifest.operations.iter().filter_map(|row| row.hook.as_deref()).collect();
        let (_, exports) = interfaces(component)?;
        let exports: Vec<String> =
            exports.into_iter().filter(|export| export.contains('/') && hooks.contains(own_name(export))).collect();
        let wit = |problem| PackError(format!("WIT: {problem}"));
        let docs = Docs::read(&beside.wit, &exports).map_err(wit)?;
        if let Some(lacking) = exports.iter().find(|export| !docs.interfaces.contains_key(*export)) {
            return Err(wit(format!("it lacks {lacking}, which the component exports")));
        }
        manifest.docs = docs;
    }
    let json = serde_json::to_vec(&manifest).map_err(wrong)?;
    if json.len() > MAX_BYTES {
        return Err(wrong(format_args!("with everything beside it, it has {} bytes", json.len())));
    }
    Ok(with_section(component, &json))
}

/// The templates in a folder, one `NAME.toml` each. Their texts are there too, or in the folder `texts` below it: one
/// `LANGUAGE.toml` each, with a table for every template. None if there is no such folder.
///
/// # Errors
/// The system's error, or what is wrong with a file of texts.
pub fn mails_in(folder: &Path) -> io::Result<BTreeMap<String, String>> {
    let mut mails = toml_in(folder)?;
    for (language, texts) in toml_in(&folder.join("texts"))? {
        let texts: BTreeMap<String, toml::Table> =
            toml::from_str(&texts).map_err(|cause| io::Error::other(format!("texts/{language}.toml: {cause}")))?;
        for (name, text) in texts {
            let text = toml::to_string(&BTreeMap::from([("texts", BTreeMap::from([(&language, text)]))]));
            let mail = mails.entry(name).or_default();
            mail.push('\n');
            mail.push_str(&text.map_err(io::Error::other)?);
        }
    }
    Ok(mails)
}

/// The TOML files of a folder, by their names without the ending.
fn toml_in(folder: &Path) -> io::Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    let entries = if folder.exists() { Some(std::fs::read_dir(folder)?) } else { None };
    for entry in entries.into_iter().flatten() {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let name = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
            files.insert(name, std::fs::read_to_string(&path)?);
        }
    }
    Ok(files)
}

/// The component with a custom section of our name and any content.
#[must_use]
pub fn with_section(component: &[u8], data: &[u8]) -> Vec<u8> {
    let mut packed = component.to_vec();
    CustomSection { name: SECTION.into(), data: data.into() }.append_to_component(&mut packed);
    packed
}

/// The component's manifest.
///
/// # Errors
/// [`PackError`].
pub fn manifest(component: &[u8]) -> Result<Manifest, PackError> {
    let none = "the component has no manifest; write one with `keyturn plugin pack`";
    match sections(component)?.as_slice() {
        [] => Err(PackError(none.to_owned())),
        [json] => Manifest::from_json(json),
        _ => Err(PackError("the component has more than one manifest".to_owned())),
    }
}

/// The names of a component's imports and exports, without running or compiling it.
///
/// # Errors
/// [`PackError`].
pub fn interfaces(component: &[u8]) -> Result<(Vec<String>, Vec<String>), PackError> {
    let (mut imports, mut exports) = (Vec::new(), Vec::new());
    for payload in outermost(component)? {
        match payload {
            Payload::ComponentImportSection(section) => {
                for import in section {
                    imports.push(import.map_err(|cause| not_a_component(cause.message()))?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section {
                    exports.push(export.map_err(|cause| not_a_component(cause.message()))?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok((imports, exports))
}

/// Our sections.
fn sections(component: &[u8]) -> Result<Vec<&[u8]>, PackError> {
    let ours = |payload| match payload {
        Payload::CustomSection(section) if section.name() == SECTION => Some(section.data()),
        _ => None,
    };
    Ok(outermost(component)?.into_iter().filter_map(ours).collect())
}

/// What stands at the component's own level; what stands in nested modules is not ours to believe.
fn outermost(component: &[u8]) -> Result<Vec<Payload<'_>>, PackError> {
    let (mut depth, mut found) = (0_usize, Vec::new());
    for payload in Parser::new(0).parse_all(component) {
        match payload.map_err(|cause| not_a_component(cause.message()))? {
            Payload::Version { encoding, .. } if depth == 0 && encoding != Encoding::Component => {
                return Err(not_a_component("it is a core module; build it for wasm32-wasip2"));
            }
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            payload if depth == 1 => found.push(payload),
            _ => {}
        }
    }
    Ok(found)
}

fn not_a_component(why: &str) -> PackError {
    PackError(format!("not a WebAssembly component: {why}"))
}

/// An interface without its version.
#[must_use]
pub fn without_version(name: &str) -> &str {
    name.split_once('@').map_or(name, |(name, _)| name)
}

/// The interface's own name: `keyturn:password/password@0.1.0` is `password`.
#[must_use]
pub fn own_name(name: &str) -> &str {
    let name = without_version(name);
    name.rsplit_once('/').map_or(name, |(_, own)| own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stand_in_the_template_or_in_a_file_for_each_language() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
        assert!(mails_in(&folder.path().join("none")).expect("none").is_empty());
        std::fs::create_dir(folder.path().join("texts")).expect("made");
        let text = |subject: &str| {
            format!("subject = '{subject}'\npreheader = 'p'\nbody = [{{ text = 'x' }}, {{ button = ['y', 'link'] }}]\n")
        };
        write("one.toml", &format!("[variables]\nlink = 'link'\n[texts.en]\n{}", text("One")));
        write("two.toml", "# Two.\n[variables]\nlink = 'link'");
        write("texts/en.toml", &format!("[two]\n{}", text("Two")));
        write("texts/es.toml", &format!("[one]\n{}[two]\n{}", text("Uno"), text("Dos")));
        let mails = mails_in(folder.path()).expect("read");
        let template = |name: &str| toml::from_str::<keyturn_mail::template::Template>(&mails[name]).expect(name);
        let subjects = |name: &str| {
            template(name).texts.into_iter().map(|(tag, text)| (tag, text.subject, text.body.len())).collect::<Vec<_>>()
        };
        let said = |en: &str, es: &str| vec![("en".to_owned(), en.to_owned(), 2), ("es".to_owned(), es.to_owned(), 2)];
        assert_eq!(subjects("one"), said("One", "Uno"));
        assert_eq!(subjects("two"), said("Two", "Dos"));
        write("texts/es.toml", "[one");
        assert!(mails_in(folder.path()).expect_err("refused").to_string().contains("texts/es.toml: "));
    }
}
