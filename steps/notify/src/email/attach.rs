use std::{path::Path, sync::Arc};

use millwork_engine::{
    data::{FileRef, FromValue, Type, Value},
    diag::{Code, Diagnostic},
    model::Fault,
    spec::Access,
    step::{CheckContext, OneOrMany, StepContext, Templated},
};

/// Bytes of all attachments together; few servers take more.
const MOST: u64 = 20 << 20;

/// A file that a step gave, the path of one, or a list of those.
pub(super) struct Files(Vec<File>);

/// Something to attach.
#[derive(Clone)]
pub(super) enum File {
    /// What a step gave.
    Given(Arc<FileRef>),
    /// A path, from the pipeline's folder.
    Path(String),
}

/// A file that was read.
pub(super) struct Attachment {
    pub name: String,
    pub media_type: String,
    pub bytes: Vec<u8>,
}

impl FromValue for Files {
    const TYPE: &'static str = "any";
    fn from_value(value: &Value) -> Result<Self, Fault> {
        match value {
            Value::File(file) => Ok(Self(vec![File::Given(file.clone())])),
            Value::String(path) => Ok(Self(vec![File::Path(path.to_string())])),
            Value::Null => Ok(Self(Vec::new())),
            Value::List(items) => {
                let files = items.iter().map(|item| Self::from_value(item).map(|files| files.0));
                Ok(Self(files.collect::<Result<Vec<_>, _>>()?.concat()))
            }
            other => {
                let message =
                    format!("expected a file, a path, or a list of those to attach, found {}", Type::of(other));
                Err(Fault::user("type.mismatch", message).help("a table is written with `table.write` first"))
            }
        }
    }
}

impl Files {
    /// Each one.
    pub(super) fn all(self) -> Vec<File> {
        self.0
    }
}

/// Problems of those that are written in the pipeline.
pub(super) fn problems(attach: &OneOrMany<Templated<Files>>, cx: &CheckContext<'_>) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for field in attach.iter() {
        let Some(value) = field.template().literal() else { continue };
        match Files::from_value(value) {
            Err(fault) => problems.push(Diagnostic::new(Code::WrongShape, field.span(), fault.message)),
            Ok(files) => {
                let paths = files.0.iter().filter_map(|file| match file {
                    File::Path(path) => Some(path),
                    File::Given(_) => None,
                });
                let denied = paths.filter(|path| !cx.permissions.allow_written(cx.base, path, Access::Read));
                problems.extend(denied.map(|path| {
                    let message = format!("reading `{path}` is outside of what `permissions: files` allows");
                    let help = format!("allowed: {}", cx.permissions.files().join(", "));
                    Diagnostic::new(Code::NotPermitted, field.span(), message).help(help)
                }));
            }
        }
    }
    problems
}

/// Reads them all, as long as they are not too many bytes.
pub(super) async fn read(files: &[File], cx: &StepContext) -> Result<Vec<Attachment>, Fault> {
    let mut read = Vec::with_capacity(files.len());
    let mut left = MOST;
    for file in files {
        let (path, media_type) = match file {
            File::Given(file) => (file.path.as_str(), file.media_type.clone()),
            File::Path(path) => (path.as_str(), None),
        };
        let bytes = match file {
            File::Given(file) if file.artifact.is_some() => {
                fits(path, file.bytes, left)?;
                match file.artifact {
                    Some(id) => cx.tables.artifacts().get(id).await?,
                    None => Vec::new(),
                }
            }
            _ => from_disk(path, left, cx).await?,
        };
        fits(path, bytes.len() as u64, left)?;
        left -= bytes.len() as u64;
        let name = Path::new(path).file_name().and_then(|name| name.to_str()).unwrap_or("attachment").to_owned();
        let media_type = media_type.unwrap_or_else(|| media_type_of(&name).to_owned());
        read.push(Attachment { name, media_type, bytes });
    }
    Ok(read)
}

async fn from_disk(path: &str, left: u64, cx: &StepContext) -> Result<Vec<u8>, Fault> {
    let full = cx.base.join(path);
    cx.permit(&full, Access::Read)?;
    let unreadable = |e: std::io::Error| {
        Fault::user("notify.attachment", format!("`{path}` cannot be attached: {e}"))
            .help("paths are taken from the pipeline's folder")
    };
    let about = tokio::fs::metadata(&full).await.map_err(unreadable)?;
    if !about.is_file() {
        return Err(Fault::user("notify.attachment", format!("`{path}` cannot be attached: it is not a file")));
    }
    fits(path, about.len(), left)?;
    tokio::fs::read(&full).await.map_err(unreadable)
}

fn fits(path: &str, bytes: u64, left: u64) -> Result<(), Fault> {
    if bytes <= left {
        return Ok(());
    }
    let message = format!("with `{path}` ({bytes} bytes) the attachments are more than {} MiB", MOST >> 20);
    Err(Fault::user("notify.attachment", message).help("put it where people can fetch it, and send its address"))
}

/// By the end of the name; what is not known is bytes.
fn media_type_of(name: &str) -> &'static str {
    let end = Path::new(name).extension().and_then(|end| end.to_str()).unwrap_or_default();
    match end.to_ascii_lowercase().as_str() {
        "html" | "htm" => "text/html",
        "txt" | "log" | "md" => "text/plain",
        "csv" => "text/csv",
        "json" => "application/json",
        "pdf" => "application/pdf",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "svg" => "image/svg+xml",
        "zip" => "application/zip",
        "gz" => "application/gzip",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "parquet" => "application/vnd.apache.parquet",
        _ => "application/octet-stream",
    }
}
