//! Raising a fence, wherever it is.

use super::{Deployer, Seal, VersionControl};
use crate::model::{Fenced, Stamp};

/// Raises the fence of references or of a workload to `stamp`, and changes nothing else. A watch has none, so it answers
/// [`Seal::Unreachable`].
///
/// *Idempotency*, *Cancellation*: as [`Deployer::seal`].
pub async fn seal(
    source: &dyn VersionControl,
    deployer: &dyn Deployer,
    target: &Fenced,
    stamp: Stamp,
) -> Seal {
    match target {
        Fenced::Source(service) => source.seal(service, stamp).await,
        Fenced::Workload(target) => deployer.seal(target, stamp).await,
        Fenced::Watch(_) => Seal::Unreachable { cause: "a watch takes no effects".to_owned() },
    }
}
