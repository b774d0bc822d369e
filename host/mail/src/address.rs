//! Email addresses, as a server accepts them.

use std::net::{Ipv4Addr, Ipv6Addr};

use lettre::Address;

use keyturn_core::fold;
use keyturn_core::origin::is_domain;
use keyturn_core::words::Words;

/// RFC 5321, 4.5.3.1.3: a path has at most 256 bytes, with its two brackets.
const LONGEST: usize = 254;

keyturn_core::named! {
    /// What is wrong with an address.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Problem {
        /// Longer than 254 bytes.
        Long = "address-long",
        /// A space outside quotation marks, or an invisible character.
        Unseen = "address-unseen",
        /// There is no @.
        NoAt = "address-no-at",
        /// More than one.
        Several = "address-several",
        /// A name and an address in brackets.
        Named = "address-named",
        /// The part before the @.
        Local = "address-local",
        /// The part after the @.
        Domain = "address-domain",
    }
}

impl Problem {
    /// The text in this language; it follows “because”.
    #[must_use]
    pub fn in_locale(self, locale: &str) -> String {
        Words::of(locale).get(self.name()).to_owned()
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(Words::of("en").get(self.name()))
    }
}

/// Why a text is not an email address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{address}” is not an email address: {problem}")]
pub struct AddressError {
    /// The text, without invisible characters.
    pub address: String,
    /// What is wrong with it.
    pub problem: Problem,
}

/// Whether email can be sent to `address` at all.
///
/// # Errors
/// [`AddressError`]: one sentence that names the address and what is wrong with it.
pub fn check(address: &str) -> Result<(), AddressError> {
    parse(address).map(drop)
}

/// Whether it has only spaces and invisible characters.
#[must_use]
pub fn is_blank(address: &str) -> bool {
    fold::seen(address).chars().all(unseen)
}

/// The address for the envelope and the headers. The rule is what a server could accept, not what a standard says: the server
/// knows its people. White space around it came from copying. A domain becomes A-labels, which any server accepts; letters
/// beyond a-z before the @ stay, and need SMTPUTF8. Dots in the wrong place (`taro..yamada@`, `hanako.@`) are valid inside
/// quotation marks, and such mailboxes exist.
pub(super) fn parse(address: &str) -> Result<Address, AddressError> {
    // As its owner sees it: invisible characters came from copying, too, wherever they are.
    let address = fold::seen(address);
    let address = address.as_str();
    let parts = || {
        if address.len() > LONGEST {
            return Err(Problem::Long);
        }
        if address.chars().any(|c| c != ' ' && unseen(c)) {
            return Err(Problem::Unseen);
        }
        let (local, domain) = match address.starts_with('"') {
            true => quoted(address)?,
            false => plain(address)?,
        };
        let parts = (local, self::domain_of(domain)?);
        if parts.0.len() + 1 + parts.1.len() > LONGEST { Err(Problem::Long) } else { Ok(parts) }
    };
    let (local, domain) = parts().map_err(|problem| AddressError { address: super::line(address, 80), problem })?;
    // lettre's own rule refuses existing mailboxes. This one is at least as strict about everything that could end a command or
    // header.
    Ok(Address::new_dangerous(local, domain))
}

fn unseen(c: char) -> bool {
    c.is_whitespace() || super::invisible(c)
}

/// The part before the @, as written, and the part after it.
fn plain(address: &str) -> Result<(String, &str), Problem> {
    if address.contains('<') && address.contains('>') {
        return Err(Problem::Named);
    }
    let (local, domain) = address.rsplit_once('@').ok_or(Problem::NoAt)?;
    if local.contains('@') {
        return Err(Problem::Several);
    }
    if address.contains(' ') {
        return Err(Problem::Unseen);
    }
    // RFC 5322, 3.2.3; RFC 6532, 3.2.
    let atext = |c: char| c.is_ascii_alphanumeric() || !c.is_ascii() || "!#$%&'*+-/=?^_`{|}~".contains(c);
    if local.is_empty() || !local.chars().all(|c| atext(c) || c == '.') {
        return Err(Problem::Local);
    }
    let dots_fit = local.split('.').all(|atom| !atom.is_empty());
    Ok((if dots_fit { local.to_owned() } else { format!("\"{local}\"") }, domain))
}

/// The same for an address that begins with a quotation mark. RFC 5321, 4.1.2: Quoted-string.
fn quoted(address: &str) -> Result<(String, &str), Problem> {
    let mut chars = address.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' if chars.next().is_some_and(|(_, c)| c.is_ascii()) => {}
            '\\' => return Err(Problem::Local),
            '"' => {
                let (local, rest) = address.split_at(at + 1);
                let domain = rest.strip_prefix('@').ok_or(Problem::Local)?;
                return if at == 1 { Err(Problem::Local) } else { Ok((local.to_owned(), domain)) };
            }
            _ => {}
        }
    }
    Err(if address.contains('@') { Problem::Local } else { Problem::NoAt })
}

/// A domain as A-labels, or an address in brackets.
fn domain_of(domain: &str) -> Result<String, Problem> {
    if let Some(fits) = is_literal(domain) {
        return if fits { Ok(domain.to_owned()) } else { Err(Problem::Domain) };
    }
    // The root's dot means nothing, and servers refuse it.
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    let domain = match domain.is_ascii() {
        true => domain.to_owned(),
        false => idna::domain_to_ascii(domain).map_err(|_| Problem::Domain)?,
    };
    if is_domain(&domain, "_") { Ok(domain) } else { Err(Problem::Domain) }
}

