//! A service that answers as fast as it can, for both proxies.

use std::convert::Infallible;
use std::path::Path;

use bytes::Bytes;
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::compare::part;
use hotfix_benches::Failure;

/// The size of an answer in bytes.
const SIZE: usize = 512;

/// Serves on the port until the process `parent` ends, and leaves a file named after its own process in the folder.
pub(in crate::compare) fn serve(port: u16, folder: &Path, parent: u32) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        std::fs::write(folder.join(std::process::id().to_string()), port.to_string())?;
        tokio::select! {
            () = part::end_of(parent) => Ok(()),
            failed = accept(listener) => failed,
        }
    })
}

async fn accept(listener: TcpListener) -> Result<(), Failure> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            let service = service_fn(|_: Request<_>| async { Ok::<_, Infallible>(answer()) });
            // The proxy may go away at any time.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

fn answer() -> Response<Full<Bytes>> {
    static BODY: [u8; SIZE] = [b'a'; SIZE];
    Response::new(Full::new(Bytes::from_static(&BODY)))
}
