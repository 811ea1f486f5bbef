use serde::de::{
    DeserializeSeed, EnumAccess, Error as _, MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
    value::StrDeserializer,
};

use super::{deserializer::NodeDeserializer, dummy::Dummy, problem::Problem, reader::Reading};
use crate::spec::{Key, Node};

/// Gives a node, or a stand-in where it is known to be broken.
fn give<'de, S: DeserializeSeed<'de>>(seed: S, node: &Node, reading: &Reading) -> Result<S::Value, Problem> {
    if reading.is_broken(node) {
        return seed.deserialize(Dummy).map_err(|_| Problem::Stop);
    }
    seed.deserialize(NodeDeserializer::new(node, reading))
}

/// The entries of a mapping.
pub(super) struct Entries<'a> {
    left: std::slice::Iter<'a, (Key, Node)>,
    next: Option<&'a (Key, Node)>,
    known: Option<&'static [&'static str]>,
    absent: Vec<&'static str>,
    reading: &'a Reading,
}

impl<'a> Entries<'a> {
    /// `known`: the only keys to give; the others were reported.
    pub(super) fn of(
        node: &Node,
        entries: &'a [(Key, Node)],
        known: Option<&'static [&'static str]>,
        reading: &'a Reading,
    ) -> Self {
        Self { left: entries.iter(), next: None, known, absent: reading.absent(node), reading }
    }
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Problem;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Problem> {
        let known = self.known;
        self.next = self.left.find(|(key, _)| known.is_none_or(|known| known.contains(&&*key.text)));
        let key: &str = match (self.next, self.absent.last()) {
            (Some((key, _)), _) => &key.text,
            (None, Some(name)) => name,
            (None, None) => return Ok(None),
        };
        let place = self.next;
        seed.deserialize(StrDeserializer::new(key)).map(Some).map_err(|problem: Problem| match place {
            Some((key, node)) => self.reading.place(node, key.span, problem),
            None => problem,
        })
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Problem> {
        let Some((key, node)) = self.next.take() else {
            self.absent.pop();
            return seed.deserialize(Dummy).map_err(|_| Problem::Stop);
        };
        self.reading.enter_key(&key.text);
        let value = give(seed, node, self.reading);
        self.reading.leave();
        value
    }
}

/// The elements of a sequence.
pub(super) struct Items<'a> {
    items: &'a [Node],
    next: usize,
    reading: &'a Reading,
}

impl<'a> Items<'a> {
    pub(super) fn new(items: &'a [Node], reading: &'a Reading) -> Self {
        Self { items, next: 0, reading }
    }
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Problem;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Problem> {
        let Some(node) = self.items.get(self.next) else { return Ok(None) };
        self.reading.enter_index(self.next);
        self.next += 1;
        let value = give(seed, node, self.reading);
        self.reading.leave();
        value.map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len() - self.next)
    }
}

/// One variant of an externally tagged enum.
pub(super) struct Variant<'a> {
    pub(super) word: StrDeserializer<'a, Problem>,
    pub(super) content: Option<&'a Node>,
    pub(super) reading: &'a Reading,
}

impl<'de> EnumAccess<'de> for Variant<'_> {
    type Error = Problem;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Problem> {
        let value = seed.deserialize(self.word)?;
        Ok((value, self))
    }
}

impl<'a> Variant<'a> {
    fn content(&self) -> Result<NodeDeserializer<'a>, Problem> {
        let node =
            self.content.ok_or_else(|| Problem::invalid_type(Unexpected::UnitVariant, &"a mapping with content"))?;
        Ok(NodeDeserializer::new(node, self.reading))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = Problem;

    fn unit_variant(self) -> Result<(), Problem> {
        match self.content {
            None => Ok(()),
            Some(node) => serde::Deserialize::deserialize(NodeDeserializer::new(node, self.reading)),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Problem> {
        match self.content {
            Some(node) => give(seed, node, self.reading),
            None => self.content().and_then(|content| seed.deserialize(content)),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Problem> {
        serde::Deserializer::deserialize_tuple(self.content()?, length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Problem> {
        serde::Deserializer::deserialize_struct(self.content()?, "", fields, visitor)
    }
}
