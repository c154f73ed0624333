//! The process that drives the third fix, and the one that takes it up.

use std::path::PathBuf;

use hotfix::plan::Planned;

use crate::Failure;
use crate::home::{Home, Quiet, request};
use crate::mortal::Mortal;

/// Plans and starts a fix and drives it until it is killed in the middle of a shift.
pub(crate) async fn drive(home: PathBuf, fix: &str) -> Result<(), Failure> {
    let home = Home::new(home);
    let engine = home.engine_with("driver-1", Quiet::Yes, Mortal(home.deployer())).await?;
    let request = request("PROD-2849", "Receipts are sent twice", fix)?;
    match engine.plan(&request).await? {
        Planned::Plan(plan) => {
            engine.start(*plan).await?.outcome().await?;
        }
        Planned::NothingToDo(why) => return Err(why.into()),
    }
    engine.flush().await;
    Ok(())
}

/// Waits until a run that was left can be taken over, and drives it to its end.
pub(crate) async fn resume(home: PathBuf) -> Result<(), Failure> {
    let engine = Home::new(home).engine("driver-2", Quiet::Yes).await?;
    loop {
        let runs = engine.resume_all().await?;
        let found = !runs.is_empty();
        for run in runs {
            run.outcome().await?;
        }
        if found {
            engine.flush().await;
            return Ok(());
        }
        // The lease of the process that was killed has to run out first.
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}
