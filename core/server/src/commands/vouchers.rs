//! `windlass vouchers …`: at a server, or straight on the database.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use windlass_api::vouchers::{Issue, Leave, Office};
use windlass_model::{
    Code, Problem,
    time::parse_duration_ms,
    voucher::{BatchRecord, VoucherFilter, VoucherRecord},
};

use super::users;
use crate::{
    context::Context,
    desk::{Remote, encoded},
    exit::Exit,
    render,
    session::Session,
};

/// Vouchers that a list shows here, at most.
const LISTED: u32 = 10_000;

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Issue a batch; its codes are in the export
    Issue(IssueArgs),
    /// List vouchers, without their codes
    Ls {
        /// Only those of this organisation
        #[arg(long)]
        issuer: Option<String>,
        /// Only those of this batch
        #[arg(long)]
        batch: Option<String>,
    },
    /// Show a voucher, without its code, and who redeemed it
    Show {
        /// Its id
        id: String,
    },
    /// Take back a voucher, or a whole batch; what was redeemed stays
    Revoke {
        /// Its id, or the batch's
        id: String,
    },
    /// Print a batch with its codes, as CSV
    Export {
        /// The batch's id
        batch: String,
    },
    /// Look what a code is worth
    Preview {
        /// The code, or a voucher that another Sovereign has signed
        code: String,
    },
    /// Redeem a code: an organisation, an environment and a first app
    Redeem {
        /// The code, or a voucher that another Sovereign has signed
        code: String,
        /// The name of the organisation to be
        #[arg(long)]
        organisation: String,
        /// Who is told, and looks after it
        #[arg(long)]
        email: String,
        /// What the credit is for
        #[arg(long)]
        product: Option<String>,
    },
}

/// What is issued.
#[derive(Debug, clap::Args)]
pub struct IssueArgs {
    /// The organisation that answers for them
    #[arg(long)]
    issuer: String,
    /// How people call the batch
    #[arg(long)]
    name: String,
    /// How many
    #[arg(long, default_value_t = 1)]
    count: usize,
    /// What each is worth, in the currency's smallest unit
    #[arg(long)]
    credit: i64,
    /// Three letters of ISO 4217
    #[arg(long)]
    currency: String,
    /// What they are for
    #[arg(long, default_value = "")]
    description: String,
    /// How often each may be redeemed (0: without limit)
    #[arg(long, default_value_t = 1)]
    max: i64,
    /// A product that they are for, and how often at most: `small=10` (may be given several times)
    #[arg(long = "product", value_name = "NAME=MOST")]
    products: Vec<String>,
    /// How long they can be redeemed: `90d`
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// Let other Sovereigns redeem them by their signature
    #[arg(long)]
    signed: bool,
}

/// Where vouchers are kept.
enum Place<'a> {
    Here(&'a Session, &'a Context),
    There(&'a Remote),
}

/// Runs the command.
pub fn run(command: &Command, context: &Context) -> Result<Exit, Problem> {
    context.at(
        |remote| at(&Place::There(remote), command, context),
        |session| at(&Place::Here(session, context), command, context),
    )
}

