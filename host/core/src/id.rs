//! Names that nobody can guess.

/// A type around one checked text, which can be made of a `String`, is read and written as that text.
#[macro_export]
macro_rules! as_text {
    ($Name:ty, $Wrong:ty) => {
        impl std::str::FromStr for $Name {
            type Err = $Wrong;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$Name> for String {
            fn from(text: $Name) -> String {
                text.0
            }
        }

        impl std::fmt::Display for $Name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

/// A name of 128 random bits, hexadecimal, after a prefix. What it isn't is refused with the sentence.
#[macro_export]
macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $wrong:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// A fresh one.
            #[must_use]
            pub fn random() -> Self {
                Self(format!(concat!($prefix, "{}"), $crate::seal::hex(&$crate::seal::random::<16>())))
            }

            /// As it is written everywhere.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::id::BadId;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                let digits = text.strip_prefix($prefix).unwrap_or_default();
                let good = digits.len() == 32 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
                if good { Ok(Self(text)) } else { Err($crate::id::BadId($wrong)) }
            }
        }

        $crate::as_text!($name, $crate::id::BadId);
    };
}

/// Not a name of that kind; says of which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadId(pub &'static str);
