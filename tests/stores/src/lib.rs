//! The store's tests are the same on every engine. This is what they stand on: a panel's database on one of them, with the
//! panel's own hand in it, and what calls commit.

mod engine;
mod panel;
mod raw;

pub use engine::Engine;
pub use keyturn_store::testing::*;
pub use panel::{Opening, Panel, apart};
pub use raw::Raw;

/// Makes of each function over an [`Engine`] one test for each engine, such as `sqlite::a_mail_is_leased_once`. A function that
/// is not listed is never used, which the compiler says.
#[macro_export]
macro_rules! every_engine {
    ($($test:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test] fn $test() { super::$test($crate::Engine::Sqlite); })+
        }
        mod postgres {
            $(#[test] fn $test() { super::$test($crate::Engine::Postgres); })+
        }
        mod mariadb {
            $(#[test] fn $test() { super::$test($crate::Engine::MariaDb); })+
        }
    };
}

/// As [`every_engine!`], and one more test of each: on MariaDB, with the host's own tables in a database of their own.
#[macro_export]
macro_rules! every_engine_and_apart {
    ($($test:ident),+ $(,)?) => {
        $crate::every_engine!($($test),+);
        mod apart {
            $(#[test] fn $test() { $crate::apart(|| super::$test($crate::Engine::MariaDb)); })+
        }
    };
}
