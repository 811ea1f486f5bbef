use std::fmt;

/// How a pipeline is checked.
#[derive(Clone, Copy)]
pub struct CheckOptions<'a> {
    /// Whether files may be looked at, for the columns of tables.
    pub read_files: bool,
    /// Whether places whose type is `any` are listed.
    pub strict: bool,
    /// The text of an included file, by its path from the folder of the pipeline; the error is one
    /// sentence without the path.
    pub include: &'a dyn Fn(&str) -> Result<String, String>,
    /// The pipelines around this one, outermost first, by their paths from the first one's folder.
    pub around: &'a [String],
}

impl fmt::Debug for CheckOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("CheckOptions");
        shown.field("read_files", &self.read_files).field("strict", &self.strict).finish_non_exhaustive()
    }
}
