//! A plugin that mails, leaves work for later and tells news.

#[allow(warnings)]
mod bindings {
    wit_bindgen::generate!({
        path: ["../../../wit/panel", "../../../wit/ui", "wit"],
        world: "test:courier/plugin",
        generate_all,
    });
}

use bindings::exports::keyturn::panel::background::{Guest as Background, Task};
use bindings::exports::keyturn::ui::views::{Answer, Guest as Views, Input};
use bindings::exports::test::courier::courier::Guest as Courier;
use bindings::keyturn::panel::mail::{self, Recipient, Variable};
use bindings::keyturn::panel::types::{Event, EventField, Failure, Refusal};
use bindings::keyturn::panel::{call, database, events, jobs};
use bindings::keyturn::ui::nodes::{
    Arguments, Delivery, Field, FieldKind, Form, Intent, NewPassword, Node, Outcome, Submission, Target, Tone, Value,
    View,
};

struct Plugin;

fn text<T>(result: Result<T, impl std::fmt::Debug>) -> Result<T, String> {
    result.map_err(|error| format!("{error:?}"))
}

fn hello(to: &str, secret: &str) -> Result<String, mail::Error> {
    let variables = [
        ("password".to_owned(), Variable::Secret(secret.to_owned())),
        ("until".to_owned(), Variable::Time(call::now() + 60_000)),
    ];
    mail::send(&Recipient::Account(to.to_owned()), "hello", &variables, None)
}

fn state(mail: &str) -> Result<String, String> {
    text(mail::state(mail).map(|state| format!("{state:?}")))
}

fn emit(name: &str, number: i64) -> Result<(), events::Error> {
    let fields = vec![("number".to_owned(), EventField::Number(number))];
    events::emit(&Event { name: name.to_owned(), subject: None, fields })
}

/// Adds a line to what stands under a key.
fn note(key: &str, line: &str) {
    let before = database::get(key).expect("read").unwrap_or_default();
    let after = format!("{}{line}\n", String::from_utf8_lossy(&before));
    database::put(key, after.as_bytes(), None).expect("written");
}

impl Courier for Plugin {
    fn send(
        to: Recipient,
        template: String,
        variables: Vec<(String, Variable)>,
        expires: Option<i64>,
    ) -> Result<String, String> {
        text(mail::send(&to, &template, &variables, expires))
    }

    fn send_and_withdraw(to: String, secret: String) -> Result<(String, String), String> {
        let id = text(hello(&to, &secret))?;
        let before = state(&id)?;
        text(mail::withdraw(&id))?;
        Ok((before, state(&id)?))
    }

    fn withdraw(mail: String) -> Result<(), String> {
        text(mail::withdraw(&mail))
    }

    fn state(mail: String) -> Result<String, String> {
        state(&mail)
    }

    fn current(mail: String) -> Result<bool, String> {
        text(mail::current(&mail))
    }

    fn ready(to: Option<Recipient>) -> Result<(), String> {
        text(mail::ready(to.as_ref()))
    }

    fn enqueue(job: String, payload: String, not_before: Option<i64>, key: Option<String>) -> Result<(), String> {
        text(jobs::enqueue(&job, &payload, not_before, key.as_deref()))
    }

    fn emit(name: String, number: i64) -> Result<(), String> {
        text(emit(&name, number))
    }

    fn fail_after(to: String) -> Result<(), Failure> {
        hello(&to, "never-sent").expect("queued");
        jobs::enqueue("note", "never-run", None, None).expect("queued");
        emit("courier.news", 1).expect("told");
        Err(Failure::Refused(Refusal { code: "as-told".to_owned(), message: "As it was told.".to_owned() }))
    }

    fn quietly(what: String) -> Result<(), String> {
        match what.as_str() {
            "send" => text(hello("customer:1", "x").map(drop)),
            "withdraw" => text(mail::withdraw("0123456789abcdef0123456789abcdef")),
            "enqueue" => text(jobs::enqueue("note", "x", None, None)),
            _ => text(emit("courier.news", 1)),
        }
    }

