use super::*;

const MINIMAL: &str = "argv = [\"./server\"]\n[health]\npath = \"/healthz\"\n";

#[test]
fn a_minimal_manifest_takes_the_documented_defaults() {
    let manifest = Manifest::parse(MINIMAL).expect("valid");
    assert_eq!(manifest.argv, ["./server"]);
    assert_eq!(manifest.env, BTreeMap::new());
    assert_eq!(manifest.pass_env, Vec::<String>::new());
    assert_eq!(manifest.grace, Period::from_secs(10));
    let health = HealthRules {
        path: "/healthz".to_owned(),
        interval: Period::from_millis(200),
        timeout: Period::from_millis(300),
        failures: 2,
        ready_within: Period::from_secs(30),
    };
    assert_eq!(manifest.health, health);
    let restart = RestartRules {
        backoff: Period::from_millis(100),
        backoff_max: Period::from_secs(10),
        crash_loop_exits: 3,
        crash_loop_within: Period::from_secs(30),
    };
    assert_eq!(manifest.restart, restart);
}

#[test]
fn every_key_is_read() {
    let text = r#"
        argv = ["./server", "{port}"]
        pass_env = ["TOKEN"]
        env = { LEVEL = "info" }
        health = { path = "/up?deep=1", interval = "1s", timeout = "2s", failures = 3, ready_within = "1m" }
        stop = { grace = "5s" }
        restart = { backoff = "1ms", backoff_max = "2ms", crash_loop_exits = 4, crash_loop_within = "5s" }
    "#;
    let manifest = Manifest::parse(text).expect("valid");
    assert_eq!(manifest.env["LEVEL"], "info");
    assert_eq!(manifest.pass_env, ["TOKEN"]);
    assert_eq!((manifest.health.path.as_str(), manifest.health.failures), ("/up?deep=1", 3));
    assert_eq!(manifest.health.ready_within, Period::from_secs(60));
    assert_eq!(manifest.grace, Period::from_secs(5));
    assert_eq!((manifest.restart.crash_loop_exits, manifest.restart.backoff_max.as_millis()), (4, 2));
}

#[test]
fn each_error_names_the_key_the_value_and_what_is_allowed() {
    let cases = [
        ("argv = []\n[health]\npath='/'", "`argv` is []; allowed is a list with the program"),
        ("argv = 'x'\n[health]\npath='/'", "`argv` is \"x\"; allowed is a list"),
        ("argv = ['x', 3]\n[health]\npath='/'", "`argv` is [\"x\", 3]; allowed is a list"),
        ("[health]\npath='/'", "lacks `argv`; give a list"),
        ("argv = ['x']", "lacks `health.path`; give a path"),
        ("argv = ['x']\nhealth = 3", "`health` is 3; allowed is a table"),
        ("argv = ['x']\n[health]\npath='up'", "`health.path` is \"up\"; allowed is a path"),
        ("argv = ['x']\n[health]\npath='/a b'", "`health.path` is \"/a b\"; allowed"),
        (
            "argv = ['x']\n[health]\npath='/'\ninterval='soon'",
            "`health.interval` is \"soon\"; allowed is a length of time",
        ),
        ("argv = ['x']\n[health]\npath='/'\ntimeout='0s'", "`health.timeout` is \"0s\"; allowed"),
        ("argv = ['x']\n[health]\npath='/'\nfailures=0", "`health.failures` is 0; allowed is a whole number"),
        (
            "argv = ['x']\n[health]\npath='/'\n[stop]\ngrace=5",
            "`stop.grace` is 5; allowed is a length of time",
        ),
        ("argv = ['x']\n[health]\npath='/'\n[env]\nA=1", "`env.A` is 1; allowed is a table of texts"),
        ("argv = ['x']\n[health]\npth='/'", "unknown key `health.pth`; allowed are path, interval"),
        ("arg = ['x']", "unknown key `arg`; allowed are argv"),
        ("argv = [", "is not valid TOML"),
    ];
    for (text, expected) in cases {
        let message = Manifest::parse(text).expect_err(text).to_string();
        assert!(message.contains(expected), "{text}\n  gave {message}\n  want {expected}");
    }
}

#[test]
fn a_missing_file_says_where_it_was_looked_for() {
    let folder = tempfile::tempdir().expect("folder");
    let error = Manifest::read(folder.path()).expect_err("absent");
    assert!(matches!(&error, ManifestError::Missing { path } if *path == folder.path().join(MANIFEST_FILE)));
}
