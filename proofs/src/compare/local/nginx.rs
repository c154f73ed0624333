//! The peer: nginx with one worker in front of the same services.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use hotfix_benches::Failure;

use super::process::{Core, EndedChild};
use crate::compare::clock::Stopwatch;

/// A running nginx.
#[derive(Debug)]
pub(super) struct Nginx {
    pub(super) address: SocketAddr,
    _process: EndedChild,
}

/// How long it may take to listen.
const START: Duration = Duration::from_secs(10);

impl Nginx {
    /// Starts it on the proxies' core, and waits until it listens.
    pub(super) fn start(folder: &Path, upstreams: &[u16]) -> Result<Self, Failure> {
        let address = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
        let file = folder.join("nginx.conf");
        std::fs::write(&file, config(folder, address, upstreams))?;
        let mut command = Core::Proxy.program("setpriv");
        command.args(["--pdeathsig", "KILL", "nginx", "-p"]).arg(folder).arg("-c").arg(&file);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let nginx = Self { address, _process: EndedChild(child) };
        let watch = Stopwatch::start();
        while TcpStream::connect_timeout(&address, START).is_err() {
            if watch.passed() > START {
                let log = std::fs::read_to_string(folder.join("error.log")).unwrap_or_default();
                return Err(Failure::new(format!("nginx does not listen on {address}: {log}")));
            }
        }
        Ok(nginx)
    }
}

/// Keep-alive on both sides without the default limit of 1,000 requests a connection, and nothing else that ours does
/// not do either.
fn config(folder: &Path, address: SocketAddr, upstreams: &[u16]) -> String {
    let folder = folder.display();
    let servers: String = upstreams.iter().map(|port| format!("server 127.0.0.1:{port}; ")).collect();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {folder}/{kind};\n"))
        .concat();
    format!(
        "daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
access_log off;
keepalive_requests 100000000;
{temporary}
upstream shop {{ {servers} keepalive 64; keepalive_requests 100000000; }}
server {{
listen {address};
location / {{
proxy_pass http://shop;
proxy_http_version 1.1;
proxy_set_header Connection \"\";
proxy_set_header Host $host;
proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
}}
}}
}}
"
    )
}
