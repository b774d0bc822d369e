//! What is drawn: nothing raw, nothing beyond limits and grants, and a page that stands when a region fails.

use keyturn_host::CallError;
use keyturn_host::accounts::AccountId;
use keyturn_host::plugin::manifest::Wants;
use keyturn_tests::{Bench, HOSTILE, all_grants};

use super::{PEOPLE, Ring, anonymous, surface};

fn page(ring: &Ring, name: &str) -> Result<String, CallError> {
    let drawn = ring.bench.host.page("hostile", name, None, &[], &surface(&anonymous()));
    ring.bench.host.page("hostile", "honest", None, &[], &surface(&anonymous())).expect("the next page is drawn");
    drawn.map(|page| page.html.as_str().to_owned())
}

#[test]
fn markup_and_control_characters_in_every_string_are_only_text() {
    let html = page(&Ring::new(), "markup").expect("drawn");
    assert!(!html.contains("<script"), "{html}");
    assert!(!html.contains("\"'>") && !html.contains("'><"), "{html}");
    for raw in ['\r', '\0', '\u{7f}', '\u{202e}'] {
        assert!(!html.contains(raw), "{raw:?} is raw in {html}");
    }
    assert!(html.contains("&lt;script&gt;"), "the text is shown as text");
}

#[test]
fn a_view_beyond_its_limits_is_refused_by_the_limits_name() {
    let ring = Ring::new();
    for (name, word) in [("many-nodes", "100"), ("long-text", "4,000")] {
        match page(&ring, name) {
            Err(CallError::View { problem, .. }) => {
                assert!(problem.replace("4000", "4,000").contains(word), "{name}: {problem}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn a_password_field_without_its_grant_is_not_drawn() {
    let bench = Bench::new(PEOPLE);
    let plugin = bench.admit("hostile", HOSTILE, Wants { passwords: false, ..all_grants() });
    let ring = Ring { bench, plugin };
    match page(&ring, "password") {
        Err(CallError::View { problem, .. }) => assert!(problem.contains("passwords"), "{problem}"),
        other => panic!("{other:?}"),
    }
    page(&Ring::new(), "password").expect("drawn with the grant");
}

#[test]
fn a_plugin_that_does_not_speak_for_the_panel_bears_its_name() {
    let html = page(&Ring::new(), "honest").expect("drawn");
    assert!(html.contains("hostile"), "{html}");
}

#[test]
fn a_slot_with_too_few_regions_leaves_one_quiet_line_and_the_page_stands() {
    let ring = Ring::new();
    let subject: AccountId = "customer:1".parse().expect("an account");
    let caller = anonymous();
    let region = ring.bench.host.slot("customer.sections", Some(&subject), 2, &surface(&caller));
    assert!(region.html.as_str().contains(&caller.request), "{}", region.html.as_str());
    let rows = ring.bench.host.rows("customer.sections", &[subject.clone(), subject], &surface(&caller));
    assert_eq!(rows.len(), 2);
}

#[test]
fn what_has_no_row_in_the_manifest_is_not_there() {
    let ring = Ring::new();
    assert!(matches!(page(&ring, "unlisted"), Err(CallError::NoSuch(_))));
    assert!(matches!(ring.call("unlisted", serde_json::json!({})), Err(CallError::NoSuch(_))));
    assert_eq!(ring.plugin.name, "hostile");
}
