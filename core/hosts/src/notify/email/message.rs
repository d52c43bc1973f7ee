//! A message read from a call's arguments, and made into what a mail server takes.

use lettre::{
    Message,
    message::{
        Mailbox, MultiPart, SinglePart,
        header::{HeaderName, HeaderValue},
    },
};
use minijinja::AutoEscape;
use serde::Deserialize;
use serde_json::Value;
use windlass_model::{Code, Problem};
use windlass_script::host::Args;

use super::{Config, address, config::Sender};
use crate::{notify::note::Note, template};

const SUBJECT_CHARS: usize = 200;

/// The only parameter of `notify::email`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    to: To,
    subject: String,
    text: String,
    #[serde(default)]
    html: Option<String>,
    #[serde(default)]
    reply_to: Option<String>,
    #[serde(default)]
    values: Option<Value>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum To {
    One(String),
    Many(Vec<String>),
}

impl To {
    fn texts(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts,
        }
    }
}

/// A message that can be sent.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) to: Vec<Mailbox>,
    subject: String,
    text: String,
    html: Option<String>,
    reply_to: Option<Mailbox>,
}

/// Domains of those recipients that can be read. If there is one that can't, nothing is sent to anybody.
pub(super) fn domains(args: &Args) -> Vec<String> {
    let Ok(to) = serde_json::from_value::<To>(args.get("message")["to"].clone()) else { return Vec::new() };
    let read = to.texts().iter().filter_map(|text| address::read(text).ok());
    let mut domains: Vec<String> = read.map(|mailbox| mailbox.email.domain().to_owned()).collect();
    domains.sort_unstable();
    domains.dedup();
    domains
}

/// A secret in a message would lie in mailboxes for years: that is refused, whoever may read them.
pub(in crate::notify) fn refuse_secrets(args: &Args) -> Result<(), Problem> {
    match holds_secret(args.get("message")) {
        true => Err(Problem::new(Code::SecretMisuse, "a secret can't stand in a message")
            .help("have the person fetch it once with a claim, and send them the claim's address")
            .no_effect()),
        false => Ok(()),
    }
}

fn holds_secret(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.contains_key("$secret") || fields.values().any(holds_secret),
        Value::Array(items) => items.iter().any(holds_secret),
        _ => false,
    }
}

/// Reads a message, or says what can't be meant.
pub(super) fn read(args: &Args, config: &Config) -> Result<Letter, String> {
    let mut given: Given = args.read("message").map_err(|problem| problem.message)?;
    if let Some(values) = given.values.take() {
        given.subject = filled(&given.subject, &values, AutoEscape::None)?.trim_end().to_owned();
        given.text = filled(&given.text, &values, AutoEscape::None)?;
        given.html = given.html.map(|html| filled(&html, &values, AutoEscape::Html)).transpose()?;
    }
    letter(given, config)
}

/// A message that isn't a script's.
pub(super) fn plain(to: &[String], note: &Note, config: &Config) -> Result<Letter, String> {
    let line: String = note.title.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    let link = note.link.as_ref().map(|link| format!("\n\n{link}\n")).unwrap_or_default();
    let given = Given {
        to: To::Many(to.to_vec()),
        subject: line.trim().chars().take(SUBJECT_CHARS).collect(),
        text: format!("{}{link}", note.text),
        html: note.html.clone(),
        reply_to: None,
        values: None,
    };
    letter(given, config)
}

fn filled(template: &str, values: &Value, escape: AutoEscape) -> Result<String, String> {
    let bytes = template::render(template, values, false, escape).map_err(|problem| problem.message)?;
    String::from_utf8(bytes).map_err(|error| error.to_string())
}

fn letter(given: Given, config: &Config) -> Result<Letter, String> {
    let texts = given.to.texts();
    if texts.is_empty() || texts.len() > config.recipients {
        return Err(format!("a message has 1 to {} recipients, and not {}", config.recipients, texts.len()));
    }
    let mut to: Vec<Mailbox> = Vec::new();
    for text in texts {
        let mailbox = address::read(text)?;
        if !to.iter().any(|other| other.email == mailbox.email) {
            to.push(mailbox);
        }
    }
    let subject = given.subject.trim();
    if subject.is_empty() || subject.chars().count() > SUBJECT_CHARS || subject.chars().any(char::is_control) {
        return Err(format!("a subject is one line of 1 to {SUBJECT_CHARS} characters"));
    }
    let size = given.text.len() + given.html.as_ref().map_or(0, String::len);
    if size > config.bytes {
        return Err(format!("a message has at most {} bytes, and not {size}", config.bytes));
    }
    let reply_to = given.reply_to.as_deref().map(address::read).transpose()?;
    let html = given.html.map(|html| tidied(&html));
    Ok(Letter { to, subject: subject.to_owned(), text: tidied(&given.text), html, reply_to })
}

/// Lines end with `\n`, and what would move a terminal's cursor is gone.
fn tidied(text: &str) -> String {
    let lines = text.replace("\r\n", "\n").replace('\r', "\n");
    let harmless = |char: char| !char.is_control() || char == '\n' || char == '\t';
    lines.chars().map(|char| if harmless(char) { char } else { '\u{fffd}' }).collect()
}

impl Letter {
    /// The message. Its `Message-ID` is made of the step, or of whatever else it is sent for: whoever gets it twice, by whatever relay's mistake, sees that.
    pub(super) fn message(&self, key: &str, run: Option<&str>, sender: &Sender) -> Result<Message, String> {
        let id = &blake3::hash(key.as_bytes()).to_hex()[..32];
        let mut builder = Message::builder()
            .from(sender.from.clone())
            .subject(self.subject.clone())
            .date_now()
            .message_id(Some(format!("<{id}@{}>", sender.from.email.domain())))
            // Nobody's holiday notice answers a machine (RFC 3834).
            .raw_header(raw("Auto-Submitted", "auto-generated".into())?);
        if let Some(run) = run {
            builder = builder.raw_header(raw("X-Windlass-Run", run.to_owned())?);
        }
        for to in &self.to {
            builder = builder.to(to.clone());
        }
        if let Some(reply_to) = self.reply_to.as_ref().or(sender.reply_to.as_ref()) {
            builder = builder.reply_to(reply_to.clone());
        }
        let made = match &self.html {
            Some(html) => builder.multipart(MultiPart::alternative_plain_html(self.text.clone(), html.clone())),
            None => builder.singlepart(SinglePart::plain(self.text.clone())),
        };
        made.map_err(|error| error.to_string())
    }
}

fn raw(name: &str, value: String) -> Result<HeaderValue, String> {
    let name = HeaderName::new_from_ascii(name.to_owned()).map_err(|error| error.to_string())?;
    Ok(HeaderValue::new(name, value))
}
