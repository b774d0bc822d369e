//! An email from its template and values: one list of pieces, drawn as text and as HTML, so both say the same.

mod html;
mod text;

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use minijinja::{Value as Filled, context};
use zeroize::Zeroizing;

use super::line;
use super::template::{Block, Phrase, Phrases, Template, TemplateError, Text, Value, strong, unlinked, value};
use keyturn_core::accounts::{Account, Field};
use keyturn_core::words::Words;

/// Characters of a subject and a preheader: what mailboxes show.
const SUBJECT: usize = 150;
/// Replaces a secret that must not be shown.
const MASK: &str = "••••";

/// Values from the host, for templates.
#[derive(Debug, Clone)]
pub struct Context<'a> {
    /// The recipient; none for an email to somebody without an account.
    pub account: Option<&'a Account>,
    /// The panel's name.
    pub brand: &'a str,
    /// Whom to ask.
    pub contact: &'a str,
    /// Where people sign in, a whole address.
    pub sign_in: &'a str,
    /// When it was requested, Unix milliseconds.
    pub time: i64,
    /// From where: browser and network, roughly: `Firefox on Windows, 203.0.113.x`; empty if unknown.
    pub origin: &'a str,
    /// The recipient's language, BCP 47. If the template doesn't have it, English.
    pub locale: &'a str,
    /// The zone for times.
    pub zone: &'a TimeZone,
}

/// An email to send or show. Its text may have secrets.
#[derive(Clone)]
pub struct Drawn {
    /// One line.
    pub subject: String,
    /// 72 columns; a link is alone on its line, in one piece.
    pub text: Zeroizing<String>,
    /// A whole document.
    pub html: Zeroizing<String>,
}

/// Without the bodies, which may have secrets.
impl std::fmt::Debug for Drawn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Drawn").field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// Draws an email. `masked` draws •••• for each link and secret, without an address behind it; these values may then be
/// missing.
///
/// # Errors
/// [`TemplateError`] if the values don't fit, or if the template uses `account.*` and there is no account.
pub fn draw(
    template: &Template,
    values: &BTreeMap<String, Value>,
    context: &Context<'_>,
    masked: bool,
) -> Result<Drawn, TemplateError> {
    template.fits(values, masked)?;
    let Some((locale, text)) = template.text(context.locale) else {
        return Err(TemplateError::new(Some("en"), "text", "is missing"));
    };
    let words = Words::of(locale);
    let phrases = Phrases::new(words, filled(values, context, words));
    let at = |place: &str, source: &str| {
        phrases.fill(source).map_err(|problem| TemplateError::new(Some(locale), place, problem))
    };
    let letter = Letter {
        words,
        locale,
        brand: line(context.brand, 100),
        subject: line(&at("subject", &text.subject)?.plain(), SUBJECT),
        preheader: line(&at("preheader", &text.preheader)?.plain(), SUBJECT),
        pieces: pieces(text, locale, (values, context.sign_in), at, masked)?,
        footer: footer(words, context),
    };
    Ok(Drawn {
        text: Zeroizing::new(text::draw(&letter)),
        html: Zeroizing::new(html::draw(&letter)),
        subject: letter.subject,
    })
}

/// An email in pieces, to draw in both forms.
struct Letter<'a> {
    words: Words,
    locale: &'a str,
    brand: String,
    subject: String,
    preheader: String,
    pieces: Vec<Piece>,
    /// The host's own sentences.
    footer: String,
}

enum Piece {
    Heading(Phrase),
    Text(Phrase),
    /// Label and address; no address if it is masked.
    Link(Phrase, Option<Zeroizing<String>>),
    Secret(Zeroizing<String>),
}

impl Letter<'_> {
    /// The position of the last link or secret.
    fn last_action(&self) -> Option<usize> {
        self.pieces.iter().rposition(|piece| matches!(piece, Piece::Link(..) | Piece::Secret(_)))
    }

    /// Where the small print begins: the block after an action is about that action, the rest is for people who did not expect
    /// the email.
    fn small_print(&self) -> usize {
        let end = self.pieces.len();
        self.last_action().map_or(end, |last| end.min(last + 2))
    }
}

fn pieces(
    text: &Text,
    locale: &str,
    (values, sign_in): (&BTreeMap<String, Value>, &str),
    fill: impl Fn(&str, &str) -> Result<Phrase, TemplateError>,
    masked: bool,
) -> Result<Vec<Piece>, TemplateError> {
    let shown = |name: &str| match values.get(name) {
        // People who read the email in a language read the page in it, whatever their browser prefers.
        Some(Value::Link(link)) if !masked => Some(Zeroizing::new(format!("{}?lang={locale}", link.as_str()))),
        Some(Value::Secret(secret)) if !masked => Some(secret.clone()),
        _ => None,
    };
    let piece = |(at, block): (usize, &Block)| {
        let fill = |source: &str| fill(&block.place(at), source);
        Ok(match block {
            Block::Heading(source) => Piece::Heading(fill(source)?),
            Block::Text(source) => Piece::Text(fill(source)?),
            Block::Button(label, name) => Piece::Link(fill(label)?, shown(name)),
            Block::SignIn(label) => Piece::Link(fill(label)?, Some(sign_in.to_owned().into())),
            Block::Secret(name) => Piece::Secret(shown(name).unwrap_or_else(|| MASK.to_owned().into())),
        })
    };
    text.body.iter().enumerate().map(piece).collect()
}

fn filled(values: &BTreeMap<String, Value>, context: &Context<'_>, words: Words) -> BTreeMap<String, Filled> {
    // The recipient's own address leads nowhere else, and people copy it if it is also the login.
    let own = context.account.and_then(|account| account.value(Field::Email)).filter(|email| !email.is_empty());
    let chosen = |text: &str| match own {
        Some(own) if own == text => value(text),
        _ => Filled::from(unlinked(text)),
    };
    let brand = context! { name => value(context.brand), contact => value(context.contact) };
    let time = words.dated(context.time, context.zone);
    let request = context! { time => value(&time), origin => value(context.origin) };
    let mut filled = BTreeMap::from([("brand".to_owned(), brand), ("request".to_owned(), request)]);
    if let Some(account) = context.account {
        let [name, login, email] =
            [Field::Name, Field::Login, Field::Email].map(|field| account.value(field).unwrap_or_default());
        let account = context! { name => chosen(name), login => strong(&chosen(login)), email => value(email) };
        filled.insert("account".to_owned(), account);
    }
    for (name, given) in values {
        let given = match given {
            Value::Text(text) => chosen(text),
            Value::Time(at) => value(&words.dated(*at, context.zone)),
            Value::Duration(seconds) => value(&words.duration(u64::from(*seconds))),
            Value::Number(number) => Filled::from(*number),
            // They have blocks of their own, which nothing fills in.
            Value::Link(_) | Value::Secret(_) => continue,
        };
        filled.insert(name.clone(), given);
    }
    filled
}

fn footer(words: Words, context: &Context<'_>) -> String {
    let time = words.dated(context.time, context.zone);
    let origin = line(context.origin, 150);
    let asked = match origin.as_str() {
        "" => words.fill("mail-asked-only", &[("time", &time)]),
        origin => words.fill("mail-asked", &[("time", &time), ("origin", origin)]),
    };
    format!("{asked} {}", words.get("mail-never"))
}

#[cfg(test)]
mod tests;
