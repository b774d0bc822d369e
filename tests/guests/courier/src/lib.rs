//! A plugin that mails, leaves work for later and tells news.

#[allow(warnings)]
mod bindings {
    wit_bindgen::generate!({
        path: ["../../../wit/panel", "wit"],
        world: "test:courier/plugin",
        generate_all,
    });
}

use bindings::exports::keyturn::panel::background::{Guest as Background, Task};
use bindings::exports::test::courier::courier::Guest as Courier;
use bindings::keyturn::panel::mail::{self, Recipient, Variable};
use bindings::keyturn::panel::types::{Event, EventField, Failure, Refusal};
use bindings::keyturn::panel::{call, database, events, jobs};

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
                if received.event.name == "courier.loop" {
                    if let Err(error) = emit("courier.loop", number + 1) {
                        note("heard", &format!("{error:?}"));
                    }
                }
            }
        }
        Ok(())
    }
}

bindings::export!(Plugin with_types_in bindings);
