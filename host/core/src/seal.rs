//! The host's keys. They seal every secret at rest, and are in a file beside the configuration, never in the database.

use std::path::Path;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

/// Bytes of an XChaCha20 nonce; a sealed value begins with it.
pub const NONCE: usize = 24;

/// Keys derived from the key file's key, one for each purpose.
pub struct Keys {
    main: Zeroizing<[u8; 32]>,
    seal: XChaCha20Poly1305,
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
#[error("key file {path}{problem}")]
pub struct KeyError {
    path: String,
    problem: String,
}

impl KeyError {
    fn new(path: &Path, problem: impl Into<String>) -> Self {
        Self { path: path.display().to_string(), problem: problem.into() }
    }

    /// It is missing, and something is sealed with it.
    pub fn missing(path: &Path) -> Self {
        Self::new(
            path,
            " is missing, and the database is sealed with it: restore it from the backup. If it is lost for good, `keyturn key \
             replace` voids what it sealed, and passwords stay",
        )
    }

    fn of(path: &Path, doing: &str, cause: &std::io::Error) -> Self {
        Self::new(
            path,
            match cause.kind() {
                std::io::ErrorKind::PermissionDenied => format!(
                    ": {doing} is refused to this user ({cause}). A command that root starts continues as the owner of the \
                     database: the key file must belong to that user, and so must its folder if there is no key file yet"
                ),
                _ => format!(": {cause}"),
            },
        )
    }
}

/// The value was not sealed by this host for this place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the value was not sealed by this host for this place")]
pub struct Unsealed;

impl Keys {
    /// Keys from 32 secret bytes.
    #[must_use]
    pub fn new(main: [u8; 32]) -> Self {
        let main = Zeroizing::new(main);
        let derived = Zeroizing::new(mac_with(&main, &[b"seal"]));
        Self { seal: XChaCha20Poly1305::new(&(*derived).into()), main }
    }

    /// Keys that die with the process: for tests and trials.
    ///
    /// # Panics
    /// If the system has no randomness.
    #[must_use]
    pub fn random() -> Self {
        Self::new(random())
    }

    /// Reads the key file; creates it with mode 600 if it is missing.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn open(path: &Path) -> Result<Self, KeyError> {
        use std::io::Write as _;

        let file_error = |cause| KeyError::of(path, "making it", &cause);
        if !path.exists() {
            let text = Zeroizing::new(hex(&random::<32>()) + "\n");
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let mut file = NamedTempFile::new_in(folder).map_err(file_error)?;
            file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(file_error)?;
            // In no other's place: of two that start at once, one makes the key and both read it.
            if let Err(cause) = file.persist_noclobber(path)
                && cause.error.kind() != std::io::ErrorKind::AlreadyExists
            {
                return Err(file_error(cause.error));
            }
        }
        Self::read(path)?.ok_or_else(|| KeyError::missing(path))
    }

    /// Reads the key file; none if there is none.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn read(path: &Path) -> Result<Option<Self>, KeyError> {
        let text = match private_text(path) {
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(|cause| KeyError::of(path, "reading it", &cause))?,
        };
        let open = |mode| KeyError::new(path, format!(": others may read it (mode {mode:o}); set mode 600"));
        let text = text.map_err(open)?;
        let bytes = HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes()).map(Zeroizing::new);
        let main = bytes.ok().and_then(|bytes| bytes.as_slice().try_into().ok());
        let content = || KeyError::new(path, ": must have 64 hexadecimal digits; restore it from the backup");
        main.map(|main| Some(Self::new(main))).ok_or_else(content)
    }

    /// Seals `plain` for one place, such as a table and a key: XChaCha20-Poly1305 under a fresh nonce.
    #[must_use]
    pub fn seal(&self, place: &[&str], plain: &[u8]) -> Vec<u8> {
        let nonce = random::<NONCE>();
        let aad = joined(place.iter().map(|part| part.as_bytes()));
        let mut sealed = nonce.to_vec();
        // It fails only for 256 GiB of plain text.
        sealed.extend(self.seal.encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: &aad }).unwrap_or_default());
        sealed
    }

    /// Opens what [`Keys::seal`] sealed for the same place.
    ///
    /// # Errors
    /// [`Unsealed`] for anything else.
    pub fn open_sealed(&self, place: &[&str], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unsealed> {
        let (nonce, text) = sealed.split_first_chunk::<NONCE>().ok_or(Unsealed)?;
        let aad = joined(place.iter().map(|part| part.as_bytes()));
        let plain = self.seal.decrypt(&XNonce::from(*nonce), Payload { msg: text, aad: &aad }).map_err(|_| Unsealed)?;
        Ok(Zeroizing::new(plain))
    }

    /// The same as a text, for addresses, cookies and forms.
    #[must_use]
    pub fn seal_text(&self, place: &[impl AsRef<str>], plain: &[u8]) -> String {
        let place: Vec<&str> = place.iter().map(AsRef::as_ref).collect();
        BASE64URL_NOPAD.encode(&self.seal(&place, plain))
    }

    /// Opens what [`Keys::seal_text`] sealed for the same place.
    ///
    /// # Errors
    /// [`Unsealed`] for anything else.
    pub fn open_text(&self, place: &[impl AsRef<str>], sealed: &str) -> Result<Zeroizing<Vec<u8>>, Unsealed> {
        let place: Vec<&str> = place.iter().map(AsRef::as_ref).collect();
        self.open_sealed(&place, &BASE64URL_NOPAD.decode(sealed.as_bytes()).map_err(|_| Unsealed)?)
    }

    /// HMAC-SHA-256 of `parts` under the key for `purpose`. Parts are length-prefixed, so they can't run together.
    #[must_use]
    pub fn mac(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
        let key = Zeroizing::new(mac_with(&self.main, &[b"mac", purpose.as_bytes()]));
        mac_with(&key, parts)
    }
}

