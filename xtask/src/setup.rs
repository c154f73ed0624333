//! What a machine needs, and how it gets it.

use crate::command::{Run, in_ci, say};

/// A program that comes with a package of the system.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tool {
    pub(crate) program: &'static str,
    pub(crate) package: &'static str,
    pub(crate) check: &'static [&'static str],
    pub(crate) needed_for: &'static str,
}

pub(crate) const GIT: Tool = Tool {
    program: "git",
    package: "git",
    check: &["--version"],
    needed_for: "hotfix-git pushes and fetches with it",
};
pub(crate) const CC: Tool = Tool {
    program: "cc",
    package: "gcc",
    check: &["--version"],
    needed_for: "libgit2 and SQLite are built with it",
};
pub(crate) const PROMETHEUS: Tool = Tool {
    program: "prometheus",
    package: "prometheus",
    check: &["--version"],
    needed_for: "hotfix-metrics is tested with the real one, and its rules with its promtool",
};
pub(crate) const ALERTMANAGER: Tool = Tool {
    program: "prometheus-alertmanager",
    package: "prometheus-alertmanager",
    check: &["--version"],
    needed_for: "silences are tested with the real one",
};
pub(crate) const NGINX: Tool = Tool {
    program: "nginx",
    package: "nginx-light",
    check: &["-v"],
    needed_for: "the proxy is measured beside it",
};
pub(crate) const WRK: Tool = Tool {
    program: "wrk",
    package: "wrk",
    check: &["-v"],
    needed_for: "it is the load of the proxy's measure",
};
pub(crate) const GO: Tool = Tool {
    program: "go",
    package: "golang-go",
    check: &["version"],
    needed_for: "the control plane of the test cluster is built with it, once: some minutes, and 10 GB in its caches",
};

pub(crate) const PYTHON: Tool = Tool {
    program: "python3",
    package: "python3-venv",
    check: &["-c", "import venv, ensurepip"],
    needed_for: "scipy is measured beside the judge",
};

/// Tells the comparison which Python has scipy.
pub(crate) const SCIPY_PYTHON: &str = "HOTFIX_SCIPY_PYTHON";

/// Where scipy is kept between runs, and what pip is asked for.
const SCIPY: (&str, &str) = ("target/peers/scipy", "scipy>=1.11,<2");

/// Makes sure that there is a Python with scipy, in an environment of its own under `target`, and says where.
pub(crate) fn scipy() -> Result<String, String> {
    let (folder, package) = SCIPY;
    let python = format!("{folder}/bin/python");
    if !Run::new(&python, &["-c", "import scipy"]).works() {
        say(&format!("scipy is missing: {}", PYTHON.needed_for));
        Run::new("python3", &["-m", "venv", "--clear", folder]).go()?;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", package];
        Run::new(&python, &pip).go()?;
    }
    Ok(python)
}

/// Makes sure that the tools are there: installs what is missing as root, otherwise says the one command that does.
pub(crate) fn need(tools: &[Tool]) -> Result<(), String> {
    let missing: Vec<&Tool> = tools.iter().filter(|tool| !is_there(tool)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().map(|tool| tool.package).collect();
    for tool in &missing {
        say(&format!("{} is missing: {}", tool.program, tool.needed_for));
    }
    if !is_root() || !Run::new("apt-get", &["--version"]).works() {
        let why = if in_ci() { "CI skips nothing" } else { "nothing is skipped" };
        return Err(format!("{why}; install them with: sudo apt-get install {}", packages.join(" ")));
    }
    Run::new("apt-get", &["update", "-qq"]).go()?;
    let mut install = vec!["install", "-y", "-qq", "--no-install-recommends"];
    install.extend(packages);
    Run::new("apt-get", &install).env("DEBIAN_FRONTEND", "noninteractive").go()?;
    match missing.into_iter().find(|tool| !is_there(tool)) {
        Some(tool) => Err(format!("{} is still missing after its package was installed", tool.program)),
        None => Ok(()),
    }
}

/// A program that answers at all is there: `wrk -v` prints its version and fails. Of Python the modules are asked for.
fn is_there(tool: &Tool) -> bool {
    let on_path = format!("command -v {}", tool.program);
    let answers = Run::new(tool.program, tool.check).works();
    answers || (tool.program != PYTHON.program && Run::new("sh", &["-c", &on_path]).works())
}

fn is_root() -> bool {
    Run::new("sh", &["-c", "test \"$(id -u)\" = 0"]).works()
}
