use millwork_engine::{
    data::{Type, Value},
    model::Fault,
    step::{LogSink, LogStream, StepOutput},
};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::sync::CancellationToken;

/// How standard output becomes outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    /// `stdout`: the text.
    #[default]
    Text,
    /// `lines`: a list of texts.
    Lines,
    /// `value`: one JSON value.
    Json,
    /// `table`: rows under a line of column names.
    Csv,
}

/// The longest line that goes to the log in one piece.
const LONGEST_LINE: usize = 16 << 10;

/// What of a stream is kept.
#[derive(Debug, Clone)]
pub(super) enum Keep {
    /// So many bytes; the token is triggered when there are more.
    First(usize, CancellationToken),
    /// At least the last so many bytes.
    Last(usize),
}

/// Reads a child's stream to its end: lines go to the log, and what `keep` says is returned.
pub(super) async fn read_stream(
    stream: Option<impl AsyncRead + Unpin>,
    keep: Keep,
    log: &LogSink,
    from: LogStream,
) -> Vec<u8> {
    let Some(mut stream) = stream else { return Vec::new() };
    let (mut kept, mut line, mut chunk) = (Vec::new(), Vec::new(), vec![0; 32 << 10]);
    loop {
        let read = match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => break,
            Ok(read) => &chunk[..read],
        };
        match &keep {
            Keep::First(limit, overflow) => {
                let room = limit.saturating_sub(kept.len());
                kept.extend_from_slice(&read[..read.len().min(room)]);
                if read.len() > room {
                    overflow.cancel();
                }
            }
            Keep::Last(limit) => {
                kept.extend_from_slice(read);
                if kept.len() > limit * 2 {
                    kept.drain(..kept.len() - limit);
                }
            }
        }
        for byte in read {
            if *byte == b'\n' || line.len() >= LONGEST_LINE {
                write_line(log, from, &line);
                line.clear();
            }
            if *byte != b'\n' {
                line.push(*byte);
            }
        }
    }
    if !line.is_empty() {
        write_line(log, from, &line);
    }
    kept
}

/// Of a line that was written over, as progress bars do, the last state is the one to keep.
fn write_line(log: &LogSink, from: LogStream, line: &[u8]) {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let last = line.rsplit(|byte| *byte == b'\r').next().unwrap_or(line);
    log.child(from, &String::from_utf8_lossy(last));
}

/// The last line with something in it, for messages.
pub(super) fn last_line(stderr: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(stderr);
    let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
    Some(if line.chars().count() > 300 { line.chars().take(300).chain(['…']).collect() } else { line.to_owned() })
}

/// Outputs from what the command wrote.
pub(super) fn outputs(format: Format, ty: Option<&Type>, stdout: Vec<u8>, code: i32) -> Result<StepOutput, Fault> {
    let unreadable = |what: String| Fault::user("shell.output", format!("standard output {what}"));
    let text = match String::from_utf8(stdout) {
        Ok(text) => text,
        Err(bytes) if format == Format::Text => String::from_utf8_lossy(bytes.as_bytes()).into_owned(),
        Err(e) => return Err(unreadable(format!("is not UTF-8 at byte {}", e.utf8_error().valid_up_to()))),
    };
    let trimmed = text.strip_suffix('\n').map_or(text.as_str(), |t| t.strip_suffix('\r').unwrap_or(t));
    let output = StepOutput::none().value("exit_code", i64::from(code));
    Ok(match format {
        Format::Text => output.value("stdout", trimmed),
        Format::Lines => {
            let lines = Value::list(text.lines().map(Value::from));
            output.value("stdout", trimmed).value("lines", lines)
        }
        Format::Json => {
            let json = serde_json::from_str(&text).map_err(|e| unreadable(format!("is not one JSON value: {e}")))?;
            let value = from_json(json);
            let found = Type::of(&value);
            match ty {
                Some(ty) if !found.fits(ty) => return Err(unreadable(format!("has type {found}, not {ty}"))),
                Some(ty) => output.value("stdout", trimmed).value("value", as_declared(value, ty)),
                None => output.value("stdout", trimmed).value("value", value),
            }
        }
        Format::Csv => {
            let schema = match ty {
                Some(Type::Table(table)) => table.schema.as_ref(),
                _ => None,
            };
            let table = crate::csv::parse(&text, schema).map_err(|e| unreadable(format!("is not CSV: {e}")))?;
            let rows = table.rows;
            let output = output.value("table", table);
            rows.map_or(output.clone(), |rows| output.rows(rows))
        }
    })
}

