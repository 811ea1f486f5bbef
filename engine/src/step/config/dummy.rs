use serde::{
    Deserializer,
    de::{DeserializeSeed, EnumAccess, MapAccess, VariantAccess, Visitor, value::StrDeserializer},
};

use super::{
    handover::{self, Handed},
    located::LOCATED,
    one_or_many::ONE_OR_MANY,
    problem::Problem,
    templated::TEMPLATED,
    units::Unit,
};
use crate::{
    data::Value,
    diag::{Span, TextMap},
    expr::{Template, TemplateKind},
};

/// Stands in for a value that could not be read, so that reading goes on behind it. Gives whatever is
/// asked for; what is made of it is never used.
#[derive(Clone, Copy)]
pub(super) struct Dummy;

macro_rules! give {
    ($($method:ident $visit:ident($value:expr);)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
            visitor.$visit($value)
        }
    )*};
}

impl<'de> Deserializer<'de> for Dummy {
    type Error = Problem;

    give! {
        deserialize_bool visit_bool(false);
        deserialize_i8 visit_i8(1);
        deserialize_i16 visit_i16(1);
        deserialize_i32 visit_i32(1);
        deserialize_i64 visit_i64(1);
        deserialize_u8 visit_u8(1);
        deserialize_u16 visit_u16(1);
        deserialize_u32 visit_u32(1);
        deserialize_u64 visit_u64(1);
        deserialize_f32 visit_f32(1.0);
        deserialize_f64 visit_f64(1.0);
        deserialize_char visit_char('x');
        deserialize_str visit_str("x");
        deserialize_string visit_str("x");
        deserialize_identifier visit_str("x");
        deserialize_bytes visit_bytes(b"");
        deserialize_byte_buf visit_bytes(b"");
        deserialize_seq visit_seq(Nothing);
        deserialize_map visit_map(Fields(&[]));
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_none()
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Problem> {
        match name {
            LOCATED => handover::give(Handed::Place(Span::default(), TextMap::default())),
            ONE_OR_MANY => return visitor.visit_seq(Nothing),
            _ if Unit::of_newtype(name).is_some() => return visitor.visit_u64(1),
            _ => {}
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_seq(Nothing)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Problem> {
        visitor.visit_seq(Nothing)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        if name == TEMPLATED {
            let kind = TemplateKind::Literal(Value::Null);
            handover::give(Handed::Template(Template { span: Span::default(), kind }));
            return visitor.visit_unit();
        }
        visitor.visit_map(Fields(fields))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        visitor.visit_enum(First(variants.first().copied().unwrap_or_default()))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_unit()
    }
}

struct Nothing;

impl<'de> serde::de::SeqAccess<'de> for Nothing {
    type Error = Problem;
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, _: T) -> Result<Option<T::Value>, Problem> {
        Ok(None)
    }
}

/// Every field of a struct, each with a stand-in.
struct Fields(&'static [&'static str]);

impl<'de> MapAccess<'de> for Fields {
    type Error = Problem;
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Problem> {
        let Some((first, rest)) = self.0.split_first() else { return Ok(None) };
        self.0 = rest;
        seed.deserialize(StrDeserializer::new(first)).map(Some)
    }
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Problem> {
        seed.deserialize(Dummy)
    }
}

/// The first variant of an enum.
struct First(&'static str);

impl<'de> EnumAccess<'de> for First {
    type Error = Problem;
    type Variant = Self;
    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Problem> {
        let value = seed.deserialize(StrDeserializer::new(self.0))?;
        Ok((value, self))
    }
}

impl<'de> VariantAccess<'de> for First {
    type Error = Problem;
    fn unit_variant(self) -> Result<(), Problem> {
        Ok(())
    }
    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Problem> {
        seed.deserialize(Dummy)
    }
    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_seq(Nothing)
    }
    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_map(Fields(fields))
    }
}
