//! Forms that are parts of one: a page of the panel with its own form, whose fields are saved together with those of plugins,
//! by one button. A browser sends one form at a time: with several, what was typed into the others would be lost.
//!
//! The panel draws `<form id="details" …>` with its button, and shows slots with that id in
//! `Surface::join`. Each plugin's form is then a part: its inputs belong to the panel's form by
//! their `form` attribute, and their names begin with the part's own. The panel names its own inputs as it likes, as long as no
//! name begins like a part's; or it draws them with the host, as the example panel does. A part that was left unchanged asks
//! for nothing.

use zeroize::Zeroizing;

use super::posted::{Corrections, FieldError, Input, Posted, SEALED, Submission, Wish, Wished};
use super::read::{self, FormError, Stale};
use keyturn_core::caller::Caller;
use keyturn_core::seal::Keys;
use keyturn_core::words::Words;

/// Ends the prefix of the names of a part's inputs.
pub const PART: char = '.';
/// The most parts of a body.
const PARTS: usize = 16;

/// Parts that were posted together.
pub struct Joined {
    /// Those that were changed, in their order.
    pub parts: Vec<Part>,
}

/// One part, and the body that it would have alone.
pub struct Part {
    /// As [`read`](super::read()) takes it.
    pub body: Zeroizing<Vec<u8>>,
    /// What it asks for.
    pub submission: Submission,
}

/// Why none of the parts can run.
pub enum Unready {
    /// Draw them again with these.
    Again(Box<Corrections>),
    /// Too late.
    Stale(Box<Stale>),
    /// A password is to be generated for a field of one of them.
    Generate(Box<Wish>, Vec<Corrections>),
}

/// Whether a posted body consists of parts.
pub fn is_joined(body: &[u8]) -> bool {
    pairs(body).any(|(_, alone)| alone.split(|b| *b == b'=').next() == Some(SEALED.as_bytes()))
}

/// A part's prefix and the rest of an input's name. Browsers write both unchanged.
fn beginning(name: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = name.iter().position(|b| char::from(*b) == PART)?;
    let (part, rest) = (&name[..at], &name[at + 1..]);
    let (place, count) = part.strip_prefix(b"k")?.split_at_checked(8)?;
    let count = count.strip_prefix(b"-")?;
    let own = place.iter().all(u8::is_ascii_hexdigit) && !count.is_empty() && count.iter().all(u8::is_ascii_digit);
    own.then_some((part, rest))
}

/// The parts of a body, each as the body that it would have alone.
fn split(body: &[u8]) -> Result<Vec<Zeroizing<Vec<u8>>>, FormError> {
    if body.len() > read::BODY {
        return Err(FormError::TooLarge);
    }
    let mut parts: Vec<(&[u8], usize)> = Vec::new();
    for (part, alone) in pairs(body) {
        match parts.iter().position(|(known, _)| *known == part) {
            Some(at) => parts[at].1 += 1 + alone.len(),
            None if parts.len() == PARTS => return Err(FormError::Malformed("it has too many parts")),
            None => parts.push((part, alone.len())),
        }
    }
    // Reserved in full, because growing leaves copies behind; and no more than that, or sixteen parts would take sixteen
    // bodies.
    let reserved = |(_, bytes): &(&[u8], usize)| Zeroizing::new(Vec::with_capacity(*bytes));
    let mut bodies: Vec<Zeroizing<Vec<u8>>> = parts.iter().map(reserved).collect();
    for (part, alone) in pairs(body) {
        let of_this = parts.iter().zip(&mut bodies).find(|((known, _), _)| *known == part);
        if let Some((_, body)) = of_this {
            if !body.is_empty() {
                body.push(b'&');
            }
            body.extend_from_slice(alone);
        }
    }
    Ok(bodies)
}

/// The inputs of parts, each with its part, as it would be alone.
fn pairs(body: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    body.split(|b| *b == b'&').filter_map(|pair| {
        let name = pair.split(|b| *b == b'=').next().unwrap_or_default();
        let (part, rest) = beginning(name)?;
        Some((part, &pair[name.len() - rest.len()..]))
    })
}

