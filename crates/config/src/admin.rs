//! People who may use the admin interface, and what each role may do there.

use std::sync::Arc;

/// Somebody who may use the admin interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// The name in the audit log, facts and pages.
    pub name: Arc<str>,
    /// What this person may do.
    pub role: Role,
    /// SHA-256 of the key's text.
    pub hash: [u8; 32],
}

/// What somebody may do. Every role may see the figures and records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Everything: who has the `admin-key`, or sits at the machine where there is none.
    Root,
    /// Makes changes: keys, runs, alerts. Sees neither the audit log nor captured content.
    Operator,
    /// Reads the audit log and captured content. Changes nothing.
    Auditor,
    /// Sees the figures and records, and no more.
    Viewer,
}

/// What a path of the admin interface asks of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Right {
    /// To see figures and records, without content.
    View,
    /// To change something.
    Change,
    /// To read the audit log and captured content.
    Audit,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Root, Self::Operator, Self::Auditor, Self::Viewer];

    /// The word in the configuration, the audit log and pages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Operator => "operator",
            Self::Auditor => "auditor",
            Self::Viewer => "viewer",
        }
    }

    /// The role of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// Whether this role has that right.
    #[must_use]
    pub fn has(self, right: Right) -> bool {
        match self {
            Self::Root => true,
            Self::Operator => matches!(right, Right::View | Right::Change),
            Self::Auditor => matches!(right, Right::View | Right::Audit),
            Self::Viewer => right == Right::View,
        }
    }
}

impl Right {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::View, Self::Change, Self::Audit];

    /// The least role that has it, as a refusal names it.
    #[must_use]
    pub fn role(self) -> Role {
        match self {
            Self::View => Role::Viewer,
            Self::Change => Role::Operator,
            Self::Audit => Role::Auditor,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_root_may_both_change_and_audit_and_everyone_may_look() {
        let rights = |role: Role| Right::ALL.map(|right| role.has(right));
        assert_eq!(rights(Role::Root), [true, true, true]);
        assert_eq!(rights(Role::Operator), [true, true, false]);
        assert_eq!(rights(Role::Auditor), [true, false, true]);
        assert_eq!(rights(Role::Viewer), [true, false, false]);
        for right in Right::ALL {
            assert!(right.role().has(right), "{right:?}");
        }
        for role in Role::ALL {
            assert_eq!(Role::from_name(role.name()), Some(role));
        }
        assert_eq!(Role::from_name("admin"), None);
    }
}
