//! Lays a message out as blocks within Slack's limits: title, body, facts, footer.

use hotfix_core::model::{Fact, Message, Tone};
use hotfix_core::port::{Posting, PostingKind, ThreadKey};
use hotfix_http::Clean;

use super::layout::{Block, FIELDS_LIMIT, HEADER_LIMIT, SECTION_LIMIT, Section, TextObject};
use super::text::{SlackText, cost};

/// A message that grew above 4000 characters cannot be edited any more, and the root is.
const EDITABLE_TOTAL: usize = 3900;
/// Slack answers `msg_blocks_too_long` somewhere above 13 000 characters, which is not documented.
const TOTAL: usize = 12_000;
const FALLBACK_LIMIT: usize = 400;
const TITLE_LIMIT: usize = 600;
const FOOTER_LIMIT: usize = 300;
const LABEL_LIMIT: usize = 75;
const VALUE_LIMIT: usize = 500;
const FACTS_LIMIT: usize = 40;
const NOTHING: &str = "–";

/// A message as Slack shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Card {
    /// What notifications and screen readers show.
    pub(super) text: SlackText,
    /// What the channel shows.
    pub(super) blocks: Vec<Block>,
}

/// How prominent a title is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Title {
    Header,
    Line,
}

impl Card {
    pub(super) fn of(posting: &Posting) -> Self {
        let (total, style) = match posting.kind {
            PostingKind::Root | PostingKind::Update => (EDITABLE_TOTAL, Title::Header),
            PostingKind::Broadcast => (TOTAL, Title::Header),
            PostingKind::Reply => (TOTAL, Title::Line),
        };
        let message = &posting.message;
        let title = title(message);
        let body = body(message, &title, style);
        let text = fallback(&title, &message.plain_body());
        let heading = heading(&title, style);
        let taken = text.cost() + cost(title.as_str()) + FOOTER_LIMIT;
        let room = total.saturating_sub(taken);
        let (facts, left_off, facts_cost) = facts(&message.facts, room / 2);
        let mut blocks = vec![heading];
        blocks.extend(words(&body, room.saturating_sub(facts_cost)));
        blocks.extend(tables(facts));
        blocks.push(Block::footer(footer(&posting.thread, left_off)));
        Self { text, blocks }
    }
}

const fn mark(tone: Tone) -> &'static str {
    match tone {
        Tone::Neutral => "🔵",
        Tone::Good => "🟢",
        Tone::Warning => "🟡",
        Tone::Bad => "🔴",
    }
}

fn title(message: &Message) -> Clean {
    let words = Clean::line_of_parts(&message.title);
    let title = Clean::line(&format!("{} {}", mark(message.tone), words.as_str()));
    title.cut(TITLE_LIMIT, cost)
}

fn heading(title: &Clean, style: Title) -> Block {
    match style {
        Title::Header => Block::header(SlackText::new(title, HEADER_LIMIT)),
        Title::Line => Block::words(SlackText::new(title, TITLE_LIMIT)),
    }
}

/// Returns the body, behind the whole title if that does not fit into a header.
fn body(message: &Message, title: &Clean, style: Title) -> Clean {
    let body = Clean::of_parts(&message.body);
    if style == Title::Header && cost(title.as_str()) > HEADER_LIMIT {
        Clean::lines(&format!("{}\n{}", title.as_str(), body.as_str()))
    } else {
        body
    }
}

fn fallback(title: &Clean, body: &str) -> SlackText {
    let text = Clean::lines(&format!("{}\n{body}", title.as_str()));
    SlackText::new(&text, FALLBACK_LIMIT)
}

fn words(body: &Clean, room: usize) -> Vec<Block> {
    let body = body.cut(room, cost);
    let pieces = body.pieces(SECTION_LIMIT, cost);
    pieces.iter().map(|piece| Block::words(SlackText::new(piece, SECTION_LIMIT))).collect()
}

/// Returns the facts that fit into the room as labels and values, how many do not, and what they cost.
fn facts(facts: &[Fact], room: usize) -> (Vec<[TextObject; 2]>, usize, usize) {
    let mut rows = Vec::new();
    let mut used = 0;
    for fact in facts.iter().take(FACTS_LIMIT) {
        let (name, said) = Clean::fact(fact);
        let row = [label(&name), value(&said)];
        let cost: usize = row.iter().map(TextObject::cost).sum();
        if used + cost > room {
            break;
        }
        used += cost;
        rows.push(row);
    }
    let left_off = facts.len() - rows.len();
    (rows, left_off, used)
}

fn label(name: &Clean) -> TextObject {
    match SlackText::bold(name, LABEL_LIMIT) {
        Some(bold) => TextObject::formatted(bold),
        None => TextObject::literal(some(SlackText::new(name, LABEL_LIMIT))),
    }
}

fn value(said: &Clean) -> TextObject {
    TextObject::literal(some(SlackText::new(said, VALUE_LIMIT)))
}

/// Slack refuses an empty text object.
fn some(text: SlackText) -> SlackText {
    if text.is_empty() { SlackText::new(&Clean::line(NOTHING), 1) } else { text }
}

/// Sets labels and values side by side: Slack shows the fields of a section in two columns.
fn tables(rows: Vec<[TextObject; 2]>) -> Vec<Block> {
    let mut fields: Vec<_> = rows.into_iter().flatten().collect();
    let mut tables = Vec::new();
    while !fields.is_empty() {
        let rest = fields.split_off(fields.len().min(FIELDS_LIMIT));
        tables.push(Block::Section(Section::Fields(fields)));
        fields = rest;
    }
    tables
}

