//! Signed requests: HTTP Message Signatures (RFC 9421) with `hmac-sha256`, over the method, the path, and the body's digest
//! (RFC 9530). Only what this needs of both is read; anything else is refused by name.

use axum::http::{HeaderMap, HeaderName, Method, Uri, header};
use sfv::{BareItem, Dictionary, FieldType as _, InnerList, Item, Key, ListEntry, Parser};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Seconds by which a signature's time may be off, either way.
pub(super) const WINDOW: i64 = 60;

const INPUT: HeaderName = HeaderName::from_static("signature-input");
const SIGNATURE: HeaderName = HeaderName::from_static("signature");
const DIGEST: HeaderName = HeaderName::from_static("content-digest");
/// The header in which a panel says for whom it asks, see [`super::views`].
pub(super) const ON_BEHALF: HeaderName = HeaderName::from_static("keyturn-on-behalf");
pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The header in which a machine says for whose address it calls, see [`super::who::client_address`].
pub(super) const CLIENT_ADDRESS: HeaderName = HeaderName::from_static("keyturn-client-address");

/// The headers that a request must sign if it has them.
static MEANT: [HeaderName; 3] = [IDEMPOTENCY_KEY, ON_BEHALF, CLIENT_ADDRESS];
/// The headers that can be signed.
static SIGNABLE: [HeaderName; 5] = [DIGEST, header::CONTENT_TYPE, IDEMPOTENCY_KEY, ON_BEHALF, CLIENT_ADDRESS];

/// A request's signature. Its body has the signed digest.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Signed {
    /// The key's id.
    pub(super) key: String,
    /// Unix seconds.
    pub(super) created: i64,
    /// 16 to 64 characters, used once.
    pub(super) nonce: String,
    /// The signature base of RFC 9421, section 2.5: what was signed.
    pub(super) base: String,
    pub(super) signature: Vec<u8>,
}

/// Whether a request has a signature.
pub(super) fn is_signed(headers: &HeaderMap) -> bool {
    headers.contains_key(INPUT) || headers.contains_key(SIGNATURE)
}

fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<&'a str, String> {
    let mut values = headers.get_all(name).iter();
    match (values.next().map(|value| value.to_str()), values.next()) {
        (Some(Ok(value)), None) => Ok(value.trim()),
        (None, _) => Err(format!("The header {name} is missing.")),
        _ => Err(format!("The header {name} is there more than once, or is not ASCII.")),
    }
}