fn at(place: &Place<'_>, command: &Command, context: &Context) -> Result<Exit, Problem> {
    match command {
        Command::Issue(args) => {
            let batch = place.issue(args)?;
            context.print(&batch, || batch["id"].as_str().unwrap_or_default().to_owned());
            context.hint(&format!("`windlass vouchers export {}` prints the codes", text(&batch, "id")));
        }
        Command::Ls { issuer, batch } => list(&place.all(issuer.as_deref(), batch.as_deref())?, context),
        Command::Show { id } => {
            let voucher = place.show(id)?;
            context.print_json(&voucher);
        }
        Command::Revoke { id } => {
            let revoked = place.revoke(id)?;
            let done = json!({ "id": id, "revoked": revoked });
            context.print(&done, || format!("{revoked} can't be redeemed any more"));
        }
        Command::Export { batch } => {
            // What is printed is the file: no line is added.
            context.raw(place.export(batch)?.as_bytes());
        }
        Command::Preview { code } => {
            let worth = place.preview(code)?;
            context.print(&worth, || render::money(&worth["credit"], &worth["currency"]));
        }
        Command::Redeem { code, organisation, email, product } => {
            let begun = place.redeem(json!({
                "code": code, "organisation": organisation, "email": email, "product": product,
            }))?;
            context.print(&begun, || format!("run {} redeems it", text(&begun, "run")));
        }
    }
    Ok(Exit::Success)
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

fn products(args: &IssueArgs) -> Result<BTreeMap<String, i64>, Problem> {
    let wrong = |text: &str| Problem::new(Code::Usage, format!("`--product {text}`: a name, `=` and a number"));
    let pair = |text: &String| {
        let (name, most) = text.split_once('=').ok_or_else(|| wrong(text))?;
        Ok((name.to_owned(), most.parse().map_err(|_| wrong(text))?))
    };
    args.products.iter().map(pair).collect()
}

fn open_ms(args: &IssueArgs) -> Result<Option<i64>, Problem> {
    let wrong = |text: &String, error: &dyn std::fmt::Display| {
        Problem::new(Code::Usage, format!("`--expires {text}`: {error}"))
    };
    args.expires.as_ref().map(|text| parse_duration_ms(text).map_err(|error| wrong(text, &error))).transpose()
}

impl Place<'_> {
    fn issue(&self, args: &IssueArgs) -> Result<Value, Problem> {
        let (products, open_ms) = (products(args)?, open_ms(args)?);
        let now_ms = windlass_api::auth::kept::now_ms();
        let expires_at_ms = open_ms.map(|open_ms| now_ms.saturating_add(open_ms));
        match self {
            Self::There(remote) => remote.post(
                "/vouchers/batches",
                &json!({
                    "issuer": args.issuer, "name": args.name, "count": args.count, "credit": args.credit,
                    "currency": args.currency, "description": args.description, "max_redemptions": args.max,
                    "products": products, "expires_at_ms": expires_at_ms, "signed": args.signed,
                }),
            ),
            Self::Here(session, context) => {
                let after = json!({ "count": args.count, "credit": args.credit, "currency": args.currency });
                let place = (args.issuer.as_str(), args.issuer.as_str());
                let engine = session.engine();
                windlass_api::auth::users::require_organisation(engine, &args.issuer)?;
                Office::new(engine, session.vault()).prepare()?;
                let audited = users::by(context).audited(engine, "voucher.issue", place, Value::Null, after);
                let issue = Issue {
                    issuer: args.issuer.clone(),
                    name: args.name.clone(),
                    count: args.count,
                    credit: args.credit,
                    currency: args.currency.clone(),
                    description: args.description.clone(),
                    max_redemptions: args.max,
                    products,
                    expires_at_ms,
                    signed: args.signed,
                };
                let key = format!("cli/{:032x}", rand::random::<u128>());
                // Whoever has the data folder has the keys.
                let office = Office::new(&audited, session.vault());
                let batch = office.issue(issue, &key, &context.who(), Leave::Any)?;
                Ok(json!(batch))
            }
        }
    }

    fn all(&self, issuer: Option<&str>, batch: Option<&str>) -> Result<Vec<Value>, Problem> {
        match self {
            Self::There(remote) => {
                let query = [("issuer", issuer), ("batch", batch)];
                let query: Vec<(&str, String)> =
                    query.into_iter().filter_map(|(name, value)| Some((name, value?.to_owned()))).collect();
                remote.list("/vouchers", &query, LISTED as usize)
            }
            Self::Here(session, _) => {
                let issuers = issuer.map(|issuer| vec![issuer.to_owned()]);
                let batch = batch.map(str::to_owned);
                let filter = VoucherFilter { issuers, batch, limit: LISTED, ..VoucherFilter::default() };
                let found = session.engine().vouchers(&filter)?;
                Ok(found.into_iter().map(|found| json!(found.voucher)).collect())
            }
        }
    }

    fn show(&self, id: &str) -> Result<Value, Problem> {
        match self {
            Self::There(remote) => {
                let path = format!("/vouchers/{}", encoded(id));
                let mut voucher: Value = remote.get(&path)?;
                voucher["redemptions"] = remote.get(&format!("{path}/redemptions"))?;
                Ok(voucher)
            }
            Self::Here(session, _) => {
                let mut voucher = json!(voucher(session, id)?);
                voucher["redemptions"] = json!(session.engine().redemptions(Some(id), None, 500)?);
                Ok(voucher)
            }
        }
    }

    fn revoke(&self, id: &str) -> Result<u64, Problem> {
        let is_batch = id.starts_with("b_");
        match self {
            Self::There(remote) => {
                let kind = if is_batch { "vouchers/batches" } else { "vouchers" };
                let revoked: Value = remote.post(&format!("/{kind}/{}/revoke", encoded(id)), &json!({}))?;
                Ok(revoked["revoked"].as_u64().unwrap_or_default())
            }
            Self::Here(session, context) => {
                let issuer = if is_batch { batch(session, id)?.issuer } else { voucher(session, id)?.issuer };
                let place = (issuer.as_str(), id);
                let by = users::by(context);
                let audited = by.audited(session.engine(), "voucher.revoke", place, Value::Null, Value::Null);
                audited.revoke_vouchers(Some(id).filter(|_| !is_batch), Some(id).filter(|_| is_batch), false)
            }
        }
    }

    fn export(&self, id: &str) -> Result<String, Problem> {
        match self {
            Self::There(remote) => remote.text(&format!("/vouchers/batches/{}/export", encoded(id))),
            Self::Here(session, context) => {
                let batch = batch(session, id)?;
                let entry = windlass_model::audit::NewAudit {
                    actor: context.who(),
                    organisation: batch.issuer.clone(),
                    action: "voucher.export".into(),
                    target: batch.id.clone(),
                    source: "cli".into(),
                    before: Value::Null,
                    after: json!({ "count": batch.count }),
                };
                session.engine().audit(entry)?;
                Office::new(session.engine(), session.vault()).export(&batch)
            }
        }
    }

    fn preview(&self, code: &str) -> Result<Value, Problem> {
        match self {
            Self::There(remote) => remote.get(&format!("/redeem/{}", encoded(code))),
            Self::Here(session, _) => {
                let engine = session.engine();
                let voucher = Office::new(engine, session.vault()).preview(code)?;
                match voucher.closed(engine.now_ms()) {
                    None => Ok(json!({ "credit": voucher.credit, "currency": voucher.currency,
                        "description": voucher.description, "products": voucher.products.keys().collect::<Vec<_>>(),
                        "expires_at_ms": voucher.expires_at_ms })),
                    Some(closed) => Err(Problem::new(Code::Gone, format!("the voucher can't be redeemed: {closed}"))
                        .data(json!({ "reason": closed }))),
                }
            }
        }
    }

    fn redeem(&self, body: Value) -> Result<Value, Problem> {
        match self {
            Self::There(remote) => {
                let mut body = body;
                if body["product"].is_null() {
                    body.as_object_mut().map(|fields| fields.remove("product"));
                }
                remote.post("/redeem", &body)
            }
            Self::Here(..) => Err(Problem::new(Code::Usage, "a code is redeemed at a server")
                .help("name one with --server; here, `windlass run franchise/redeem` takes a voucher's id")),
        }
    }
}