/// JSON writes some floats without a point: where a float is declared, an int is one.
fn as_declared(value: Value, ty: &Type) -> Value {
    match (value, ty.required()) {
        (Value::Int(i), Type::Float) => Value::Float(i as f64),
        (Value::List(items), Type::List(of)) => Value::list(items.iter().map(|item| as_declared(item.clone(), of))),
        (Value::Map(entries), Type::Map(of)) => {
            Value::map(entries.iter().map(|(key, value)| (key.clone(), as_declared(value.clone(), of))))
        }
        (Value::Map(entries), Type::Object(object)) => Value::map(entries.iter().map(|(key, value)| {
            let value = value.clone();
            (key.clone(), object.fields.get(key).map_or(value.clone(), |ty| as_declared(value, ty)))
        })),
        (value, _) => value,
    }
}

/// A JSON value of an outside program: no tag in it has a meaning.
pub(crate) fn from_json(json: serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match json {
        Json::Null => Value::Null,
        Json::Bool(b) => Value::Bool(b),
        Json::Number(n) => n.as_i64().map_or_else(|| Value::Float(n.as_f64().unwrap_or(f64::NAN)), Value::Int),
        Json::String(s) => Value::from(s),
        Json::Array(items) => Value::list(items.into_iter().map(from_json)),
        Json::Object(entries) => Value::map(entries.into_iter().map(|(k, v)| (k, from_json(v)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_follow_the_format() {
        let of =
            |format, text: &str| outputs(format, None, text.as_bytes().to_vec(), 0).map(|o| format!("{:?}", o.values));
        assert!(of(Format::Text, "a\nb\n").expect("text").contains(r#"String("a\nb")"#));
        assert!(of(Format::Lines, "a\r\nb\n").expect("lines").contains(r#"List([String("a"), String("b")])"#));
        assert!(of(Format::Json, "{\"a\": [1, null]}\n").expect("json").contains("Int(1)"));
        assert!(of(Format::Json, "{} {}").is_err());
        let csv = outputs(Format::Csv, None, b"a,b\n1,x\n2,y\n".to_vec(), 0).expect("csv");
        assert_eq!(csv.rows, Some(2));
    }

    #[test]
    fn a_declared_type_is_held() {
        let ty = Type::parse("object{n: int}").expect("a type");
        assert!(outputs(Format::Json, Some(&ty), b"{\"n\": 1}".to_vec(), 0).is_ok());
        let fault = outputs(Format::Json, Some(&ty), b"{\"n\": \"1\"}".to_vec(), 0).expect_err("another type");
        assert!(fault.message.contains("object{n: string}, not object{n: int}"), "{}", fault.message);
    }

    #[test]
    fn an_int_where_a_float_is_declared_is_one() {
        for (ty, text, expected) in [
            ("float", "24", "24.0"),
            ("list<float?>", "[1, null, 2.5]", "[1.0,null,2.5]"),
            ("object{a: float, b: int}", r#"{"a": 1, "b": 1}"#, r#"{"a":1.0,"b":1}"#),
        ] {
            let ty = Type::parse(ty).expect("a type");
            let outputs = outputs(Format::Json, Some(&ty), text.as_bytes().to_vec(), 0).expect("outputs");
            let value = outputs.values.iter().find(|(name, _)| name.to_string() == "value").expect("a value");
            assert_eq!(value.1.to_string(), expected);
        }
    }

    #[test]
    fn the_last_line_with_something_in_it() {
        assert_eq!(last_line(b"one\n two \n\n"), Some("two".to_owned()));
        assert_eq!(last_line(b"\n"), None);
    }

    #[tokio::test]
    async fn a_stream_is_logged_in_lines_and_kept_to_a_limit() {
        let lines = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let seen = lines.clone();
        let log = LogSink::new(move |_, line| seen.lock().expect("unpoisoned").push(line.to_owned()));
        let overflow = CancellationToken::new();
        let text: &[u8] = b"10%\r50%\r100%\nplain\r\nend";
        let kept = read_stream(Some(text), Keep::First(6, overflow.clone()), &log, LogStream::Stdout).await;
        assert_eq!((kept.as_slice(), overflow.is_cancelled()), (&text[..6], true));
        assert_eq!(*lines.lock().expect("unpoisoned"), ["100%", "plain", "end"]);
        let kept = read_stream(Some(&[b'x'; 100][..]), Keep::Last(10), &LogSink::none(), LogStream::Stderr).await;
        assert_eq!(kept.len(), 10);
    }
}
