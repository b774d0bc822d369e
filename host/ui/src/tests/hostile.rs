//! Each string of each node, hostile.

use super::super::{draw_region, draw_row, draw_view};
use super::*;

const BAD: &str = "\"><script>alert('x')</script>\r\nSet-Cookie: a\u{202E}\u{2066}\u{0}\u{9B}&amp;";

fn bad() -> String {
    BAD.to_owned()
}

fn bad_sentence() -> Sentence {
    vec![
        Value::Text(bad()),
        Value::Code(bad()),
        Value::Time(i64::MAX),
        Value::Time(i64::MIN),
        Value::Time(NOW),
        Value::Duration(u32::MAX),
        Value::Number(i64::MIN),
        Value::Badge(Badge { tone: Tone::Danger, text: bad() }),
        Value::Account(ShownAccount { account: bad(), show: AccountField::Name }),
        Value::Link(TextLink { text: bad(), target: bad_target() }),
        Value::Brand,
        Value::Contact,
    ]
}

fn bad_target() -> Target {
    Target::Page(PageTarget {
        page: bad(),
        subject: Some("customer:42\"><script>".to_owned()),
        arguments: vec![(bad(), bad())],
    })
}

fn bad_submission() -> Submission {
    Submission { action: bad(), subject: Some("customer:42\"><script>".to_owned()), arguments: vec![(bad(), bad())] }
}

fn bad_actions() -> Vec<Action> {
    vec![
        Action { label: bad(), intent: Intent::Danger, run: Run::Submit(bad_submission()), unavailable: None },
        Action { label: bad(), intent: Intent::Quiet, run: Run::Go(bad_target()), unavailable: Some(bad_sentence()) },
    ]
}

fn bad_form() -> Form {
    let option = |n: usize| ChoiceOption { value: format!("{BAD}{n}"), label: bad(), hint: Some(bad()) };
    let choice = |n| FieldKind::Choice(Choice { options: (0..n).map(option).collect(), value: Some(bad()) });
    let kinds = vec![
        line(LineKind::Plain, BAD),
        line(LineKind::Email, BAD),
        line(LineKind::Port, BAD),
        choice(3),
        choice(9),
        FieldKind::Tick(true),
        FieldKind::CurrentPassword,
        FieldKind::NewPassword(NewPassword {
            min_length: 1,
            repeat: true,
            rate: Some(bad()),
            generate: Some(bad()),
            rules: Some(bad()),
        }),
        FieldKind::Hidden(bad()),
        FieldKind::Fixed(Line { kind: LineKind::Username, value: bad() }),
    ];
    let mut fields = Vec::new();
    for (at, kind) in kinds.into_iter().enumerate() {
        for own in [true, false] {
            let name = format!("f{at}{own}");
            fields.push(Field { name, label: bad(), hint: Some(bad()), kind: kind.clone(), required: own, own });
        }
    }
    Form {
        submit: bad_submission(),
        intro: vec![bad_sentence()],
        points: vec![bad_sentence()],
        fields,
        submit_label: bad(),
        submit_intent: Intent::Danger,
        cancel: Some(bad_target()),
    }
}

pub(super) fn bad_nodes() -> Vec<Node> {
    let columns = [ColumnKind::Text, ColumnKind::Number, ColumnKind::Time, ColumnKind::State];
    let columns: Vec<_> = columns.into_iter().map(|kind| Column { label: bad(), kind, low: true }).collect();
    let empty = || Empty { title: bad(), text: bad_sentence(), action: Some(bad_actions().remove(0)) };
    let row = Row { cells: vec![bad_sentence(); 4], actions: bad_actions() };
    vec![
        Node::Text(bad_sentence()),
        Node::Heading(bad()),
        Node::Notice(Notice { tone: Tone::Warning, title: bad(), body: bad_sentence(), actions: bad_actions() }),
        Node::Facts(vec![Fact { label: bad(), value: bad_sentence() }]),
        Node::Table(Table { caption: bad(), columns: columns.clone(), rows: vec![row], empty: empty() }),
        Node::Table(Table { caption: bad(), columns, rows: vec![], empty: empty() }),
        Node::Form(bad_form()),
        Node::Actions(bad_actions()),
        Node::Code(Code { label: bad(), lines: vec![bad()], secret: true }),
        Node::Delivery(super::delivery::of(vec![bad_step()], vec![bad_step()])),
    ]
}

