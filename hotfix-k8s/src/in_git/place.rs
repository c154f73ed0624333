//! Finding the scalars of a file that name the image, by the form that the file has.

use crate::config::{ImagePlace, ImageValues, InGit};

use super::written::{Part, Written};
use super::yaml::{self, Node, Scalar};

/// Why a file cannot be read or written. The text names the place in it and the mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {place} {problem}")]
pub(crate) struct Unwritable {
    pub(crate) file: String,
    pub(crate) place: String,
    pub(crate) problem: Problem,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    #[error("cannot be read as YAML: {0}; mend it")]
    NotYaml(String),
    #[error("is not there; write it into the file, or correct on_gitops.git")]
    Missing,
    #[error("is there {0} times, and nobody knows which is meant; leave one")]
    Many(usize),
    #[error("is no text on one line; write it plain or in quotes")]
    NotAText,
    #[error("is an alias, and what it stands for may be used elsewhere; write the value itself")]
    Alias,
    #[error("has an anchor that is used elsewhere, where it would change too; write the value there itself")]
    Shared,
    #[error("has neither a tag nor a digest; write one of them")]
    Unpinned,
    #[error(
        "is a tag, and the image {0} has none; deploy it with its tag, or have the file name the digest alone"
    )]
    NoTag(String),
}

/// The container of a Deployment whose image is meant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Container<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) deployment: &'a str,
    pub(crate) name: &'a str,
}

/// What a file says of the image, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    scalars: Vec<(Part, Scalar)>,
}

impl Found {
    /// Finds the image in a file.
    pub(crate) fn in_file(config: &InGit, container: Container<'_>, text: &str) -> Result<Self, Unwritable> {
        let failed = |(place, problem)| Unwritable { file: config.file.clone(), place, problem };
        let documents =
            yaml::read(text).map_err(|reason| failed(("it".to_owned(), Problem::NotYaml(reason))))?;
        let scalars = match &config.image {
            ImagePlace::Manifest => manifest(&documents, container),
            ImagePlace::Kustomization { name } => kustomization(&documents, name),
            ImagePlace::Values(paths) => values(&documents, paths),
        };
        Ok(Self { scalars: scalars.map_err(failed)? })
    }

    /// Returns what it says.
    pub(crate) fn written(&self) -> Written {
        Written(self.scalars.iter().map(|(part, scalar)| (*part, scalar.value.clone())).collect())
    }

    /// Returns the text of the file with other values in these scalars.
    pub(crate) fn replaced(&self, text: &str, wanted: &Written) -> String {
        let changes: Vec<(&Scalar, &str)> = self
            .scalars
            .iter()
            .filter_map(|(part, scalar)| Some((scalar, wanted.0.get(part)?.as_str())))
            .collect();
        yaml::replaced(text, &changes)
    }
}

type Failed = (String, Problem);
type Scalars = Result<Vec<(Part, Scalar)>, Failed>;

/// Returns the one of some things that is meant.
fn only<'a, T: ?Sized>(found: &[&'a T], place: impl FnOnce() -> String) -> Result<&'a T, Failed> {
    match found {
        [] => Err((place(), Problem::Missing)),
        [only] => Ok(only),
        many => Err((place(), Problem::Many(many.len()))),
    }
}

fn scalar(nodes: &[&Node], place: impl Fn() -> String) -> Result<Scalar, Failed> {
    use granit_parser::ScalarStyle::{DoubleQuoted, Plain, SingleQuoted};
    match only(nodes, &place)? {
        Node::Scalar(scalar) if scalar.is_shared => Err((place(), Problem::Shared)),
        Node::Scalar(scalar) if matches!(scalar.style, Plain | SingleQuoted | DoubleQuoted) => {
            Ok(scalar.clone())
        }
        Node::Alias => Err((place(), Problem::Alias)),
        Node::Scalar(_) | Node::Map(_) | Node::List(_) => Err((place(), Problem::NotAText)),
    }
}

fn manifest(documents: &[Node], container: Container<'_>) -> Scalars {
    let Container { namespace, deployment, name } = container;
    let is_it = |document: &&Node| {
        let metadata = document.get("metadata");
        let said = |key| metadata.and_then(|metadata| metadata.text(key));
        document.text("kind") == Some("Deployment")
            && said("name") == Some(deployment)
            // Who applies it may say where to.
            && said("namespace").is_none_or(|said| said == namespace)
    };
    let found: Vec<&Node> = documents.iter().filter(is_it).collect();
    let document = only(&found, || format!("Deployment {namespace}/{deployment}"))?;
    let path = ["spec", "template", "spec", "containers"];
    let containers = path.iter().try_fold(document, |node, key| node.get(key)).map_or(&[][..], Node::list);
    let named: Vec<&Node> = containers.iter().filter(|node| node.text("name") == Some(name)).collect();
    let place = || format!("container {name} of Deployment {namespace}/{deployment}");
    let found = only(&named, place)?;
    let image = scalar(&found.all("image"), || format!("the image of {}", place()))?;
    Ok(vec![(Part::Reference, image)])
}

fn kustomization(documents: &[Node], name: &str) -> Scalars {
    let images = documents.iter().filter_map(|document| document.get("images"));
    let entries: Vec<&Node> =
        images.flat_map(Node::list).filter(|entry| entry.text("name") == Some(name)).collect();
    let entry = only(&entries, || format!("the entry {name} of images"))?;
    let fields = [("newName", Part::Name), ("newTag", Part::Tag), ("digest", Part::Digest)];
    let found = fields.into_iter().map(|(field, part)| (entry.all(field), field, part));
    let scalars = found.filter(|(nodes, ..)| !nodes.is_empty()).map(|(nodes, field, part)| {
        Ok((part, scalar(&nodes, || format!("{field} of the entry {name} of images"))?))
    });
    let scalars: Vec<_> = scalars.collect::<Result<_, _>>()?;
    if !scalars.iter().any(|(part, _)| matches!(part, Part::Tag | Part::Digest)) {
        return Err((format!("the entry {name} of images"), Problem::Unpinned));
    }
    Ok(scalars)
}

fn values(documents: &[Node], paths: &ImageValues) -> Scalars {
    let ImageValues { reference, repository, tag, digest } = paths;
    let parts =
        [(reference, Part::Reference), (repository, Part::Name), (tag, Part::Tag), (digest, Part::Digest)];
    let named = parts.into_iter().filter_map(|(path, part)| Some((path.as_ref()?, part)));
    named
        .map(|(path, part)| {
            let found: Vec<&Node> = documents.iter().flat_map(|document| at(document, path)).collect();
            Ok((part, scalar(&found, || path.clone())?))
        })
        .collect()
}

/// What is at a path of keys with dots between them.
fn at<'a>(document: &'a Node, path: &str) -> Vec<&'a Node> {
    path.split('.').fold(vec![document], |nodes, key| {
        let inner = |node: &'a Node| match (node, key.parse::<usize>()) {
            (Node::List(nodes), Ok(index)) => nodes.get(index).into_iter().collect(),
            _ => node.all(key),
        };
        nodes.into_iter().flat_map(inner).collect()
    })
}

#[cfg(test)]
#[path = "place_tests.rs"]
mod tests;
