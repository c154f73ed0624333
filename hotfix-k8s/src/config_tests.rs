//! Each mistake in a configuration, and how it is written.

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
fn two_targets_do_not_share_a_deployment() {
    let both = ["production/shop", "staging/shop"].map(|target| (target.parse().unwrap(), config()));
    let error = KubernetesConfig { targets: both.into(), ..KubernetesConfig::default() }.check().unwrap_err();
    assert_eq!((error.target.to_string(), error.field), ("staging/shop".to_owned(), "deployment"));
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
    let error = both.check().unwrap_err();
    assert_eq!((error.field, error.value.as_str()), ("on_gitops.git.service", "one"));
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