fn voucher(session: &Session, id: &str) -> Result<VoucherRecord, Problem> {
    let found = session.engine().voucher(id)?.map(|found| found.voucher);
    found.ok_or_else(|| {
        Problem::new(Code::NotFound, format!("there is no voucher `{id}`")).help("`windlass vouchers ls` lists them")
    })
}

fn batch(session: &Session, id: &str) -> Result<BatchRecord, Problem> {
    let none = || {
        Problem::new(Code::NotFound, format!("there is no batch `{id}`"))
            .help("`windlass vouchers ls` lists vouchers with their batches")
    };
    session.engine().voucher_batch(id)?.ok_or_else(none)
}

fn list(all: &[Value], context: &Context) {
    context.print(&all, || {
        if all.is_empty() {
            return "no vouchers".to_owned();
        }
        let rows = all.iter().map(|voucher| {
            let most = voucher["max_redemptions"].as_i64().unwrap_or_default();
            let most = if most == 0 { "no limit".to_owned() } else { most.to_string() };
            let ends = voucher["expires_at_ms"].as_i64().map_or_else(|| "never".to_owned(), render::clock);
            vec![
                text(voucher, "id"),
                text(voucher, "batch"),
                text(voucher, "issuer"),
                render::money(&voucher["credit"], &voucher["currency"]),
                format!("{} of {most}", voucher["times_redeemed"]),
                if voucher["active"] == true { "active".to_owned() } else { "revoked".to_owned() },
                ends,
            ]
        });
        render::table(&["id", "batch", "issuer", "credit", "redeemed", "state", "ends"], rows.collect())
    });
}