/// Reads a request's signature, and compares its body with the signed digest.
///
/// # Errors
/// One sentence that says what is wrong.
pub(super) fn read(method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Result<Signed, String> {
    let input = one(headers, &INPUT)?;
    let form =
        "Signature-Input must be one signature as RFC 9421 writes it, each parameter once: sig=(\"@method\" …);….";
    let Some((label, ListEntry::InnerList(list))) = member(input) else { return Err(form.to_owned()) };
    let signature = one(headers, &SIGNATURE)?;
    let signature = member(signature).filter(|(of, _)| *of == label).and_then(|(_, value)| bytes(value));
    let signature =
        signature.ok_or_else(|| format!("Signature must be {label}=:BASE64:, under the label of Signature-Input."))?;
    let mut base = String::new();
    let mut covered = Vec::new();
    for component in &list.items {
        let name = component.bare_item.as_string().filter(|_| component.params.is_empty());
        let name = name.ok_or("Each component of Signature-Input must be a name in quotes.")?.as_str();
        if covered.contains(&name) {
            return Err(format!("The component {name} is there twice."));
        }
        let value = match name {
            "@method" => method.as_str().to_owned(),
            "@path" => uri.path().to_owned(),
            "@query" => format!("?{}", uri.query().unwrap_or_default()),
            "@authority" => one(headers, &header::HOST)?.to_ascii_lowercase(),
            other => match SIGNABLE.iter().find(|header| *header == other) {
                Some(header) => one(headers, header)?.to_owned(),
                None => return Err(format!("The component {other} can't be signed here.")),
            },
        };
        covered.push(name);
        base.push_str(&format!("\"{name}\": {value}\n"));
    }
    // It was sent as RFC 9421 serializes it, or `member` would have refused it.
    base.push_str(&format!("\"@signature-params\": {}", &input[label.as_str().len() + 1..]));
    let mut needed = vec!["@method", "@path"];
    needed.extend(uri.query().is_some().then_some("@query"));
    needed.extend((method == Method::POST || !body.is_empty()).then_some("content-digest"));
    needed.extend(MEANT.iter().filter(|header| headers.contains_key(*header)).map(HeaderName::as_str));
    if let Some(missing) = needed.into_iter().find(|name| !covered.contains(name)) {
        return Err(format!("The signature must cover {missing}."));
    }
    if covered.contains(&"content-digest") {
        digest_holds(one(headers, &DIGEST)?, body)?;
    }
    let (created, nonce, key) = parameters(&list)?;
    Ok(Signed { key, created, nonce, base, signature })
}

/// The one member of a dictionary, in strict form (RFC 9651): with two members, or one written twice, one could stay unchecked.
fn member(header: &str) -> Option<(Key, ListEntry)> {
    let dictionary: Dictionary = Parser::new(header).parse().ok()?;
    let strict = dictionary.serialize().is_some_and(|written| written == header);
    let mut members = dictionary.into_iter();
    members.next().filter(|_| strict && members.next().is_none())
}

fn bytes(member: ListEntry) -> Option<Vec<u8>> {
    match member {
        ListEntry::Item(Item { bare_item: BareItem::ByteSequence(bytes), params }) if params.is_empty() => Some(bytes),
        _ => None,
    }
}

fn digest_holds(header: &str, body: &[u8]) -> Result<(), String> {
    let digest = member(header).filter(|(name, _)| name.as_str() == "sha-256").and_then(|(_, value)| bytes(value));
    let digest = digest.ok_or("Content-Digest must be sha-256=:BASE64:.")?;
    if bool::from(Sha256::digest(body).as_slice().ct_eq(&digest)) {
        Ok(())
    } else {
        Err("Content-Digest is not the digest of the body.".to_owned())
    }
}

/// Its time, its nonce, and the key's id.
fn parameters(list: &InnerList) -> Result<(i64, String, String), String> {
    let (mut created, mut nonce, mut key) = (None, None, None);
    for (name, value) in &list.params {
        match (name.as_str(), value) {
            ("created", BareItem::Integer(seconds)) => created = Some(i64::from(*seconds)),
            ("nonce", BareItem::String(text)) => nonce = Some(text.as_str().to_owned()),
            ("keyid", BareItem::String(text)) => key = Some(text.as_str().to_owned()),
            ("alg", BareItem::String(text)) if text.as_str() == "hmac-sha256" => {}
            ("alg", _) => return Err("alg must be \"hmac-sha256\".".to_owned()),
            (name, _) => return Err(format!("The parameter {name} is unknown or malformed.")),
        }
    }
    let nonce = nonce.filter(|nonce| (16..=64).contains(&nonce.len()) && nonce.bytes().all(|b| b.is_ascii_graphic()));
    Ok((
        created.ok_or("The parameter created is missing.")?,
        nonce.ok_or("The parameter nonce must have 16 to 64 characters.")?,
        key.ok_or("The parameter keyid is missing.")?,
    ))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD as BASE64;
    use proptest::prelude::*;

    use super::*;

    const BODY: &[u8] = br#"{"account": "customer:42"}"#;
    const PARAMETERS: &str = r#"("@method" "@path" "content-digest");created=1795525331;nonce="0123456789abcdef";keyid="abcdefghijkl";alg="hmac-sha256""#;

    fn headers(parameters: &str, digest: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(INPUT, format!("sig={parameters}").parse().expect("header"));
        headers.insert(SIGNATURE, "sig=:AAEC/w==:".parse().expect("header"));
        headers.insert(DIGEST, digest.parse().expect("header"));
        headers
    }

    fn digest() -> String {
        format!("sha-256=:{}:", BASE64.encode(Sha256::digest(BODY)))
    }

    fn uri() -> Uri {
        "/v1/hooks/password/account-status".parse().expect("address")
    }

    #[test]
    fn the_base_is_that_of_the_rfc_to_the_byte() {
        let signed = read(&Method::POST, &uri(), &headers(PARAMETERS, &digest()), BODY).expect("reads");
        let expected = format!(
            "\"@method\": POST\n\"@path\": /v1/hooks/password/account-status\n\"content-digest\": {}\n\
             \"@signature-params\": {PARAMETERS}",
            digest()
        );
        assert_eq!(signed.base, expected);
        assert_eq!(
            (signed.created, signed.nonce.as_str(), signed.key.as_str()),
            (1_795_525_331, "0123456789abcdef", "abcdefghijkl")
        );
        assert_eq!(signed.signature, [0, 1, 2, 255]);
    }

    #[test]
    fn what_is_not_covered_or_not_the_bodys_is_refused_by_name() {
        let without = |component: &str| {
            PARAMETERS.replace(component, "").replace("  ", " ").replace("( ", "(").replace(" )", ")")
        };
        for (parameters, digest, word) in [
            (without("\"@method\""), digest(), "must cover @method"),
            (without("\"@path\""), digest(), "must cover @path"),
            (without("\"content-digest\""), digest(), "must cover content-digest"),
            (PARAMETERS.to_owned(), "sha-256=:AAAA:".to_owned(), "not the digest"),
            (PARAMETERS.to_owned(), format!("{}, sha-512=:AAAA:", digest()), "must be sha-256"),
            (PARAMETERS.replace("hmac-sha256", "none"), digest(), "alg must be"),
            (PARAMETERS.replace("0123456789abcdef", "short"), digest(), "nonce"),
            (PARAMETERS.replace(";created=1795525331", ""), digest(), "created is missing"),
            (format!("{PARAMETERS};created=1"), digest(), "each parameter once"),
            (format!("{PARAMETERS}, other=()"), digest(), "must be one signature"),
            (PARAMETERS.replace(" \"@path\"", "  \"@path\""), digest(), "as RFC 9421 writes it"),
            (PARAMETERS.replace("\"@path\"", "\"@path\";req"), digest(), "must be a name in quotes"),
            (format!("{PARAMETERS};expires=1"), digest(), "expires is unknown"),
        ] {
            let refused = read(&Method::POST, &uri(), &headers(&parameters, &digest), BODY).expect_err("refused");
            assert!(refused.contains(word), "{word}: {refused}");
        }
        let mut keyed = headers(PARAMETERS, &digest());
        keyed.insert(IDEMPOTENCY_KEY, "k".parse().expect("header"));
        let refused = read(&Method::POST, &uri(), &keyed, BODY).expect_err("refused");
        assert!(refused.contains("must cover idempotency-key"), "{refused}");
        let asked = "/v1/hooks/a/b?c=d".parse().expect("address");
        assert!(
            read(&Method::POST, &asked, &headers(PARAMETERS, &digest()), BODY).is_err_and(|e| e.contains("@query"))
        );
    }

    proptest! {
        #[test]
        fn whatever_stands_in_the_headers_is_read_or_refused(input in "\\PC{0,80}", signature in "[ -~]{0,40}") {
            let mut headers = HeaderMap::new();
            if let (Ok(input), Ok(signature)) = (input.parse(), signature.parse()) {
                headers.insert(INPUT, input);
                headers.insert(SIGNATURE, signature);
                let _ = read(&Method::POST, &uri(), &headers, BODY);
            }
        }
    }
}