fn footer(thread: &ThreadKey, left_off: usize) -> SlackText {
    let mut text = format!("hotfix · {} · {}", thread.incident, thread.run);
    if left_off > 0 {
        text = format!("{left_off} more facts left off · {text}");
    }
    SlackText::new(&Clean::line(&text), FOOTER_LIMIT)
}

#[cfg(test)]
mod tests {
    use hotfix_core::model::{IncidentId, Part, Phase, RunId};
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn posting(kind: PostingKind, message: Message) -> Posting {
        let thread =
            ThreadKey { incident: IncidentId::new("inc-7").unwrap(), run: RunId::new("run-1").unwrap() };
        Posting { dedup: "run-1/1".into(), thread, kind, message, silencing: None, root: None }
    }

    fn message(title: &str, body: &str, facts: Vec<Fact>) -> Message {
        let part = |text: &str| vec![Part::Foreign(text.to_owned())];
        Message { tone: Tone::Bad, phase: Phase::Production, title: part(title), body: part(body), facts }
    }

    fn fact(label: &str, value: &str) -> Fact {
        Fact { label: label.into(), value: value.into() }
    }

    /// Checks Slack's limits on the bytes that would be sent, without the code that keeps them.
    fn check(card: &Card, kind: PostingKind) -> usize {
        let blocks = serde_json::to_value(&card.blocks).unwrap();
        let blocks = blocks.as_array().unwrap();
        assert!((1..=50).contains(&blocks.len()));
        let text = serde_json::to_value(&card.text).unwrap();
        let mut total = text.as_str().unwrap().chars().count();
        for block in blocks {
            let texts: Vec<(&Value, usize)> = match block["type"].as_str().unwrap() {
                "header" => vec![(&block["text"], 150)],
                "section" if block.get("text").is_some() => vec![(&block["text"], 3000)],
                "section" => block["fields"].as_array().unwrap().iter().map(|field| (field, 2000)).collect(),
                "context" => block["elements"].as_array().unwrap().iter().map(|text| (text, 2000)).collect(),
                other => panic!("unexpected block {other}"),
            };
            assert!((1..=10).contains(&texts.len()), "{block}");
            for (object, limit) in texts {
                let text = object["text"].as_str().unwrap();
                let size = text.encode_utf16().count();
                assert!((1..=limit).contains(&size), "{size} of {limit}: {block}");
                assert!(!text.contains(['<', '>']), "{text}");
                if object["type"] == "mrkdwn" {
                    let label = text.strip_prefix('*').and_then(|text| text.strip_suffix('*')).unwrap();
                    assert!(!label.contains(['*', '_', '~', '`']), "{label}");
                }
                total += size;
            }
        }
        let editable = matches!(kind, PostingKind::Root | PostingKind::Update);
        assert!(total < if editable { 4000 } else { 12_001 }, "{total}");
        total
    }

    #[test]
    fn a_long_title_is_cut_in_the_header_and_whole_below_it() {
        let long = "x".repeat(300);
        let card = Card::of(&posting(PostingKind::Root, message(&long, "body", Vec::new())));
        let header = format!("🔴 {}…", "x".repeat(146));
        assert_eq!(card.blocks[0], Block::header(SlackText::new(&Clean::line(&header), 200)));
        let below = format!("🔴 {long}\nbody");
        assert_eq!(card.blocks[1], Block::words(SlackText::new(&Clean::lines(&below), 400)));
    }

    #[test]
    fn facts_that_do_not_fit_are_counted() {
        let facts = (0..60).map(|n| fact(&format!("Fact {n}"), &"v".repeat(400))).collect();
        let posting = posting(PostingKind::Root, message("t", &"b".repeat(9000), facts));
        let card = Card::of(&posting);
        check(&card, PostingKind::Root);
        let json = serde_json::to_string(&card.blocks).unwrap();
        assert!(json.contains("57 more facts left off · hotfix · inc-7 · run-1"), "{json}");
    }

    #[test]
    fn an_empty_value_is_shown_as_a_dash() {
        let facts = vec![fact("", "")];
        let card = Card::of(&posting(PostingKind::Reply, message("", "", facts)));
        check(&card, PostingKind::Reply);
        assert_eq!(card.blocks.len(), 3, "title, facts, footer: {:?}", card.blocks);
    }

    #[test]
    fn a_long_reply_uses_the_room_and_no_more() {
        let long = "R&D <b>\n".repeat(5000);
        let card = Card::of(&posting(PostingKind::Reply, message(&long, &long, Vec::new())));
        assert!(check(&card, PostingKind::Reply) > 11_000);
    }

    fn any_kind() -> impl Strategy<Value = PostingKind> {
        prop_oneof![
            Just(PostingKind::Root),
            Just(PostingKind::Reply),
            Just(PostingKind::Broadcast),
            Just(PostingKind::Update),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn whatever_comes_the_limits_hold(
            kind in any_kind(),
            title in "(?s).{0,400}",
            body in "(?s)(<!channel>|[&<>]|\\n|.){0,2000}",
            repeat in 1_usize..8,
            facts in prop::collection::vec(("\\PC{0,90}", prop_oneof![9 => "\\PC{0,40}", 1 => "(?s).{400,600}"]), 0..45),
        ) {
            let facts = facts.into_iter().map(|(label, value)| fact(&label, &value)).collect();
            let posting = posting(kind, message(&title, &body.repeat(repeat), facts));
            check(&Card::of(&posting), kind);
        }
    }
}
