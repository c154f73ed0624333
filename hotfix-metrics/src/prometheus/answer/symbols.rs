//! Texts that occur often, kept once: the label names and values of an answer.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

/// A text in [`Symbols`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Symbol(u32);

/// The texts, one behind the other.
#[derive(Default)]
pub(super) struct Symbols {
    text: String,
    ends: Vec<u32>,
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Symbols {
    /// Returns the symbol of the text, or `None` when there is no room for more than 4 GiB of text.
    pub(super) fn intern(&mut self, text: &str) -> Option<Symbol> {
        let hash = self.hasher.hash_one(text);
        let Self { text: all, ends, index, hasher } = self;
        if let Some(found) = index.find(hash, |id| slice(all, ends, *id) == text) {
            return Some(Symbol(*found));
        }
        let id = u32::try_from(ends.len()).ok()?;
        let end = u32::try_from(all.len() + text.len()).ok()?;
        all.push_str(text);
        ends.push(end);
        index.insert_unique(hash, id, |id| hasher.hash_one(slice(all, ends, *id)));
        Some(Symbol(id))
    }

    pub(super) fn text(&self, symbol: Symbol) -> &str {
        slice(&self.text, &self.ends, symbol.0)
    }

    /// Drops what is only needed to find texts.
    pub(super) fn finish(&mut self) {
        self.index = HashTable::new();
        self.text.shrink_to_fit();
        self.ends.shrink_to_fit();
    }
}

fn slice<'a>(text: &'a str, ends: &[u32], id: u32) -> &'a str {
    let id = id as usize;
    let start = if id == 0 { 0 } else { ends[id - 1] as usize };
    &text[start..ends[id] as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_kept_once() {
        let mut symbols = Symbols::default();
        let texts = ["", "code", "200", "", "code"];
        let found: Vec<_> = texts.iter().map(|text| symbols.intern(text).unwrap()).collect();
        assert_eq!(found, [Symbol(0), Symbol(1), Symbol(2), Symbol(0), Symbol(1)]);
        symbols.finish();
        let read: Vec<_> = found.iter().map(|symbol| symbols.text(*symbol)).collect();
        assert_eq!(read, texts);
    }
}
