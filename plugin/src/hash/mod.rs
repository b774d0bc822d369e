//! Stored hashes: reads, compares and writes them. The host's `kdf` computes Argon2; everything else is done here.

pub(crate) mod argon2;
pub(crate) mod bcrypt;
mod unreadable;

pub(crate) use unreadable::{Fault, Unreadable};

use crate::bindings::kdf;
use crate::bindings::types::Failure;
use crate::failure;
use crate::password::PlainPassword;
use crate::ports::Ports;
use crate::settings::{self, Output};
use crate::words::{Word, Words};

/// The schemes that [`Stored::read`] reads.
const KNOWN: &str = "argon2id, argon2i, argon2d, bcrypt";

/// Marks of schemes that other panels store, with the names that people know.
const OTHERS: [(&str, &str); 7] = [
    ("$1$", "md5-crypt"),
    ("$5$", "sha256-crypt"),
    ("$6$", "sha512-crypt"),
    ("$7$", "scrypt"),
    ("$y$", "yescrypt"),
    ("$H$", "phpass"),
    ("$P$", "phpass"),
];

/// A stored hash that this plugin can compare with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    Argon2(argon2::Phc),
    Bcrypt(bcrypt::Crypt),
}

/// The scheme and parameters of new hashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Configured {
    Argon2id { memory_kib: u32, passes: u32, lanes: u32 },
    Bcrypt { cost: u32 },
}

/// What bcrypt alone can't hash faithfully.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// Over 72 bytes: the rest would be ignored.
    TooLong,
    /// Everything after a NUL would be ignored.
    Nul,
}

impl Configured {
    pub(crate) fn of(ports: &dyn Ports) -> Self {
        match settings::output(ports) {
            Output::Argon2id => Configured::Argon2id {
                memory_kib: settings::ARGON2_MEMORY_KIB.of(ports),
                passes: settings::ARGON2_PASSES.of(ports),
                lanes: settings::ARGON2_LANES.of(ports),
            },
            Output::Bcrypt => Configured::Bcrypt { cost: settings::BCRYPT_COST.of(ports) },
        }
    }

    pub(crate) fn unfit(&self, password: &PlainPassword) -> Option<Unfit> {
        match self {
            Configured::Argon2id { .. } => None,
            Configured::Bcrypt { .. } => bcrypt::unfit(password.bytes()),
        }
    }

    /// A hash that costs as much as a real one, of a password that nobody has.
    pub(crate) fn stand_in(&self) -> Stored {
        match self {
            Configured::Argon2id { memory_kib, passes, lanes } => {
                Stored::Argon2(argon2::Phc::unmatched(*memory_kib, *passes, *lanes))
            }
            Configured::Bcrypt { cost } => Stored::Bcrypt(bcrypt::Crypt::unmatched(*cost)),
        }
    }

    /// Whether a hash already has this scheme and these parameters.
    pub(crate) fn covers(&self, stored: &Stored) -> bool {
        match (self, stored) {
            (Configured::Argon2id { memory_kib, passes, lanes }, Stored::Argon2(phc)) => {
                phc.is_argon2id(*memory_kib, *passes, *lanes)
            }
            (Configured::Bcrypt { cost }, Stored::Bcrypt(crypt)) => crypt.cost() == *cost,
            _ => false,
        }
    }

    /// Hashes. The caller has checked [`Configured::unfit`].
    pub(crate) fn write(&self, ports: &dyn Ports, password: &PlainPassword) -> Result<String, Failure> {
        match self {
            Configured::Argon2id { memory_kib, passes, lanes } => {
                argon2::Phc::make(ports, password.bytes(), *memory_kib, *passes, *lanes)
                    .map(|phc| phc.to_string())
                    .map_err(|error| configured_failure(ports, error))
            }
            Configured::Bcrypt { cost } => bcrypt::write(password.bytes(), *cost).ok_or_else(|| {
                failure::log(format_args!("the setting bcrypt-cost is {cost}, which bcrypt doesn't allow"));
                failure::refused(Words::of(ports), "hash-settings", Word::HashSettings)
            }),
        }
    }
}

impl Stored {
    pub(crate) fn read(text: &str) -> Result<Self, Unreadable> {
        let argon2 = || argon2::Phc::read(text).map(|read| read.map(Stored::Argon2));
        let bcrypt = || bcrypt::Crypt::read(text).map(|read| read.map(Stored::Bcrypt));
        argon2().or_else(bcrypt).unwrap_or_else(|| Err(Unreadable::Scheme(mark(text))))
    }

    pub(crate) fn scheme(&self) -> &'static str {
        match self {
            Stored::Argon2(phc) => phc.scheme(),
            Stored::Bcrypt(_) => bcrypt::SCHEME,
        }
    }

    /// Whether it costs no more than one sign-in may cost on this host.
    pub(crate) fn within(&self, ports: &dyn Ports) -> Result<(), Unreadable> {
        match self {
            Stored::Argon2(phc) => phc.within(ports.ceilings()),
            Stored::Bcrypt(_) => Ok(()),
        }
    }

    /// Computes and compares in constant time.
    pub(crate) fn matches(&self, ports: &dyn Ports, password: &PlainPassword) -> Result<bool, kdf::Error> {
        match self {
            Stored::Argon2(phc) => phc.matches(ports, password.bytes()),
            Stored::Bcrypt(crypt) => Ok(crypt.matches(password.bytes())),
        }
    }

    /// Whether a matching password is certainly the whole one that was hashed, and not only its beginning.
    pub(crate) fn has_read_all_of(&self, password: &PlainPassword) -> bool {
        match self {
            Stored::Argon2(_) => true,
            Stored::Bcrypt(_) => password.bytes().len() < bcrypt::MAX_BYTES,
        }
    }
}

/// The configured parameters themselves are wrong: only the operator can fix that.
pub(crate) fn configured_failure(ports: &dyn Ports, error: kdf::Error) -> Failure {
    match error {
        kdf::Error::Unavailable(seconds) => Failure::Unavailable(seconds),
        kdf::Error::Limit(which) => {
            failure::log(format_args!(
                "the settings argon2-* need more than the host allows ({which}): lower them, or raise the plugin's limit"
            ));
            failure::refused(Words::of(ports), "hash-settings", Word::HashSettings)
        }
        kdf::Error::Denied(what) => {
            failure::log(format_args!("the host denied the kdf: {what}"));
            Failure::Unsupported
        }
    }
}

/// `$6$` of a crypt(3) string, and nothing else of it, because some systems store plain text.
fn mark(text: &str) -> Option<String> {
    let (id, _) = text.strip_prefix('$')?.split_once('$')?;
    let plain = id.len() <= 16 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    plain.then(|| format!("${id}$"))
}

/// The length is no secret; the content is.
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && std::hint::black_box(a.iter().zip(b).fold(0, |acc, (a, b)| acc | (a ^ b))) == 0
}
