//! Settings: each with what holds if nobody says anything, and what must hold of it.

/// Nothing, if it holds; else the setting and what is wrong with it, which goes on from its name.
pub fn must<Setting, Problem: Into<String>>(
    holds: bool,
    setting: impl Into<Setting>,
    problem: impl FnOnce() -> Problem,
) -> Result<(), (Setting, String)> {
    if holds { Ok(()) } else { Err((setting.into(), problem().into())) }
}

/// A struct whose fields stand with their defaults, and its `Default`.
#[macro_export]
macro_rules! with_defaults {
    ($(#[$meta:meta])* pub struct $Name:ident { $($(#[$about:meta])* pub $field:ident: $Type:ty = $default:expr,)+ }) => {
        $(#[$meta])*
        pub struct $Name {
            $($(#[$about])* pub $field: $Type,)+
        }

        impl Default for $Name {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }
    };
}
