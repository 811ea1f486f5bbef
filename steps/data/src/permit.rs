//! What `permissions: {files: [..]}` says of a path that is written in the pipeline.

use millwork_engine::{
    diag::{Code, Diagnostic},
    spec::Access,
    step::{CheckContext, Templated},
};

/// The problem of a literal path outside of what is allowed. Others are looked at in the run, by
/// [`StepContext::permit`](millwork_engine::step::StepContext::permit).
pub(crate) fn not_permitted(path: &Templated<String>, access: Access, cx: &CheckContext<'_>) -> Option<Diagnostic> {
    let written = path.literal()?;
    if cx.permissions.allow_written(cx.base, &written, access) {
        return None;
    }
    let what = match access {
        Access::Read => "reading",
        Access::Write => "writing",
    };
    let message = format!("{what} `{written}` is outside of what `permissions: files` allows");
    let allowed = cx.permissions.files().join(", ");
    let help = match access {
        Access::Read => format!("allowed: {allowed}"),
        Access::Write => format!("allowed: {allowed}; `:rw` allows writing"),
    };
    Some(Diagnostic::new(Code::NotPermitted, path.span(), message).help(help))
}