fn bad_step() -> Step {
    Step { title: vec![text(BAD)], detail: Some(bad_sentence()), state: StepState::Failed, at: Some(NOW) }
}

/// What a mail server has said, and how it is called, is no better.
fn bad_delivery(_: &str) -> Option<Delivery> {
    let said = Some(bad());
    Some(Delivery { to: Some(bad()), server: Some(bad()), said, ..super::delivery::refused() })
}

fn assert_harmless(html: &str) {
    let raw = [
        "<script",
        "alert('x')",
        "\"><script",
        "\r",
        "\n",
        "\u{202E}",
        "\u{2066}",
        "\0",
        "\u{9B}",
        "&amp;amp;amp;",
        " style=",
        " onclick=",
    ];
    for piece in raw {
        let near = html.find(piece).map(|at| html[at.saturating_sub(60)..].chars().take(120).collect::<String>());
        assert_eq!(near, None, "{piece:?} is in the page");
    }
    assert!(html.contains("&lt;script&gt;"), "the words are lost");
}

#[test]
fn no_string_of_any_node_reaches_the_page_raw() {
    let mut stage = Stage::new();
    stage.name = bad();
    stage.mail = bad_delivery;
    let frame = stage.frame(Stage::slot());
    let mut view = view(bad_nodes());
    view.title = vec![text(BAD)];
    view.lead = Some(bad_sentence());
    view.outcome = Some(Outcome {
        tone: Tone::Danger,
        title: bad(),
        body: bad_sentence(),
        mail: Some(super::delivery::ID.to_owned()),
    });
    let page = draw_view(&view, &frame).expect("drawn");
    assert_harmless(page.html.as_str());
    assert!(!page.title.contains(['\r', '\n', '\u{202E}']), "the title is plain text, without control characters");
    assert_harmless(draw_region(&bad_nodes(), &frame, 3).expect("drawn").html.as_str());

    let sentence = Node::Text(vec![text(BAD), Value::Badge(Badge { tone: Tone::Off, text: bad() })]);
    let row = draw_row(&[sentence, Node::Actions(bad_actions())], &frame).expect("drawn");
    assert_harmless(row.sentence.as_str());
    assert_harmless(row.actions.as_str());
}

#[test]
fn what_an_account_is_called_and_what_somebody_typed_is_escaped_too() {
    let mut stage = Stage::new();
    let place = Stage::slot();
    let drawn = draw_region(&[Node::Form(bad_form())], &stage.frame(place.clone()), 2).expect("drawn").html;
    let body: String = form_urlencoded::Serializer::new(String::new())
        .append_pair("kt", sealed_in(drawn.as_str()))
        .append_pair("f0true", BAD)
        .append_pair("f1true", BAD)
        .finish();
    let Ok(crate::form::Posted::Submission(posted)) =
        crate::form::read(body.as_bytes(), &stage.keys, &stage.caller, NOW)
    else {
        panic!("read");
    };
    let errors =
        vec![FieldErrorOf("f0true"), FieldErrorOf("nowhere"), FieldErrorOf("f3true"), FieldErrorOf("f7true~again")];
    let errors = errors.into_iter().map(FieldErrorOf::error).collect();
    stage.corrections = Some(posted.corrections(errors, Some(bad())));
    let name = |_: &str, _: AccountField| Some(bad());
    let mut frame = stage.frame(place);
    frame.account = &name;
    let again = draw_region(&bad_nodes(), &frame, 2).expect("drawn");
    assert_harmless(again.html.as_str());
    assert_harmless(again.summary.draw(stage.words()).as_str());
    assert!(again.html.as_str().contains("aria-invalid=\"true\""), "the errors are laid on the form");
}

struct FieldErrorOf(&'static str);

impl FieldErrorOf {
    fn error(self) -> crate::FieldError {
        crate::FieldError { field: self.0.to_owned(), message: bad() }
    }
}
