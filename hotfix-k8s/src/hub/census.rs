//! What there is of a kind, by name and version alone: that tells whether a watch has lost something, at a fraction of what
//! it costs to list the objects.

use std::borrow::Cow;
use std::collections::HashMap;

use kube::api::{Api, ListParams};
use kube::core::Request;
use serde::Deserialize;

use super::whole::Whole;

/// How many are asked for at a time, as many as of whole objects.
const PAGE: u32 = 500;

/// What there was at one moment, from the store behind the server.
#[derive(Debug)]
pub(super) struct Census {
    /// Everything up to this version is in it; 0 when that is not known.
    version: u64,
    objects: HashMap<String, u64>,
}

/// Why there is no census. It says what is said of a list of whole objects too, so that is what is asked for next.
#[derive(Debug, thiserror::Error)]
pub(super) enum Untaken {
    #[error(transparent)]
    Request(#[from] kube::Error),
    #[error("the request cannot be built: {0}")]
    Unbuilt(#[from] kube::core::request::Error),
    /// Without the answer, which may hold what nobody is to read in a log.
    #[error("the answer is not understood: {0}")]
    Unclear(#[from] serde_json::Error),
}

/// An answer. All fields but these are skipped where they stand, and those of the fields' writers are most of it.
#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow, default)]
    metadata: OfPage<'a>,
    #[serde(borrow)]
    items: Vec<Item<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfPage<'a> {
    #[serde(borrow, default)]
    resource_version: Cow<'a, str>,
    #[serde(borrow, rename = "continue")]
    next: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow)]
    metadata: OfItem<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfItem<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    resource_version: Cow<'a, str>,
}

impl Census {
    /// Asks for what there is, never from the server's cache as it happens to be: what that lost too would not be missed.
    pub(super) async fn take(api: Api<Whole>) -> Result<Self, Untaken> {
        let (request, client) = (Request::new(api.resource_url()), api.into_client());
        let mut params = ListParams::default().limit(PAGE);
        let (mut census, mut is_first) = (Self { version: 0, objects: HashMap::new() }, true);
        loop {
            let answer = client.request_text(request.list_metadata(&params)?).await?;
            let page: Page<'_> = serde_json::from_str(&answer)?;
            // All pages show what was there when the first was asked for.
            if std::mem::take(&mut is_first) {
                census.version = number(&page.metadata.resource_version);
            }
            let object =
                |item: Item<'_>| (item.metadata.name.into(), number(&item.metadata.resource_version));
            census.objects.extend(page.items.into_iter().map(object));
            match page.metadata.next {
                Some(next) if !next.is_empty() => params.continue_token = Some(next.into_owned()),
                _ => return Ok(census),
            }
        }
    }

    /// Returns what there was that a watch has not told yet, if there is any. What it told of later is no difference.
    /// `newest` is the version of what it had told before the census was taken.
    ///
    /// It may be on its way, so a difference is no proof that something was lost. That there is none proves that nothing was.
    pub(super) fn missing_in(&self, known: &HashMap<String, u64>, newest: u64) -> Option<Missing> {
        if self.version == 0 || self.version < newest {
            return Some(Missing::Order { newest, version: self.version });
        }
        let other = self.objects.iter().find(|(name, version)| {
            // A version that is no number cannot be compared.
            let is_known = |known: u64| known == **version && known > 0 || known > self.version;
            !known.get(*name).is_some_and(|known| is_known(*known))
        });
        let gone = || {
            let is_gone = |(name, version): &(&String, &u64)| {
                **version <= self.version && !self.objects.contains_key(*name)
            };
            known.iter().find(is_gone)
        };
        let missing = |(name, _): (&String, &u64)| name.clone();
        other.map(missing).map(Missing::Change).or_else(|| gone().map(missing).map(Missing::End))
    }
}

/// What a watch has not told.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Missing {
    #[error("{0} was made or changed")]
    Change(String),
    #[error("{0} was deleted")]
    End(String),
    /// Versions are no numbers, or the store was put back to what it held before.
    #[error("what is there is of version {version}, and what was told before of version {newest}")]
    Order { newest: u64, version: u64 },
}

fn number(version: &str) -> u64 {
    version.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(objects: &[(&str, u64)]) -> HashMap<String, u64> {
        objects.iter().map(|(name, version)| ((*name).to_owned(), *version)).collect()
    }

    #[test]
    fn what_a_watch_told_later_is_no_difference_and_everything_else_is() {
        let census = |version, objects| Census { version, objects: versions(objects) };
        let (change, end) = (
            |name: &str| Some(Missing::Change(name.to_owned())),
            |name: &str| Some(Missing::End(name.to_owned())),
        );
        let cases = [
            (census(9, &[("a", 3)]), versions(&[("a", 3)]), None),
            (census(9, &[]), versions(&[]), None),
            // Changed, made and deleted, and nobody told.
            (census(9, &[("a", 4)]), versions(&[("a", 3)]), change("a")),
            (census(9, &[("a", 3), ("b", 8)]), versions(&[("a", 3)]), change("b")),
            (census(9, &[("a", 3)]), versions(&[("a", 3), ("b", 9)]), end("b")),
            // Changed and made since, and told.
            (census(9, &[("a", 3)]), versions(&[("a", 11)]), None),
            (census(9, &[("a", 3)]), versions(&[("a", 3), ("b", 10)]), None),
            // Nothing that could be compared, and what was told that is not there.
            (census(0, &[("a", 3)]), versions(&[("a", 3)]), Some(Missing::Order { newest: 3, version: 0 })),
            (census(2, &[("a", 2)]), versions(&[("a", 3)]), Some(Missing::Order { newest: 3, version: 2 })),
            (census(9, &[("a", 0)]), versions(&[("a", 0)]), change("a")),
            (census(9, &[("a", 3)]), versions(&[("a", 4)]), change("a")),
        ];
        for (census, known, expected) in cases {
            assert_eq!(census.missing_in(&known, 3), expected, "{census:?} of {known:?}");
        }
    }

    #[test]
    fn all_but_names_and_versions_is_skipped() {
        let answer = r#"{"kind": "PartialObjectMetadataList", "metadata": {"resourceVersion": "9", "continue": "x"},
            "items": [{"metadata": {"name": "a", "namespace": "prod", "resourceVersion": "3",
                "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {"name": "no"}}}],
                "annotations": {"name": "no", "resourceVersion": "4\n"}}}]}"#;
        let page: Page<'_> = serde_json::from_str(answer).unwrap();
        assert_eq!((&*page.metadata.resource_version, page.metadata.next.as_deref()), ("9", Some("x")));
        let [Item { metadata }] = &page.items[..] else { panic!("one") };
        assert_eq!((&*metadata.name, &*metadata.resource_version), ("a", "3"));
    }
}
