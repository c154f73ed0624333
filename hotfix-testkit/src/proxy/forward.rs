//! One request on its way to the server, and the answer on its way back.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use hyper::header::{CONNECTION, HeaderName, TRANSFER_ENCODING};
use hyper::{Request, Response};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::lines::Lines;
use super::{Answered, Disturbance, Shared};
use crate::http::{Answer, Cut, Recorded};

/// Headers about one connection, which say nothing about the next.
const OF_THE_CONNECTION: [HeaderName; 2] = [CONNECTION, TRANSFER_ENCODING];

/// Serves one request as the script has it.
pub(super) async fn serve(
    request: Request<Incoming>,
    shared: Arc<Shared>,
    connection: &TcpStream,
) -> Result<Answered, Cut> {
    let (recorded, request) = receive(request).await.ok_or(Cut)?;
    let disturbance = shared.script().decide(recorded);
    match disturbance {
        None => send(&shared, request).await,
        Some(Disturbance::Instead(answer)) => play(answer).await,
        Some(Disturbance::LoseAnswer) => {
            finish(send(&shared, request).await).await;
            Err(Cut)
        }
        Some(Disturbance::ReplaceAnswer(answer)) => {
            finish(send(&shared, request).await).await;
            play(answer).await
        }
        Some(Disturbance::DamageAnswer(damage)) => damage.apply(send(&shared, request).await?).await,
        Some(Disturbance::OmitLine(text)) => Ok(Lines::Omit(Some(text)).of(send(&shared, request).await?)),
        Some(Disturbance::RepeatLines) => Ok(Lines::Repeat.of(send(&shared, request).await?)),
        Some(Disturbance::Reset) => {
            // Where it cannot be asked for, closing is what is left.
            let _refused = connection.set_zero_linger();
            Err(Cut)
        }
        Some(Disturbance::Delay(time)) => {
            sleep(time.to_duration()).await;
            send(&shared, request).await
        }
        Some(Disturbance::DelayAnswer(time)) => {
            let answered = send(&shared, request).await;
            sleep(time.to_duration()).await;
            answered
        }
        Some(Disturbance::Hold) => hold(&shared, request).await.map_err(|_| Cut)?,
        Some(Disturbance::HoldAnswer) => hold_answer(&shared, request).await.map_err(|_| Cut)?,
        Some(Disturbance::Duplicate) => {
            let _nobody_hears_the_copy = hold(&shared, request.clone());
            send(&shared, request).await
        }
        Some(Disturbance::Silence) => {
            let (head, _body) = send(&shared, request).await?.into_parts();
            Ok(Response::from_parts(head, Silent.boxed_unsync()))
        }
    }
}

/// Reads a request to its end; nothing if its caller went away before.
async fn receive(request: Request<Incoming>) -> Option<(Recorded, Request<Bytes>)> {
    let (mut head, body) = request.into_parts();
    for name in OF_THE_CONNECTION {
        head.headers.remove(name);
    }
    let body = body.collect().await.ok()?.to_bytes();
    let request = Request::from_parts(head, body);
    Some((Recorded::of(&request), request))
}

async fn send(shared: &Shared, request: Request<Bytes>) -> Result<Answered, Cut> {
    let mut response = shared.server.send(request).await?;
    for name in OF_THE_CONNECTION {
        response.headers_mut().remove(name);
    }
    Ok(response)
}

/// Lets the server say everything that it has to say, and tells nobody.
async fn finish(answered: Result<Answered, Cut>) {
    if let Ok(response) = answered {
        let _unheard = response.into_body().collect().await;
    }
}

/// Holds a request apart from its caller, who gets the answer if that is still there.
fn hold(shared: &Arc<Shared>, request: Request<Bytes>) -> oneshot::Receiver<Result<Answered, Cut>> {
    let waiting = shared.holds.hold();
    let shared = Arc::clone(shared);
    let (answer, answered) = oneshot::channel();
    tokio::spawn(async move {
        let Some(done) = waiting.released().await else { return };
        give(send(&shared, request).await, answer, done).await;
    });
    answered
}

/// Sends a request apart from its caller, and holds the answer once it is there.
fn hold_answer(shared: &Arc<Shared>, request: Request<Bytes>) -> oneshot::Receiver<Result<Answered, Cut>> {
    let shared = Arc::clone(shared);
    let (answer, answered) = oneshot::channel();
    tokio::spawn(async move {
        let response = send(&shared, request).await;
        let Some(done) = shared.holds.hold().released().await else { return };
        give(response, answer, done).await;
    });
    answered
}

/// Gives the caller the answer if that is still there, and says what it was.
async fn give(
    response: Result<Answered, Cut>,
    answer: oneshot::Sender<Result<Answered, Cut>>,
    done: oneshot::Sender<u16>,
) {
    let status = response.as_ref().map_or(0, |response| response.status().as_u16());
    if let Err(unheard) = answer.send(response) {
        finish(unheard).await;
    }
    let _nobody_waits = done.send(status);
}

async fn play(answer: Answer) -> Result<Answered, Cut> {
    Ok(answer.play().await?.map(BodyExt::boxed_unsync))
}

/// A body of which nothing comes.
#[derive(Debug)]
struct Silent;

impl Body for Silent {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        Poll::Pending
    }
}
