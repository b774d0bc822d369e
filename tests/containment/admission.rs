//! What is refused before anything of it has run.

use keyturn_host::plugin::admit::AdmitError;
use keyturn_host::plugin::cache::Folder;
use keyturn_host::plugin::grants::Grants;
use keyturn_host::plugin::manifest::{SettingValue, Wants};
use keyturn_host::plugin::pack::{Beside, pack, with_section};
use keyturn_tests::{Bench, FOREIGN, Guest, HOSTILE, all_grants};

fn admit(component: &[u8], grants: &Grants) -> Result<(), AdmitError> {
    let bench = Bench::new("");
    let end = bench.host.admit("stranger", component, grants).map(drop);
    // Whatever was refused, an honest one is admitted next.
    bench.admit("honest", FOREIGN, all_grants());
    end
}

fn refused(component: &[u8]) -> String {
    admit(component, &Grants::of(component, all_grants())).expect_err("refused").to_string()
}

fn with_manifest(guest: Guest, json: &str) -> Vec<u8> {
    with_section(&guest.component(), json.as_bytes())
}

#[test]
fn what_is_no_component_is_refused() {
    for bytes in [&b""[..], b"MZ", b"\0asm\x01\0\0\0", b"\0asm\x0d\0\x01\0\xff\xff", &[0; 4096]] {
        assert!(refused(bytes).contains("not a WebAssembly component"), "{bytes:?}: {}", refused(bytes));
    }
    let mut cut = HOSTILE.packed();
    cut.truncate(cut.len() / 2);
    assert!(refused(&cut).contains("not a WebAssembly component"));
}

#[test]
fn a_component_without_or_with_two_manifests_is_refused() {
    assert!(refused(&HOSTILE.component()).contains("keyturn plugin pack"));
    let twice = with_section(&FOREIGN.packed(), b"{}");
    assert!(refused(&twice).contains("more than one manifest"));
    let packed = pack(&FOREIGN.packed(), FOREIGN.manifest, &Beside::default()).expect_err("refused").to_string();
    assert!(packed.contains("already has a manifest"), "{packed}");
}

