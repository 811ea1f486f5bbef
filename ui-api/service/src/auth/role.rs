//! Roles, and what each may do.

use std::{fmt, str::FromStr};

use millwork_engine::model::Fault;
use serde::{Deserialize, Serialize};

/// How much a principal may do. Each role may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Runs, cancels, answers and pauses as well.
    Operator,
    /// Makes and revokes tokens and reads the audit log as well.
    Admin,
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Permission {
    /// To see pipelines, runs, logs and results.
    Read,
    /// To change what runs: start, cancel, resume, answer, pause.
    Operate,
    /// To manage who may do what, and to see who did what.
    Administer,
}

impl Role {
    /// All roles, the least first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Admin];

    /// Whether the role is enough for something.
    pub fn allows(self, permission: Permission) -> bool {
        self >= permission.needs()
    }

    /// The name, as it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl Permission {
    /// The least role that has it.
    pub const fn needs(self) -> Role {
        match self {
            Self::Read => Role::Viewer,
            Self::Operate => Role::Operator,
            Self::Administer => Role::Admin,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| {
            Fault::user("token.config", format!("`{}` is no role", super::token_record::shown(text)))
                .help("the roles are viewer, operator and admin")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Permission::*, Role::*, *};

    #[test]
    fn each_role_may_what_it_says_and_no_more() {
        let table = [(Viewer, [true, false, false]), (Operator, [true, true, false]), (Admin, [true, true, true])];
        for (role, expected) in table {
            assert_eq!([Read, Operate, Administer].map(|permission| role.allows(permission)), expected, "{role}");
        }
        assert!(Role::ALL.is_sorted());
    }

    #[test]
    fn names_are_lower_case_everywhere() {
        for role in Role::ALL {
            assert_eq!(serde_json::to_value(role).unwrap(), role.to_string());
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        for bad in ["", "Admin", "root", "viewer "] {
            assert!(bad.parse::<Role>().is_err(), "{bad}");
        }
    }
}