/// Whether a text in brackets is an address: RFC 5321, 4.1.3. None: it is not in brackets.
pub(super) fn is_literal(text: &str) -> Option<bool> {
    let literal = text.strip_prefix('[')?.strip_suffix(']')?;
    let v6 = literal.split_once(':').filter(|(tag, _)| tag.eq_ignore_ascii_case("IPv6"));
    Some(v6.map_or_else(|| literal.parse::<Ipv4Addr>().is_ok(), |(_, v6)| v6.parse::<Ipv6Addr>().is_ok()))
}

/// The domain of an address, as A-labels; none if it is not an address.
pub fn domain(address: &str) -> Option<String> {
    parse(address).ok().map(|address| address.domain().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_no_server_could_take_is_refused_with_what_is_wrong() {
        for (address, word) in [
            ("", "no @"),
            ("marta", "no @"),
            ("\"marta", "no @"),
            ("@vidal.example", "before the @"),
            ("marta@", "domain"),
            ("marta@-.example", "domain"),
            ("marta@vidal..example", "domain"),
            ("marta@[vidal.example]", "domain"),
            ("marta@[IPv6:192.0.2.7]", "domain"),
            ("marta@vidal.example\r\nBcc: thief@else.example", "invisible character"),
            ("marta@vidal.example\nRCPT TO:<thief@else.example>", "invisible character"),
            ("mar ta@vidal.example", "space"),
            ("mar\u{2800}\u{fdd0}ta@vidal.example", "invisible character"),
            ("marta@vidal. example", "space"),
            ("marta>@vidal.example", "before the @"),
            ("marta@vidal.example>", "domain"),
            ("marta,vidal@vidal.example", "before the @"),
            ("Marta <marta@vidal.example>", "a name"),
            ("a@vidal.example, b@vidal.example", "more than one"),
            ("a@vidal.example;b@vidal.example", "more than one"),
            ("\"marta\"x@vidal.example", "before the @"),
            ("\"\"@vidal.example", "before the @"),
            ("\"mar\\\"@vidal.example", "before the @"),
            ("\"mar\r\nta\"@vidal.example", "invisible character"),
            (&format!("{}@vidal.example", "m".repeat(250)), "254"),
            (&format!("{}..@vidal.example", "m".repeat(237)), "254"),
        ] {
            let cause = check(address).expect_err(address).to_string();
            assert!(cause.contains(word) && !cause.contains(['\r', '\n', '\u{202e}']), "{address}: {cause}");
        }
    }

    #[test]
    fn each_problem_is_said_in_each_language() {
        for problem in Problem::ALL {
            assert_ne!(problem.in_locale("en"), problem.in_locale("es"), "{problem:?}");
        }
    }

    #[test]
    fn an_address_that_exists_is_written_as_a_server_takes_it() {
        for (address, written) in [
            ("o'hara+x=y@vidal.example", "o'hara+x=y@vidal.example"),
            ("taro..yamada@docomo.example", "\"taro..yamada\"@docomo.example"),
            ("hanako.@docomo.example", "\"hanako.\"@docomo.example"),
            (".dot@vidal.example", "\".dot\"@vidal.example"),
            ("\"john doe\"@vidal.example", "\"john doe\"@vidal.example"),
            ("\"john@home\\\"\"@vidal.example", "\"john@home\\\"\"@vidal.example"),
            ("root@host_name.example", "root@host_name.example"),
            ("user@[192.0.2.7]", "user@[192.0.2.7]"),
            ("user@[IPv6:2001:db8::1]", "user@[IPv6:2001:db8::1]"),
            ("user@localhost", "user@localhost"),
            ("user@vidal.example.", "user@vidal.example"),
            (&format!("{}@vidal.example", "x".repeat(70)), &format!("{}@vidal.example", "x".repeat(70))),
            // As copied.
            ("mar\u{200d}ta@vi\u{ad}dal.example\u{200b}", "marta@vidal.example"),
            (" \u{feff}marta@vidal.example\u{a0}\t\r\n", "marta@vidal.example"),
        ] {
            assert_eq!(parse(address).expect(address).to_string(), written);
        }
        for blank in ["", " ", "\u{a0}\u{200b}\t"] {
            assert!(is_blank(blank) && check(blank).is_err(), "{blank:?}");
        }
    }

    #[test]
    fn an_international_domain_goes_as_a_labels_and_an_international_name_stays() {
        assert_eq!(parse("jürgen@bücher.example").expect("fits").to_string(), "jürgen@xn--bcher-kva.example");
        assert_eq!(parse("jurgen@bücher.example").expect("fits").to_string(), "jurgen@xn--bcher-kva.example");
        for spelled in [" jurgen@vidal.example\r", "\u{feff}jurgen@vi\u{200b}dal.example\u{a0}"] {
            assert_eq!(parse(spelled).expect("as it is seen").to_string(), "jurgen@vidal.example");
        }
        assert_eq!(domain("jürgen@bücher.example").as_deref(), Some("xn--bcher-kva.example"));
    }
}
