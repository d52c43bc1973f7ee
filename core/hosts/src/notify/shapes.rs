//! Messages as each service takes them. Texts are cut to what a service has room for, and what it would take for a command
//! or for a call to everybody is made harmless.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde_json::{Value, json};
use url::Url;

use super::{
    note::{Note, Severity},
    sign,
    target::{Target, Way},
};

/// A request that is ready to be sent.
#[derive(Debug)]
pub(super) struct Shaped {
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// The request for a message. `id` is the message's own, and the same for every attempt.
pub(super) fn shape(target: &Target, note: &Note, id: &str, now_s: i64) -> Result<Shaped, String> {
    let mut url = target.read_url()?;
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let body = match target.way {
        Way::Ntfy => {
            let (topic, root) = topic(&url)?;
            if !target.secret.is_empty() {
                let value = HeaderValue::from_str(&format!("Bearer {}", *target.secret));
                let mut value = value.map_err(|_| "the token can't stand in a header".to_owned())?;
                value.set_sensitive(true);
                headers.insert(header::AUTHORIZATION, value);
            }
            url = root;
            ntfy(&topic, note)
        }
        Way::Discord => {
            // With it the answer says whether the message was kept.
            url.query_pairs_mut().append_pair("wait", "true");
            discord(note)
        }
        Way::Slack => slack(note),
        Way::Mattermost => mattermost(note),
        Way::Webhook => webhook(note),
        Way::Email => return Err("mail isn't sent by HTTP".into()),
    };
    let body = body.to_string().into_bytes();
    if target.way == Way::Webhook {
        let signature = sign::standard(&target.key()?, id, now_s, &body);
        for (name, value) in
            [("webhook-id", id), ("webhook-timestamp", &*now_s.to_string()), ("webhook-signature", &*signature)]
        {
            let value = HeaderValue::from_str(value).map_err(|_| "the message's id can't stand in a header")?;
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    Ok(Shaped { url, headers, body })
}

/// The topic of an ntfy address (`https://ntfy.example.net/alarms`), and the address that messages as JSON are sent to.
pub(super) fn topic(url: &Url) -> Result<(String, Url), String> {
    let wrong = || "the address of an ntfy target ends with its topic: `https://ntfy.sh/alarms`".to_owned();
    let (root, topic) = url.path().rsplit_once('/').ok_or_else(wrong)?;
    let fits = |char: char| char.is_ascii_alphanumeric() || char == '-' || char == '_';
    if topic.is_empty() || topic.len() > 64 || !topic.chars().all(fits) {
        return Err(wrong());
    }
    let mut base = url.clone();
    base.set_path(&format!("{root}/"));
    base.set_query(None);
    base.set_fragment(None);
    Ok((topic.to_owned(), base))
}

/// <https://docs.ntfy.sh/publish/#publish-as-json>. Longer messages than 4,096 bytes would become attachments.
fn ntfy(topic: &str, note: &Note) -> Value {
    let (priority, tag) = match note.severity {
        Severity::Info => (3, "information_source"),
        Severity::Warning => (4, "warning"),
        Severity::Error => (4, "x"),
        Severity::Critical => (5, "rotating_light"),
    };
    let text = if note.text.is_empty() { &note.title } else { &note.text };
    let mut body = json!({
        "topic": topic, "title": cut(&note.title, 250), "message": cut_bytes(text, 4_000), "priority": priority, "tags": [tag],
    });
    if let Some(link) = &note.link {
        body["click"] = link.as_str().into();
    }
    body
}

/// <https://discord.com/developers/docs/resources/webhook#execute-webhook>. Nobody is called by name, whatever stands there.
fn discord(note: &Note) -> Value {
    let mut embed = json!({
        "title": marked(&note.title, 250), "description": marked(&note.text, 4_000), "color": colour(note.severity),
    });
    if let Some(link) = &note.link {
        embed["url"] = link.as_str().into();
    }
    json!({ "embeds": [embed], "allowed_mentions": { "parse": [] } })
}

/// <https://api.slack.com/messaging/webhooks>. `&`, `<` and `>` are control characters there.
fn slack(note: &Note) -> Value {
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let mut blocks = vec![json!({
        "type": "header", "text": { "type": "plain_text", "text": cut(&note.title, 150), "emoji": false },
    })];
    if !note.text.is_empty() {
        let text = cut(&escaped(&cut(&note.text, 2_400)), 3_000);
        blocks.push(json!({ "type": "section", "text": { "type": "mrkdwn", "text": text, "verbatim": true } }));
    }
    if let Some(link) = &note.link {
        let link = link.replace(['<', '>', '|'], "");
        blocks.push(
            json!({ "type": "context", "elements": [{ "type": "mrkdwn", "text": format!("<{}>", escaped(&link)) }] }),
        );
    }
    json!({ "text": escaped(&cut(&note.title, 250)), "blocks": blocks })
}

/// <https://developers.mattermost.com/integrate/webhooks/incoming/>. `@all` and its like are broken up.
fn mattermost(note: &Note) -> Value {
    let quiet = |text: &str| text.replace('@', "@\u{200b}");
    let mut attachment = json!({
        "fallback": quiet(&cut(&note.title, 250)), "color": format!("#{:06x}", colour(note.severity)),
        "title": quiet(&marked(&note.title, 250)), "text": quiet(&marked(&note.text, 7_000)),
    });
    if let Some(link) = &note.link {
        attachment["title_link"] = link.as_str().into();
    }
    json!({ "attachments": [attachment] })
}

/// <https://www.standardwebhooks.com>: what happened, when, and the rest.
fn webhook(note: &Note) -> Value {
    let mut data = note.data.clone();
    if !data.is_object() {
        data = json!({ "value": data });
    }
    for (key, value) in [
        ("title", json!(note.title)),
        ("text", json!(note.text)),
        ("severity", json!(note.severity)),
        ("link", json!(note.link)),
    ] {
        if data.get(key).is_none() {
            data[key] = value;
        }
    }
    json!({ "type": note.kind, "timestamp": sign::rfc3339(note.at_ms), "data": data })
}

const fn colour(severity: Severity) -> u32 {
    match severity {
        Severity::Info => 0x33_7a_b7,
        Severity::Warning => 0xe6_9f_00,
        Severity::Error => 0xd0_3b_3b,
        Severity::Critical => 0x8b_00_00,
    }
}

/// A text in which nothing stands for emphasis, a link or a heading, of at most so many UTF-16 units.
fn marked(text: &str, units: usize) -> String {
    let mut made = String::with_capacity(text.len());
    for char in cut(text, units).chars() {
        if "\\`*_~|[]<>#".contains(char) {
            made.push('\\');
        }
        made.push(char);
    }
    cut(&made, units)
}

/// At most so many UTF-16 units, which is what services count.
fn cut(text: &str, units: usize) -> String {
    let mut left = units;
    let fits = |char: &char| {
        let fits = char.len_utf16() <= left;
        left = left.saturating_sub(char.len_utf16());
        fits
    };
    let kept: String = text.chars().take_while(fits).collect();
    if kept.len() == text.len() { kept } else { format!("{}…", cut_bytes(&kept, kept.len().saturating_sub(4))) }
}

fn cut_bytes(text: &str, bytes: usize) -> String {
    let end = (0..=bytes.min(text.len())).rev().find(|&index| text.is_char_boundary(index)).unwrap_or(0);
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(way: Way, url: &str, secret: &str) -> Target {
        Target {
            name: "t".into(),
            way,
            url: url.to_owned().into(),
            secret: secret.to_owned().into(),
            to: Vec::new(),
            private: false,
        }
    }

    fn note(title: &str, text: &str) -> Note {
        Note { title: title.into(), text: text.into(), kind: "run.failed".into(), ..Note::default() }
    }

    #[test]
    fn nobody_is_called_by_what_stands_in_a_text() {
        let note = note("@everyone <!channel>", "@all & <!here> <https://evil.test|click>");
        let body = |way| {
            let shaped = shape(&target(way, "https://chat.test/hooks/x", ""), &note, "m1", 0).unwrap();
            serde_json::from_slice::<Value>(&shaped.body).unwrap()
        };
        assert_eq!(body(Way::Discord)["allowed_mentions"], json!({ "parse": [] }));
        let slack = body(Way::Slack);
        assert_eq!(slack["blocks"][1]["text"]["text"], "@all &amp; &lt;!here&gt; &lt;https://evil.test|click&gt;");
        assert_eq!(slack["text"], "@everyone &lt;!channel&gt;");
        assert!(!body(Way::Mattermost).to_string().contains("@all"));
    }

    #[test]
    fn what_stands_in_a_text_is_no_markdown() {
        let note = note("# *x*", "[click](https://evil.test) `a_b` || \\");
        let body = |way| {
            let shaped = shape(&target(way, "https://chat.test/hooks/x", ""), &note, "m1", 0).unwrap();
            serde_json::from_slice::<Value>(&shaped.body).unwrap()
        };
        let plain = "\\[click\\](https://evil.test) \\`a\\_b\\` \\|\\| \\\\";
        let (discord, mattermost) = (body(Way::Discord), body(Way::Mattermost));
        assert_eq!(discord["embeds"][0]["title"], "\\# \\*x\\*");
        assert_eq!(discord["embeds"][0]["description"], plain);
        assert_eq!(mattermost["attachments"][0]["text"], plain);
    }

    #[test]
    fn texts_are_cut_to_the_room_that_there_is() {
        let note = note(&"ä😀".repeat(500), &"<😀>".repeat(5_000));
        let units = |value: &Value| value.as_str().unwrap().encode_utf16().count();
        let body = |way, url: &str| {
            let shaped = shape(&target(way, url, ""), &note, "m1", 0).unwrap();
            serde_json::from_slice::<Value>(&shaped.body).unwrap()
        };
        let discord = body(Way::Discord, "https://discord.test/api/webhooks/1/x");
        assert!(units(&discord["embeds"][0]["title"]) <= 256 && units(&discord["embeds"][0]["description"]) <= 4_096);
        let slack = body(Way::Slack, "https://hooks.slack.test/services/x");
        assert!(
            units(&slack["blocks"][0]["text"]["text"]) <= 150 && units(&slack["blocks"][1]["text"]["text"]) <= 3_000
        );
        let ntfy = body(Way::Ntfy, "https://ntfy.test/alarms");
        assert!(ntfy["message"].as_str().unwrap().len() <= 4_096);
    }

    #[test]
    fn an_ntfy_address_ends_with_its_topic() {
        let split = |text: &str| topic(&Url::parse(text).unwrap()).map(|(topic, url)| (topic, url.to_string()));
        assert_eq!(split("https://ntfy.sh/a-b_1"), Ok(("a-b_1".into(), "https://ntfy.sh/".into())));
        assert_eq!(split("https://x.test/push/up?x=1#y"), Ok(("up".into(), "https://x.test/push/".into())));
        for wrong in ["https://ntfy.sh", "https://ntfy.sh/", "https://ntfy.sh/a/", "https://ntfy.sh/a b"] {
            assert!(split(wrong).is_err(), "{wrong}");
        }
    }
}
