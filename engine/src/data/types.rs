use std::{fmt, sync::Arc};

use arrow::datatypes::SchemaRef;
use indexmap::IndexMap;

use super::Value;

/// The type of a value on an edge. Gradual: [`Type::Any`] fits everywhere and is shown by
/// `check --strict`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// Not known before the run.
    Any,
    /// Only null.
    Null,
    /// True or false.
    Bool,
    /// 64-bit integer.
    Int,
    /// 64-bit float.
    Float,
    /// Text.
    String,
    /// Bytes.
    Bytes,
    /// Calendar day.
    Date,
    /// Moment.
    Timestamp,
    /// Length of time.
    Duration,
    /// Values of one type in order.
    List(Arc<Type>),
    /// Values of one type by name.
    Map(Arc<Type>),
    /// Named fields.
    Object(Arc<ObjectType>),
    /// Rows.
    Table(TableType),
    /// A file.
    File,
    /// The type or null. Never nested, never around `any` or `null`.
    Optional(Arc<Type>),
}

/// Fields of an object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObjectType {
    /// Type of each field.
    pub fields: IndexMap<Arc<str>, Type>,
}

/// Columns of a table, where known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TableType {
    /// `None`: a table whose columns are not known before the run.
    pub schema: Option<SchemaRef>,
}

impl Type {
    /// A list of `element`.
    pub fn list(element: Type) -> Self {
        Self::List(Arc::new(element))
    }

    /// A map to `value`.
    pub fn map(value: Type) -> Self {
        Self::Map(Arc::new(value))
    }

    /// An object with these fields.
    pub fn object<K: Into<Arc<str>>>(fields: impl IntoIterator<Item = (K, Type)>) -> Self {
        Self::Object(Arc::new(ObjectType { fields: fields.into_iter().map(|(k, t)| (k.into(), t)).collect() }))
    }

    /// A table with these columns.
    pub fn table(schema: SchemaRef) -> Self {
        Self::Table(TableType { schema: Some(schema) })
    }

    /// A table of unknown columns.
    pub fn any_table() -> Self {
        Self::Table(TableType::default())
    }

    /// The type or null.
    pub fn optional(self) -> Self {
        match self {
            Self::Any | Self::Null | Self::Optional(_) => self,
            other => Self::Optional(Arc::new(other)),
        }
    }

    /// The type without its `?`.
    pub fn required(&self) -> &Type {
        match self {
            Self::Optional(inner) => inner,
            other => other,
        }
    }

    /// Whether null is one of its values.
    pub fn allows_null(&self) -> bool {
        matches!(self, Self::Any | Self::Null | Self::Optional(_))
    }

    /// Whether every value of this type may stand where `expected` is needed. An int may stand for a
    /// float; `any` fits both ways; an object fits another if it has at least its fields.
    pub fn fits(&self, expected: &Type) -> bool {
        match (self, expected) {
            (Self::Any, _) | (_, Self::Any) => true,
            (Self::Null, e) => e.allows_null(),
            (Self::Optional(inner), Self::Optional(e)) => inner.fits(e),
            (Self::Optional(_), _) => false,
            (inner, Self::Optional(e)) => inner.fits(e),
            (Self::Int, Self::Float) => true,
            (Self::List(a), Self::List(b)) | (Self::Map(a), Self::Map(b)) => a.fits(b),
            (Self::Object(a), Self::Object(b)) => b.fields.iter().all(|(name, expected)| match a.fields.get(name) {
                Some(found) => found.fits(expected),
                None => expected.allows_null(),
            }),
            (Self::Object(a), Self::Map(b)) => a.fields.values().all(|t| t.fits(b)),
            (Self::Map(a), Self::Object(b)) => **a == Self::Any || b.fields.is_empty(),
            (Self::Table(a), Self::Table(b)) => match (&a.schema, &b.schema) {
                (Some(a), Some(b)) => b.fields().iter().all(|field| {
                    a.column_with_name(field.name()).is_some_and(|(_, found)| found.data_type() == field.data_type())
                }),
                _ => true,
            },
            (a, b) => a == b,
        }
    }

    /// The narrowest type that both fit.
    pub fn join(&self, other: &Type) -> Type {
        match (self, other) {
            (a, b) if a == b => a.clone(),
            (Self::Any, _) | (_, Self::Any) => Self::Any,
            (Self::Null, t) | (t, Self::Null) => t.clone().optional(),
            (Self::Optional(a), b) | (b, Self::Optional(a)) => a.join(b.required()).optional(),
            (Self::Int, Self::Float) | (Self::Float, Self::Int) => Self::Float,
            (Self::List(a), Self::List(b)) => Self::list(a.join(b)),
            (Self::Map(a), Self::Map(b)) => Self::map(a.join(b)),
            (Self::Object(a), Self::Object(b)) => {
                let mut fields = IndexMap::new();
                for (name, ty) in &a.fields {
                    let joined = b.fields.get(name).map_or_else(|| ty.clone().optional(), |o| ty.join(o));
                    fields.insert(name.clone(), joined);
                }
                for (name, ty) in &b.fields {
                    fields.entry(name.clone()).or_insert_with(|| ty.clone().optional());
                }
                Self::Object(Arc::new(ObjectType { fields }))
            }
            (Self::Table(_), Self::Table(_)) => Self::any_table(),
            _ => Self::Any,
        }
    }