#[test]
fn a_manifest_from_the_future_is_refused_by_its_version_whatever_else_it_holds() {
    let future = with_manifest(FOREIGN, r#"{"manifest": 2, "name": "x", "quantum": true}"#);
    assert!(refused(&future).contains("version 2"), "{}", refused(&future));
}

#[test]
fn a_huge_manifest_is_not_read() {
    let huge = with_manifest(FOREIGN, &format!("{{\"manifest\": 1, \"name\": \"{}\"}}", "x".repeat(300_000)));
    assert!(refused(&huge).contains("at most 262144 are read"), "{}", refused(&huge));
}

#[test]
fn a_manifest_with_unknown_or_wrong_entries_is_refused_by_name() {
    let base = |rest: &str| format!(r#"{{"manifest": 1, "name": "x", "version": "1", "description": "d"{rest}}}"#);
    for (rest, word) in [
        (r#", "surprise": 1"#, "surprise"),
        (r#", "wants": {"root": true}"#, "root"),
        (r#", "operations": [{"name": "a", "actors": ["anonymous"]}]"#, "neither a hook nor a form"),
        (r#", "operations": [{"name": "a", "hook": "h", "actors": []}]"#, "no actors"),
        (r#", "operations": [{"name": "a", "hook": "h", "actors": ["god"]}]"#, "god"),
        (r#", "operations": [{"name": "a", "hook": "h", "actors": ["manager"]}]"#, "names no subject"),
        (r#", "pages": [{"name": "p", "link": true, "actors": ["self"]}]"#, "always seen as anonymous"),
        (r#", "pages": [{"name": "v1", "link": true, "actors": ["anonymous"]}]"#, "the host uses the address"),
        (r#", "slots": [{"name": "root.shell", "actors": ["self"]}]"#, "root.shell"),
        (r#", "settings": {"a": {"type": "number", "default": "x", "title": "t"}}"#, "settings.a.default"),
        (r#", "wants": {"accounts": {"realms": ["customer"]}}"#, "realms belong to the panel"),
    ] {
        let end = refused(&with_manifest(FOREIGN, &base(rest)));
        assert!(end.contains(word), "{rest}: {end}");
    }
    let name =
        refused(&with_manifest(FOREIGN, r#"{"manifest": 1, "name": "../x", "version": "1", "description": "d"}"#));
    assert!(name.contains("../x"), "{name}");
}

#[test]
fn a_manifest_that_lies_about_hooks_or_views_is_refused() {
    let lies = r#"{"manifest": 1, "name": "x", "version": "1", "description": "d", "wants": {"database": true},
        "operations": [{"name": "open-door", "hook": "report", "actors": ["anonymous"]}]}"#;
    assert!(refused(&with_manifest(FOREIGN, lies)).contains("report/open-door"));
    let subject = r#"{"manifest": 1, "name": "x", "version": "1", "description": "d", "wants": {"database": true},
        "operations": [{"name": "greet", "hook": "report", "actors": ["manager"], "subject": "who"}]}"#;
    assert!(refused(&with_manifest(FOREIGN, subject)).contains("parameter who"));
    let secrets = subject.replace(r#""subject": "who""#, r#""subject": "name", "secrets": ["passwort"]"#);
    assert!(refused(&with_manifest(FOREIGN, &secrets)).contains("parameter passwort"));
}

#[test]
fn each_ungranted_import_is_refused_by_name_and_setting() {
    let component = HOSTILE.packed();
    let all = all_grants();
    for (grants, import, setting) in [
        (Wants { database: false, ..all.clone() }, "keyturn:panel/database", "grants.database"),
        (Wants { kdf: false, ..all.clone() }, "keyturn:panel/kdf", "grants.kdf"),
        (Wants { accounts: None, ..all.clone() }, "keyturn:panel/accounts", "grants.accounts"),
    ] {
        match admit(&component, &Grants::of(&component, grants)) {
            Err(AdmitError::NotGranted { import: found, setting: named, .. }) => {
                assert!(found.starts_with(import), "{found}");
                assert_eq!(named, setting);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_is_granted_but_not_wanted_is_no_authority() {
    let bench = Bench::new("");
    let plugin = bench.admit("acme-report", FOREIGN, all_grants());
    assert_eq!(plugin.authority, Wants { database: true, ..Wants::default() });
}

#[test]
fn a_setting_that_the_plugin_does_not_have_or_allow_is_refused_by_name() {
    let component = FOREIGN.packed();
    for (name, value, word) in [
        ("colour", SettingValue::Text("red".to_owned()), "doesn't have this setting"),
        ("heading", SettingValue::Number(5), "must be a text"),
    ] {
        let mut grants = Grants::of(&component, all_grants());
        grants.settings.insert(name.to_owned(), value);
        let end = admit(&component, &grants).expect_err("refused").to_string();
        assert!(end.contains(&format!("settings.{name}")) && end.contains(word), "{end}");
    }
}

#[test]
fn another_component_under_the_granted_path_is_not_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let component = FOREIGN.packed();
    std::fs::write(folder.path().join("plugin.wasm"), HOSTILE.packed()).expect("written");
    let grants =
        format!("component = \"plugin.wasm\"\nsha256 = \"{}\"\n", Grants::of(&component, Wants::default()).sha256);
    let path = folder.path().join("acme.toml");
    std::fs::write(&path, grants).expect("written");
    let refused = Grants::read(&path).map(|(grants, _)| grants).expect_err("refused").to_string();
    assert!(refused.contains("plugin.wasm is not the component that"), "{refused}");
}

#[test]
fn compiled_code_that_bears_no_valid_mac_is_compiled_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let start = || {
        let bench =
            Bench::with("", |host| host.settings.cache = Some(Folder { path: folder.path().to_owned(), keeps: true }));
        bench.admit("acme-report", FOREIGN, all_grants());
    };
    let file = || {
        let mut files = std::fs::read_dir(folder.path()).expect("reads").flatten();
        let file = files.next().expect("one file").path();
        assert!(files.next().is_none(), "one file");
        file
    };
    start();
    let compiled = std::fs::read(file()).expect("reads");
    for at in [0, 40, compiled.len() / 2, compiled.len() - 1] {
        let mut forged = compiled.clone();
        forged[at] ^= 1;
        std::fs::write(file(), &forged).expect("writes");
        start();
        assert_ne!(std::fs::read(file()).expect("reads"), forged, "the forged file was used");
    }
}

#[test]
fn no_link_page_takes_an_address_of_the_panels_own() {
    let bench = Bench::new("");
    let own = "name = \"visits\"\nactors = [\"anonymous\", \"self\", \"manager\"]";
    let link = "name = \"customers\"\nlink = true\nactors = [\"anonymous\"]";
    let component = FOREIGN.packed_as(&FOREIGN.manifest.replace(own, link));
    bench.host.admit("acme-report", &component, &Grants::of(&component, all_grants())).expect("admitted");
    bench.host.reserve(&["customers"]);
    assert!(bench.host.plugins().is_empty());
    let left_out = bench.host.left_out();
    assert!(left_out["acme-report"].contains("/customers/ is the panel's own address"), "{left_out:?}");
    let refused =
        bench.host.admit("acme-report", &component, &Grants::of(&component, all_grants())).err().expect("refused");
    assert!(refused.to_string().contains("/customers/ is the panel's own address"), "{refused}");
}