/// Reads all changed parts of a body. `now` is Unix milliseconds.
///
/// # Errors
/// The first part's [`FormError`], as of [`super::read`]; a late part is not one.
pub fn read(body: &[u8], keys: &Keys, caller: &Caller, now: i64) -> Result<Result<Joined, Unready>, FormError> {
    let words = Words::of(&caller.locale);
    let (mut parts, mut stale, mut generate) = (Vec::new(), Vec::new(), None);
    for body in split(body)? {
        match read::read(&body, keys, caller, now) {
            Ok(Posted::Submission(submission)) if submission.untouched => {}
            Ok(Posted::Submission(submission)) => parts.push(Part { body, submission: *submission }),
            Ok(Posted::Wish(wish)) if generate.is_none() && wish.of != Wished::Rating => generate = Some(wish),
            Ok(Posted::Wish(_)) => return Err(FormError::Malformed("a part has two actions")),
            Err(FormError::Stale(late)) => stale.push(late),
            Err(error) => return Err(error),
        }
    }
    let joined = Joined { parts };
    let mut stale = stale.into_iter();
    if let Some(mut late) = stale.next() {
        let others = stale.map(|late| Corrections { message: None, ..late.corrections });
        late.corrections = late.corrections.and(others);
        return Ok(Err(Unready::Stale(late)));
    }
    if let Some(wish) = generate {
        return Ok(Err(Unready::Generate(wish, joined.kept(words).collect())));
    }
    let wrong = joined.parts.iter().any(|part| !part.submission.problems.is_empty());
    Ok(match joined.again("", Vec::new(), words).filter(|_| wrong) {
        Some(again) => Err(Unready::Again(Box::new(again))),
        None => Ok(joined),
    })
}

impl Joined {
    /// The changed part of this name: a plugin's, or the panel's own.
    pub fn part(&self, plugin: &str) -> Option<&Submission> {
        self.parts.iter().map(|part| &part.submission).find(|submission| submission.plugin == plugin)
    }

    /// Corrections to draw all parts again, with `errors` on the part of that name; none if every part was left unchanged.
    pub fn again(&self, plugin: &str, errors: Vec<FieldError>, words: Words) -> Option<Corrections> {
        let laid = |submission: &Submission| match submission.plugin == plugin {
            true => submission.corrections(submission.problems.iter().chain(&errors).cloned().collect(), None),
            false => submission.kept(words),
        };
        let mut all = self.parts.iter().map(|part| laid(&part.submission));
        all.next().map(|first| first.and(all))
    }

    fn kept(&self, words: Words) -> impl Iterator<Item = Corrections> {
        self.parts.iter().map(move |part| part.submission.kept(words))
    }
}

