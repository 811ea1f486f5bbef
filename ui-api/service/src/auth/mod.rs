//! Who may do what: tokens, roles, sessions, limits.
