//! One string of a template. minijinja fills it in, but it may use less than minijinja's language: variables and `if`, nothing
//! that repeats, joins or multiplies. So a string of somebody else's plugin can't grow beyond its contents.

use std::collections::BTreeMap;

use minijinja::{Environment, UndefinedBehavior, Value};

use super::Template;
use crate::{invisible, line};
use keyturn_core::html::Html;
use keyturn_core::words::Words;

/// The host's own values.
pub(super) const OWN: [&str; 7] =
    ["account.name", "account.login", "account.email", "brand.name", "brand.contact", "request.time", "request.origin"];

/// Characters of one string, and of one value in it.
const LONGEST: usize = 2_000;
const LONGEST_VALUE: usize = 300;
/// minijinja's instructions; far more than the longest string needs.
const FUEL: u64 = 10_000;
const WORDS_OF_IF: [&str; 7] = ["and", "or", "not", "else", "true", "false", "none"];

/// These two enclose a value. They are noncharacters, which no text may have. The value becomes an element with its own
/// direction.
const VALUE: (char, char) = ('\u{fdd0}', '\u{fdd1}');
/// The same for text to emphasise.
const STRONG: (char, char) = ('\u{fdd2}', '\u{fdd3}');

/// Breaks a word that somebody chose, so no email program makes a link of it. Only in bodies.
const BREAK: char = '\u{fdd4}';
/// What it becomes there: invisible, but the two sides are no longer an address.
const NO_WIDTH: char = '\u{200b}';

/// Checks a string of a template with these variables.
pub(super) fn examine(source: &str, template: &Template) -> Result<(), String> {
    if source.chars().count() > LONGEST {
        return Err(format!("is longer than {LONGEST} characters"));
    }
    if let Some(c) = source.chars().find(|c| !c.is_whitespace() && invisible(*c)) {
        return Err(format!("has an invisible character (U+{:04X})", u32::from(c)));
    }
    let mut rest = source;
    while let Some(at) = rest.find('{') {
        rest = &rest[at..];
        let (end, is_statement) = match rest.get(..2) {
            Some("{{") => ("}}", false),
            Some("{%") => ("%}", true),
            Some("{#") => return Err("contains a comment, {# #}".to_owned()),
            _ => {
                rest = &rest[1..];
                continue;
            }
        };
        let closed = rest.find(end).ok_or_else(|| format!("lacks {end}"))?;
        tag(rest[2..closed].trim_matches(['-', '+']), is_statement, template)?;
        rest = &rest[closed + 2..];
    }
    environment(Words::default()).template_from_str(source).map(drop).map_err(|cause| cause.to_string())
}

fn tag(inside: &str, is_statement: bool, template: &Template) -> Result<(), String> {
    let is_operator = |c: char| matches!(c, '=' | '!' | '<' | '>' | '(' | ')');
    let mut words = inside.split(|c: char| c.is_whitespace() || is_operator(c)).filter(|word| !word.is_empty());
    if is_statement {
        let first = words.next().unwrap_or_default();
        if !["if", "elif", "else", "endif"].contains(&first) {
            return Err(format!("contains {{% {first} %}}; only if, elif, else and endif may be used"));
        }
    }
    for word in words {
        if let Some(c) = word.chars().find(|c| !c.is_alphanumeric() && !matches!(c, '_' | '.')) {
            return Err(format!("uses `{c}`; only variables, comparisons, and, or and not may be used"));
        }
        let is_word_of_if = WORDS_OF_IF.contains(&word) || (word == "if" && !is_statement);
        if is_word_of_if || word.bytes().all(|b| b.is_ascii_digit()) {
            continue;
        }
        match template.variables.get(word) {
            Some(kind) if kind.is_secret() => {
                return Err(format!("uses `{word}`, which is secret and must be in a block of its own"));
            }
            None if !OWN.contains(&word) => {
                let own = OWN.join(", ");
                return Err(format!("uses `{word}`, which is neither one of its variables nor one of {own}"));
            }
            _ => {}
        }
    }
    Ok(())
}

/// No filters, tests, functions or globals. No escaping either: drawing HTML does that.
fn environment(words: Words) -> Environment<'static> {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_formatter(move |out, _, value| {
        let text = match value.as_i64() {
            Some(number) if value.is_number() => words.number(number),
            _ if value.is_none() => return Ok(()),
            _ => value.to_string(),
        };
        Ok(write!(out, "{}{text}{}", VALUE.0, VALUE.1)?)
    });
    environment
}

/// Fills strings in, in one language.
pub struct Phrases {
    environment: Environment<'static>,
    values: Value,
}

impl Phrases {
    /// With these values: `until`, `account.name`.
    pub fn new(words: Words, values: BTreeMap<String, Value>) -> Self {
        Self { environment: environment(words), values: Value::from(values) }
    }

    /// The string, filled in.
    pub fn fill(&self, source: &str) -> Result<Phrase, String> {
        let filled = self.environment.render_str(source, self.values.clone()).map_err(|cause| cause.to_string())?;
        Ok(Phrase(filled.split_whitespace().collect::<Vec<_>>().join(" ")))
    }
}

/// A value of a phrase: one line, without invisible characters.
pub fn value(text: &str) -> Value {
    line(text, LONGEST_VALUE).into()
}

/// A value to emphasise in HTML.
pub fn strong(value: &Value) -> Value {
    format!("{}{value}{}", STRONG.0, STRONG.1).into()
}

/// A value that an attacker may have chosen so that people click it: `Visit evil.example now`. Email programs make links of
/// everything that looks like an address, but not of this.
pub fn unlinked(text: &str) -> String {
    let text = line(text, LONGEST_VALUE);
    let mut broken = String::with_capacity(text.len());
    let mut before = ' ';
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        // Browsers treat the wide forms as dots.
        let joins = matches!(c, '.' | '@' | ':' | '。' | '．' | '｡' | '＠') || (c == '/' && before == '/');
        if joins && before != ' ' && chars.peek().is_some_and(|next| *next != ' ') {
            broken.push(BREAK);
        }
        broken.push(c);
        before = c;
    }
    broken
}

/// A filled string that knows where its values begin and end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phrase(String);

impl Phrase {
    /// For a header, and everything else that is not a body.
    pub fn plain(&self) -> String {
        self.0.chars().filter(|c| !invisible(*c)).collect()
    }

    /// For the body of an email.
    pub fn text(&self) -> String {
        let seen = |c: &char| *c == BREAK || !invisible(*c);
        self.0.chars().filter(seen).map(|c| if c == BREAK { NO_WIDTH } else { c }).collect()
    }

    /// Escaped, with each value isolated from the text direction around it.
    pub fn draw(&self, html: &mut Html) {
        let mut text = String::new();
        for c in self.0.chars() {
            let (name, opens) = match c {
                c if c == VALUE.0 => ("bdi", true),
                c if c == VALUE.1 => ("bdi", false),
                c if c == STRONG.0 => ("strong", true),
                c if c == STRONG.1 => ("strong", false),
                c => {
                    text.push(if c == BREAK { NO_WIDTH } else { c });
                    continue;
                }
            };
            html.text(&std::mem::take(&mut text));
            if opens {
                html.open(name, &[])
            } else {
                html.close(name)
            };
        }
        html.text(&text);
    }
}