impl Submission {
    /// Corrections to draw it again because something beside it was wrong: with its own problems, and a notice at each
    /// password, which is not drawn again, so that people notice that it is gone.
    pub fn kept(&self, words: Words) -> Corrections {
        let mut errors = self.problems.clone();
        for (name, input) in &self.inputs {
            if matches!(input, Input::Password(_)) && !errors.iter().any(|error| error.field.starts_with(name.as_str()))
            {
                errors.push(FieldError { field: name.clone(), message: words.get("part-password").to_owned() });
            }
        }
        self.corrections(errors, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw_region;
    use crate::tests::{NOW, Stage, field, form, line, new_password};
    use keyturn_contract::keyturn::ui::nodes::{Field, FieldKind, LineKind, Node};

    /// Two plugins' forms in one page's form: `mine` with a name and a tick, `theirs` with a password.
    struct Page {
        stages: [Stage; 2],
    }

    impl Page {
        fn new() -> Self {
            let stages =
                ["mine", "theirs"].map(|name| Stage { name: name.to_owned(), join: Some("page"), ..Stage::new() });
            Self { stages }
        }

        fn html(&self, corrections: Option<&Corrections>) -> [String; 2] {
            let own = vec![
                field("name", "Name", line(LineKind::PersonName, "Marta ")),
                Field { required: false, ..field("news", "News", FieldKind::Tick(true)) },
            ];
            let fields = [own, vec![field("new", "New password", new_password(true))]];
            let mut fields = fields.into_iter();
            self.stages.each_ref().map(|stage| {
                let form = form(fields.next().expect("two"));
                let mut frame = stage.frame(Stage::slot());
                frame.surface.corrections = corrections;
                draw_region(&[Node::Form(form)], &frame, 2).expect("drawn").html.as_str().to_owned()
            })
        }

        /// As a browser posts it; `typed` by plugin and field.
        fn body(&self, typed: &[(usize, &str, &str)]) -> Vec<u8> {
            let drawn = self.html(None);
            let mut body = form_urlencoded::Serializer::new(String::new());
            let parts = drawn.each_ref().map(|html| {
                let (before, after) = html.split_once(".kt\" value=\"").expect("a sealed part");
                let part = before.rsplit('"').next().expect("its beginning").to_owned();
                body.append_pair(&format!("{part}.kt"), after.split('"').next().expect("its end"));
                part
            });
            typed.iter().for_each(|(at, name, value)| {
                body.append_pair(&format!("{}.{name}", parts[*at]), value);
            });
            body.append_pair("of-the-panel", "its own");
            body.finish().into_bytes()
        }

        fn read(&self, body: &[u8]) -> Result<Result<Joined, Unready>, FormError> {
            let stage = &self.stages[0];
            read(body, &stage.keys, &stage.caller, NOW)
        }

        fn ready(&self, typed: &[(usize, &str, &str)]) -> Joined {
            match self.read(&self.body(typed)) {
                Ok(Ok(joined)) => joined,
                Ok(Err(_)) => panic!("something is wrong with it"),
                Err(error) => panic!("{error}"),
            }
        }
    }

    const LEFT: [(usize, &str, &str); 2] = [(0, "name", "Marta"), (0, "news", "1")];
    const PASSWORD: [(usize, &str, &str); 2] = [(1, "new", "four words of it"), (1, "new~again", "four words of it")];

    #[test]
    fn a_part_that_was_left_as_it_was_drawn_asks_for_nothing() {
        let page = Page::new();
        assert!(page.ready(&LEFT).parts.is_empty());
        let joined = page.ready(&[LEFT, PASSWORD].concat());
        assert!(joined.part("mine").is_none() && joined.part("theirs").is_some());
        for changed in [[(0, "name", "Elena"), (0, "news", "1")].as_slice(), &[(0, "name", "Marta")]] {
            let joined = page.ready(changed);
            assert!(joined.part("mine").is_some() && joined.part("theirs").is_none());
        }
    }

    #[test]
    fn what_is_wrong_in_one_part_loses_nothing_of_another_and_a_password_that_is_gone_is_said() {
        let page = Page::new();
        let mismatch = [(1, "new", "four words of it"), (1, "new~again", "other")];
        let elena = [(0, "name", "Elena"), (0, "news", "1")];
        let Ok(Err(Unready::Again(again))) = page.read(&page.body(&[elena, mismatch].concat())) else {
            panic!("ready")
        };
        let [mine, theirs] = page.html(Some(&again));
        assert!(mine.contains("value=\"Elena\"") && !mine.contains("kt-error"), "kept, and nothing is wrong with it");
        assert!(theirs.contains("The two passwords differ.") && !theirs.contains("four words"));

        let nameless = [(0, "name", ""), (0, "news", "1")];
        let Ok(Err(Unready::Again(again))) = page.read(&page.body(&[nameless, PASSWORD].concat())) else {
            panic!("ready")
        };
        let [mine, theirs] = page.html(Some(&again));
        assert!(mine.contains("kt-error") && !theirs.contains("four words"));
        assert!(theirs.contains("this one was not saved. Type it again."), "{theirs}");
        // They survive being carried through a sign-in.
        let stage = &page.stages[0];
        let carried = again.seal(&stage.keys, &stage.caller.actor);
        assert_eq!(Corrections::open(&carried, &stage.keys, &stage.caller.actor), Some(*again));
    }

    #[test]
    fn parts_are_of_the_pages_form_wherever_they_stand_and_enter_presses_none_of_their_buttons() {
        for html in Page::new().html(None) {
            assert!(!html.contains("<form") && !html.contains("type=\"submit\""), "{html}");
            let inputs = html.matches("<input").count();
            assert_eq!(html.matches("<input form=\"page\"").count(), inputs, "{html}");
        }
    }

    #[test]
    fn a_part_of_another_session_or_of_no_form_of_ours_is_refused_and_nothing_is_read() {
        let page = Page::new();
        let body = page.body(&[LEFT, PASSWORD].concat());
        let mut stage = Stage::new();
        stage.caller.session = "session two".to_owned();
        let late = read(&body, &stage.keys, &stage.caller, NOW);
        assert!(matches!(late, Ok(Err(Unready::Stale(_)))), "kept for when he has signed in");
        let forged = String::from_utf8(body).expect("text").replace(".kt=", ".kt=A");
        assert!(matches!(page.read(forged.as_bytes()), Err(FormError::Foreign)));
        let many: String = (0..40).map(|at| format!("k00000000-{at}.kt=x&")).collect();
        assert!(matches!(page.read(many.as_bytes()), Err(FormError::Malformed(_))));
    }

    #[test]
    fn parts_take_together_what_their_body_takes_and_no_more() {
        let part = |at: usize| format!("k00000000-{at}.kt=x&k00000000-{at}.new={}", "y".repeat(1_000 * at));
        let body: Vec<String> = (0..PARTS).map(part).collect();
        let body = format!("name=x&{}", body.join("&"));
        let parts = split(body.as_bytes()).expect("parts");
        assert_eq!(parts.len(), PARTS);
        assert_eq!(String::from_utf8_lossy(&parts[1]), format!("kt=x&new={}", "y".repeat(1_000)));
        let taken: usize = parts.iter().map(|part| part.capacity()).sum();
        assert!(taken <= body.len(), "{taken} bytes for {}", body.len());
    }

    #[test]
    fn only_names_that_begin_as_a_parts_own_do_are_parts() {
        assert!(is_joined(b"name=x&k0a1b2c3d-12.kt=y"));
        for body in
            ["kt=y", "k0a1b2c3d-12.kt2=y", "k0a1b2c3d-.kt=y", "x0a1b2c3d-1.kt=y", "k0a1-1.kt=y", "a=k0a1b2c3d-1.kt"]
        {
            assert!(!is_joined(body.as_bytes()), "{body}");
        }
    }
}
