//! A dozen cells of the kill matrix, so that every run of the tests kills a few drivers.

mod cluster;
mod judge;

use std::path::Path;

use hotfix_proofs::prove::{Extent, kill_matrix};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_survives_the_death_of_its_driver_at_any_point() {
    let figures = kill_matrix(Path::new(env!("CARGO_BIN_EXE_prove")), Extent::Sample).await.expect("a proof");
    assert_eq!(figures.failed, Vec::<String>::new());
    assert!(figures.cells >= 10, "{figures}");
    assert_eq!(figures.kills, figures.cells as u64, "{figures}");
}
