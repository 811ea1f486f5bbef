//! Who may do what: tokens, roles, sessions, limits. No HTTP: headers come in as text, answers go out as
//! [`Denied`], and time is an input.

mod authority;
mod limiter;
mod origin;
mod principal;
mod quota;
mod role;
mod scope;
mod secret;
mod session;
mod shelf;
mod throttle;
mod token;
mod token_record;

pub use limiter::Limiter;
pub use origin::{Foreign, HostPolicy, Incoming};
pub use principal::{Denied, Principal};
pub use quota::Quotas;
pub use role::{Permission, Role};
pub use scope::PipelineScope;
pub use secret::Secret;
pub use session::{Begun, Session, Sessions};
pub use throttle::Throttle;
pub use token::Tokens;
pub use token_record::{NewToken, TokenView};
