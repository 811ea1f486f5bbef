/// `catchup`: what happens to times at which nobody was there to start anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Catchup {
    /// They are lost.
    #[default]
    None,
    /// The last of them runs.
    Latest,
    /// They run in their order, the last ones if there are more than this.
    All {
        /// At most this many.
        limit: u32,
    },
}

impl Catchup {
    /// `catchup_limit` where none is given.
    pub const DEFAULT_LIMIT: u32 = 100;
}
