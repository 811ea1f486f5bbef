use crate::model::{NodeIx, Timestamp};

/// Something that the driver must see to. Commands follow from the state alone, so a new owner issues
/// the same ones again; the driver leaves out what it already has under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Command {
    /// Evaluate a step's `if`; answer with `Condition`.
    Evaluate {
        /// Which step.
        node: NodeIx,
    },
    /// Evaluate a fan-out's list; answer with `Items`. A new owner that is asked for items without
    /// holding the list evaluates it again and gives `Items` too: if it is not the list that was
    /// planned, the step fails with `items.changed`.
    PlanItems {
        /// Which step.
        node: NodeIx,
    },
    /// Make an attempt; answer with `AttemptEnded`.
    Attempt {
        /// Which step.
        node: NodeIx,
        /// Which attempt, from 1.
        attempt: u32,
    },
    /// Make an attempt at an item; answer with `ItemEnded`. At most as many are outstanding as the
    /// limits allow. An item between two attempts keeps its slot, so that a fan-out whose items fail
    /// slows down.
    Item {
        /// Which step.
        node: NodeIx,
        /// Which item.
        item: u32,
        /// Which attempt, from 1.
        attempt: u32,
    },
    /// Gather the outputs of a fan-out whose items all ended; answer with `Gathered`.
    Gather {
        /// Which step.
        node: NodeIx,
    },
    /// Evaluate `until` on the outputs of the iteration that just ended; answer with `Until`.
    CheckUntil {
        /// Which step.
        node: NodeIx,
    },
    /// Stop what runs of a step: cancelled, or over its deadline. Answer with how the attempt ended
    /// (`AttemptEnded`; for a fan-out an `ItemEnded` for each item under way, or one `AttemptEnded`
    /// with `Cancelled` once none is).
    Stop {
        /// Which step.
        node: NodeIx,
    },
    /// Give a `Tick` at this time.
    Wake {
        /// When.
        at: Timestamp,
    },
    /// Evaluate the pipeline's outputs; answer with `Outputs`.
    Finish,
}