    fn noted(key: String) -> String {
        let value = database::get(&key).expect("read").unwrap_or_default();
        String::from_utf8_lossy(&value).into_owned()
    }
}

impl Background for Plugin {
    fn run(task: Task) -> Result<(), Failure> {
        match task {
            Task::Job(job) => {
                let caller = format!("{:?} {}", call::caller(), call::address().unwrap_or_default());
                note(&job.name, &format!("{} {caller}", job.payload));
                match job.name.as_str() {
                    // Leaves itself behind again, and so on.
                    "chain" => {
                        let left: u32 = job.payload.parse().unwrap_or(0);
                        if left > 0 {
                            jobs::enqueue("chain", &(left - 1).to_string(), None, None).expect("queued");
                        }
                    }
                    "refuse" => return Err(Failure::NotFound),
                    "unavailable" => return Err(Failure::Unavailable(120)),
                    "trap" => panic!("as told"),
                    _ => {}
                }
            }
            Task::Event(received) => {
                let number = match received.event.fields.first() {
                    Some((_, EventField::Number(number))) => *number,
                    _ => -1,
                };
                note("heard", &format!("{} {} {number}", received.source, received.event.name));
                note("whole", &format!("{received:?}"));
                if received.event.name == "courier.loop"
                    && let Err(error) = emit("courier.loop", number + 1)
                {
                    note("heard", &format!("{error:?}"));
                }
            }
        }
        Ok(())
    }
}

impl Views for Plugin {
    fn slot(_: String, subjects: Vec<Option<String>>) -> Result<Vec<Vec<Node>>, Failure> {
        Ok(subjects.iter().map(|_| Vec::new()).collect())
    }

    /// A form, and what became of the mail that it has sent.
    fn page(_: String, _: Option<String>, _: Option<String>, _: Arguments) -> Result<View, Failure> {
        let new =
            NewPassword { min_length: 8, repeat: true, rate: None, generate: Some("suggest".to_owned()), rules: None };
        let field = Field {
            name: "new".to_owned(),
            label: "New password".to_owned(),
            hint: None,
            kind: FieldKind::NewPassword(new),
            required: true,
            own: false,
        };
        let form = Form {
            submit: Submission { action: "post".to_owned(), subject: None, arguments: Vec::new() },
            intro: Vec::new(),
            points: Vec::new(),
            fields: vec![field],
            submit_label: "Post".to_owned(),
            submit_intent: Intent::Primary,
            cancel: None,
        };
        let mut nodes = vec![Node::Form(form)];
        if let Some(mail) = database::get("mail").expect("read") {
            let mail = String::from_utf8_lossy(&mail).into_owned();
            nodes.push(Node::Heading("The mail".to_owned()));
            nodes.push(Node::Delivery(Delivery { mail, before: Vec::new(), after: Vec::new() }));
        }
        Ok(View { title: vec![Value::Text("Desk".to_owned())], lead: None, outcome: None, nodes })
    }

    fn submit(
        action: String,
        subject: Option<String>,
        _: Option<String>,
        inputs: Vec<(String, Input)>,
    ) -> Result<Answer, Failure> {
        if action == "suggest" {
            return Ok(Answer::Generated("velvet-compass-94".to_owned()));
        }
        let account = subject.ok_or(Failure::NotFound)?;
        let typed =
            inputs.iter().find_map(|(_, input)| if let Input::Password(typed) = input { Some(typed) } else { None });
        let mail = hello(&account, typed.map_or("", String::as_str)).map_err(|_| Failure::Unsupported)?;
        database::put("mail", mail.as_bytes(), None).expect("written");
        let title = "Posted".to_owned();
        let outcome = Outcome { tone: Tone::Success, title, body: Vec::new(), mail: Some(mail) };
        Ok(Answer::Done((Target::Overview(account), outcome)))
    }
}

bindings::export!(Plugin with_types_in bindings);
