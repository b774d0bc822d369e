//! What the host keeps of a field to read it back, and checks of shape that need no policy.

use std::net::IpAddr;

use keyturn_contract::keyturn::ui::nodes::{Field, FieldKind, LineKind};
use keyturn_core::words::Words;

use super::posted::AGAIN;

/// The value of a tick that is set.
pub const TICKED: &str = "1";
/// Bytes of one input.
pub(super) const INPUT: usize = 4_096;

/// What is sealed of a field: its hint, and what is said of its options, are not needed to read it back.
pub(super) fn kept(field: &Field) -> Field {
    let mut kept = Field { hint: None, ..field.clone() };
    if let FieldKind::Choice(choice) = &mut kept.kind {
        for option in &mut choice.options {
            option.label.clear();
            option.hint = None;
        }
    }
    kept
}

/// Whether a field is drawn with an input, or a text, of this name.
pub fn shows(field: &Field, name: &str) -> bool {
    match &field.kind {
        FieldKind::Hidden(_) => false,
        FieldKind::NewPassword(new) if new.repeat && name.strip_suffix(AGAIN) == Some(&field.name) => true,
        _ => field.name == name,
    }
}

pub(super) fn missing(field: &Field, words: Words) -> String {
    let key = match field.kind {
        FieldKind::Choice(_) => "choose-one",
        FieldKind::Tick(_) => "problem-tick",
        _ => "problem-required",
    };
    words.fill(key, &[("label", &field.label)])
}

/// The key of what is wrong with a line that is not empty.
pub(super) fn problem(kind: LineKind, value: &str) -> Option<&'static str> {
    let (fits, problem) = match kind {
        _ if value.chars().any(char::is_control) => (false, "problem-character"),
        LineKind::Email => (address(value), "problem-address"),
        LineKind::Url => (url(value), "problem-url"),
        LineKind::HostName => (host(value), "problem-host"),
        LineKind::Port => (value.parse::<u16>().is_ok_and(|port| port > 0), "problem-port"),
        LineKind::Plain | LineKind::Username | LineKind::PersonName | LineKind::Organisation => return None,
    };
    (!fits).then_some(problem)
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
            (LineKind::Email, "marta@estudiovidal.example"),
            (LineKind::Email, "o'neil+x@ñandú.example"),
            (LineKind::Url, "https://example.com/a?b=c"),
            (LineKind::Url, "http://[::1]:8080"),
            (LineKind::HostName, "mail.example.com"),
            (LineKind::HostName, "203.0.113.7"),
            (LineKind::Port, "65535"),
            (LineKind::Plain, "Bramble & Finch <Ltd>"),
        ];
        for (line, value) in good {
            assert_eq!(problem(line, value), None, "{value}");
        }
        let bad = [
            (LineKind::Email, "marta@"),
            (LineKind::Email, "a b@example.com"),
            (LineKind::Email, "a@b@example.com"),
            (LineKind::Email, "a@example..com"),
            (LineKind::Url, "javascript:alert(1)"),
            (LineKind::Url, "https://"),
            (LineKind::HostName, "-a.example"),
            (LineKind::HostName, "a b"),
            (LineKind::Port, "0"),
            (LineKind::Port, "65536"),
            (LineKind::Plain, "a\0b"),
            (LineKind::Plain, "a\r\nb"),
        ];
        for (line, value) in bad {
            assert!(problem(line, value).is_some(), "{value:?}");
        }
    }
}
