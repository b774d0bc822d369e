//! Forms: what the host seals when it draws one, and what it gives back when it is posted.
//!
//! A drawn form has one hidden input, `kt`: its action, subject, arguments, place and fields, sealed together with the session
//! and the actor that it was drawn for. This binding is the defence against forged requests: nobody else can have the host seal
//! a form for this session.

pub mod joined;
pub mod posted;
mod read;
mod shape;
#[cfg(test)]
mod tests;

use zeroize::Zeroizing;

pub use joined::PART;
pub use posted::*;
pub use read::{BODY, FormError, LIFETIME, Stale, read};
pub use shape::TICKED;
pub(super) use shape::shows;

use crate::frame::Frame;
use keyturn_contract::keyturn::ui::nodes::{self, Strength};
use keyturn_core::seal;
use keyturn_core::words::Words;

/// The hidden input's value, with its own key. `also`: its buttons beside the main one. `part`: of another form.
pub(super) fn sealed(
    submission: &nodes::Submission,
    fields: &[nodes::Field],
    also: &[&str],
    frame: &Frame<'_>,
    part: bool,
) -> String {
    let sealed = Sealed {
        plugin: frame.plugin.to_owned(),
        action: submission.action.clone(),
        subject: subject(submission, &frame.place).map(str::to_owned),
        arguments: submission.arguments.clone(),
        place: frame.place.clone(),
        session: session(frame.keys, frame.surface.caller),
        actor: frame.surface.caller.actor.name(),
        key: seal::hex(&seal::random::<16>()),
        issued: frame.now,
        part,
        fields: fields.iter().map(shape::kept).collect(),
        also: also.iter().map(|also| (*also).to_owned()).collect(),
    };
    let json = Zeroizing::new(serde_json::to_vec(&sealed).unwrap_or_default());
    frame.keys.seal_text(&["form"], &json)
}

/// The meter's answer for the script: JSON with `score` (0 to 4) and `text`.
pub fn rate_answer(strength: &Strength, locale: &str) -> Zeroizing<String> {
    let words = Words::of(locale);
    let score = strength.score.min(4);
    // A password that will be refused must not look good, however long it is.
    let (score, word) = match strength.acceptable {
        true => (score, words.get(&format!("strength-{score}")).to_owned()),
        false => (score.min(1), words.get("strength-no").to_owned()),
    };
    let advice: String =
        strength.advice.iter().flat_map(|advice| advice.chars()).filter(|c| !super::html::dropped(*c)).collect();
    Zeroizing::new(serde_json::json!({ "score": score, "word": word, "text": advice }).to_string())
}

/// A generated password for the script: JSON with `value`.
pub fn generated_answer(password: &str) -> Zeroizing<String> {
    Zeroizing::new(serde_json::json!({ "value": password }).to_string())
}
