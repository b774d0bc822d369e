//! On the customer's Overview: the state of the latest email with a link or a password, and the password's status.

use super::badge;
use crate::bindings::mail::{Error, MailState};
use crate::bindings::nodes::{
    AccountField, Delivery, Fact, Node, Notice, Sentence, ShownAccount, Step, StepState, Tone, Value,
};
use crate::bindings::types::Failure;
use crate::failure;
use crate::ports::Ports;
use crate::status::{self, Changed, Standing};
use crate::store::{AskedBy, Carries, SecretMail, State};
use crate::words::{Word, Words};

pub(super) fn draw(ports: &dyn Ports, account: &str) -> Result<Vec<Node>, Failure> {
    let words = Words::of(ports);
    let standing = status::standing(ports, account)?;
    let mut nodes = Vec::new();
    for mail in shown(&standing) {
        nodes.extend(delivery(ports, words, account, &standing, mail)?);
    }
    nodes.push(Node::Heading(words.text(Word::PasswordSection, &[])));
    nodes.push(facts(ports, words, account, &standing)?);
    Ok(nodes)
}

/// The latest one. If it was requested at Forgotten password, by whomever, also support's latest below it.
fn shown(standing: &Standing) -> impl Iterator<Item = &SecretMail> {
    let asked = |mail: &&SecretMail| mail.carries == Carries::Link(AskedBy::Owner);
    let last = standing.mails.last();
    let hidden = last.filter(asked).and_then(|_| standing.mails.iter().rfind(|mail| !asked(mail)));
    last.into_iter().chain(hidden)
}

/// Nothing if the outbox has forgotten it, or there was none.
fn delivery(
    ports: &dyn Ports,
    words: Words,
    account: &str,
    standing: &Standing,
    last: &SecretMail,
) -> Result<Vec<Node>, Failure> {
    let state = match ports.state(&last.mail) {
        Err(Error::NotFound | Error::NotConfigured) => return Ok(Vec::new()),
        other => other.map_err(|error| failure::of_mail(words, error))?,
    };
    let mailed = state == MailState::Accepted;
    let title = match (last.carries.is_link(), mailed) {
        (false, true) => Word::DeliveryResetMailed,
        (false, false) => Word::DeliveryReset,
        (true, true) => Word::DeliveryLinkMailed,
        (true, false) => Word::DeliveryLink,
    };
    let mut nodes = vec![Node::Heading(words.text(title, &[]))];
    let given_up = matches!(state, MailState::Refused | MailState::GaveUp);
    if given_up && !last.carries.is_link() && standing.epoch == last.epoch {
        let name = Value::Account(ShownAccount { account: account.to_owned(), show: AccountField::Name });
        nodes.push(Node::Notice(Notice {
            tone: Tone::Danger,
            title: words.text(Word::MailRefusedTitle, &[]),
            body: words.sentence(Word::MailRefused, &[("name", name)]),
            actions: Vec::new(),
        }));
    }
    nodes.push(Node::Delivery(Delivery {
        mail: last.mail.clone(),
        before: vec![before(words, last)],
        after: after(ports, words, standing, last, mailed)?.into_iter().collect(),
    }));
    Ok(nodes)
}

/// What was done when the email was queued.
fn before(words: Words, last: &SecretMail) -> Step {
    let (title, detail) = match last.carries {
        Carries::TemporaryPassword | Carries::PermanentPassword => {
            let detail = match last.sessions_ended {
                Some(0) => words.sentence(Word::StepReplacedDetailNone, &[]),
                Some(n) => words.sentence(Word::StepReplacedDetail, &[("n", Value::Number(n.into()))]),
                None => words.sentence(Word::StepReplacedDetailUnknown, &[]),
            };
            (Word::StepReplaced, detail)
        }
        Carries::Link(AskedBy::Support) => (Word::StepLinkMade, words.sentence(Word::LinkMade, &[])),
        Carries::Link(AskedBy::Owner) => (Word::StepLinkAsked, words.sentence(Word::LinkMade, &[])),
    };
    step(words, title, Some(detail), StepState::Done, Some(last.queued))
}

