//! The commands and their arguments.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use hotfix::model::{BranchName, EnvironmentName, IssueKey, RunId, Severity, TagName, Version};
use hotfix::request::{Revision, RollbackTo, Strategy};

use crate::exit::EXIT_CODES;

/// Takes an emergency fix from a commit to live, proven healthy and merged back, or takes it back and says why.
#[derive(Debug, Parser)]
#[command(name = "hotfix", after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    /// The configuration; paths in it are relative to its folder
    #[arg(long, global = true, default_value = "hotfix.toml", value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// Who asks; your user name if not given
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) by: Option<String>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(flatten)]
    Change(Change),
    /// Show everything that create, deploy or rollback would do, and change nothing
    Plan {
        #[command(subcommand)]
        what: Change,
        /// How to show it
        #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Show what runs where, the runs and who drives them, and messages that did not arrive
    Status {
        /// Also show runs that have ended
        #[arg(long)]
        all: bool,
    },
    /// Follow a run, wherever it is driven, to its end
    Watch {
        run: RunId,
        /// The journal entry to begin with, as shown in brackets
        #[arg(long, default_value_t = 0, value_name = "N")]
        from: u64,
    },
    /// Ask a run to stop: before any deploy it ends cancelled, after one it rolls back
    Cancel {
        run: RunId,
        #[arg(long)]
        reason: String,
    },
    /// Agree to what a run asks for, such as the rollback of a release that turned bad
    Approve { run: RunId },
    /// Go to all of the traffic at once: the shares that are to come are left out, the verdict is not
    Hasten {
        run: RunId,
        #[arg(long)]
        reason: String,
    },
    /// Go on with a run that was left, or with all of them; watch a release that went live a short while ago
    Resume { run: Option<RunId> },
    /// Put the very first release live on every target where nothing is
    Install {
        /// The tag of the release
        #[arg(long)]
        tag: TagName,
    },
    /// Run the agent of this host in the foreground: it holds the proxies and looks after the processes
    Agent,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Change {
    /// Make a hotfix branch from a production release
    Create(Create),
    /// Take a fix live: staging, production by strategy, merged back and tagged; or take it back
    Deploy(Deploy),
    /// Put back a release that was proven healthy
    Rollback(Rollback),
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// The issue, such as PROD-2847
    #[arg(long)]
    pub(crate) issue: IssueKey,
    /// P0 to P3, SEV1 to SEV4, or critical, high, medium, low
    #[arg(long)]
    pub(crate) severity: Severity,
    /// What is broken, in one line
    #[arg(long)]
    pub(crate) title: Option<String>,
    /// The release to start from; the newest one if not given
    #[arg(long, value_name = "TAG")]
    pub(crate) from: Option<TagName>,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("source").required(true).args(["fix", "branch"])))]
pub(crate) struct Deploy {
    /// The issue, such as PROD-2847
    #[arg(long)]
    pub(crate) issue: IssueKey,
    /// P0 to P3, SEV1 to SEV4, or critical, high, medium, low
    #[arg(long)]
    pub(crate) severity: Severity,
    /// What is broken, in one line
    #[arg(long)]
    pub(crate) title: String,
    /// Commits to pick onto a fresh hotfix branch, in this order
    #[arg(long, num_args = 1.., value_name = "REV", value_parser = Revision::new)]
    pub(crate) fix: Vec<Revision>,
    /// A hotfix branch that has the fix already
    #[arg(long)]
    pub(crate) branch: Option<BranchName>,
    /// The release to start from; the newest one if not given
    #[arg(long, value_name = "TAG")]
    pub(crate) from: Option<TagName>,
    /// direct, rolling, blue-green or canary; the policy's choice if not given
    #[arg(long)]
    pub(crate) strategy: Option<Strategy>,
    /// Go to production at once, where the policy allows it
    #[arg(long)]
    pub(crate) skip_staging: bool,
    /// Somebody else who agrees; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) approved_by: Vec<String>,
    /// Why rules that yield to an emergency may be broken; recorded and told
    #[arg(long, value_name = "REASON")]
    pub(crate) break_glass: Option<String>,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Rollback {
    /// What to go back to: last-known-good, or a version such as 2.1.0
    #[arg(long, value_name = "RELEASE", default_value = "last-known-good", value_parser = destination)]
    pub(crate) to: RollbackTo,
    /// Why, in one line
    #[arg(long)]
    pub(crate) reason: String,
    /// The issue
    #[arg(long, default_value = "rollback")]
    pub(crate) issue: IssueKey,
    /// P0 to P3, SEV1 to SEV4, or critical, high, medium, low
    #[arg(long, default_value = "critical")]
    pub(crate) severity: Severity,
    /// Where; production if not given
    #[arg(long)]
    pub(crate) environment: Option<EnvironmentName>,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
}

/// How a plan is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// For programs: the plan, or the reasons of a refusal
    Json,
    /// A flowchart for Markdown
    Mermaid,
}

fn destination(text: &str) -> Result<RollbackTo, String> {
    if text == "last-known-good" {
        return Ok(RollbackTo::LastKnownGood);
    }
    let version = Version::parse(text);
    version
        .map(RollbackTo::Version)
        .map_err(|_| "allowed are last-known-good and versions such as 2.1.0".to_owned())
}