fn mac_with(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key)
        .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
    mac.update(&joined(parts.iter().copied()));
    mac.finalize().into_bytes().into()
}

fn joined<'a>(parts: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut all = Vec::new();
    for part in parts {
        all.extend((part.len() as u64).to_be_bytes());
        all.extend(part);
    }
    all
}

/// The text of a file that only its owner may read.
///
/// # Errors
/// What is wrong with it, as a text after the name of a setting.
pub fn owners_only(path: &Path) -> Result<Zeroizing<String>, String> {
    let wrong = |problem: String| format!("names {}, which {problem}", path.display());
    let text = private_text(path).map_err(|cause| wrong(format!("can't be read: {cause}")))?;
    text.map_err(|mode| wrong(format!("others may read it (mode {mode:o}); set mode 600")))
}

/// The text of a file, or its mode if others than its owner may read it.
fn private_text(path: &Path) -> std::io::Result<Result<Zeroizing<String>, u32>> {
    use std::os::unix::fs::PermissionsExt as _;

    let mode = std::fs::metadata(path)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Ok(Err(mode));
    }
    let text = Zeroizing::new(std::fs::read_to_string(path)?);
    Ok(Ok(Zeroizing::new(without_mark(&text).to_owned())))
}

/// A text without the byte order mark that some editors and shells put at a file's start: it is not part of a secret.
#[must_use]
pub fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// Random bytes from the system.
///
/// # Panics
/// If the system has none: nothing would be safe.
#[must_use]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).unwrap_or_else(|cause| panic!("the system has no randomness: {cause}"));
    bytes
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

/// What [`hex`] wrote; none: it is something else.
#[must_use]
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    HEXLOWER.decode(text.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_value_opens_only_in_its_own_place_and_untouched() {
        let keys = Keys::random();
        let sealed = keys.seal(&["data", "p", "k"], b"secret");
        assert_eq!(keys.open_sealed(&["data", "p", "k"], &sealed).expect("opens").as_slice(), b"secret");
        assert_eq!(keys.open_sealed(&["data", "p", "l"], &sealed), Err(Unsealed));
        assert_eq!(keys.open_sealed(&["data", "pk", ""], &sealed), Err(Unsealed));
        for at in [0, NONCE, sealed.len() - 1] {
            let mut bad = sealed.clone();
            bad[at] ^= 1;
            assert_eq!(keys.open_sealed(&["data", "p", "k"], &bad), Err(Unsealed));
        }
        assert_eq!(Keys::random().open_sealed(&["data", "p", "k"], &sealed), Err(Unsealed));
    }

    #[test]
    fn the_key_file_is_made_once_kept_private_and_read_again() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("key");
        let sealed = Keys::open(&path).expect("made").seal(&["x"], b"y");
        assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        assert_eq!(Keys::open(&path).expect("read").open_sealed(&["x"], &sealed).expect("opens").as_slice(), b"y");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("mode");
        let refused = || Keys::open(&path).map(drop).expect_err("refused").to_string();
        assert!(refused().ends_with(": others may read it (mode 644); set mode 600"), "{}", refused());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("mode");
        for wrong in ["+1".repeat(32), "0".repeat(63), "0".repeat(65), "é".repeat(32)] {
            std::fs::write(&path, wrong).expect("written");
            assert!(refused().contains(": must have 64 hexadecimal digits"), "{}", refused());
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_secret() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("keyturn.key");
        let made = Keys::open(&path).expect("made");
        let marked = [&b"\xef\xbb\xbf"[..], &std::fs::read(&path).expect("there")].concat();
        std::fs::write(&path, marked).expect("written");
        assert_eq!(Keys::open(&path).expect("read").mac("x", &[]), made.mac("x", &[]));
        std::fs::write(&path, "\u{feff}geheim \u{feff}\nother\n").expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("mode");
        assert_eq!(owners_only(&path).expect("read").as_str(), "geheim \u{feff}\nother\n");
    }

    #[test]
    fn those_that_start_at_once_have_one_key() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("key");
        let macs: Vec<[u8; 32]> = std::thread::scope(|scope| {
            let open = || Keys::open(&path).expect("opens").mac("x", &[]);
            let all: Vec<_> = (0..16).map(|_| scope.spawn(open)).collect();
            all.into_iter().map(|one| one.join().expect("ends")).collect()
        });
        assert!(macs.iter().all(|mac| *mac == macs[0]));
        assert_eq!(std::fs::read_dir(dir.path()).expect("read").count(), 1, "nothing is left beside it");
    }
}
