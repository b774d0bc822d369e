//! A plugin that tries what it must not.

#[allow(warnings)]
mod bindings {
    wit_bindgen::generate!({
        path: ["../../../wit/panel", "../../../wit/ui", "wit"],
        world: "hostile:attacks/plugin",
        generate_all,
    });
}

use std::hint::black_box;

use bindings::exports::hostile::attacks::attacks::Guest as Attacks;
use bindings::exports::keyturn::ui::views::{Answer, Guest as Views, Input};
use bindings::keyturn::panel::types::Failure;
use bindings::keyturn::panel::{accounts, database, kdf};
use bindings::keyturn::ui::nodes::{
    Action, Arguments, Badge, Code, Column, ColumnKind, Empty, Fact, Field, FieldKind, Form, Intent, Line, LineKind,
    NewPassword, Node, Notice, Outcome, Row, Run, Submission, Table, Target, Tone, Value, View,
};

struct Plugin;

/// What a page must never hold raw.
const MARKUP: &str = "\"'><script>alert(1)</script>&\r\nSet-Cookie: a=b\u{202e}\u{0}\u{7f}";

fn words<T: core::fmt::Debug, E: core::fmt::Debug>(result: Result<T, E>) -> String {
    format!("{result:?}")
}

/// Adds one to a counter that is never full here.
fn counted(key: &str) -> Result<database::Counted, database::Error> {
    database::count(&[database::Counter { key: key.to_owned(), window: 60, limit: 1_000_000 }])
}

impl Attacks for Plugin {
    fn well(text: String) -> String {
        text
    }

    fn spin() {
        let mut turns = 0_u64;
        loop {
            turns = black_box(turns.wrapping_add(1));
        }
    }

    fn grow() {
        let mut held = Vec::new();
        loop {
            held.push(black_box(vec![1_u8; 1 << 20]));
        }
    }

    fn recurse(depth: u64) -> u64 {
        let frame = black_box([depth; 64]);
        if depth == u64::MAX { 0 } else { Self::recurse(depth + 1) + black_box(frame)[7] }
    }

    fn panic() {
        panic!("on purpose");
    }

    fn huge_out(bytes: u32) -> String {
        "x".repeat(bytes as usize)
    }

    fn huge_in(text: String) -> u32 {
        text.len() as u32
    }

