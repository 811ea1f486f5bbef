//! What happens to runs, told as changes of statuses, to whoever follows: live, and again from any place.

mod hub;
mod teller;

pub use hub::{Following, Hub, Message, Tellers};
pub use teller::{Change, ItemsNow, Teller, Told};
