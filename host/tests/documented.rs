//! Compares the documentation with the settings that the code reads, and follows its links.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use keyturn_host::config::Config;
use keyturn_host::plugin::grants::Grants;
use keyturn_host::plugin::limits::{HostLimits, Limits};
use serde::Serialize;
use serde::de::DeserializeOwned;

const DOCUMENTED: &str = include_str!("../../docs/configuration.md");
const MAPPING: &str = include_str!("../../docs/mapping.md");
const MAPPED: &str = "[accounts.customer]\ntable = 'people'\nid = 'id'\nlogin = 'login'\nhash = 'hash'\n";

/// The settings of a table, as the error for an unknown one lists them.
fn settings<T: DeserializeOwned>(table: &str, rest: &str) -> Vec<String> {
    let text = match table {
        "" => format!("unknown-setting = 1\n{rest}"),
        table => format!("{rest}\n{table}\nunknown-setting = 1\n"),
    };
    let error = toml::from_str::<T>(&text).err().expect("an error").to_string();
    let (_, names) =
        error.split_once("unknown field `unknown-setting`, expected ").unwrap_or_else(|| panic!("{error}"));
    let names = names.lines().next().unwrap_or_default();
    names.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Documented settings, with their default, of the part of the page under a heading.
fn documented(heading: &str) -> BTreeMap<String, String> {
    let (_, part) = DOCUMENTED.split_once(&format!("\n## {heading}\n")).expect("the heading");
    let part = part.split("\n## ").next().unwrap_or_default();
    let cell = |cell: &str| cell.trim().trim_matches('`').to_owned();
    let rows = part.lines().filter(|line| line.starts_with("| `")).map(|line| {
        let cells: Vec<&str> = line.split(" | ").collect();
        (cell(cells[0].trim_start_matches('|')), cell(cells[1]))
    });
    rows.collect()
}

fn compare(heading: &str, code: impl Iterator<Item = String>) {
    let (documented, code): (BTreeSet<String>, BTreeSet<String>) =
        (documented(heading).into_keys().collect(), code.collect());
    let lacking: Vec<&String> = code.difference(&documented).collect();
    let gone: Vec<&String> = documented.difference(&code).collect();
    assert!(
        lacking.is_empty() && gone.is_empty(),
        "docs/configuration.md lacks {lacking:?} and has, beyond the code, {gone:?}"
    );
}

/// All settings of tables, by their whole names; those that are tables themselves are left out.
fn whole<T: DeserializeOwned>(tables: &[&str], rest: &str) -> BTreeSet<String> {
    let name = |table: &str| table.trim_matches(['[', ']']).to_owned();
    let all = tables.iter().flat_map(|table| {
        let name = name(table);
        settings::<T>(table, rest).into_iter().map(move |setting| match name.as_str() {
            "" => setting,
            name => format!("{name}.{setting}"),
        })
    });
    let named: BTreeSet<String> = tables.iter().map(|table| name(table)).collect();
    all.filter(|setting| !named.contains(setting)).collect()
}

fn compare_defaults(heading: &str, defaults: impl Serialize) {
    let documented = documented(heading);
    for (setting, default) in toml::Table::try_from(defaults).expect("a table") {
        let name = format!("limits.{setting}");
        assert_eq!(documented.get(&name), Some(&default.to_string()), "{name}");
    }
}

#[test]
fn every_setting_of_the_file_is_documented_and_no_other() {
    let tables = [
        "",
        "[brand]",
        "[database]",
        "[sign-in]",
        "[server]",
        "[server.pages]",
        "[mail]",
        "[mail.smtp]",
        "[mail.sendmail]",
        "[mail.folder]",
        "[mail.dkim]",
        "[[webhooks]]",
        "[audit]",
        "[limits]",
    ];
    let code = whole::<Config>(&tables, "");
    compare("keyturn.toml", code.into_iter().filter(|setting| setting != "accounts"));
    compare_defaults("keyturn.toml", HostLimits::default());
}

#[test]
fn every_setting_of_a_grants_file_is_documented_and_no_other() {
    let code = whole::<Grants>(&["", "[grants]", "[grants.accounts]", "[grants.mail]", "[limits]"], "");
    compare("The grants file", code.into_iter());
    compare_defaults("The grants file", Limits::default());
}

#[test]
fn every_setting_of_a_realm_is_documented() {
    let rows: String = MAPPING
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once(" | "))
        .map(|(names, _)| format!("`{names} "))
        .collect();
    for setting in settings::<Config>("[accounts.staff]", MAPPED) {
        assert!(rows.contains(&format!("`{setting}`")), "docs/mapping.md lacks {setting}");
    }
}

/// The fragments of a page's headings, as GitHub makes them.
fn fragments(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    let kept = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    let fragment = |line: &str| -> String {
        line.trim_start_matches('#').trim().to_lowercase().chars().filter(|c| kept(*c)).collect()
    };
    headings.map(|line| fragment(line).replace(' ', "-")).collect()
}

fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut pages = vec![root.join("README.md"), root.join("CONTRIBUTING.md"), root.join("SECURITY.md")];
    pages.extend(["examples/php-panel/README.md", "integrations/php-client/README.md"].map(|page| root.join(page)));
    let docs = std::fs::read_dir(root.join("docs")).expect("the folder");
    pages.extend(docs.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_file()));
    pages
}

#[test]
fn every_link_of_the_documentation_leads_somewhere() {
    let mut links = 0;
    for path in &pages() {
        let page = std::fs::read_to_string(path).expect("text");
        for link in page.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0)) {
            if link.contains("://") || link.contains(char::is_whitespace) {
                continue;
            }
            let (file, fragment) = link.split_once('#').unwrap_or((link, ""));
            let to = if file.is_empty() { path.clone() } else { path.parent().expect("a folder").join(file) };
            assert!(to.exists(), "{}: {link}", path.display());
            if !fragment.is_empty() {
                let there = std::fs::read_to_string(&to).expect("text");
                assert!(fragments(&there).contains(fragment), "{}: {link}", path.display());
            }
            links += 1;
        }
    }
    assert!(links > 100, "{links}");
}

/// Files that the recipes of `docs/architecture.md` add.
const TO_ADD: [&str; 4] = ["NAME.rs", "sms.", "xx.toml", "operator/src/audit.rs"];

#[test]
fn every_file_that_the_documentation_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = 0;
    for path in pages() {
        let page = std::fs::read_to_string(&path).expect("text");
        let named = page.split('`').skip(1).step_by(2).filter(|name| {
            ["host/", "plugin/", "tests/", "examples/", "integrations/", "wit/"].iter().any(|at| name.starts_with(at))
                && [".rs", ".wit", ".toml", ".php", ".mjs", ".md"].iter().any(|kind| name.ends_with(kind))
                && !name.contains(char::is_whitespace)
        });
        for name in named.filter(|name| !TO_ADD.iter().any(|added| name.contains(added))) {
            assert!(root.join(name).exists(), "{}: {name}", path.display());
            files += 1;
        }
    }
    assert!(files > 100, "{files}");
}

#[test]
fn the_example_of_a_panel_stays_short() {
    let lines = include_str!("../examples/panel.rs").lines().count();
    assert!(lines < 80, "{lines}");
}
