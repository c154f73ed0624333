//! The life of the process: it listens, ends as it was told, and never outlives its node.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::Assignment;
use super::service::Service;
use crate::cluster::behaviour::End;

/// The exit code of a crash.
const CRASHED: u8 = 1;

/// Runs the service that the argument describes until it is told to stop, crashes as it should, or its node is gone.
/// This is the whole of the program `hotfix-test-pod`.
///
/// # Errors
/// When the argument is not what a node writes, or an address cannot be listened on.
pub async fn run(argument: &str) -> io::Result<ExitCode> {
    let assignment: Assignment = serde_json::from_str(argument)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut listeners = Vec::new();
    for address in &assignment.listen {
        listeners.push(TcpListener::bind(address).await?);
    }
    let end = assignment.behaviour.end;
    let service = Arc::new(Service::new(assignment));
    let (stop, stopping) = watch::channel(false);
    let mut doors = JoinSet::new();
    for listener in listeners {
        doors.spawn(serve(listener, Arc::clone(&service), stopping.clone()));
    }
    tokio::select! {
        _ = terminate.recv() => {}
        code = ended(end) => return Ok(code),
        () = service.crash() => return Ok(ExitCode::from(CRASHED)),
        () = orphaned() => return Ok(ExitCode::FAILURE),
    }
    service.drain();
    let linger = service.behaviour().linger.to_duration();
    sleep(linger).await;
    let _nobody_listens = stop.send(true);
    while doors.join_next().await.is_some() {}
    Ok(ExitCode::SUCCESS)
}

/// Waits until the process ends by its behaviour.
async fn ended(end: End) -> ExitCode {
    match end {
        End::Never => std::future::pending().await,
        End::Crash(after) => {
            sleep(after.to_duration()).await;
            ExitCode::from(CRASHED)
        }
        End::OutOfMemory(after) => {
            sleep(after.to_duration()).await;
            let _no_return =
                rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
            std::future::pending().await
        }
    }
}

/// Waits until standard input ends: the node keeps it open for as long as it lives. A thread waits, which does not keep
/// the process from ending.
async fn orphaned() {
    let (end, ended) = oneshot::channel();
    std::thread::spawn(move || {
        let _broken = io::copy(&mut io::stdin(), &mut io::sink());
        let _nobody_waits = end.send(());
    });
    let _ended = ended.await;
}

/// Accepts until it is stopped, and then waits until every connection is quiet.
async fn serve(listener: TcpListener, service: Arc<Service>, mut stopping: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        let socket = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopping.wait_for(|stop| *stop) => break,
        };
        let Ok((socket, _)) = socket else { continue };
        connections.spawn(talk(socket, Arc::clone(&service), stopping.clone()));
        while connections.try_join_next().is_some() {}
    }
    while connections.join_next().await.is_some() {}
}

async fn talk(socket: TcpStream, service: Arc<Service>, mut stopping: watch::Receiver<bool>) {
    let answer = service_fn(|request| {
        let service = Arc::clone(&service);
        async move { Ok::<_, Infallible>(service.answer(request).await) }
    });
    let mut connection = pin!(http1::Builder::new().serve_connection(TokioIo::new(socket), answer));
    // A client that hangs up in the middle is its own affair.
    tokio::select! {
        _ended = connection.as_mut() => return,
        _ = stopping.wait_for(|stop| *stop) => connection.as_mut().graceful_shutdown(),
    }
    let _ended = tokio::time::timeout(PATIENCE, connection).await;
}

/// How long an answer may take that was asked for before the end.
const PATIENCE: Duration = Duration::from_secs(30);
