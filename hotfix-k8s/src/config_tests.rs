//! Each mistake in a configuration, and how it is written.

use std::collections::BTreeSet;

use super::*;

fn config() -> TargetConfig {
    TargetConfig { namespace: "prod".to_owned(), deployment: "shop".to_owned(), ..TargetConfig::default() }
}

fn replicas(max_surge: Allowance) -> Traffic {
    Traffic::Replicas(ReplicasTraffic { max_surge, ..ReplicasTraffic::default() })
}

fn git(file: &str, service: &str) -> OnGitOps {
    let git = serde_json::json!({
        "owners": [{"argo_cd": {"name": "shop"}}], "repository": "fleet", "service": service,
        "branch": "main", "file": file, "image": "manifest",
    });
    OnGitOps::Git(serde_json::from_value(git).unwrap())
}

fn check(config: TargetConfig) -> Result<(), String> {
    let targets = [("production/shop".parse().unwrap(), config)].into();
    KubernetesConfig { targets, ..KubernetesConfig::default() }.check().map_err(|error| error.to_string())
}

#[test]
fn each_mistake_names_the_value_and_the_mend() {
    assert_eq!(check(config()), Ok(()));
    let long = "a".repeat(57);
    let odd = [("A=B".to_owned(), EnvValue::Value("x".to_owned()))].into();
    let cases = [
        (TargetConfig { namespace: String::new(), ..config() }, "namespace is \"\"; name a namespace"),
        (
            TargetConfig { deployment: "Shop".to_owned(), ..config() },
            "deployment is \"Shop\"; name a Deployment",
        ),
        (TargetConfig { deployment: long, ..config() }, "at most 56"),
        (
            TargetConfig {
                workload: WorkloadKind::StatefulSet,
                service: Some("shop".to_owned()),
                ..config()
            },
            "service is \"shop\"; leave it out",
        ),
        (TargetConfig { container: Some("a b".to_owned()), ..config() }, "container is \"a b\""),
        (TargetConfig { label: Some(String::new()), ..config() }, "label is \"\""),
        (
            TargetConfig { copies: Copies::ConfigMapsAndSecrets, ..config() },
            "copies is \"config_maps_and_secrets\"; have fingerprints",
        ),
        (TargetConfig { on_gitops: OnGitOps::Pause(BTreeSet::new()), ..config() }, "on_gitops.pause is \"\""),
        (
            TargetConfig { on_gitops: git("apps/../shop.yaml", "a"), ..config() },
            "on_gitops.git.file is \"apps/../shop.yaml\"; name a file by its path",
        ),
        (
            TargetConfig { on_gitops: git("shop.yaml", "a"), workload: WorkloadKind::DaemonSet, ..config() },
            "on_gitops is \"git\"; leave it out",
        ),
        (
            TargetConfig {
                on_gitops: git("shop.yaml", "a"),
                traffic: replicas(Allowance::Pods(1)),
                ..config()
            },
            "leave it out: what is written in git is the image",
        ),
        (
            TargetConfig { overrides: Overrides { env: odd, env_from: Vec::new() }, ..config() },
            "overrides.env is \"A=B\"",
        ),
        (
            TargetConfig { traffic: replicas(Allowance::Percent(0)), ..config() },
            "traffic.replicas.max_surge is \"0%\"; allow a pod more",
        ),
        (
            TargetConfig {
                traffic: Traffic::HttpRoute(HttpRouteTraffic {
                    testers: Testers::new("x-hotfix", "1").ok(),
                    ..HttpRouteTraffic::default()
                }),
                ..config()
            },
            "traffic.http_route.testers is \"x-hotfix\"; name the rules",
        ),
        (
            TargetConfig {
                traffic: replicas(Allowance::Pods(1)),
                on_autoscaler: OnAutoscaler::Accept,
                ..config()
            },
            "on_autoscaler is \"Accept\"; choose refuse",
        ),
    ];
    for (config, expected) in cases {
        let error = check(config).unwrap_err();
        assert!(error.starts_with("production/shop: ") && error.contains(expected), "{error}");
    }
}

#[test]
fn no_workload_is_claimed_under_the_name_of_the_references() {
    let error = KubernetesConfig {
        targets: [("source/shop".parse().unwrap(), config())].into(),
        ..KubernetesConfig::default()
    }
    .check()
    .unwrap_err();
    let expected = "source/shop: environment is \"source\"; name the environment otherwise: the references of a service are \
                    claimed under this name";
    assert_eq!(error.to_string(), expected);
}

/// A target as it is written, in the namespace `prod` and of the Deployment `shop` unless it says so itself.
fn read(text: &str) -> TargetConfig {
    let written: TargetConfig = serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let or = |text: String, otherwise: &str| if text.is_empty() { otherwise.to_owned() } else { text };
    TargetConfig {
        namespace: or(written.namespace, "prod"),
        deployment: or(written.deployment, "shop"),
        ..written
    }
}

