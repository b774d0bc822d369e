//! Enums whose cases have names: the words of rows, settings and JSON.

/// An enum with a name for each case: `ALL`, `name` and `named` go by one list.
#[macro_export]
macro_rules! named {
    ($(#[$meta:meta])* pub enum $Name:ident { $($(#[$about:meta])* $Case:ident = $name:literal,)+ }) => {
        $(#[$meta])*
        #[allow(missing_docs)]
        pub enum $Name {
            $($(#[$about])* $Case,)+
        }

        impl $Name {
            /// All of them.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$Case),+];

            /// Its name.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$Case => $name,)+
                }
            }

            /// The one of that name.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|one| one.name() == name)
            }
        }
    };
}
