//! Each limit, at it and beyond it; what slots take; what needs a grant.

use super::super::{draw_region, draw_row, draw_view};
use super::*;

fn refused(nodes: Vec<Node>) -> String {
    let stage = Stage::new();
    draw_view(&view(nodes), &stage.frame(Stage::slot())).err().map(|error| error.to_string()).unwrap_or_default()
}

fn table(columns: usize, rows: usize) -> Node {
    Node::Table(Table {
        caption: "Sessions".to_owned(),
        columns: vec![Column { label: "When".to_owned(), kind: ColumnKind::Text, low: false }; columns],
        rows: vec![Row { cells: vec![vec![]; columns], actions: vec![] }; rows],
        empty: Empty { title: "None".to_owned(), text: vec![], action: None },
    })
}

fn go(label: &str) -> Action {
    let run = Run::Go(Target::SignIn);
    Action { label: label.to_owned(), intent: Intent::Neutral, run, unavailable: None }
}

#[test]
fn each_limit_holds_at_its_number_and_names_what_is_beyond_it() {
    let fields =
        |n| Node::Form(form((0..n).map(|at| field(&format!("f{at}"), "Label", FieldKind::Tick(false))).collect()));
    let choice = |n| {
        let option = |at: usize| ChoiceOption { value: at.to_string(), label: "x".to_owned(), hint: None };
        let kind = FieldKind::Choice(Choice { options: (0..n).map(option).collect(), value: None });
        Node::Form(form(vec![field("f", "Label", kind)]))
    };
    let long = |n: usize| "ñ".repeat(n);
    let code = |n| Node::Code(Code { label: "Codes".to_owned(), lines: vec![String::new(); n], secret: false });
    let cases: Vec<(Vec<Node>, Vec<Node>, &str)> = vec![
        (vec![Node::Heading("x".to_owned()); 100], vec![Node::Heading("x".to_owned()); 101], "101 nodes"),
        (vec![table(12, 1)], vec![table(13, 1)], "13 columns"),
        (vec![table(1, 100)], vec![table(1, 101)], "101 rows"),
        (vec![fields(40)], vec![fields(41)], "41 fields"),
        (vec![choice(40)], vec![choice(41)], "41 answers"),
        (vec![Node::Heading(long(120))], vec![Node::Heading(long(121))], "121 characters"),
        (vec![Node::Text(vec![text(&long(4_000))])], vec![Node::Text(vec![text(&long(4_001))])], "4001 characters"),
        (vec![Node::Text(vec![text("x"); 100])], vec![Node::Text(vec![text("x"); 101])], "101 values"),
        (vec![Node::Actions(vec![go("x"); 12])], vec![Node::Actions(vec![go("x"); 13])], "13 actions"),
        (vec![code(100)], vec![code(101)], "101 lines"),
        (
            vec![Node::Text(vec![text(&"x".repeat(3_971))]); 66],
            vec![Node::Text(vec![text(&"x".repeat(4_000))]); 66],
            "bytes; one view may have at most 262144",
        ),
    ];
    for (within, beyond, words) in cases {
        assert_eq!(refused(within), "", "{words}");
        let error = refused(beyond);
        assert!(error.contains(words) && error.contains("plugin example"), "{words}: {error:?}");
    }
}

#[test]
fn a_row_has_as_many_cells_as_the_table_has_columns() {
    let Node::Table(mut bad) = table(3, 2) else { unreachable!() };
    bad.rows[1].cells.pop();
    assert!(refused(vec![Node::Table(bad)]).contains("2 cells for 3 columns"));
}

#[test]
fn field_names_are_told_apart_from_each_other_and_from_the_hosts_own() {
    for names in [vec!["a", "a"], vec!["kt"], vec!["kt-rate"], vec![""], vec!["a~again"], vec!["a b"], vec!["mode"]] {
        let fields = names.iter().map(|name| field(name, "Label", FieldKind::Tick(false))).collect();
        assert!(refused(vec![Node::Form(form(fields))]).contains("field name"), "{names:?}");
    }
}

#[test]
fn a_form_or_password_field_without_its_grant_is_refused_and_the_grant_named() {
    let stage = Stage::new();
    let nodes = [Node::Form(form(vec![field("p", "Password", FieldKind::CurrentPassword)]))];
    let mut frame = stage.frame(Stage::slot());
    frame.may_passwords = false;
    let error = draw_region(&nodes, &frame, 2).expect_err("refused");
    assert!(error.to_string().contains("needs the grant `passwords`; set passwords = true in plugins.d/example.toml"));
    frame.may_input = false;
    let error = draw_region(&[Node::Form(form(vec![]))], &frame, 2).expect_err("refused");
    assert!(error.to_string().contains("needs the grant `input`"), "{error}");
}

#[test]
fn a_slot_takes_what_it_says_and_no_more() {
    let stage = Stage::new();
    let badge = || Value::Badge(Badge { tone: Tone::Info, text: "x".to_owned() });
    let link = Value::Link(TextLink { text: "Forgotten".to_owned(), target: Target::SignIn });
    let actions = |n| Node::Actions(vec![go("x"); n]);
    let cases = [
        ("sign-in.below", vec![Node::Text(vec![link])], true),
        ("sign-in.below", vec![Node::Text(vec![badge()])], false),
        ("sign-in.below", vec![actions(1)], false),
        ("sign-in.below", vec![Node::Form(form(vec![]))], false),
        ("customers.row", vec![Node::Text(vec![text("x"), badge(), badge()]), actions(2)], true),
        ("customers.row", vec![Node::Text(vec![badge(), badge(), badge()])], false),
        ("customers.row", vec![Node::Text(vec![]), Node::Text(vec![])], false),
        ("customers.row", vec![actions(3)], false),
        ("customers.row", vec![Node::Heading("x".to_owned())], false),
        ("customer.actions", vec![actions(4)], true),
        ("customer.actions", vec![actions(3), actions(2)], false),
        ("customer.actions", vec![Node::Text(vec![])], false),
        ("customer.sections", vec![Node::Heading("x".to_owned()), table(1, 1)], true),
    ];
    for (slot, nodes, fits) in cases {
        let frame = stage.frame(Place::Slot { name: slot.to_owned(), subject: None });
        let drawn = draw_region(&nodes, &frame, 2);
        assert_eq!(drawn.is_ok(), fits, "{slot}: {drawn:?}");
        if slot == "customers.row" {
            assert_eq!(draw_row(&nodes, &frame).is_ok(), fits);
        }
        if let Err(error) = drawn {
            assert!(error.to_string().contains(slot), "{error}");
        }
    }
}

#[test]
fn a_subject_that_is_no_account_is_refused_before_it_is_sealed_or_linked() {
    let mut bad = form(vec![]);
    bad.submit.subject = Some("nobody".to_owned());
    assert!(refused(vec![Node::Form(bad)]).contains("\"nobody\" is not an account"));
    let mut link = go("x");
    link.run = Run::Go(Target::Overview("customer:\r\n".to_owned()));
    assert!(refused(vec![Node::Actions(vec![link])]).contains("is not an account"));
}
