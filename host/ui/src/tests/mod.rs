//! What holds for every view.

mod delivery;
mod hostile;
mod limits;
mod markup;
mod pages;

use jiff::tz::TimeZone;

use super::nodes::*;
use super::{Brand, Corrections, Delivery, Frame, Links, Place, Surface};
use keyturn_core::accounts::{AccountId, Reach, Scope};
use keyturn_core::caller::{Actor, Caller};
use keyturn_core::seal::Keys;

/// 24 Nov 2026, 13:02:11 UTC.
pub(super) const NOW: i64 = 1_795_525_331_000;

struct Routes;

impl Links for Routes {
    fn url(&self, plugin: &str, target: &Target) -> String {
        match target {
            Target::Page(page) => {
                format!("/p/{plugin}/{}/{}", page.page, page.subject.as_deref().unwrap_or_default())
            }
            Target::Overview(id) => format!("/customers/{id}"),
            Target::AccountDetails(id) => format!("/customers/{id}/details"),
            Target::Mail(id) => format!("/mails/{id}"),
            Target::EmailSettings => "/settings/email".to_owned(),
            Target::SignIn => "/sign-in".to_owned(),
            Target::MyAccount => "/account".to_owned(),
        }
    }
}

/// Everything that a frame borrows.
pub(super) struct Stage {
    pub keys: Keys,
    pub caller: Caller,
    pub corrections: Option<Corrections>,
    pub join: Option<&'static str>,
    pub mail: fn(&str) -> Option<Delivery>,
    pub name: String,
    pub brand: Brand,
}

pub(super) fn brand() -> Brand {
    let contact = "help@northwind.example".to_owned();
    Brand { name: "Northwind Hosting".to_owned(), contact, ..Brand::default() }
}

pub(super) fn id(text: &str) -> AccountId {
    text.parse().expect("an id")
}

fn field_of(_: &str, field: AccountField) -> Option<String> {
    match field {
        AccountField::Name => Some("Marta Vidal".to_owned()),
        AccountField::Login => Some("marta.vidal".to_owned()),
        AccountField::Email => None,
    }
}

impl Stage {
    pub fn new() -> Self {
        let mut caller = Caller::new(Actor::Account(id("staff:7")), Reach::none().with("customer", Scope::All));
        caller.session = "session one".to_owned();
        Self {
            keys: Keys::new([7; 32]),
            caller,
            corrections: None,
            join: None,
            mail: |_| None,
            name: "example".to_owned(),
            brand: brand(),
        }
    }

    pub fn words(&self) -> super::words::Words {
        super::words::Words::of(&self.caller.locale)
    }

    pub fn slot() -> Place {
        Place::Slot { name: "customer.details".to_owned(), subject: Some(id("customer:42")) }
    }

    pub fn frame(&self, place: Place) -> Frame<'_> {
        Frame {
            plugin: &self.name,
            speaks_for_panel: false,
            may_input: true,
            may_passwords: true,
            place,
            surface: Surface {
                caller: &self.caller,
                join: self.join,
                submit_url: "/customers/42/details",
                links: &Routes,
                corrections: self.corrections.as_ref(),
            },
            brand: &self.brand,
            zone: TimeZone::UTC,
            now: NOW,
            account: &field_of,
            mail: &self.mail,
            keys: &self.keys,
        }
    }
}

pub(super) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub(super) fn field(name: &str, label: &str, kind: FieldKind) -> Field {
    Field { name: name.to_owned(), label: label.to_owned(), hint: None, kind, required: true, own: false }
}

pub(super) fn line(kind: LineKind, value: &str) -> FieldKind {
    FieldKind::Line(Line { kind, value: value.to_owned() })
}

pub(super) fn new_password(repeat: bool) -> FieldKind {
    FieldKind::NewPassword(NewPassword {
        min_length: 15,
        repeat,
        rate: Some("rate".to_owned()),
        generate: None,
        rules: None,
    })
}

pub(super) fn form(fields: Vec<Field>) -> Form {
    Form {
        submit: Submission {
            action: "set".to_owned(),
            subject: None,
            arguments: vec![("mode".to_owned(), "by hand".to_owned())],
        },
        intro: vec![],
        points: vec![],
        fields,
        submit_label: "Save".to_owned(),
        submit_intent: Intent::Primary,
        cancel: None,
    }
}

pub(super) fn view(nodes: Vec<Node>) -> View {
    View { title: vec![text("Choose a new password")], lead: None, outcome: None, nodes }
}

/// Values of all attributes of that name.
pub(super) fn attributes<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!(" {name}=\"");
    html.split(start.as_str()).skip(1).filter_map(|rest| rest.split_once('"').map(|(value, _)| value)).collect()
}

/// The sealed part of the first form.
pub(super) fn sealed_in(html: &str) -> &str {
    let (_, rest) = html.split_once("name=\"kt\" value=\"").expect("a sealed part");
    rest.split_once('"').expect("its end").0
}
