//! What each answer of Slack means for a delivery. Pure tables.

use hotfix_core::port::{Delivered, DeliveryOutcome, PostingKind};
use hotfix_http::{Answer, Fault};

use super::reply::{Envelope, code, wait};
use crate::receipt::nowhere;

/// What an answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Judged {
    /// It is clear.
    Outcome(DeliveryOutcome),
    /// Slack refused with a code that is not in the table.
    Unknown(String),
}

/// What a code means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Throttled,
    Transient,
    Ambiguous,
    RootGone,
    Permanent,
    Unknown,
}

/// Judges the answer to `chat.postMessage` or `chat.update`.
pub(super) fn web_api(answer: &Answer, kind: PostingKind) -> Judged {
    let envelope = Envelope::read(answer);
    match &envelope {
        _ if answer.status == 429 => throttled(answer, envelope.as_ref()),
        Some(refusal) if !refusal.ok => refused(answer, refusal, kind),
        Some(accepted) if answer.status == 200 => Judged::Outcome(delivered(accepted)),
        _ => Judged::Outcome(by_status(answer)),
    }
}

/// Judges the answer of an incoming webhook: by the word in the body, then by the status.
pub(super) fn webhook(answer: &Answer) -> DeliveryOutcome {
    if answer.status == 429 {
        return DeliveryOutcome::Throttled { wait: answer.wait };
    }
    let word = webhook_word(answer);
    match word.as_deref() {
        Some("ok") if answer.status == 200 => DeliveryOutcome::Delivered(nowhere()),
        Some(word) => match webhook_meaning(word) {
            Meaning::Throttled => DeliveryOutcome::Throttled { wait: answer.wait },
            Meaning::Transient => transient(word),
            Meaning::Ambiguous => ambiguous(word),
            Meaning::Permanent | Meaning::RootGone => permanent(word),
            // Word by word the documentation is incomplete, but it promises 4xx for what cannot succeed.
            Meaning::Unknown if (400..500).contains(&answer.status) => permanent(word),
            Meaning::Unknown => by_status(answer),
        },
        None => by_status(answer),
    }
}

/// Judges an exchange that brought no answer.
pub(super) fn fault(fault: Fault) -> DeliveryOutcome {
    match fault {
        Fault::NotSent(cause) => DeliveryOutcome::Transient { cause: cause.text },
        Fault::Unanswered(cause) => DeliveryOutcome::Ambiguous { cause: cause.text },
    }
}

fn throttled(answer: &Answer, envelope: Option<&Envelope>) -> Judged {
    Judged::Outcome(DeliveryOutcome::Throttled { wait: wait(answer, envelope) })
}

fn delivered(accepted: &Envelope) -> DeliveryOutcome {
    match (&accepted.channel, &accepted.ts) {
        (Some(channel), Some(id)) => {
            let (channel, id) = (channel.clone(), id.clone());
            DeliveryOutcome::Delivered(Delivered { channel, id })
        }
        _ => ambiguous("accepted without saying where: channel or ts is missing"),
    }
}

fn refused(answer: &Answer, refusal: &Envelope, kind: PostingKind) -> Judged {
    let code = refusal.code();
    Judged::Outcome(match meaning(&code) {
        Meaning::Throttled => return throttled(answer, Some(refusal)),
        Meaning::Transient => transient(&code),
        Meaning::Ambiguous => ambiguous(&code),
        Meaning::RootGone if kind == PostingKind::Root => permanent(&code),
        Meaning::RootGone => DeliveryOutcome::RootGone,
        Meaning::Permanent => permanent(&code),
        Meaning::Unknown if answer.status >= 500 => ambiguous(&code),
        Meaning::Unknown => return Judged::Unknown(code),
    })
}

/// Judges an answer that is not Slack's own, such as a gateway's page.
fn by_status(answer: &Answer) -> DeliveryOutcome {
    let status = answer.status;
    match status {
        // The server waited for the request and gave up.
        408 => transient("http_408"),
        300..=499 => permanent(&format!("http_{status}")),
        _ => {
            let seen = match &answer.body {
                Ok(_) => "the body is not Slack's",
                Err(cause) => &cause.text,
            };
            ambiguous(&format!("HTTP {status}: {seen}"))
        }
    }
}

