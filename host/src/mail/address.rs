//! Mail addresses, as a server will take them.

use lettre::Address;

use crate::accounts::fold;

/// RFC 5321, 4.5.3.1.3: a path has at most 256 bytes, with its two brackets.
const LONGEST: usize = 254;

/// What keeps a text from being a mail address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{address}” is not a mail address: {problem}")]
pub struct AddressError {
    /// The text, without what cannot be shown.
    pub address: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// Whether mail can be sent to `address` at all.
///
/// # Errors
/// [`AddressError`]: one sentence that names the address and what is wrong with it.
pub fn check(address: &str) -> Result<(), AddressError> {
    parse(address).map(drop)
}

/// The address for the envelope and the headers. An international domain under a plain local part becomes A-labels, which
/// any server takes; an international local part stays, and needs SMTPUTF8.
pub(super) fn parse(address: &str) -> Result<Address, AddressError> {
    let wrong = |problem| AddressError { address: super::line(address, 80), problem };
    // As its owner sees it: imports leave spaces around it, and copying leaves what nobody sees in it.
    let address = fold::seen(address);
    let address = address.as_str();
    if address.len() > LONGEST {
        return Err(wrong("it is longer than 254 bytes"));
    }
    if address.chars().any(|c| c.is_whitespace() || super::invisible(c)) {
        return Err(wrong("it contains a space or a character that cannot be seen"));
    }
    let Some((local, domain)) = address.rsplit_once('@') else {
        return Err(wrong("it has no @"));
    };
    let domain = match local.is_ascii() && !domain.is_ascii() {
        true => &idna::domain_to_ascii(domain).map_err(|_| wrong("there can be no such domain"))?,
        false => domain,
    };
    Address::new(local, domain).map_err(|cause| {
        wrong(match cause {
            lettre::address::AddressError::InvalidDomain => "there can be no such domain",
            _ => "what stands before the @ cannot stand there",
        })
    })
}

/// The domain of an address, as A-labels; none if it is none.
pub(crate) fn domain(address: &str) -> Option<String> {
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
            ("@vidal.example", "before the @"),
            ("marta@", "domain"),
            ("marta@-.example", "domain"),
            ("marta@vidal.example\r\nBcc: thief@else.example", "cannot be seen"),
            ("marta@vidal.example\nRCPT TO:<thief@else.example>", "cannot be seen"),
            ("mar ta@vidal.example", "space"),
            ("mar\u{2800}\u{fdd0}ta@vidal.example", "cannot be seen"),
            ("marta>@vidal.example", "before the @"),
            ("marta@vidal.example>", "domain"),
            (&format!("{}@vidal.example", "m".repeat(250)), "254"),
        ] {
            let cause = check(address).expect_err(address).to_string();
            assert!(cause.contains(word) && !cause.contains(['\r', '\n', '\u{202e}']), "{address}: {cause}");
        }
    }

    #[test]
    fn an_international_domain_goes_as_a_labels_and_an_international_name_stays() {
        assert_eq!(parse("jürgen@bücher.example").expect("fits").to_string(), "jürgen@bücher.example");
        assert_eq!(parse("jurgen@bücher.example").expect("fits").to_string(), "jurgen@xn--bcher-kva.example");
        for spelled in [" jurgen@vidal.example\r", "\u{feff}jurgen@vi\u{200b}dal.example\u{a0}"] {
            assert_eq!(parse(spelled).expect("as it is seen").to_string(), "jurgen@vidal.example");
        }
        assert_eq!(parse("o'hara+x@vidal.example").expect("fits").to_string(), "o'hara+x@vidal.example");
    }
}