    /// The type of a value, as narrow as can be told.
    pub fn of(value: &Value) -> Type {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Bool,
            Value::Int(_) => Self::Int,
            Value::Float(_) => Self::Float,
            Value::String(_) => Self::String,
            Value::Bytes(_) => Self::Bytes,
            Value::Date(_) => Self::Date,
            Value::Timestamp(_) => Self::Timestamp,
            Value::Duration(_) => Self::Duration,
            Value::List(items) => {
                let mut types = items.iter().map(Self::of);
                let first = types.next().unwrap_or(Self::Any);
                Self::list(types.fold(first, |a, b| a.join(&b)))
            }
            Value::Map(entries) => Self::object(entries.iter().map(|(k, v)| (k.clone(), Self::of(v)))),
            Value::Table(table) => Self::table(table.schema.clone()),
            Value::File(_) => Self::File,
        }
    }

    /// Reads `list<string>`, `object{a: int, b: string?}`, `table`, `table<a: int, b: string>` and so
    /// on. Columns of `table<..>` have scalar types. The error says what was not understood.
    pub fn parse(text: &str) -> Result<Type, String> {
        let mut parser = TypeParser { rest: text.trim(), depth: 0 };
        let ty = parser.ty()?;
        if parser.rest.trim().is_empty() { Ok(ty) } else { Err(format!("`{}` is left over", parser.rest.trim())) }
    }

    /// The arrow type of a column of this type, for scalars.
    pub fn to_arrow(&self) -> Option<arrow::datatypes::DataType> {
        use arrow::datatypes::{DataType, TimeUnit};
        Some(match self.required() {
            Self::Null => DataType::Null,
            Self::Bool => DataType::Boolean,
            Self::Int => DataType::Int64,
            Self::Float => DataType::Float64,
            Self::String => DataType::Utf8,
            Self::Bytes => DataType::Binary,
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Duration => DataType::Duration(TimeUnit::Microsecond),
            _ => return None,
        })
    }

    /// The type of a column's values.
    pub fn from_arrow(ty: &arrow::datatypes::DataType) -> Type {
        use arrow::datatypes::DataType as D;
        match ty {
            D::Null => Self::Null,
            D::Boolean => Self::Bool,
            D::Int8 | D::Int16 | D::Int32 | D::Int64 | D::UInt8 | D::UInt16 | D::UInt32 => Self::Int,
            D::Float16 | D::Float32 | D::Float64 => Self::Float,
            D::Utf8 | D::LargeUtf8 | D::Utf8View => Self::String,
            D::Binary | D::LargeBinary | D::BinaryView | D::FixedSizeBinary(_) => Self::Bytes,
            D::Date32 | D::Date64 => Self::Date,
            D::Timestamp(_, _) => Self::Timestamp,
            D::Duration(_) => Self::Duration,
            D::List(f) | D::LargeList(f) | D::FixedSizeList(f, _) => {
                Self::list(Self::from_arrow(f.data_type()).optional())
            }
            D::Struct(fields) => {
                Self::object(fields.iter().map(|f| (f.name().as_str(), Self::from_arrow(f.data_type()).optional())))
            }
            D::Dictionary(_, value) => Self::from_arrow(value),
            _ => Self::Any,
        }
    }
}

const SCALARS: &[(&str, Type)] = &[
    ("any", Type::Any),
    ("null", Type::Null),
    ("bool", Type::Bool),
    ("int", Type::Int),
    ("float", Type::Float),
    ("string", Type::String),
    ("bytes", Type::Bytes),
    ("date", Type::Date),
    ("timestamp", Type::Timestamp),
    ("duration", Type::Duration),
    ("file", Type::File),
];

struct TypeParser<'a> {
    rest: &'a str,
    depth: u32,
}

impl<'a> TypeParser<'a> {
    fn ty(&mut self) -> Result<Type, String> {
        self.depth += 1;
        if self.depth > 32 {
            return Err("types nest too deeply".to_owned());
        }
        let name = self.word();
        let base = match name {
            "list" => {
                self.expect('<')?;
                let element = self.ty()?;
                self.expect('>')?;
                Type::list(element)
            }
            "map" => {
                self.expect('<')?;
                let value = self.ty()?;
                self.expect('>')?;
                Type::map(value)
            }
            "object" if self.accept('{') => Type::object(self.fields('}')?),
            "object" => Type::map(Type::Any),
            "table" if self.accept('<') => {
                let fields = self.fields('>')?;
                if let [(only, Type::Any)] = fields.as_slice()
                    && only.is_empty()
                {
                    return Ok(Type::any_table());
                }
                let columns = fields.iter().map(|(name, ty)| {
                    let data = ty.to_arrow().ok_or_else(|| format!("a column cannot be {ty}"))?;
                    Ok(arrow::datatypes::Field::new(&**name, data, true))
                });
                let columns: Vec<_> = columns.collect::<Result<_, String>>()?;
                Type::table(Arc::new(arrow::datatypes::Schema::new(columns)))
            }
            "table" => Type::any_table(),
            "" => return Err("a type is missing".to_owned()),
            other => match SCALARS.iter().find(|(scalar, _)| *scalar == other) {
                Some((_, ty)) => ty.clone(),
                None => return Err(format!("`{other}` is not a type")),
            },
        };
        self.depth -= 1;
        Ok(if self.accept('?') { base.optional() } else { base })
    }

