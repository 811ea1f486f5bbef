use std::{cell::Cell, fmt, fmt::Write as _, sync::Arc};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use md5::Md5;
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use sha2::{Digest as _, Sha256};

use super::{Answer, Entry, Problem, Work, because, check_length};
use crate::data::{Map, Value};

const G: &str = "data";

const HASH: &[&str] = &["(text: string) -> string", "(bytes: bytes) -> string"];

pub(super) const TABLE: &[Entry] = &[
    Entry::pure("fromJSON", G, &["(text: string) -> any"], "the value that a JSON text describes", from_json),
    Entry::pure("sha256", G, HASH, "the SHA-256 digest, in hexadecimal digits", sha256),
    Entry::pure("md5", G, HASH, "the MD5 digest, in hexadecimal digits; for names, not for safety", md5),
    Entry::pure("blake3", G, HASH, "the BLAKE3 digest, in hexadecimal digits", blake3),
    Entry::pure("base64", G, HASH, "the bytes, or the text's UTF-8 bytes, in base64", base64),
    Entry::pure(
        "base64_decode",
        G,
        &["(text: string) -> bytes"],
        "the bytes that a base64 text stands for; string(..) makes text of them",
        base64_decode,
    ),
];

fn bytes(args: &[Value]) -> Result<&[u8], Problem> {
    match args {
        [Value::String(text)] => Ok(text.as_bytes()),
        [Value::Bytes(bytes)] => Ok(bytes),
        _ => Err(Problem::Types),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, b| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{b:02x}");
        out
    })
}

fn sha256(work: &mut Work<'_>, args: &[Value]) -> Answer {
    work.text(hex(&Sha256::digest(bytes(args)?)))
}

fn md5(work: &mut Work<'_>, args: &[Value]) -> Answer {
    work.text(hex(&Md5::digest(bytes(args)?)))
}

fn blake3(work: &mut Work<'_>, args: &[Value]) -> Answer {
    work.text(blake3::hash(bytes(args)?).to_hex().as_str())
}

fn base64(work: &mut Work<'_>, args: &[Value]) -> Answer {
    let bytes = bytes(args)?;
    check_length(bytes.len().saturating_mul(4) / 3)?;
    work.text(BASE64_STANDARD.encode(bytes))
}

fn base64_decode(work: &mut Work<'_>, args: &[Value]) -> Answer {
    let [Value::String(text)] = args else { return Err(Problem::Types) };
    work.spend(text.len())?;
    let decoded = BASE64_STANDARD.decode(text.trim().as_bytes());
    decoded.map(|b| Value::Bytes(b.into())).map_err(|_| because("expr.argument", "the text is not base64"))
}

/// Values that one JSON text may hold.
const MAX_VALUES: usize = 1_000_000;

fn from_json(work: &mut Work<'_>, args: &[Value]) -> Answer {
    let [Value::String(text)] = args else { return Err(Problem::Types) };
    check_length(text.len())?;
    work.spend(text.len())?;
    let left = Cell::new(MAX_VALUES);
    // serde_json refuses more than 128 levels by itself.
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = Seed { left: &left }.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    if left.get() == 0 {
        return Err(because("expr.too_large", format!("the JSON text holds more than {MAX_VALUES} values")));
    }
    read.map_err(|error| {
        because("expr.json", format!("the text is not JSON (line {}, column {})", error.line(), error.column()))
    })
}

/// Reads JSON as a value, counting.
#[derive(Clone, Copy)]
struct Seed<'a> {
    left: &'a Cell<usize>,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.left.set(self.left.get().saturating_sub(1));
        if self.left.get() == 0 {
            return Err(de::Error::custom("too many values"));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, b: bool) -> Result<Value, E> {
        Ok(Value::Bool(b))
    }

    fn visit_i64<E>(self, i: i64) -> Result<Value, E> {
        Ok(Value::Int(i))
    }

    fn visit_u64<E>(self, u: u64) -> Result<Value, E> {
        Ok(i64::try_from(u).map_or(Value::Float(u as f64), Value::Int))
    }

    fn visit_f64<E>(self, f: f64) -> Result<Value, E> {
        Ok(Value::Float(f))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(self)? {
            items.push(item);
        }
        Ok(Value::list(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            entries.insert(key.into(), map.next_value_seed(self)?);
        }
        Ok(Value::Map(Arc::new(entries)))
    }
}
