//! Secrets that are known to the test, and places where none of them may be found, in no form that it could be taken for.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use crate::client::percent;

/// The secrets of one test.
#[derive(Default)]
pub struct Canaries(Vec<Canary>);

struct Canary {
    what: String,
    /// Bytes to look for, and what they are.
    forms: Vec<(&'static str, Vec<u8>)>,
}

impl Canaries {
    /// Adds a secret, and gives it back.
    ///
    /// # Panics
    /// If it is so short that it would be found anywhere.
    pub fn add<'a>(&mut self, what: &str, secret: &'a str) -> &'a str {
        assert!(secret.len() >= 12, "{what} is too short to be told from chance");
        let hex = keyturn_host::seal::hex(secret.as_bytes());
        let mut forms = vec![
            ("as it is", secret.to_owned()),
            ("url-encoded", percent(secret)),
            ("url-encoded by a form", percent(secret).replace("%20", "+")),
            ("in hex", hex.to_uppercase()),
            ("in hex", hex),
        ];
        // Where it stands among other bytes its first one may be any of the three of a group; what it shares with others is
        // left out.
        for before in 0..3 {
            let bytes = [&vec![0; before], secret.as_bytes()].concat();
            for engine in [STANDARD, URL_SAFE] {
                let encoded = engine.encode(&bytes);
                forms.push(("in base64", encoded[(before * 8).div_ceil(6)..bytes.len() * 8 / 6].to_owned()));
            }
        }
        let forms = forms.into_iter().map(|(form, text)| (form, text.into_bytes())).collect();
        self.0.push(Canary { what: what.to_owned(), forms });
        secret
    }

    /// What is found, in words.
    #[must_use]
    pub fn found(&self, bytes: &[u8]) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for canary in &self.0 {
            for (form, looked_for) in &canary.forms {
                if holds(bytes, looked_for) {
                    found.insert(format!("{}, {form}", canary.what));
                }
            }
        }
        found
    }

    /// None is found.
    ///
    /// # Panics
    /// If one is: which, where, and in what form.
    #[track_caller]
    pub fn absent(&self, place: &str, bytes: &[u8]) {
        let found = self.found(bytes);
        assert!(found.is_empty(), "in {place} there is {found:?}");
    }

    /// None is found in any file of a folder, but those that `carry` secrets because that is what they are for. Answers how many
    /// files were looked into.
    ///
    /// # Panics
    /// As [`Canaries::absent`].
    #[track_caller]
    pub fn absent_below(&self, folder: &Path, carry: &dyn Fn(&Path) -> bool) -> usize {
        let mut looked = 0;
        for entry in std::fs::read_dir(folder).expect("reads").flatten() {
            let path = entry.path();
            if path.is_dir() {
                looked += self.absent_below(&path, carry);
            } else if !carry(&path) {
                self.absent(&path.display().to_string(), &std::fs::read(&path).expect("reads"));
                looked += 1;
            }
        }
        looked
    }
}

fn holds(bytes: &[u8], looked_for: &[u8]) -> bool {
    let first = looked_for[0];
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| *byte == first) {
        rest = &rest[at..];
        if rest.starts_with(looked_for) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}

/// Looks at the arguments of every process of the machine, again and again: anybody on it may.
pub struct Arguments {
    stop: Arc<AtomicBool>,
    watching: JoinHandle<BTreeSet<Vec<u8>>>,
}

impl Arguments {
    /// Begins to look.
    #[must_use]
    pub fn watch() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let watching = std::thread::spawn(move || {
            let mut seen = BTreeSet::new();
            while !told.load(Ordering::Relaxed) {
                for process in std::fs::read_dir("/proc").expect("reads").flatten() {
                    // A process that has just ended has none.
                    seen.extend(std::fs::read(process.path().join("cmdline")).ok().filter(|line| !line.is_empty()));
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            seen
        });
        Self { stop, watching }
    }

    /// All that were seen.
    ///
    /// # Panics
    /// If looking failed.
    #[must_use]
    pub fn seen(self) -> Vec<u8> {
        self.stop.store(true, Ordering::Relaxed);
        self.watching.join().expect("it looked").into_iter().collect::<Vec<_>>().join(&b'\n')
    }
}

/// A mail's text as it is read: lines that its encoding has broken are whole again (RFC 2045, section 6.7).
#[must_use]
pub fn unbroken(mail: &str) -> String {
    mail.replace("\r\n", "\n").replace("=\n", "").replace("=3D", "=")
}

/// What stands in a mail's text between this beginning and the next white space.
#[must_use]
pub fn word<'m>(mail: &'m str, beginning: &str) -> Option<&'m str> {
    let at = mail.find(beginning)?;
    mail[at..].split(|c: char| c.is_whitespace() || c == '"' || c == '<').next()
}

/// The password that stands alone on its line in a mail: syllables of four letters and digits.
#[must_use]
pub fn password(mail: &str) -> Option<&str> {
    mail.lines().map(str::trim).find(|line| {
        let parts: Vec<&str> = line.split('-').collect();
        let (digits, syllables) = parts.split_last().unwrap_or((&"", &[]));
        syllables.len() > 1
            && syllables.iter().all(|part| part.len() == 4 && part.bytes().all(|b| b.is_ascii_lowercase()))
            && digits.len() > 1
            && digits.bytes().all(|b| b.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "copper lantern/oats 52";

    fn canaries() -> Canaries {
        let mut canaries = Canaries::default();
        canaries.add("the secret", SECRET);
        canaries
    }

    #[test]
    fn a_secret_is_found_in_each_of_its_forms_wherever_it_stands() {
        let found = |text: &str| !canaries().found(text.as_bytes()).is_empty();
        for form in [
            "new=copper+lantern%2Foats+52&again",
            "new=copper%20lantern%2Foats%2052",
            "636f70706572206c616e7465726e2f6f617473203532",
            "x636F70706572206C616E7465726E2F6F617473203532",
            "{\"new\":\"copper lantern/oats 52\"}",
        ] {
            assert!(found(form), "{form}");
        }
        for before in ["", "a", "ab", "abc"] {
            for engine in [STANDARD, URL_SAFE] {
                assert!(found(&engine.encode(format!("{before}{SECRET} and more"))), "{before}");
            }
        }
        assert!(!found("copper lantern and oats 52"));
    }

    #[test]
    fn a_secret_among_the_arguments_of_a_process_is_seen() {
        let watch = Arguments::watch();
        let told = std::process::Command::new("sh").args(["-c", "sleep 0.1; true", SECRET]).status();
        assert!(told.expect("runs").success());
        assert!(!canaries().found(&watch.seen()).is_empty());
    }
}
