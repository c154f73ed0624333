//! A shop in a temporary folder: repository, configuration, agent, and customers. Cleaned up even when a test fails.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// Set by the manifest for the service.
const SERVES: &str = "HOTFIX_CLI_TEST_SERVES";
const CUSTOMERS: usize = 2;
/// How long each waits between two requests.
const PAUSE: Duration = Duration::from_millis(20);
/// A lease lasts for two seconds, and one try takes several milliseconds.
const MOST_TRIES: usize = 5_000;

/// Is the service when the manifest says so: answers every request with the content of the file `answer`. What begins
/// with `late` fails, but for its health, as soon as there is a file with the name that follows.
#[expect(clippy::disallowed_methods, reason = "the service is set up by its environment")]
pub(crate) fn serve() {
    let (Ok(_), Ok(port)) = (std::env::var(SERVES), std::env::var("PORT")) else { return };
    let listener = TcpListener::bind(("127.0.0.1", port.parse().unwrap())).unwrap();
    let answer = std::fs::read_to_string("answer").unwrap();
    for stream in listener.incoming().map_while(Result::ok) {
        let answer = answer.clone();
        std::thread::spawn(move || respond(stream, &answer));
    }
}

fn respond(stream: TcpStream, answer: &str) {
    let (mut lines, mut out) = (BufReader::new(stream.try_clone().unwrap()).lines(), stream);
    let mut asks_for_health = false;
    while let Some(Ok(line)) = lines.next() {
        asks_for_health |= line.starts_with("GET /health ");
        if line.is_empty() {
            let flag = answer.strip_prefix("late ").filter(|_| !asks_for_health);
            let is_broken = flag.is_some_and(|flag| Path::new(flag.trim()).exists());
            asks_for_health = false;
            let status = if is_broken { "500 Internal Server Error" } else { "200 OK" };
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", answer.len());
            if out.write_all(format!("{head}{answer}").as_bytes()).is_err() {
                return;
            }
        }
    }
}

/// The shop.
pub(crate) struct Site {
    folder: tempfile::TempDir,
    agent: Option<Child>,
    address: String,
    customers: Vec<Sender<()>>,
}