#[test]
fn every_name_is_one_that_kubernetes_takes() {
    // The field, and how the name is written in a target.
    let places = [
        ("service", r#"{"service": NAME}"#),
        ("on_autoscaler.follow.name", r#"{"on_autoscaler": {"follow": {"name": NAME}}}"#),
        ("traffic.virtual_service.name", r#"{"traffic": {"virtual_service": {"name": NAME}}}"#),
        (
            "traffic.virtual_service.destinations.hosts.hotfix",
            r#"{"traffic": {"virtual_service": {"destinations": {"hosts": {"hotfix": NAME}}}}}"#,
        ),
        (
            "traffic.virtual_service.destinations.subsets.main",
            r#"{"traffic": {"virtual_service": {"destinations": {"subsets": {"main": NAME, "hotfix": "b"}}}}}"#,
        ),
        (
            "traffic.virtual_service.destinations.subsets.hotfix",
            r#"{"traffic": {"virtual_service": {"destinations": {"subsets": {"main": "a", "hotfix": NAME}}}}}"#,
        ),
        (
            "traffic.virtual_service.destinations.subsets.rule",
            r#"{"traffic": {"virtual_service": {"destinations": {"subsets": {"main": "a", "hotfix": "b", "rule": NAME}}}}}"#,
        ),
        ("traffic.http_route.name", r#"{"traffic": {"http_route": {"name": NAME}}}"#),
        ("traffic.http_route.hotfix", r#"{"traffic": {"http_route": {"hotfix": NAME}}}"#),
        ("traffic.ingress.name", r#"{"traffic": {"ingress": {"name": NAME}}}"#),
        ("traffic.ingress.hotfix", r#"{"traffic": {"ingress": {"hotfix": NAME}}}"#),
        ("traffic.traefik_service.name", r#"{"traffic": {"traefik_service": {"name": NAME}}}"#),
        ("traffic.traefik_service.hotfix", r#"{"traffic": {"traefik_service": {"hotfix": NAME}}}"#),
        (
            "overrides.env.config_map.name",
            r#"{"overrides": {"env": {"A": {"config_map": {"name": NAME, "key": "k"}}}}}"#,
        ),
        (
            "overrides.env.secret.name",
            r#"{"overrides": {"env": {"A": {"secret": {"name": NAME, "key": "k"}}}}}"#,
        ),
        (
            "overrides.env.secret.key",
            r#"{"overrides": {"env": {"A": {"secret": {"name": "s", "key": NAME}}}}}"#,
        ),
        ("overrides.env_from.config_map", r#"{"overrides": {"env_from": [{"config_map": NAME}]}}"#),
        ("overrides.env_from.secret", r#"{"overrides": {"env_from": [{"secret": NAME}]}}"#),
    ];
    for (field, text) in places {
        let named = |name: &str| read(&text.replace("NAME", &format!("{name:?}")));
        assert_eq!(check(named("shop-2")), Ok(()), "{field}");
        for odd in ["", "a/b", "../secrets", "shop?x=1", "a b", &"x".repeat(254)] {
            let error = check(named(odd)).unwrap_err();
            let expected = format!("production/shop: {field} is {odd:?}; name a");
            assert!(error.starts_with(&expected), "{error}");
        }
    }
}

#[test]
fn a_field_that_nobody_knows_is_refused_wherever_it_is() {
    for text in [
        r#"{"name_space": "x"}"#,
        r#"{"on_autoscaler": {"follow": {"nmae": "x"}}}"#,
        r#"{"overrides": {"environment": {}}}"#,
        r#"{"overrides": {"env": {"A": {"secret": {"name": "s", "key": "k", "optional": true}}}}}"#,
        r#"{"overrides": {"env": {"A": {"config_map": {"name": "s", "key": "k", "optional": true}}}}}"#,
        r#"{"traffic": {"virtual_service": {"host": "x"}}}"#,
        r#"{"traffic": {"virtual_service": {"destinations": {"hosts": {"main": "x"}}}}}"#,
        r#"{"traffic": {"virtual_service": {"destinations": {"subsets": {"main": "a", "hotfix": "b", "c": "d"}}}}}"#,
        r#"{"traffic": {"virtual_service": {"testers": {"header": "x", "value": "1", "or": "2"}}}}"#,
        r#"{"traffic": {"http_route": {"rule": []}}}"#,
        r#"{"traffic": {"ingress": {"class": "nginx"}}}"#,
        r#"{"traffic": {"traefik_service": {"services": []}}}"#,
        r#"{"traffic": {"replicas": {"surge": 1}}}"#,
        r#"{"on_gitops": {"pause": [{"argo_cd": {"name": "shop", "project": "x"}}]}}"#,
    ] {
        let error = serde_json::from_str::<TargetConfig>(text).unwrap_err().to_string();
        assert!(error.starts_with("unknown field `"), "{text}: {error}");
    }
}

#[test]
fn two_targets_share_nothing_that_is_written() {
    let apart = [
        (r#"{"name": "pay"}"#, "{}"),
        // In place, the Service is not ours.
        (r#"{"workload": "stateful_set"}"#, "{}"),
        (r#"{"namespace": "stage"}"#, "{}"),
        (r#"{"name": "pay", "on_autoscaler": {"follow": {}}}"#, r#"{"on_autoscaler": {"follow": {}}}"#),
    ];
    let both = |[pay, shop]: [&str; 2]| {
        let targets = [
            ("production/pay".parse().unwrap(), read(pay)),
            ("production/shop".parse().unwrap(), read(shop)),
        ];
        KubernetesConfig { targets: targets.into(), ..KubernetesConfig::default() }
            .check()
            .map_err(|error| error.to_string())
    };
    for (pay, shop) in apart {
        assert_eq!(both([pay, shop]), Ok(()));
    }
    let cases = [
        ("{}", "{}", "deployment", "Deployment prod/shop"),
        (r#"{"name": "shop-hotfix"}"#, "{}", "deployment", "Deployment prod/shop-hotfix"),
        (r#"{"name": "pay", "service": "shop"}"#, "{}", "service", "Service prod/shop"),
        (
            r#"{"name": "pay", "traffic": {"virtual_service": {"name": "edge"}}}"#,
            r#"{"traffic": {"virtual_service": {"name": "edge"}}}"#,
            "traffic.virtual_service.name",
            "VirtualService prod/edge",
        ),
        (
            r#"{"name": "pay", "traffic": {"http_route": {"name": "shop"}}}"#,
            r#"{"traffic": {"http_route": {}}}"#,
            "traffic.http_route.name",
            "HTTPRoute prod/shop",
        ),
        (
            r#"{"name": "pay", "traffic": {"ingress": {"name": "shop-canary"}}}"#,
            r#"{"traffic": {"ingress": {}}}"#,
            "traffic.ingress.name",
            "Ingress prod/shop-canary",
        ),
        (
            r#"{"name": "pay", "traffic": {"traefik_service": {"name": "shop"}}}"#,
            r#"{"traffic": {"traefik_service": {}}}"#,
            "traffic.traefik_service.name",
            "TraefikService prod/shop",
        ),
        (
            r#"{"name": "pay", "traffic": {"ingress": {"hotfix": "next"}}}"#,
            r#"{"traffic": {"virtual_service": {"destinations": {"hosts": {"hotfix": "next"}}}}}"#,
            "traffic.virtual_service.destinations.hosts.hotfix",
            "Service prod/next",
        ),
        (
            r#"{"name": "pay", "on_autoscaler": {"follow": {"name": "shop"}}}"#,
            r#"{"on_autoscaler": {"follow": {}}}"#,
            "on_autoscaler.follow.name",
            "HorizontalPodAutoscaler prod/shop",
        ),
    ];
    for (pay, shop, field, value) in cases {
        let expected = format!(
            "production/shop: {field} is {value:?}; production/pay has it too: name another one, or make both one target"
        );
        assert_eq!(both([pay, shop]), Err(expected));
    }
}

#[test]
fn two_targets_do_not_share_a_fence_in_a_repository() {
    let of = |name: &str, service: &str| {
        let on_gitops = git("shop.yaml", service);
        let target = TargetConfig { deployment: name.to_owned(), on_gitops, ..config() };
        (format!("production/{name}").parse().unwrap(), target)
    };
    assert_eq!(
        KubernetesConfig {
            targets: [of("pay", "pay"), of("shop", "shop")].into(),
            ..KubernetesConfig::default()
        }
        .check(),
        Ok(())
    );
    let both = KubernetesConfig {
        targets: [of("pay", "one"), of("shop", "one")].into(),
        ..KubernetesConfig::default()
    };
    let expected = "production/shop: on_gitops.git.service is \"one\"; production/pay has this fence: give each target of \
                    a repository one of its own";
    assert_eq!(both.check().unwrap_err().to_string(), expected);
}

#[test]
fn it_is_written_as_people_expect() {
    let text = r#"{"targets": {"production/shop": {
        "namespace": "prod", "deployment": "shop", "traffic": "service", "label": "app",
        "overrides": {"env": {"LEVEL": {"value": "debug"}, "KEY": {"secret": {"name": "s", "key": "k"}}}}
    }}}"#;
    let config: KubernetesConfig = serde_json::from_str(text).unwrap();
    let target = &config.targets[&"production/shop".parse().unwrap()];
    assert_eq!(format!("{:?}", target.overrides.env), r#"{"KEY": Secret(s/k), "LEVEL": Value(..)}"#);
    assert!(serde_json::from_str::<TargetConfig>(r#"{"name_space": "x"}"#).is_err());
    let text = r#"{"namespace": "prod", "name": "shop", "workload": "stateful_set"}"#;
    let set = TargetConfig { workload: WorkloadKind::StatefulSet, ..self::config() };
    assert_eq!(serde_json::from_str::<TargetConfig>(text).unwrap(), set);
}
