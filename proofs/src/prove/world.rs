//! What the cells of a matrix are played in: a world of its own for each, whatever its runs deploy to.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use hotfix_testkit::cluster::FaultProxy;
use tokio::time::Instant;

use super::audit::{Ending, Findings};
use super::driver::Backend;
use super::kill::{Doing, KillPoint, Moment, When};
use super::program::{self, Running, processes_of};
use super::repository::Patch;

/// Everything is fast here; a step that takes this long has failed.
pub(super) const LONG: Duration = Duration::from_secs(60);
/// How often something that is waited for is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// The journal of a world.
pub(super) const JOURNAL: &str = "journal.db";

/// One world, gone with this value unless it is kept.
pub(super) trait World: Sized {
    /// What all worlds of a proof share.
    type Ground;

    /// How many are alive at the same time.
    const AT_ONCE: usize;

    /// How many cells a sample has, and not many more.
    fn sample(ground: &Self::Ground) -> usize;

    /// Builds a world with a name of its own.
    async fn open(ground: &Self::Ground, name: &str) -> Result<Self, String>;

    /// Where its drivers live.
    fn home(&self) -> &Home;

    /// Leaves the files of the world as evidence. The processes go.
    fn keep(&mut self) -> PathBuf;

    /// Tells where a driver can be stopped in a run like the one that ended here.
    fn spots(&self, patch: Patch) -> Result<Vec<Spot>, String>;

    /// What stands between its drivers and what they deploy to, where something does.
    fn network(&self) -> Option<&FaultProxy>;

    /// Checks what must hold at every moment, also when a driver has just died.
    fn at_any_moment(&self, findings: &mut Findings);

    /// Checks what must hold when everything has ended.
    async fn at_the_end(&self, ending: Ending, findings: &mut Findings);

    /// Sums up everything that a further resumption could change.
    fn fingerprint(&self) -> Result<String, String>;
}

/// Where a driver is stopped in the life of a run.
#[derive(Debug, Clone)]
pub(super) struct Spot {
    /// What it is at, for people.
    pub(super) what: String,
    pub(super) place: Place,
    pub(super) successors: Successors,
}

/// How far it is.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// As far as the driver itself can tell.
    Inside(Moment),
    /// A request is on its way, and arrives only after the successor has sealed.
    Held(Request),
    /// A request was applied, and the answer is lost.
    Cut(Request),
}

/// With whom a spot is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Successors {
    /// With each that there can be.
    All,
    /// With one, another than at the spots before and after it.
    InTurn,
}

/// One request of an effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) step: u16,
    /// The stamp that it brings.
    pub(super) stamp: String,
    /// The end of its path, such as `deployments/shop`.
    pub(super) object: String,
}

impl Spot {
    /// Names the spot for a folder.
    pub(super) fn name(&self) -> String {
        let request = |how, Request { step, object, .. }: &Request| {
            format!("{how}-{step}-{}", object.replace('/', "-"))
        };
        match &self.place {
            Place::Inside(Moment { doing, when }) => format!("{doing}-{}", when.name()),
            Place::Held(held) => request("held", held),
            Place::Cut(cut) => request("cut", cut),
        }
    }

    /// Where the driver stops by itself, if it does.
    pub(super) const fn moment(&self) -> Option<Moment> {
        match &self.place {
            Place::Inside(moment) => Some(*moment),
            Place::Held(_) => None,
            Place::Cut(request) => Some(Moment { doing: Doing::Answer(request.step), when: When::After }),
        }
    }
}

/// The folder of a world, and the drivers that work in it. Dropping it ends every process that belongs to it.
#[derive(Debug)]
pub(super) struct Home {
    pub(super) folder: PathBuf,
    program: PathBuf,
    backend: Backend,
    kept: bool,
}

impl Home {
    /// Makes a fresh folder.
    pub(super) fn make(folder: PathBuf, program: &Path, backend: Backend) -> Result<Self, String> {
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(Self { folder, program: program.to_owned(), backend, kept: false })
    }

    /// Starts a driver with its output in a file of the world.
    pub(super) fn drive(&self, worker: &str, words: &[&str]) -> Result<Running, String> {
        let log = self.log(worker);
        let open = || fs::OpenOptions::new().append(true).create(true).open(&log);
        let (output, errors) = open()
            .and_then(|file| Ok((file, open()?)))
            .map_err(|error| format!("{}: {error}", log.display()))?;
        let mut command = program::command(&self.program);
        command.arg(super::DRIVE).arg(self.backend.name()).arg(&self.folder).arg(worker).args(words);
        command.stdout(Stdio::from(output)).stderr(Stdio::from(errors));
        command.spawn().map(Running).map_err(|error| format!("a driver cannot be started: {error}"))
    }

    /// Starts a driver that deploys the patch, and stops at the point.
    pub(super) fn start(
        &self,
        worker: &str,
        patch: Patch,
        point: Option<KillPoint>,
    ) -> Result<Running, String> {
        let point = point.map(|point| point.to_string());
        let words: Vec<&str> = ["start", patch.name()].into_iter().chain(point.as_deref()).collect();
        self.drive(worker, &words)
    }

    /// Where the drivers of a worker put down what they have to say.
    pub(super) fn log(&self, worker: &str) -> PathBuf {
        self.below(&format!("driver-{worker}.log"))
    }

    pub(super) fn journal(&self) -> PathBuf {
        self.below(JOURNAL)
    }

    pub(super) fn below(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Leaves the folder where it is.
    pub(super) fn keep(&mut self) -> PathBuf {
        self.kept = true;
        self.folder.clone()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        for process in processes_of(&self.folder) {
            process.kill();
        }
        if !self.kept {
            // A process that is just ending may still write; what stays behind goes with the folder of all worlds.
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// Polls until `look` finds something; the deadline only ends a proof that has failed.
pub(super) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> Result<T, String> {
    let deadline = Instant::now() + LONG;
    loop {
        if let Some(found) = look().await {
            return Ok(found);
        }
        if Instant::now() >= deadline {
            return Err(format!("waited {} s in vain until {what}", LONG.as_secs()));
        }
        tokio::time::sleep(LOOK).await;
    }
}
