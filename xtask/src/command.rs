//! Running programs: the one place that starts any.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// A program with arguments and environment, run in the workspace's folder.
#[derive(Debug)]
pub(crate) struct Run {
    program: String,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
}

/// What a program printed.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) succeeded: bool,
    pub(crate) text: String,
}

impl Run {
    pub(crate) fn new(program: &str, arguments: &[&str]) -> Self {
        Self {
            program: program.to_owned(),
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            environment: Vec::new(),
        }
    }

    /// The cargo that runs this.
    pub(crate) fn cargo(arguments: &[&str]) -> Self {
        Self::new(option_env!("CARGO").unwrap_or("cargo"), arguments)
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Runs to the end; anything but success is an error that repeats the command.
    pub(crate) fn go(&self) -> Result<(), String> {
        let line = format!("{} {}", self.program, self.arguments.join(" "));
        say(&format!("$ {line}"));
        let started = now();
        let status =
            self.command().status().map_err(|error| format!("`{line}` cannot be started: {error}"))?;
        if status.success() {
            say(&format!("  done in {:.1} s", started.elapsed().as_secs_f32()));
            Ok(())
        } else {
            Err(format!("`{line}` failed: {status}"))
        }
    }

    /// Runs to the end and returns what was printed.
    pub(crate) fn output(&self) -> Result<Output, String> {
        let line = format!("{} {}", self.program, self.arguments.join(" "));
        say(&format!("$ {line}"));
        let output =
            self.command().output().map_err(|error| format!("`{line}` cannot be started: {error}"))?;
        let printed = [output.stdout, output.stderr].concat();
        Ok(Output {
            succeeded: output.status.success(),
            text: String::from_utf8_lossy(&printed).into_owned(),
        })
    }

    /// Returns whether the program runs and succeeds, without showing anything.
    pub(crate) fn works(&self) -> bool {
        self.command().output().is_ok_and(|output| output.status.success())
    }

    fn command(&self) -> Command {
        #[expect(clippy::disallowed_methods, reason = "this is the reviewed place")]
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).current_dir(workspace());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// Tells the contributor something.
#[expect(clippy::print_stdout, reason = "this is a program for people")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// Returns whether this is a CI run, where nothing may be skipped.
pub(crate) fn in_ci() -> bool {
    #[expect(clippy::disallowed_methods, reason = "the one variable that CI systems agree on")]
    std::env::var_os("CI").is_some()
}

/// Returns the path of a program of the workspace, which cargo puts beside this one.
pub(crate) fn sibling(program: &str) -> Result<String, String> {
    let own = std::env::current_exe().map_err(|error| format!("it is not known where this runs: {error}"))?;
    Ok(own.with_file_name(program).display().to_string())
}

/// Returns the path of a program of the workspace that was built with optimizations.
pub(crate) fn released(program: &str) -> Result<String, String> {
    let beside = sibling(program)?;
    let folder = Path::new(&beside).parent().ok_or_else(|| format!("{beside} is in no folder"))?;
    Ok(folder.with_file_name("release").join(program).display().to_string())
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or_else(|| Path::new("."))
}

#[expect(clippy::disallowed_methods, reason = "how long a command took is for people only")]
fn now() -> Instant {
    Instant::now()
}
