//! Users who may do what a Role says and nothing else.

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{PolicyRule, Role, RoleBinding, RoleRef, Subject};
use kube::api::{ObjectMeta, PostParams};
use kube::config::AuthInfo;
use kube::{Api, Client, Config};

const GROUP: &str = "rbac.authorization.k8s.io";

/// The server gives no token for longer than it was told; this is longer than any test.
const HOURS: i64 = 12;

/// Makes a service account that may do what the rules say in its namespace, and returns what leads it to the server.
pub(super) async fn create(
    admin: &Config,
    namespace: &str,
    name: &str,
    rules: &[PolicyRule],
) -> Result<Config, kube::Error> {
    let client = Client::try_from(admin.clone())?;
    let done = PostParams::default();
    let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
    let account = ServiceAccount { metadata, ..ServiceAccount::default() };
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    accounts.create(&done, &account).await?;

    bind(&client, namespace, name, name, rules).await?;
    let spec = TokenRequestSpec { expiration_seconds: Some(HOURS * 3600), ..TokenRequestSpec::default() };
    let request = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
    let granted = accounts.create_token_request(name, &done, &request).await?;
    let token = granted.status.map(|status| status.token);
    let mut config = admin.clone();
    config.auth_info = AuthInfo { token: token.flatten().map(Into::into), ..AuthInfo::default() };
    namespace.clone_into(&mut config.default_namespace);
    Ok(config)
}

/// Makes a Role of these rules, and binds the service account to it.
pub(super) async fn bind(
    client: &Client,
    namespace: &str,
    account: &str,
    role: &str,
    rules: &[PolicyRule],
) -> Result<(), kube::Error> {
    let (done, metadata) =
        (PostParams::default(), ObjectMeta { name: Some(role.to_owned()), ..ObjectMeta::default() });
    let subject = Subject {
        kind: "ServiceAccount".to_owned(),
        name: account.to_owned(),
        namespace: Some(namespace.to_owned()),
        ..Subject::default()
    };
    let role_ref =
        RoleRef { api_group: Some(GROUP.to_owned()), kind: "Role".to_owned(), name: role.to_owned() };
    let role = Role { metadata: metadata.clone(), rules: Some(rules.to_vec()) };
    Api::namespaced(client.clone(), namespace).create(&done, &role).await?;
    let binding = RoleBinding { metadata, role_ref, subjects: Some(vec![subject]) };
    Api::namespaced(client.clone(), namespace).create(&done, &binding).await?;
    Ok(())
}
