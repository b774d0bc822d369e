//! The three lists of people, and who reaches whom. The panel decides this; the host is only told.

use keyturn_host::accounts::{Reach, Scope};

use crate::people::Kind;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Folk {
    Customers,
    Resellers,
    /// Administrators and owners.
    Administrators,
}

impl Folk {
    /// All of them, in the order of the navigation.
    pub const ALL: [Folk; 3] = [Folk::Customers, Folk::Resellers, Folk::Administrators];

    /// The first segment of its addresses.
    pub fn path(self) -> &'static str {
        match self {
            Folk::Customers => "customers",
            Folk::Resellers => "resellers",
            Folk::Administrators => "administrators",
        }
    }

    /// The list at this address.
    pub fn at(path: &str) -> Option<Self> {
        Folk::ALL.into_iter().find(|folk| folk.path() == path)
    }

    /// The realm of its people.
    pub fn realm(self) -> &'static str {
        match self {
            Folk::Customers => "customer",
            Folk::Resellers => "reseller",
            Folk::Administrators => "staff",
        }
    }

    /// The list of a realm's people.
    pub fn of_realm(realm: &str) -> Option<Self> {
        Folk::ALL.into_iter().find(|folk| folk.realm() == realm)
    }

    /// The list of this kind of people.
    pub fn of(kind: Kind) -> Self {
        match kind {
            Kind::Owner | Kind::Administrator => Folk::Administrators,
            Kind::Reseller => Folk::Resellers,
            Kind::Customer => Folk::Customers,
        }
    }

    pub fn kinds(self) -> &'static [Kind] {
        match self {
            Folk::Customers => &[Kind::Customer],
            Folk::Resellers => &[Kind::Reseller],
            Folk::Administrators => &[Kind::Owner, Kind::Administrator],
        }
    }
}

/// Which people of a list this kind of people manages.
pub fn scope(viewer: Kind, folk: Folk) -> Scope {
    match (viewer, folk) {
        (Kind::Owner, _) | (Kind::Administrator, Folk::Customers | Folk::Resellers) => Scope::All,
        (Kind::Reseller, Folk::Customers) => Scope::Own,
        _ => Scope::None,
    }
}

/// The same for the host.
pub fn reach(viewer: Kind) -> Reach {
    Folk::ALL.into_iter().fold(Reach::none(), |reach, folk| reach.with(folk.realm(), scope(viewer, folk)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_people_reaches_what_stands_below_it() {
        let reached = |kind| Folk::ALL.map(|folk| scope(kind, folk));
        assert_eq!(reached(Kind::Owner), [Scope::All, Scope::All, Scope::All]);
        assert_eq!(reached(Kind::Administrator), [Scope::All, Scope::All, Scope::None]);
        assert_eq!(reached(Kind::Reseller), [Scope::Own, Scope::None, Scope::None]);
        assert_eq!(reached(Kind::Customer), [Scope::None; 3]);
        assert_eq!(reach(Kind::Reseller).scope("customer"), Scope::Own);
        assert_eq!(reach(Kind::Administrator).scope("staff"), Scope::None);
    }
}
