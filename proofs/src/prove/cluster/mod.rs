//! `prove k8s`: the kill matrix and random kills of runs on a real API server, whose own log is what is audited.

mod audit;
mod claims;
mod leased;
mod objects;
mod two;
mod way;
mod world;

use std::path::Path;
use std::process::ExitCode;

use hotfix_testkit::cluster::TestCluster;
use tempfile::TempDir;

use super::matrix::{Extent, Figures, Matrix, folder_of_worlds, run};
use super::repository::Template;
use super::{say, warn};
use claims::Claims;
use two::{End, When};
use way::Way;
use world::{Ground, Images, Shop};

pub(super) fn main(extent: Extent) -> ExitCode {
    run(async |program| kill_matrix_on_kubernetes(&program, extent).await)
}

/// Plays the whole matrix of one way alone.
pub(super) fn main_of(name: &str) -> ExitCode {
    let Some(way) = way::ALL.into_iter().find(|way| way.name == name) else {
        warn(&format!("unknown way {name:?}; there are {}", way::ALL.map(|way| way.name).join(", ")));
        return ExitCode::from(2);
    };
    run(async |program| {
        let (mut ground, folder) = ground(&program).await?;
        let mut figures = Figures::of("k8s");
        let proven = prove(&mut ground, way, Extent::Whole, &mut figures).await;
        figures.conclude(Extent::Whole, proven, folder)
    })
}

/// Plays the matrix on the cluster that all tests of this process share, with drivers that are processes of `program`,
/// which is `prove`.
///
/// # Errors
/// A sentence when the proof cannot be set up: no folder, no git, no control plane, a run without interruption that does
/// not end well.
pub async fn kill_matrix_on_kubernetes(program: &Path, extent: Extent) -> Result<Figures, String> {
    let (mut ground, folder) = ground(program).await?;
    let mut figures = Figures::of("k8s");
    for way in way::ALL {
        let proven = prove(&mut ground, way, extent, &mut figures).await;
        if proven.is_err() {
            return figures.conclude(extent, proven, folder);
        }
    }
    ground.way = &way::VIRTUAL_SERVICE;
    for verdict in two::with_one_store(&ground).await {
        figures.add(verdict);
    }
    for when in [When::Later, When::AtOnce] {
        let (verdict, ends) = two::with_two_stores(&ground, when).await;
        figures.add(verdict);
        for End { status, said: last } in ends.into_iter().flatten() {
            say(&format!("two stores, {when:?}: {status}: {last}"));
        }
    }
    ground.claims = Claims::Leases;
    for verdict in leased::with_a_store_each(&ground).await {
        figures.add(verdict);
    }
    figures.conclude(extent, Ok(()), folder)
}

async fn ground(program: &Path) -> Result<(Ground, TempDir), String> {
    let folder = folder_of_worlds()?;
    let template = Template::make(folder.path(), program)?;
    let cluster = TestCluster::shared().await.map_err(|error| error.to_string())?;
    cluster.install_istio().await.map_err(|error| error.to_string())?;
    cluster.install_gateway_api().await.map_err(|error| error.to_string())?;
    let ground = Ground {
        template,
        program: program.to_owned(),
        folder: folder.path().to_owned(),
        cluster,
        images: Images::push(cluster)?,
        way: &way::VIRTUAL_SERVICE,
        claims: Claims::Store,
    };
    Ok((ground, folder))
}

async fn prove(
    ground: &mut Ground,
    way: &'static Way,
    extent: Extent,
    figures: &mut Figures,
) -> Result<(), String> {
    ground.way = way;
    let ground = &*ground;
    let matrix = Matrix::of::<Shop>(ground, figures).await?;
    let longest = matrix.longest;
    if extent != Extent::Sample {
        warn(&format!("{}: {} cells", way.name, matrix.cells()));
    }
    matrix.play::<Shop>(ground, extent, figures).await;
    if extent != Extent::Sample {
        figures.kill_at_random::<Shop>(ground, way.depth.random_runs(), longest).await;
    }
    Ok(())
}
