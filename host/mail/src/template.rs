//! Templates from a plugin's manifest, which the host draws as text and as HTML.

mod phrase;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

pub(super) use self::phrase::{Phrase, Phrases, strong, unlinked, value};

/// The most blocks of one email, and variables of one template.
const MOST: usize = 40;
/// What no variable may be called: the host's own values, and minijinja's words.
const RESERVED: [&str; 15] = [
    "account", "brand", "request", "if", "elif", "else", "endif", "and", "or", "not", "is", "in", "true", "false",
    "none",
];

/// One email, in each of its languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Template {
    /// The variables: each must be given, and no other.
    #[serde(default)]
    pub variables: BTreeMap<String, Kind>,
    /// By locale, BCP 47; `en` is required.
    pub texts: BTreeMap<String, Text>,
}

/// The kind of a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Free text; needs a grant.
    Text,
    /// A point in time.
    Time,
    /// A length of time.
    Duration,
    /// A count.
    Number,
    /// Secret: the address of a link page.
    Link,
    /// Secret: a password.
    Secret,
}

impl Kind {
    /// Whether it stands in a block of its own, and nowhere else.
    #[must_use]
    pub fn is_secret(self) -> bool {
        matches!(self, Kind::Link | Kind::Secret)
    }
}

/// A template's text in one language. All strings are minijinja, with the variables of the template and `account.name`,
/// `account.login`, `account.email`, `brand.name`, `brand.contact`, `request.time`, `request.origin`. Links and secrets must be
/// in blocks of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Text {
    /// What it is for, then the panel.
    pub subject: String,
    /// Shown beside the subject in a mailbox: the deadline.
    pub preheader: String,
    /// Top to bottom.
    pub body: Vec<Block>,
}

/// One piece of an email.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Block {
    /// A paragraph.
    Text(String),
    /// A bordered link, and the address below it: label, then the variable.
    Button(String, String),
    /// A line of its own, monospace: the variable.
    Secret(String),
    /// The same as a button, to the page where people sign in, which is not secret: label.
    SignIn(String),
    /// A short heading within the email.
    Heading(String),
}

/// A variable's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Value {
    /// Free text.
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

/// What is wrong with a template or its values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "email template{}{}{place} {problem}",
    .template.as_ref().map_or(": ".to_owned(), |template| format!(" {template}, ")),
    .locale.as_ref().map(|locale| format!("{locale}, ")).unwrap_or_default()
)]
pub struct TemplateError {
    /// The template's name, if the caller has set it with [`TemplateError::of`].
    pub template: Option<String>,
    /// The language.
    pub locale: Option<String>,
    /// Where: `subject`, `block 2 (button)`, `variable until`.
    pub place: String,
    /// What is wrong there; it follows the place.
    pub problem: String,
}

impl TemplateError {
    pub(super) fn new(locale: Option<&str>, place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { template: None, locale: locale.map(str::to_owned), place: place.into(), problem: problem.into() }
    }

    /// The same, for the template of this name.
    #[must_use]
    pub fn of(self, template: &str) -> Self {
        Self { template: Some(template.to_owned()), ..self }
    }
}

impl Block {
    /// The place in an error; `at` counts from 0.
    pub(super) fn place(&self, at: usize) -> String {
        let kind = match self {
            Block::Text(_) => "text",
            Block::Button(..) => "button",
            Block::Secret(_) => "secret",
            Block::SignIn(_) => "sign-in",
            Block::Heading(_) => "heading",
        };
        format!("block {} ({kind})", at + 1)
    }
}

impl Template {
    /// Checks that every email can be drawn from it, in every language. Call it before a plugin is admitted.
    ///
    /// # Errors
    /// [`TemplateError`], for the first thing that is wrong.
    pub fn check(&self) -> Result<(), TemplateError> {
        let must = |holds: bool, locale, place: &str, problem: &str| match holds {
            true => Ok(()),
            false => Err(TemplateError::new(locale, place, problem)),
        };
        must(self.variables.len() <= MOST, None, "variables", &format!("are more than {MOST}"))?;
        for name in self.variables.keys() {
            let place = format!("variable {name}");
            let rest = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            let fits = name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(rest) && name.len() <= 40;
            let problem = "must have names of a-z, 0-9 and _, a letter first, at most 40 characters";
            must(fits, None, &place, problem)?;
            must(!RESERVED.contains(&name.as_str()), None, &place, "has a reserved name")?;
        }
        let english = self.texts.contains_key("en");
        must(english, Some("en"), "text", "is missing: English is the fallback for every email")?;
        self.texts.iter().try_for_each(|(locale, text)| {
            self.check_text(text).map_err(|(place, problem)| TemplateError::new(Some(locale), place, problem))
        })
    }

