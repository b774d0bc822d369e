//! What a message may repeat from a configuration: never a password.

/// Replaces what is hidden.
const HIDDEN: &str = "••••";
/// What ends a value that a message repeats.
const ENDS: [char; 10] = ['"', '\'', '“', '”', '`', '<', '>', '\n', '\r', '\t'];

/// A text without user names and passwords in its addresses: `https://user:password@host` becomes `https://••••@host`.
pub fn without_passwords(text: &str) -> String {
    let mut masked = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        // A password may contain anything that doesn't end the value, so rather mask too much than too little.
        let end = after.find(ENDS).unwrap_or(after.len());
        let next = after[..end].find("://").map_or(end, |next| scheme(&after[..next]));
        masked.push_str(before);
        masked.push_str("://");
        rest = match after[..next].rfind('@') {
            Some(at) => {
                masked.push_str(HIDDEN);
                &after[at..]
            }
            None => after,
        };
    }
    masked + rest
}

/// Where the scheme at the end of a text begins.
fn scheme(text: &str) -> usize {
    text.rfind(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')))
        .map_or(0, |at| at + text[at..].chars().next().map_or(0, char::len_utf8))
}

/// A TOML reader's message about a file, with its line, without any secret in it.
pub fn syntax(text: &str, cause: &toml::de::Error) -> String {
    let start = cause.span().map_or(0, |span| span.start).min(text.len());
    let begins = text.get(..start).unwrap_or_default().rfind('\n').map_or(0, |at| at + 1);
    let (before, line) = text.split_at(begins);
    let (row, line) = (before.matches('\n').count() + 1, line.lines().next().unwrap_or_default());
    // A text of several lines may be anything.
    let within = ["\"\"\"", "'''"].iter().any(|quote| before.matches(quote).count() % 2 == 1);
    // The name of a file is not a secret.
    let names = line.to_ascii_lowercase().replace('_', "-").replace("password-file", "").replace("secret-file", "");
    if !within && !["pass", "secret", "token"].iter().any(|word| names.contains(word)) {
        return without_passwords(&cause.to_string());
    }
    // Such a line is not repeated, nor what the reader says about its value.
    let known = cause.message().starts_with("unknown field");
    let what = if known { cause.message() } else { "can't read its value" };
    let bare =
        |key: &&str| !within && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    let key = line.split_once('=').map(|(key, _)| key.trim()).filter(bare).unwrap_or("…");
    format!("TOML parse error at line {row}: {key} = {HIDDEN}\n{what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_before_the_at_of_an_address_is_hidden_and_everything_else_is_not() {
        for (text, expected) in [
            (
                "must be like https://panel.example/login, not “ftp://u:pw@h/x”",
                "must be like https://panel.example/login, not “ftp://••••@h/x”",
            ),
            ("\"https://u:p@ss/w rd@h\"", "\"https://••••@h\""),
            ("a http://u:one@h, b smtp://v:two@i", "a http://••••@h, b smtp://••••@i"),
            ("`https://h/x` and “marta@vidal.example”", "`https://h/x` and “marta@vidal.example”"),
            ("smtps://pw@h", "smtps://••••@h"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(without_passwords(text), expected);
        }
    }

    #[test]
    fn a_line_that_cannot_be_read_is_shown_without_its_password() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        #[allow(dead_code)]
        struct File {
            #[serde(default)]
            port: u16,
            #[serde(default)]
            password_file: String,
        }
        for (text, word) in [
            ("password = \"hunter2\"", "unknown field `password`, expected"),
            ("port = 1\nsmtp-password = hunter2", "line 2: smtp-password = ••••"),
            ("port = \"https://u:hunter2@h\"", "https://••••@h"),
            ("url = \"https://u:hunter2@h\"", "unknown field `url`"),
            ("token = \"\"\"hunter2", "line 1: token = ••••"),
            ("password_file = 7", "password_file = 7"),
            ("smtp = { host = \"h\", password = \"hunter2\\q\" }", "line 1: smtp = ••••"),
            ("password = \"\"\"\na=1\nhunter2\\q\"\"\"", "line 3: … = ••••"),
            ("pass = \"hunter2\"", "unknown field `pass`"),
        ] {
            let cause = toml::from_str::<File>(text).expect_err(text);
            let said = syntax(text, &cause);
            assert!(said.contains(word) && !said.contains("hunter2"), "{said}");
        }
    }
}