fn transient(cause: &str) -> DeliveryOutcome {
    let cause = cause.to_owned();
    DeliveryOutcome::Transient { cause }
}

fn ambiguous(cause: &str) -> DeliveryOutcome {
    let cause = cause.to_owned();
    DeliveryOutcome::Ambiguous { cause }
}

fn permanent(code: &str) -> DeliveryOutcome {
    let code = code.to_owned();
    DeliveryOutcome::Permanent { code }
}

fn meaning(code: &str) -> Meaning {
    match code {
        "ratelimited" | "rate_limited" | "message_limit_exceeded" => Meaning::Throttled,
        // The documentation of both says that some aspect may have succeeded.
        "internal_error" | "fatal_error" | "update_failed" => Meaning::Ambiguous,
        "service_unavailable"
        | "request_timeout"
        | "team_added_to_org"
        | "org_login_required"
        | "external_channel_migrating" => Meaning::Transient,
        "message_not_found" | "thread_not_found" => Meaning::RootGone,
        code if PERMANENT.contains(&code) || code.starts_with("restricted_action") => Meaning::Permanent,
        _ => Meaning::Unknown,
    }
}

/// Codes that stay true until somebody changes the app, the channel or the message.
const PERMANENT: [&str; 60] = [
    "access_denied",
    "accesslimited",
    "account_inactive",
    "as_user_not_supported",
    "attachment_payload_limit_exceeded",
    "block_mismatch",
    "cannot_reply_to_message",
    "cant_broadcast_message",
    "cant_update_message",
    "channel_not_found",
    "channel_type_not_supported",
    "deprecated_endpoint",
    "edit_window_closed",
    "ekm_access_denied",
    "enterprise_is_restricted",
    "invalid_arg_name",
    "invalid_arguments",
    "invalid_array_arg",
    "invalid_attachments",
    "invalid_auth",
    "invalid_blocks",
    "invalid_blocks_format",
    "invalid_charset",
    "invalid_form_data",
    "invalid_json",
    "invalid_metadata_format",
    "invalid_metadata_schema",
    "invalid_post_type",
    "invalid_thread_ts",
    "invalid_ts",
    "is_archived",
    "is_inactive",
    "json_not_object",
    "message_not_owned_by_app",
    "messages_tab_disabled",
    "metadata_must_be_sent_from_app",
    "metadata_too_large",
    "method_deprecated",
    "missing_charset",
    "missing_post_type",
    "missing_scope",
    "msg_blocks_too_long",
    "msg_too_long",
    "no_permission",
    "no_text",
    "not_allowed_token_type",
    "not_authed",
    "not_in_channel",
    "slack_connect_blocked_file_type",
    "slack_connect_file_link_sharing_blocked",
    "slack_connect_file_upload_sharing_blocked",
    "team_access_not_granted",
    "team_not_found",
    "token_expired",
    "token_revoked",
    "too_many_attachments",
    "two_factor_setup_required",
    "unknown_method",
    "upgrade_required",
    "user_not_in_channel",
];

/// Returns what the body says: the plain word, or the code of a JSON refusal.
fn webhook_word(answer: &Answer) -> Option<String> {
    if let Some(envelope) = Envelope::read(answer) {
        return Some(if envelope.ok { "ok".to_owned() } else { envelope.code() });
    }
    let body = std::str::from_utf8(answer.body.as_ref().ok()?).ok()?.trim();
    let word = code(body);
    (word == body).then_some(word)
}

fn webhook_meaning(word: &str) -> Meaning {
    match word {
        "ratelimited" | "rate_limited" => Meaning::Throttled,
        "rollup_error" => Meaning::Transient,
        "internal_error" | "fatal_error" => Meaning::Ambiguous,
        "invalid_payload"
        | "user_not_found"
        | "action_prohibited"
        | "invalid_token"
        | "channel_not_found"
        | "channel_is_archived"
        | "no_text"
        | "no_service"
        | "no_service_id"
        | "no_active_hooks"
        | "no_team"
        | "team_disabled"
        | "posting_to_general_channel_denied"
        | "too_many_attachments" => Meaning::Permanent,
        word => meaning(word),
    }
}
