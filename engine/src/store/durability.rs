/// What a commit survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// Loss of power (SQLite `synchronous=FULL`).
    #[default]
    Power,
    /// Death of the process, not of the machine (`synchronous=NORMAL`).
    Process,
}
