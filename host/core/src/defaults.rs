//! Structs of settings: each field with what holds if nobody says anything.

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
