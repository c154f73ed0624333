//! Two processes that want one Deployment, with a store each, whose runs claim Leases: one proceeds, and the other is told
//! who has the target, also when that one is dead and something that it sent is still under way.

use hotfix_testkit::cluster::Disturbance;

use super::audit::{self, Evidence, Side};
use super::two::{FIRST, OTHER, first_change, refused, said};
use super::world::{Ground, Shop};
use crate::prove::audit::{Ending, Findings, Journal};
use crate::prove::driver::EXPIRED;
use crate::prove::kill::How;
use crate::prove::network;
use crate::prove::repository::Patch;
use crate::prove::successor::{REFUSED, Verdict, ended, ended_somehow, need, sealed};
use crate::prove::world::{Home, World as _, eventually};

/// Two that begin at the same time, one that is there first, and one that is there first and dies.
pub(super) async fn with_a_store_each(ground: &Ground) -> Vec<Verdict> {
    vec![
        play(ground, "leased-at-once", at_once).await,
        play(ground, "leased-one-later", one_later).await,
        play(ground, "leased-one-dead", one_dead).await,
    ]
}

async fn play(
    ground: &Ground,
    name: &str,
    story: impl AsyncFnOnce(&Shop, &Home, &mut Findings) -> Result<(), String>,
) -> Verdict {
    let mut verdict = Verdict::new(name.to_owned());
    let opened = async {
        let shop = Shop::open(ground, name).await?;
        let rival = shop.rival(ground).await?;
        Ok::<_, String>((shop, rival))
    };
    match opened.await {
        Err(error) => verdict.findings.check(false, || error),
        Ok((mut shop, mut rival)) => {
            let played = story(&shop, &rival, &mut verdict.findings).await;
            let looked = look(&shop, &rival, &mut verdict.findings).await;
            for missed in [played, looked].into_iter().filter_map(Result::err) {
                verdict.findings.check(false, || missed);
            }
            if !verdict.findings.violations.is_empty() {
                verdict.evidence = Some(shop.keep());
                rival.keep();
            }
        }
    }
    verdict
}

/// Whatever they did to the target, they did one after the other, and the fix is live in the end.
async fn look(shop: &Shop, rival: &Home, findings: &mut Findings) -> Result<(), String> {
    let journals = [Journal::read(&shop.home().journal())?, Journal::read(&rival.journal())?];
    let sides = [0, 1].map(|index| Side { user: shop.user(index), journal: &journals[index] });
    let log = shop.log()?;
    audit::check(&Evidence { log: &log, sides: &sides, way: shop.way() }, findings);
    shop.check_settled(Ending::Live, findings).await;
    Ok(())
}

async fn at_once(shop: &Shop, rival: &Home, findings: &mut Findings) -> Result<(), String> {
    let [ours, theirs] = [(shop.home(), FIRST), (rival, OTHER)];
    let mut one = ours.0.start(FIRST, Patch::Good, None)?;
    let mut two = theirs.0.start(OTHER, Patch::Good, None)?;
    let one = ended_somehow(&mut one, FIRST).await?;
    let two = ended_somehow(&mut two, OTHER).await?;
    findings.check(one.success() != two.success(), || format!("{FIRST}: {one}, {OTHER}: {two}"));
    let (winner, loser) = if one.success() { (ours, theirs) } else { (theirs, ours) };
    kept_out(winner, loser, findings)
}

async fn one_later(shop: &Shop, rival: &Home, findings: &mut Findings) -> Result<(), String> {
    let home = shop.home();
    let mut one = home.start(FIRST, Patch::Good, None)?;
    first_change(home, &mut one).await?;
    let mut two = rival.start(OTHER, Patch::Good, None)?;
    let status = ended_somehow(&mut two, OTHER).await?;
    findings.check(!status.success(), || format!("{OTHER} was not refused: {status}"));
    ended(&mut one, FIRST).await?;
    kept_out((home, FIRST), (rival, OTHER), findings)
}

/// The loser was told by whom, and has begun nothing.
fn kept_out(winner: (&Home, &str), loser: (&Home, &str), findings: &mut Findings) -> Result<(), String> {
    refused(winner, loser, findings)?;
    let begun = Journal::read(&loser.0.journal())?;
    findings.check(begun.is_empty(), || format!("{} has begun a run: {:?}", loser.1, begun.outcomes()));
    Ok(())
}

/// The first one dies while a request of it is on its way. Its claim expires and keeps the other out nevertheless, until
/// the run was resumed in its own store and taken back; then the other one goes on by itself.
async fn one_dead(shop: &Shop, rival: &Home, findings: &mut Findings) -> Result<(), String> {
    let (home, network) = (shop.home(), need(shop)?);
    let route = format!("/{}", shop.way().anchor());
    network
        .next(move |request| request.method == "PATCH" && request.path.ends_with(&route), Disturbance::Hold);
    let mut one = home.start(FIRST, Patch::Bad, None)?;
    network::until_held(network, &mut one).await?;
    one.stop(How::Kill)?;
    let status = ended_somehow(&mut one, FIRST).await?;
    findings.check(!status.success(), || format!("{FIRST} ended before it was killed: {status}"));

    let mut two = rival.drive(OTHER, &["wait", Patch::Good.name()])?;
    eventually("the claim of the dead one has expired and keeps the other out", async || {
        said(rival, OTHER).ok().filter(|log| log.contains(EXPIRED))
    })
    .await?;
    refused((home, FIRST), (rival, OTHER), findings)?;
    findings.check(Journal::read(&rival.journal())?.is_empty(), || format!("{OTHER} has begun a run"));

    let mut again = home.drive(FIRST, &["resume"])?;
    sealed(home).await?;
    let answers = network.release().await;
    findings.check(answers == [REFUSED], || {
        format!("the request that came after the seal was answered with {answers:?}")
    });
    ended(&mut again, "the resumed run").await?;
    ended(&mut two, OTHER).await?;
    for (journal, ending) in [(home.journal(), Ending::Back), (rival.journal(), Ending::Live)] {
        Journal::read(&journal)?.check_ended(ending, findings);
    }
    Ok(())
}
