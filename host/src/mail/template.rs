//! Templates that a plugin brings in its manifest, and the host draws as text and as HTML.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// One mail, in every language in which it can be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Template {
    /// What it is filled with: each has to be given, no other may be.
    #[serde(default)]
    pub variables: BTreeMap<String, Kind>,
    /// By locale, BCP 47; `en` is there.
    pub texts: BTreeMap<String, Text>,
}

/// The kind of a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Free words; needs a grant.
    Text,
    /// A point in time.
    Time,
    /// A length of time.
    Duration,
    /// A count.
    Number,
    /// Secret: an address of a link page.
    Link,
    /// Secret: a password.
    Secret,
}

/// A template's words in one language. All strings are minijinja, with the variables of the template and `account.name`,
/// `account.login`, `account.email`, `brand.name`, `brand.contact`, `request.time`, `request.origin`. Links and secrets stand only in
/// blocks of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Text {
    /// What it is for, then the panel.
    pub subject: String,
    /// What a mailbox shows beside the subject: the deadline.
    pub preheader: String,
    /// Top to bottom.
    pub body: Vec<Block>,
}

/// One piece of a mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Block {
    /// A paragraph.
    Text(String),
    /// A bordered link, and the address below it: label, then the variable.
    Button(String, String),
    /// A line of its own, monospace: the variable.
    Secret(String),
    /// A short heading within the mail.
    Heading(String),
}

/// A variable's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Value {
    /// Free words.
    Text(String),
    /// Unix milliseconds.
    Time(i64),
    /// Seconds.
    Duration(u32),
    /// A count.
    Number(i64),
    /// An absolute address.
    Link(Zeroizing<String>),
    /// A password.
    Secret(Zeroizing<String>),
}

impl Value {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Value::Text(_) => Kind::Text,
            Value::Time(_) => Kind::Time,
            Value::Duration(_) => Kind::Duration,
            Value::Number(_) => Kind::Number,
            Value::Link(_) => Kind::Link,
            Value::Secret(_) => Kind::Secret,
        }
    }
}