    #[cfg(target_arch = "wasm32")]
    fn handles(count: u32) -> u32 {
        for _ in 0..count {
            core::mem::forget(wasip2::cli::stderr::get_stderr());
        }
        count
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn handles(_: u32) -> u32 {
        0
    }

    fn scream(bytes: u32) {
        eprint!("{}", "a".repeat(bytes as usize));
    }

    fn account(name: String) -> String {
        words(accounts::find(&name))
    }

    fn field(account: String, name: String) -> String {
        words(accounts::get(&account, &[name]))
    }

    fn credential(account: String) -> String {
        words(accounts::credential(&account))
    }

    fn replace(account: String, hash: String) -> String {
        words(accounts::replace(&account, &hash, accounts::Replacement::Password))
    }

    fn effects(count: u32) -> String {
        for n in 0..count {
            if let Err(error) = database::put(&format!("effect/{n}"), b"x", None) {
                return format!("{n}: {error:?}");
            }
        }
        "all".to_owned()
    }

    fn big_effects(count: u32, bytes: u32) -> String {
        for n in 0..count {
            if let Err(error) = database::put(&format!("big/{n}"), &vec![7; bytes as usize], None) {
                return format!("{n}: {error:?}");
            }
        }
        "all".to_owned()
    }

    fn store(key_bytes: u32, value_bytes: u32) -> String {
        words(database::put(&"k".repeat(key_bytes as usize), &vec![7; value_bytes as usize], None))
    }

    fn reads(count: u32) -> String {
        for n in 0..count {
            if let Err(error) = database::get(&format!("read/{n}")) {
                return format!("{n}: {error:?}");
            }
        }
        "all".to_owned()
    }

    fn fail_after_put(key: String) -> Result<(), Failure> {
        let _ = database::put(&key, b"left behind", None);
        Err(Failure::Forbidden)
    }

    fn trap_after_put(key: String) {
        let _ = database::put(&key, b"left behind", None);
        panic!("after the effect");
    }

    fn fetch(key: String) -> Option<String> {
        database::get(&key).ok().flatten().map(|value| String::from_utf8_lossy(&value).into_owned())
    }

    fn count(key: String) -> String {
        words(counted(&key))
    }

    fn hash(memory_kib: u32, passes: u32) -> String {
        let parameters =
            kdf::Argon2Parameters { kind: kdf::Argon2Kind::Argon2id, memory_kib, passes, lanes: 1, length: 32 };
        words(kdf::argon2(b"password", b"saltsaltsalt", parameters).map(|hash| hash.len()))
    }

    fn look_around() -> Vec<String> {
        let mut seen: Vec<String> = std::env::args().map(|argument| format!("argument {argument}")).collect();
        seen.extend(std::env::vars().map(|(name, _)| format!("variable {name}")));
        for path in ["/", "/etc/passwd", ".", "keyturn.key", "/proc/self/environ"] {
            if std::fs::metadata(path).is_ok() || std::fs::read(path).is_ok() {
                seen.push(format!("file {path}"));
            }
        }
        if std::fs::write("/tmp/escaped", b"x").is_ok() {
            seen.push("wrote a file".to_owned());
        }
        seen
    }
}

fn hostile_text() -> Vec<Value> {
    vec![
        Value::Text(MARKUP.to_owned()),
        Value::Code(MARKUP.to_owned()),
        Value::Badge(Badge { tone: Tone::Danger, text: MARKUP.to_owned() }),
    ]
}

fn submission() -> Submission {
    Submission { action: "press".to_owned(), subject: None, arguments: vec![(MARKUP.to_owned(), MARKUP.to_owned())] }
}

fn action() -> Action {
    Action {
        label: MARKUP.to_owned(),
        intent: Intent::Primary,
        run: Run::Submit(submission()),
        unavailable: Some(hostile_text()),
    }
}

fn field(name: &str, kind: FieldKind) -> Field {
    Field {
        name: name.to_owned(),
        label: MARKUP.to_owned(),
        hint: Some(MARKUP.to_owned()),
        kind,
        required: true,
        own: false,
    }
}

fn form(fields: Vec<Field>) -> Node {
    Node::Form(Form {
        submit: submission(),
        intro: vec![hostile_text()],
        points: vec![hostile_text()],
        fields,
        submit_label: MARKUP.to_owned(),
        submit_intent: Intent::Primary,
        cancel: None,
    })
}

fn markup() -> Vec<Node> {
    vec![
        Node::Heading(MARKUP.to_owned()),
        Node::Text(hostile_text()),
        Node::Notice(Notice {
            tone: Tone::Warning,
            title: MARKUP.to_owned(),
            body: hostile_text(),
            actions: vec![action()],
        }),
        Node::Facts(vec![Fact { label: MARKUP.to_owned(), value: hostile_text() }]),
        Node::Table(Table {
            caption: MARKUP.to_owned(),
            columns: vec![Column { label: MARKUP.to_owned(), kind: ColumnKind::Text, low: false }],
            rows: vec![Row { cells: vec![hostile_text()], actions: vec![action()] }],
            empty: Empty { title: MARKUP.to_owned(), text: hostile_text(), action: None },
        }),
        form(vec![field("line", FieldKind::Line(Line { kind: LineKind::Plain, value: MARKUP.to_owned() }))]),
        Node::Code(Code { label: MARKUP.to_owned(), lines: vec![MARKUP.to_owned()], secret: false }),
    ]
}

fn view(nodes: Vec<Node>) -> View {
    View { title: vec![Value::Text("Page".to_owned())], lead: None, outcome: None, nodes }
}

impl Views for Plugin {
    /// One region too few.
    fn slot(_: String, subjects: Vec<Option<String>>) -> Result<Vec<Vec<Node>>, Failure> {
        Ok(subjects.iter().skip(1).map(|_| Vec::new()).collect())
    }

    fn page(name: String, _: Option<String>, _: Option<String>, _: Arguments) -> Result<View, Failure> {
        Ok(match name.as_str() {
            "put" => {
                let _ = database::put("from a page", b"x", None);
                view(Vec::new())
            }
            "count" => {
                let _ = counted("from a page");
                view(Vec::new())
            }
            "replace" => {
                let _ = accounts::replace("customer:1", "$2y$04$x", accounts::Replacement::Password);
                view(Vec::new())
            }
            "many-nodes" => view((0..101).map(|_| Node::Heading("again".to_owned())).collect()),
            "long-text" => view(vec![Node::Text(vec![Value::Text("x".repeat(5_000))])]),
            "markup" => View {
                title: vec![Value::Text(MARKUP.to_owned())],
                lead: Some(hostile_text()),
                outcome: Some(Outcome {
                    tone: Tone::Success,
                    title: MARKUP.to_owned(),
                    body: hostile_text(),
                    mail: None,
                }),
                nodes: markup(),
            },
            "password" => view(vec![form(vec![field(
                "new",
                FieldKind::NewPassword(NewPassword {
                    min_length: 1,
                    repeat: true,
                    rate: None,
                    generate: None,
                    rules: None,
                }),
            )])]),
            _ => view(vec![Node::Text(vec![Value::Text("An honest page.".to_owned())])]),
        })
    }

    fn submit(_: String, _: Option<String>, _: Option<String>, _: Vec<(String, Input)>) -> Result<Answer, Failure> {
        Ok(Answer::Done((
            Target::SignIn,
            Outcome { tone: Tone::Success, title: MARKUP.to_owned(), body: hostile_text(), mail: None },
        )))
    }
}

bindings::export!(Plugin with_types_in bindings);
