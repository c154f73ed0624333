//! A few cells of the kill matrix on a real API server for each way in which a release gets its traffic, and two processes
//! that want one Deployment.

use std::path::Path;

use hotfix_proofs::prove::{Extent, kill_matrix_on_kubernetes};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_survives_the_death_of_its_driver_at_any_point() {
    let program = Path::new(env!("CARGO_BIN_EXE_prove"));
    let figures = kill_matrix_on_kubernetes(program, Extent::Sample).await.expect("a proof");
    assert_eq!(figures.failed, Vec::<String>::new());
    assert!(figures.cells >= 15, "{figures}");
    assert_eq!(figures.kills, figures.cells as u64, "{figures}");
}
