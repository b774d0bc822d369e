//! The small plugin that `docs/plugins.md` walks through.

use keyturn_host::accounts::{Reach, Scope};
use keyturn_host::caller::{Actor, Caller};
use keyturn_host::{CallError, Failure};
use keyturn_tests::{Bench, NOTES, all_grants};
use serde_json::json;

use super::{PEOPLE, surface};

fn console() -> Caller {
    Caller::new(Actor::Console, Reach::none())
}

#[test]
fn a_note_is_kept_and_shown_to_those_who_manage_the_customer() {
    let bench = Bench::new(PEOPLE);
    bench.admit("acme-notes", NOTES, all_grants());
    let note = json!({"account": "customer:1", "note": "Prefers the phone."});
    bench.host.call(&console(), "notes/write-note", &note, None).expect("written");
    let read = |account: &str| bench.host.call(&console(), "notes/read-note", &json!({"account": account}), None);
    assert_eq!(read("customer:1").expect("read"), json!("Prefers the phone."));
    assert_eq!(read("customer:2").expect("read"), json!(""));
    assert!(matches!(read("customer:3"), Err(CallError::Failed(Failure::NotFound))));

    let customer = "customer:1".parse().expect("an account");
    let shown = |reach: Reach| {
        let ana = Caller::new(Actor::Account("staff:9".parse().expect("an account")), reach);
        bench.host.slot("customer.sections", Some(&customer), 2, &surface(&ana)).html.to_string()
    };
    let html = shown(Reach::none().with("customer", Scope::All));
    assert!(html.contains("Prefers the phone.") && html.contains("Save note"), "{html}");
    assert!(!shown(Reach::none()).contains("Prefers the phone."));
}

#[test]
fn a_note_that_is_too_long_is_refused_at_its_field() {
    let bench = Bench::new(PEOPLE);
    bench.admit("acme-notes", NOTES, all_grants());
    let note = json!({"account": "customer:1", "note": "x".repeat(401)});
    match bench.host.call(&console(), "notes/write-note", &note, None) {
        Err(CallError::Failed(Failure::Invalid(errors))) => {
            assert_eq!((errors[0].field.as_str(), errors[0].code.as_str()), ("note", "too-long"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_page_about_plugins_shows_the_example_as_it_is() {
    let page = include_str!("../../docs/plugins.md");
    let example = [
        include_str!("../../examples/notes-plugin/wit/notes.wit"),
        include_str!("../../examples/notes-plugin/src/lib.rs"),
        include_str!("../../examples/notes-plugin/manifest.toml"),
        include_str!("notes.rs"),
    ];
    let mut compared = 0;
    for block in page.split("```").skip(1).step_by(2) {
        let (language, text) = block.split_once('\n').expect("a block");
        if ["wit", "rust", "toml"].contains(&language) && !text.starts_with("# plugins.d") {
            assert!(example.iter().any(|file| file.contains(text)), "{text}");
            compared += 1;
        }
    }
    assert_eq!(compared, 6);
}
