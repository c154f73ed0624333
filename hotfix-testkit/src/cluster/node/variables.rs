//! The environment of a container: its variables, with what they refer to.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ConfigMap, Container, EnvVar, EnvVarSource, Secret};
use kube::{Api, Client};

type Data = BTreeMap<String, String>;

/// Returns the variables.
///
/// # Errors
/// What is missing, as a kubelet would say it.
pub(super) async fn read(client: &Client, namespace: &str, container: &Container) -> Result<Data, String> {
    let mut variables = Data::new();
    for source in container.env_from.iter().flatten() {
        let (data, is_optional) = match (&source.config_map_ref, &source.secret_ref) {
            (Some(map), _) => (config_map(client, namespace, &map.name).await, map.optional),
            (_, Some(secret)) => (secret_data(client, namespace, &secret.name).await, secret.optional),
            _ => continue,
        };
        let data = if is_optional == Some(true) { data.unwrap_or_default() } else { data? };
        let prefix = source.prefix.as_deref().unwrap_or_default();
        variables.extend(data.into_iter().map(|(name, value)| (format!("{prefix}{name}"), value)));
    }
    for variable in container.env.iter().flatten() {
        if let Some(value) = value(client, namespace, variable).await? {
            variables.insert(variable.name.clone(), value);
        }
    }
    Ok(variables)
}

async fn value(client: &Client, namespace: &str, variable: &EnvVar) -> Result<Option<String>, String> {
    let Some(source) = &variable.value_from else {
        return Ok(Some(variable.value.clone().unwrap_or_default()));
    };
    let (kind, name, key, is_optional, data) = match source {
        EnvVarSource { config_map_key_ref: Some(from), .. } => {
            let data = config_map(client, namespace, &from.name).await;
            ("ConfigMap", &from.name, &from.key, from.optional, data)
        }
        EnvVarSource { secret_key_ref: Some(from), .. } => {
            let data = secret_data(client, namespace, &from.name).await;
            ("Secret", &from.name, &from.key, from.optional, data)
        }
        // Fields of the pod and of its resources: nobody here reads them.
        _ => return Ok(None),
    };
    let missing = || format!("couldn't find key {key} in {kind} {namespace}/{name}");
    match data.and_then(|mut data| data.remove(key).ok_or_else(missing)) {
        Err(_) if is_optional == Some(true) => Ok(None),
        found => found.map(Some),
    }
}

async fn config_map(client: &Client, namespace: &str, name: &str) -> Result<Data, String> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let map = maps.get_opt(name).await.map_err(|error| error.to_string())?;
    let map = map.ok_or_else(|| format!("configmap \"{name}\" not found"))?;
    Ok(map.data.unwrap_or_default())
}

async fn secret_data(client: &Client, namespace: &str, name: &str) -> Result<Data, String> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let secret = secrets.get_opt(name).await.map_err(|error| error.to_string())?;
    let secret = secret.ok_or_else(|| format!("secret \"{name}\" not found"))?;
    let data = secret.data.unwrap_or_default();
    Ok(data.into_iter().map(|(key, value)| (key, String::from_utf8_lossy(&value.0).into_owned())).collect())
}