    fn check_text(&self, text: &Text) -> Result<(), (String, String)> {
        for (place, source) in [("subject", &text.subject), ("preheader", &text.preheader)] {
            self.check_phrase(source).map_err(|problem| (place.to_owned(), problem))?;
        }
        let body = |problem: String| Err(("body".to_owned(), problem));
        if text.body.len() > MOST {
            return body(format!("has more than {MOST} blocks"));
        }
        for (at, block) in text.body.iter().enumerate() {
            self.check_block(block).map_err(|problem| (block.place(at), problem))?;
        }
        for (name, kind) in self.variables.iter().filter(|(_, kind)| kind.is_secret()) {
            let shows =
                |block: &Block| matches!(block, Block::Button(_, shown) | Block::Secret(shown) if shown == name);
            if !text.body.iter().any(shows) {
                let block = if *kind == Kind::Link { "button" } else { "secret" };
                return body(format!("lacks the {block} with `{name}`"));
            }
        }
        Ok(())
    }

    fn check_phrase(&self, source: &str) -> Result<(), String> {
        if source.trim().is_empty() {
            return Err("is empty".to_owned());
        }
        phrase::examine(source, self)
    }

    fn check_block(&self, block: &Block) -> Result<(), String> {
        let (phrase, variable) = match block {
            Block::Text(words) | Block::Heading(words) | Block::SignIn(words) => (Some(words), None),
            Block::Button(label, name) => (Some(label), Some((name, Kind::Link))),
            Block::Secret(name) => (None, Some((name, Kind::Secret))),
        };
        phrase.map_or(Ok(()), |source| self.check_phrase(source))?;
        let Some((name, kind)) = variable else { return Ok(()) };
        match self.variables.get(name) {
            Some(found) if *found == kind => Ok(()),
            Some(found) => Err(format!("shows `{name}`, which is a {found:?}, not a {kind:?}").to_lowercase()),
            None => Err(format!("shows `{name}`, which is not one of its variables")),
        }
    }

    /// Checks the values: each of its kind, none missing, no others. If secrets are `masked`, they may be missing.
    ///
    /// # Errors
    /// [`TemplateError`], for the first wrong one.
    pub fn fits(&self, values: &BTreeMap<String, Value>, masked: bool) -> Result<(), TemplateError> {
        let wrong = |name: &str, problem: &str| Err(TemplateError::new(None, format!("variable {name}"), problem));
        for (name, kind) in &self.variables {
            let problem = match values.get(name) {
                None if masked && kind.is_secret() => continue,
                None => "has no value",
                Some(value) if value.kind() != *kind => "has a value of another kind",
                Some(Value::Link(link)) if !is_address(link) => "must be an absolute address without spaces",
                Some(Value::Secret(secret)) if secret.is_empty() || secret.chars().any(super::invisible) => {
                    "has an invisible character"
                }
                Some(_) => continue,
            };
            return wrong(name, problem);
        }
        match values.keys().find(|name| !self.variables.contains_key(*name)) {
            Some(name) => wrong(name, "is not one of its variables"),
            None => Ok(()),
        }
    }

    /// The text for a recipient of this language, and the text's own language.
    #[must_use]
    pub fn text(&self, locale: &str) -> Option<(&str, &Text)> {
        let language = locale.split(['-', '_']).next().unwrap_or_default();
        let exact = self.texts.iter().find(|(found, _)| found.eq_ignore_ascii_case(locale));
        let near = || self.texts.iter().find(|(found, _)| found.eq_ignore_ascii_case(language));
        let english = || self.texts.get_key_value("en");
        exact.or_else(near).or_else(english).map(|(found, text)| (found.as_str(), text))
    }
}

/// Absolute, for the web, printable ASCII without spaces: so it is one word in a text, and complete.
fn is_address(link: &str) -> bool {
    let host = link.strip_prefix("https://").or_else(|| link.strip_prefix("http://"));
    host.is_some_and(|host| !host.is_empty() && !host.starts_with('/'))
        && link.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'<' | b'>'))
        && link.len() <= 2_000
}

#[cfg(test)]
mod tests;