    fn fields(&mut self, close: char) -> Result<Vec<(Arc<str>, Type)>, String> {
        let mut fields: Vec<(Arc<str>, Type)> = Vec::new();
        while !self.accept(close) {
            if !fields.is_empty() {
                self.expect(',')?;
            }
            let name = self.word();
            if name == "any" && close == '>' && fields.is_empty() && self.accept(close) {
                return Ok(vec![("".into(), Type::Any)]);
            }
            if name.is_empty() {
                return Err("a field name is missing".to_owned());
            }
            if fields.iter().any(|(n, _)| &**n == name) {
                return Err(format!("the field `{name}` is given twice"));
            }
            let name = name.into();
            self.expect(':')?;
            fields.push((name, self.ty()?));
        }
        Ok(fields)
    }

    fn word(&mut self) -> &'a str {
        let rest = self.rest.trim_start();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        self.rest = after;
        word
    }

    fn accept(&mut self, c: char) -> bool {
        let rest = self.rest.trim_start();
        match rest.strip_prefix(c) {
            Some(after) => {
                self.rest = after;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, c: char) -> Result<(), String> {
        if self.accept(c) { Ok(()) } else { Err(format!("`{c}` is missing before `{}`", self.rest.trim())) }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::List(element) => write!(f, "list<{element}>"),
            Self::Map(value) => write!(f, "map<{value}>"),
            Self::Optional(inner) => write!(f, "{inner}?"),
            Self::Object(object) => {
                f.write_str("object{")?;
                for (i, (name, ty)) in object.fields.iter().enumerate() {
                    write!(f, "{}{name}: {ty}", if i > 0 { ", " } else { "" })?;
                }
                f.write_str("}")
            }
            Self::Table(TableType { schema: None }) => f.write_str("table"),
            Self::Table(TableType { schema: Some(schema) }) => {
                f.write_str("table<")?;
                for (i, field) in schema.fields().iter().enumerate() {
                    write!(
                        f,
                        "{}{}: {}",
                        if i > 0 { ", " } else { "" },
                        field.name(),
                        Self::from_arrow(field.data_type())
                    )?;
                }
                f.write_str(">")
            }
            scalar => {
                let name = SCALARS.iter().find(|(_, ty)| ty == scalar).map_or("any", |(name, _)| name);
                f.write_str(name)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ty(text: &str) -> Type {
        Type::parse(text).expect(text)
    }

    #[test]
    fn text_and_back() {
        for text in [
            "int",
            "list<string>",
            "map<list<int?>>",
            "object{a: int, b: string?}",
            "table",
            "table<a: int, b: string>",
            "file?",
        ] {
            assert_eq!(ty(text).to_string(), text);
        }
        assert_eq!(ty("table<any>"), Type::any_table());
        assert_eq!(ty("any?"), Type::Any);
        for bad in
            ["", "list", "list<", "lst<int>", "int int", "object{a}", "object{a: int, a: int}", "table<a: list<int>>"]
        {
            assert!(Type::parse(bad).is_err(), "{bad}");
        }
        assert!(Type::parse(&"list<".repeat(100_000)).is_err());
    }

    #[test]
    fn fitting() {
        for (found, expected) in [
            ("int", "float"),
            ("int", "int?"),
            ("any", "int"),
            ("int", "any"),
            ("null", "string?"),
            ("list<int>", "list<float>"),
            ("object{a: int, b: string}", "object{a: float}"),
            ("object{}", "object{a: int?}"),
            ("object{a: int}", "map<int>"),
            ("table<a: int>", "table"),
            ("table<a: int, b: string>", "table<b: string>"),
        ] {
            assert!(ty(found).fits(&ty(expected)), "{found} fits {expected}");
        }
        for (found, expected) in [
            ("int?", "int"),
            ("float", "int"),
            ("null", "int"),
            ("string", "int"),
            ("object{}", "object{a: int}"),
            ("table<a: int>", "table<b: int>"),
        ] {
            assert!(!ty(found).fits(&ty(expected)), "{found} does not fit {expected}");
        }
    }

    #[test]
    fn both_sides_fit_their_join() {
        let all = [
            "int",
            "float",
            "string?",
            "null",
            "list<int>",
            "list<string>",
            "object{a: int}",
            "object{b: int}",
            "table<a: int>",
        ];
        for a in all {
            for b in all {
                let join = ty(a).join(&ty(b));
                assert!(ty(a).fits(&join) && ty(b).fits(&join), "{a} and {b} join to {join}");
            }
        }
    }
}