impl Site {
    /// A repository with production tag v2.1.0 and nothing that runs.
    pub(crate) fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let site = Self { folder, agent: None, address: String::new(), customers: Vec::new() };
        for arguments in [
            &["init", "--quiet", "--initial-branch", "main"][..],
            &["config", "user.name", "Ada"],
            &["config", "user.email", "ada@shop.example"],
        ] {
            site.git(arguments);
        }
        let program = std::env::current_exe().unwrap();
        let manifest = format!(
            "argv = [{:?}, \"service\", \"--exact\", \"--nocapture\"]\n[env]\n{SERVES} = \"1\"\n[health]\npath = \
             \"/health\"\ninterval = \"100ms\"\n[stop]\ngrace = \"1s\"\n",
            program.display().to_string()
        );
        std::fs::write(site.path("hotfix-release.toml"), manifest).unwrap();
        std::fs::write(site.path(".gitignore"), ".hotfix\nhotfix.toml\n").unwrap();
        std::fs::write(site.path("answer"), "zero").unwrap();
        site.git(&["add", "."]);
        site.git(&["commit", "--quiet", "-m", "Release 2.1.0"]);
        site.git(&["tag", "-a", "v2.1.0", "-m", "Release 2.1.0"]);
        site.git(&["checkout", "--quiet", "--detach"]);
        site
    }

    /// The same with v2.1.0 live and steady customers, where nothing is watched after a success.
    pub(crate) fn installed(staging_soak: &str) -> Self {
        Self::configured(staging_soak, "0s")
    }

    /// The same where a release is watched for that long.
    pub(crate) fn watching(lasting: &str) -> Self {
        Self::configured("100ms", lasting)
    }

    fn configured(staging_soak: &str, lasting: &str) -> Self {
        let mut site = Self::empty();
        site.write_config(&CONFIG.replace("STAGING_SOAK", staging_soak).replace("AFTER_SUCCESS", lasting));
        let mut agent = site.command(&["agent"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let read = BufReader::new(agent.stdout.take().unwrap()).read_line(&mut line);
        site.agent = Some(agent);
        assert!(read.is_ok() && line.contains("admin on http://"), "{line}");
        let installed = site.hotfix(&["install", "--tag", "v2.1.0"]);
        installed.ends(0);
        let (_, address) = installed.out.rsplit_once("http://").unwrap();
        site.address = address.trim().to_owned();
        assert_eq!(site.answer(), "zero");
        for _ in 0..CUSTOMERS {
            let ((customer, gone), address) = (channel(), site.address.clone());
            site.customers.push(customer);
            std::thread::spawn(move || {
                while gone.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
                    let _ = ask(&address);
                }
            });
        }
        site
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write_config(&self, text: &str) {
        std::fs::write(self.path("hotfix.toml"), text).unwrap();
    }

    /// Commits another answer on top of what is checked out.
    pub(crate) fn commit(&self, answer: &str, message: &str) -> String {
        std::fs::write(self.path("answer"), answer).unwrap();
        self.git(&["commit", "--quiet", "--all", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    #[expect(clippy::disallowed_methods, reason = "the test plays the developer, who uses git")]
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git").current_dir(self.folder.path()).args(arguments).output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// What production answers.
    pub(crate) fn answer(&self) -> String {
        ask(&self.address).unwrap()
    }

    #[expect(clippy::disallowed_methods, reason = "the test plays the operator, who starts the program")]
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.current_dir(self.folder.path()).args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn hotfix(&self, arguments: &[&str]) -> Done {
        Done::of(arguments, &self.command(arguments).output().unwrap())
    }

    /// Deploys a fix, or plans it.
    pub(crate) fn deploy(&self, how: &str, fix: &str, more: &[&str]) -> Done {
        let mut arguments = if how == "plan" { vec!["plan", "deploy"] } else { vec!["deploy"] };
        arguments.extend(deployed(fix));
        arguments.extend(more);
        self.hotfix(&arguments)
    }

    /// Starts to deploy a fix.
    pub(crate) fn start_deploy(&self, fix: &str) -> Driver {
        let mut arguments = vec!["deploy", "--yes"];
        arguments.extend(deployed(fix));
        self.start(&arguments)
    }

    /// Starts the program.
    pub(crate) fn start(&self, arguments: &[&str]) -> Driver {
        let child = self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = child.unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Driver { child, out, seen: String::new() }
    }

    /// Resumes a run as soon as the lease of the process that left it has ended.
    pub(crate) fn resume_when_free(&self, run: &str) -> Done {
        let mut tries = (0..MOST_TRIES).map(|_| self.hotfix(&["resume", run]));
        tries.find(|resumed| resumed.code() != 7).expect("the lease ends within that many tries")
    }

    /// Kills what works in the folder: instances outlive their agent on purpose.
    fn kill_instances(&self) {
        let works_here = |pid: &i32| {
            let cwd = std::fs::read_link(format!("/proc/{pid}/cwd"));
            cwd.is_ok_and(|cwd| cwd.starts_with(self.folder.path()))
        };
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        for pid in pids.filter(works_here).filter_map(Pid::from_raw) {
            // One that ended meanwhile is what is wanted.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.customers.clear();
        if let Some(mut agent) = self.agent.take() {
            let _ = agent.kill();
            let _ = agent.wait();
        }
        self.kill_instances();
    }
}

/// A policy for a test that should end within seconds.
const CONFIG: &str = r#"
service = "shop"

[policy.rollout]
staging_soak = "STAGING_SOAK"
rollback_soak = "100ms"
verify_deadline = "60s"

[policy.minimal_change]

[policy.execution]
look = "200ms"
lease = "2s"
backoff = "100ms"

[policy.after_success]
lasting = "AFTER_SUCCESS"
rules = { every = "200ms" }

[policy.judging.pace]
max_dwell = 6
alone_dwell = 3

[targets.staging]
replicas = 1

[targets.production]
replicas = 1

[notifiers.console]
"#;

fn deployed(fix: &str) -> [&str; 13] {
    [
        "--fix",
        fix,
        "--issue",
        "PROD-2",
        "--severity",
        "critical",
        "--title",
        "Wrong card charged",
        "--strategy",
        "direct",
        "--break-glass",
        "customers cannot pay",
        "--by=ada",
    ]
}

/// Cargo builds the examples of a package before it runs its tests.
fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.parent().and_then(Path::parent).unwrap().join("examples/hotfix");
    assert!(
        program.exists(),
        "{} is missing; run `cargo build -p hotfix-examples --examples`",
        program.display()
    );
    program
}

fn ask(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: shop.example\r\nconnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}

/// A deploy under way.
pub(crate) struct Driver {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
    seen: String,
}

impl Driver {
    /// Reads until something is said, and returns the run.
    pub(crate) fn says(&mut self, text: &str) -> String {
        while !self.seen.contains(text) {
            assert_ne!(self.out.read_line(&mut self.seen).unwrap(), 0, "it ended: {}", self.seen);
        }
        let (_, rest) = self.seen.rsplit_once("run run-").unwrap();
        format!("run-{}", rest.split(',').next().unwrap())
    }

    /// Presses Ctrl-C.
    pub(crate) fn interrupt(self) -> Done {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        self.finish()
    }

    /// Waits for its end.
    pub(crate) fn finish(mut self) -> Done {
        self.out.read_to_string(&mut self.seen).unwrap();
        let code = self.child.wait().unwrap().code().unwrap();
        Done { what: "deploy".to_owned(), code, out: std::mem::take(&mut self.seen), err: String::new() }
    }
}

/// What the program left.
#[derive(Debug)]
pub(crate) struct Done {
    what: String,
    code: i32,
    pub(crate) out: String,
    err: String,
}

impl Done {
    fn of(arguments: &[&str], output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            what: arguments.join(" "),
            code: output.status.code().unwrap_or(-1),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }

    pub(crate) const fn code(&self) -> i32 {
        self.code
    }

    pub(crate) fn ends(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "hotfix {}\n{}\n{}", self.what, self.out, self.err);
        self
    }

    pub(crate) fn says(&self, text: &str) -> &Self {
        assert!(self.out.contains(text), "hotfix {}: no {text:?} in\n{}\n{}", self.what, self.out, self.err);
        self
    }

    pub(crate) fn complains(&self, text: &str) -> &Self {
        assert!(self.err.contains(text), "hotfix {}: no {text:?} in\n{}", self.what, self.err);
        self
    }

    /// The oldest run of a status.
    pub(crate) fn first_run(&self) -> String {
        let (_, rest) = self.out.split_once("  run-").unwrap();
        format!("run-{}", rest.split(':').next().unwrap())
    }
}
