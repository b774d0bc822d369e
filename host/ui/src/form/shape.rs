//! What the host keeps of a field to read it back, and checks of shape that need no policy.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use keyturn_contract::keyturn::ui::nodes::{Field, FieldKind, LineKind};
use keyturn_core::words::Words;

/// The value of a tick that is set.
pub const TICKED: &str = "1";
/// Bytes of one input.
pub(super) const INPUT: usize = 4_096;

#[derive(Serialize, Deserialize)]
pub struct Shape {
    pub name: String,
    pub label: String,
    pub required: bool,
    pub kind: Kind,
    /// What was drawn in it, in a form that is a part of another: if it is left unchanged, it asks for nothing.
    pub drawn: Option<String>,
}

#[derive(Serialize, Deserialize)]
pub enum Kind {
    Line(Line),
    Choice(Vec<String>),
    Tick,
    CurrentPassword,
    NewPassword {
        repeat: bool,
        rate: Option<String>,
        generate: Option<String>,
    },
    Hidden(String),
    Fixed(String),
    /// Fixed, too: the user name to sign in with.
    UserName(String),
}

#[derive(Clone, Copy, Serialize, Deserialize)]
pub enum Line {
    Any,
    Address,
    Url,
    Host,
    Port,
}

impl Shape {
    /// What to keep of a field.
    pub fn of(field: &Field) -> Self {
        let kind = match &field.kind {
            FieldKind::Line(line) => Kind::Line(match line.kind {
                LineKind::Plain | LineKind::Username | LineKind::PersonName | LineKind::Organisation => Line::Any,
                LineKind::Email => Line::Address,
                LineKind::Url => Line::Url,
                LineKind::HostName => Line::Host,
                LineKind::Port => Line::Port,
            }),
            FieldKind::Choice(choice) => {
                Kind::Choice(choice.options.iter().map(|option| option.value.clone()).collect())
            }
            FieldKind::Tick(_) => Kind::Tick,
            FieldKind::CurrentPassword => Kind::CurrentPassword,
            FieldKind::NewPassword(new) => {
                Kind::NewPassword { repeat: new.repeat, rate: new.rate.clone(), generate: new.generate.clone() }
            }
            FieldKind::Hidden(value) => Kind::Hidden(value.clone()),
            FieldKind::Fixed(line) => match line.kind {
                LineKind::Username => Kind::UserName(line.value.clone()),
                _ => Kind::Fixed(line.value.clone()),
            },
        };
        Self { name: field.name.clone(), label: field.label.clone(), required: field.required, kind, drawn: None }
    }

    /// The same, with what was drawn.
    pub fn with_drawn(field: &Field) -> Self {
        let drawn = match &field.kind {
            FieldKind::Line(line) => line.value.trim().to_owned(),
            FieldKind::Choice(choice) => choice.value.clone().unwrap_or_default(),
            FieldKind::Tick(ticked) => if *ticked { TICKED } else { "" }.to_owned(),
            _ => String::new(),
        };
        Self { drawn: Some(drawn), ..Self::of(field) }
    }

    pub fn missing(&self, words: Words) -> String {
        let key = match self.kind {
            Kind::Choice(_) => "choose-one",
            Kind::Tick => "problem-tick",
            _ => "problem-required",
        };
        words.fill(key, &[("label", &self.label)])
    }
}

impl Line {
    /// The key of what is wrong with a value that is not empty.
    pub fn problem(self, value: &str) -> Option<&'static str> {
        if value.chars().any(char::is_control) {
            return Some("problem-character");
        }
        match self {
            Line::Any => None,
            Line::Address => (!address(value)).then_some("problem-address"),
            Line::Url => (!url(value)).then_some("problem-url"),
            Line::Host => (!host(value)).then_some("problem-host"),
            Line::Port => (!value.parse::<u16>().is_ok_and(|port| port > 0)).then_some("problem-port"),
        }
    }
}

/// The shape of an address, not whether it exists. Hosts without a dot are allowed, for panels that send email within their
/// network.
fn address(value: &str) -> bool {
    value.len() <= 254
        && !value.contains(char::is_whitespace)
        && value.rsplit_once('@').is_some_and(|(local, host)| {
            (1..=64).contains(&local.len())
                && !local.contains('@')
                && !host.is_empty()
                && !host.split('.').any(str::is_empty)
        })
}

fn host(value: &str) -> bool {
    value.parse::<IpAddr>().is_ok()
        || (value.len() <= 253
            && value.strip_suffix('.').unwrap_or(value).split('.').all(|label| {
                (1..=63).contains(&label.len())
                    && !label.starts_with('-')
                    && !label.ends_with('-')
                    && label.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
            }))
}

fn url(value: &str) -> bool {
    let rest = value.strip_prefix("https://").or_else(|| value.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        let place = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (name, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((name, port)) => (name, port.strip_prefix(':')),
            None => place.split_once(':').map_or((place, None), |(name, port)| (name, Some(port))),
        };
        !value.contains(char::is_whitespace) && host(name) && port.is_none_or(|port| port.parse::<u16>().is_ok())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_checked_for_its_shape_alone() {
        let good = [
            (Line::Address, "marta@estudiovidal.example"),
            (Line::Address, "o'neil+x@ñandú.example"),
            (Line::Url, "https://example.com/a?b=c"),
            (Line::Url, "http://[::1]:8080"),
            (Line::Host, "mail.example.com"),
            (Line::Host, "203.0.113.7"),
            (Line::Port, "65535"),
            (Line::Any, "Bramble & Finch <Ltd>"),
        ];
        for (line, value) in good {
            assert_eq!(line.problem(value), None, "{value}");
        }
        let bad = [
            (Line::Address, "marta@"),
            (Line::Address, "a b@example.com"),
            (Line::Address, "a@b@example.com"),
            (Line::Address, "a@example..com"),
            (Line::Url, "javascript:alert(1)"),
            (Line::Url, "https://"),
            (Line::Host, "-a.example"),
            (Line::Host, "a b"),
            (Line::Port, "0"),
            (Line::Port, "65536"),
            (Line::Any, "a\0b"),
            (Line::Any, "a\r\nb"),
        ];
        for (line, value) in bad {
            assert!(line.problem(value).is_some(), "{value:?}");
        }
    }
}
