//! What a shift waits for before a slot gets traffic.

use super::*;
use crate::config::{IngressTraffic, Traffic};

#[test]
fn a_slot_gets_no_traffic_while_pods_of_what_it_held_before_would_take_a_share() {
    let shift = Verb::Shift { weights: Weights::all(slot("main")) };
    let mut main = deployment("shop", &release(2), 1, None);
    main["spec"]["template"]["metadata"]["labels"][names::ARTIFACT] = "2".into();
    let mixed = outline(Scene { main, ..Scene::shifted() }, &shift);
    assert_eq!(mixed, ["route: ", "until Main is unmixed", "route*: /spec/selector/app"]);
    let main = deployment("shop", &release(2), 1, None);
    let alone = outline(Scene { main, ..Scene::shifted() }, &shift);
    assert_eq!(alone, ["route*: /spec/selector/app"]);
}

#[test]
fn the_first_share_of_a_slot_waits_until_proxies_have_heard_of_it() {
    let shares = |weight: &str, percent: u8| {
        let mut sight = Scene { selected: "shop", ..Scene::shifted() }.sight();
        let traffic = Traffic::Ingress(IngressTraffic::default());
        let config = TargetConfig { traffic, ..TargetConfig::default() };
        let Means::Route(traffic) = config.traffic.means(&Names::of(&config), &sight.shape, &sight.slots)
        else {
            unreachable!("it is an Ingress")
        };
        let prefix = "nginx.ingress.kubernetes.io";
        sight.route.value = json!({
            "metadata": {"annotations": {
                names::FENCE: r#"{"stamp":"1.0"}"#,
                format!("{prefix}/canary"): "true", format!("{prefix}/canary-weight"): weight,
            }},
            "spec": {"rules": [{"http": {"paths": [{"backend": {"service": {"name": "-hotfix"}}}]}}]},
        });
        sight.traffic = traffic;
        let weights = Weights::split(slot("main"), slot("hotfix"), percent).unwrap();
        let shift = Verb::Shift { weights };
        steps(&sight, &call(), &shift, "d", &Overrides::default(), Beside::default()).unwrap()
    };
    let waits = |steps: Vec<Step>| {
        steps.into_iter().filter(|step| !matches!(step, Step::Patch(_))).collect::<Vec<_>>()
    };
    assert_eq!(waits(shares("0", 10)), [Step::UntilServed(Side::Hotfix), Step::UntilHeardOf]);
    assert_eq!(waits(shares("10", 50)), [Step::UntilServed(Side::Hotfix)]);
    assert_eq!(waits(shares("50", 10)), [Step::UntilServed(Side::Main)], "it has a share already");
}
