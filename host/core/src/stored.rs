//! What the host reads of stored hashes: their beginning.

/// The beginning of a stored text, up to its salt: the scheme, and the costs after it (`$2y$12$`,
/// `$argon2id$v=19$m=65536,t=4,p=1$`, `pbkdf2_sha256$600000$`, `{SSHA}`). Empty for a text without a scheme.
#[must_use]
pub fn kind(stored: &str) -> &str {
    let braced = stored.strip_prefix('{').and_then(|rest| rest.find('}')).filter(|end| *end <= 24);
    let mut end = braced.map_or(0, |end| end + 2);
    let Some(behind) = stored.get(end..) else { return "" };
    let mut parts = behind.split_inclusive('$').peekable();
    // The scheme is before the first `$`, or between it and the second.
    let Some(before) = parts.next_if(|part| part.ends_with('$') && part.len() <= 24) else {
        return &stored[..end];
    };
    let mut length = before.len();
    if before == "$" || braced.is_none() && before.ends_with("|$") {
        let Some(scheme) = parts.next_if(|part| part.ends_with('$') && part.len() <= 24) else {
            return &stored[..end];
        };
        length += scheme.len();
    }
    while let Some(cost) = parts.next_if(|part| part.strip_suffix('$').is_some_and(is_cost)) {
        length += cost.len();
    }
    end += length;
    &stored[..end]
}

/// A number, or parameters such as `m=65536,t=4,p=1`; no salt.
fn is_cost(part: &str) -> bool {
    let number = |digits: &str| (1..=7).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    number(part)
        || part.split(',').all(|parameter| {
            parameter.split_once('=').is_some_and(|(name, value)| {
                !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase()) && value.len() <= 10
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_scheme_and_costs_and_never_salt_or_digest() {
        for (stored, of) in [
            ("$2y$12$IKqdYFOUuIWO8nVHn8JTKOL6LQ5NcHz8u8I2qAu08mX5b8UFdLL9G", "$2y$12$"),
            ("$argon2id$v=19$m=65536,t=4,p=1$c2FsdHNhbHQ$aGFzaA", "$argon2id$v=19$m=65536,t=4,p=1$"),
            ("$argon2i$m=4096,t=3,p=1$c2FsdHNhbHQ$aGFzaA", "$argon2i$m=4096,t=3,p=1$"),
            ("$6$rounds=5000$0123456789abcdef$digest", "$6$rounds=5000$"),
            ("$6$saltsalt$digest", "$6$"),
            ("$1$0123abcd$digest", "$1$"),
            ("$P$Bsaltanddigest", "$P$"),
            ("pbkdf2_sha256$600000$salt$digest", "pbkdf2_sha256$600000$"),
            ("bcrypt_sha256$$2b$12$saltdigest", "bcrypt_sha256$"),
            ("3|$argon2id$v=19$m=65536,t=4,p=1$salt$digest", "3|$argon2id$v=19$m=65536,t=4,p=1$"),
            ("{SSHA}c2FsdA==", "{SSHA}"),
            ("{BLF-CRYPT}$2y$05$abcdefghijklmnopqrstuv", "{BLF-CRYPT}$2y$05$"),
            ("5f4dcc3b5aa765d61d8327deb882cf99", ""),
            ("pass}word", ""),
            ("", ""),
            ("{", ""),
            ("$", ""),
            ("é$é$1$", "é$"),
        ] {
            assert_eq!(kind(stored), of, "{stored}");
        }
    }
}