/// What follows, as far as it is known.
fn after(
    ports: &dyn Ports,
    words: Words,
    standing: &Standing,
    last: &SecretMail,
    mailed: bool,
) -> Result<Option<Step>, Failure> {
    if standing.epoch != last.epoch {
        let at = match standing.changed {
            Changed::Here(at) => Some(at),
            Changed::Elsewhere | Changed::Never => None,
        };
        return Ok(Some(step(words, Word::StepChanged, None, StepState::Done, at)));
    }
    let ended = last.until.filter(|until| *until <= ports.now());
    let until = [("until", Value::Time(last.until.unwrap_or_default()))];
    let waits = |title, ahead, detail| match mailed {
        true => step(words, title, Some(words.sentence(detail, &until)), StepState::Waiting, None),
        false => step(words, ahead, None, StepState::Ahead, None),
    };
    Ok(match last.carries {
        Carries::PermanentPassword if mailed => None,
        Carries::PermanentPassword => Some(step(words, Word::StepSignsIn, None, StepState::Ahead, None)),
        Carries::TemporaryPassword if ended.is_some() => {
            let detail = words.sentence(Word::StepTemporaryEndedDetail, &[]);
            Some(step(words, Word::StepTemporaryEnded, Some(detail), StepState::Failed, ended))
        }
        Carries::TemporaryPassword => Some(waits(Word::StepWaitsSignIn, Word::StepSignsIn, Word::StepTemporaryEnds)),
        Carries::Link(_) if ended.is_some() => {
            let detail = words.sentence(Word::StepLinkEndedDetail, &[]);
            Some(step(words, Word::StepLinkEnded, Some(detail), StepState::Failed, ended))
        }
        Carries::Link(_) if !is_current(ports, words, last)? => {
            let detail = words.sentence(Word::StepLinkVoidDetail, &[]);
            Some(step(words, Word::StepLinkVoid, Some(detail), StepState::Failed, None))
        }
        Carries::Link(_) => Some(waits(Word::StepWaitsLink, Word::StepUsesLink, Word::StepLinkEnds)),
    })
}

fn is_current(ports: &dyn Ports, words: Words, last: &SecretMail) -> Result<bool, Failure> {
    ports.current(&last.mail).map_err(|error| failure::of_mail(words, error))
}

fn step(words: Words, title: Word, detail: Option<Sentence>, state: StepState, at: Option<i64>) -> Step {
    Step { title: words.sentence(title, &[]), detail, state, at }
}

fn facts(ports: &dyn Ports, words: Words, account: &str, standing: &Standing) -> Result<Node, Failure> {
    let fact = |label: Word, value: Sentence| Fact { label: words.text(label, &[]), value };
    let mut password = vec![match standing.state {
        None => badge(words, Tone::Off, Word::StateNone),
        Some(State::Set) => badge(words, Tone::Success, Word::StateSet),
        Some(State::MustChange) => badge(words, Tone::Warning, Word::StateMustChange),
        Some(State::Temporary { until }) if until <= ports.now() => {
            badge(words, Tone::Danger, Word::StateTemporaryEnded)
        }
        Some(State::Temporary { .. }) => badge(words, Tone::Warning, Word::StateTemporary),
    }];
    if let Some(State::Temporary { until }) = standing.state {
        password.push(Value::Text(" ".to_owned()));
        password.extend(words.sentence(Word::TemporaryUntil, &[("until", Value::Time(until))]));
    }
    let changed = match standing.changed {
        Changed::Here(at) => vec![Value::Time(at)],
        Changed::Elsewhere => words.sentence(Word::ChangedElsewhere, &[]),
        Changed::Never => words.sentence(Word::ChangedNever, &[]),
    };
    let mut facts = vec![fact(Word::PasswordFact, password), fact(Word::ChangedFact, changed)];
    // Nothing if the panel can't say.
    facts.extend(ports.sessions(account)?.map(|n| fact(Word::SessionsFact, vec![Value::Number(n.into())])));
    Ok(Node::Facts(facts))
}
