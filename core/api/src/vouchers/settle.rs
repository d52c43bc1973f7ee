//! Settling: this Sovereign asks another one for what was redeemed here of its vouchers, and books what it answers. Both the
//! question and the answer are signed; asked twice, the answer is the same.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use windlass_model::{
    Code, Problem,
    audit::NewAudit,
    voucher::{Claim, ClaimState, Direction, Verdict},
};

use super::{
    keys::{self, Signer},
    office::Office,
    peers::Peer,
};

/// Claims of one request, at most.
const CLAIMS: u32 = 500;
/// Bytes of a request or an answer, at most.
pub(super) const BODY_BYTES: usize = 1 << 20;
/// Where claims are taken.
pub(super) const PATH: &str = "/api/v1/vouchers/claims";
/// The header with the id of the key that signs.
pub(super) const KEY: &str = "x-windlass-key";
/// The header with the signature.
pub(super) const SIGNATURE: &str = "x-windlass-signature";
/// What is signed begins so.
const ASKED: &[u8] = b"windlass claims 1\n";
const ANSWERED: &[u8] = b"windlass verdicts 1\n";
/// How long the other side may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// Id of the key of whom it is asked: nobody else takes it.
    to: String,
    claims: Vec<Claim>,
}

/// What is answered.
#[derive(Debug, Serialize, Deserialize)]
struct Answered {
    verdicts: Vec<Verdict>,
}

/// What came of settling.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Settled {
    /// Claims that were asked.
    pub asked: usize,
    /// Those that are paid.
    pub accepted: usize,
    /// Those that are not, with why.
    pub disputed: Vec<Verdict>,
    /// How many are left.
    pub pending: usize,
    /// What it has answered and can't be booked: the claim was withdrawn, or answered otherwise before. People decide.
    pub unbooked: Vec<Verdict>,
}

fn signed_answer(question: &str, answer: &[u8]) -> Vec<u8> {
    // It is the answer to this question, and to no other.
    [ANSWERED, question.as_bytes(), b"\n", answer].concat()
}

/// Refuses to ask who can't be asked.
fn require_url(peer: &Peer) -> Result<(), Problem> {
    match peer.body.url.is_empty() {
        false => Ok(()),
        true => Err(Problem::new(Code::Unsupported, format!("it isn't known where `{}` takes claims", peer.name))
            .help("PUT /api/v1/sovereigns/{name} with its `url`")
            .no_effect()),
    }
}

/// The entry in the audit log for verdicts, those of this Sovereign and those of another one.
fn booked(by: &str, peer: &Peer, action: &str, verdicts: &[Verdict]) -> NewAudit {
    let of = |state: ClaimState| -> Vec<&str> {
        verdicts.iter().filter(|one| one.state == state).map(|one| one.id.as_str()).collect()
    };
    NewAudit {
        actor: by.to_owned(),
        organisation: peer.organisation.clone(),
        action: action.to_owned(),
        target: peer.name.clone(),
        source: if by.starts_with("run:") { "run" } else { "api" }.to_owned(),
        before: Value::Null,
        after: json!({ "accepted": of(ClaimState::Accepted), "disputed": of(ClaimState::Disputed) }),
    }
}

impl Office<'_> {
    /// Asks another Sovereign for what is open, and books what it answers. `by` is who asks, for the audit log.
    pub async fn settle(&self, name: &str, by: &str) -> Result<Settled, Problem> {
        let peer = self.peer(name)?;
        require_url(&peer)?;
        // From here on none of them is withdrawn: what was asked is judged there, whether or not the answer comes back.
        let open = self.engine.ask_claims(name, CLAIMS)?;
        if open.is_empty() {
            return Ok(Settled::default());
        }
        let claims = open.iter().map(|claim| {
            Ok(Claim {
                id: claim.id.clone(),
                voucher: self.id_there(&claim.voucher)?,
                nonce: claim.nonce.clone(),
                amount: claim.amount,
                currency: claim.currency.clone(),
            })
        });
        let claims: Vec<Claim> = claims.collect::<Result<_, Problem>>()?;
        let asked = claims.len();
        let answered = self.ask(&peer, Asked { to: peer.kid.clone(), claims }).await?;
        let known = |verdict: &Verdict| open.iter().any(|claim| claim.id == verdict.id);
        let verdicts: Vec<Verdict> = answered.verdicts.into_iter().filter(known).collect();
        let entry = booked(by, &peer, "voucher.settle", &verdicts);
        let unbooked = self.engine.audited(entry).book_verdicts(name, verdicts.clone())?.left;
        let accepted = verdicts.iter().filter(|verdict| verdict.state == ClaimState::Accepted).count();
        let disputed = verdicts.into_iter().filter(|verdict| verdict.state == ClaimState::Disputed).collect();
        let left = |state| self.engine.voucher_claims(Direction::Out, Some(name), Some(state), CLAIMS);
        let pending = left(ClaimState::Pending)?.len() + left(ClaimState::Asked)?.len();
        Ok(Settled { asked, accepted, disputed, pending, unbooked })
    }

    async fn ask(&self, peer: &Peer, asked: Asked) -> Result<Answered, Problem> {
        let name = &peer.name;
        let away = |what: &dyn std::fmt::Display| {
            Problem::new(Code::Unavailable, format!("{name} didn't answer for its vouchers: {what}"))
                .help("nothing is lost: the claims are asked again with the next `franchise/settle`; until then none is taken back")
                .retryable()
                .no_effect()
        };
        let body = serde_json::to_vec(&asked).map_err(|error| Problem::new(Code::Internal, error.to_string()))?;
        let signer = Signer::of(self.engine, self.sealing)?;
        let signature = signer.sign(&[ASKED, &body].concat());
        let client = reqwest::Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none()).build();
        let client = client.map_err(|error| away(&error))?;
        let request = client.post(format!("{}{PATH}", peer.body.url)).header("content-type", "application/json");
        let request = request.header(KEY, signer.id()).header(SIGNATURE, &signature).body(body);
        let mut answer = request.send().await.map_err(|error| away(&error.without_url()))?;
        let status = answer.status();
        if !status.is_success() {
            return Err(away(&format!("it answered with {status}")));
        }
        let answered_by = answer.headers().get(SIGNATURE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut bytes = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(|error| away(&error.without_url()))? {
            bytes.extend_from_slice(&piece);
            if bytes.len() > BODY_BYTES {
                return Err(away(&"its answer is too large"));
            }
        }
        let public = peer.public()?;
        if !keys::verify(&public, &signed_answer(&signature, &bytes), &answered_by.unwrap_or_default()) {
            return Err(away(&"its answer isn't signed by its key"));
        }
        serde_json::from_slice(&bytes).map_err(|error| away(&error))
    }

    /// Judges what another Sovereign asks; the answer and its signature.
    pub(super) fn judge(&self, kid: &str, signature: &str, body: &Bytes) -> Result<(Vec<u8>, String), Problem> {
        let unknown =
            || Problem::new(Code::Unauthenticated, "these claims aren't signed by a Sovereign that is trusted here");
        let peer = Peer::all(self.engine)?.into_iter().find(|peer| peer.kid == kid).ok_or_else(unknown)?;
        if !keys::verify(&peer.public()?, &[ASKED, body].concat(), signature) {
            return Err(unknown());
        }
        let asked: Asked = serde_json::from_slice(body)
            .map_err(|error| Problem::new(Code::InvalidInput, format!("the claims can't be read: {error}")))?;
        let signer = Signer::of(self.engine, self.sealing)?;
        if asked.to != signer.id() || asked.claims.len() > CLAIMS as usize {
            let message = format!("the claims are for another Sovereign, or more than {CLAIMS}");
            return Err(Problem::new(Code::InvalidInput, message).data(json!({ "key": signer.id() })));
        }
        let word = |text: &str| (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        let sound = |claim: &Claim| {
            claim.amount >= 1
                && [&claim.id, &claim.voucher, &claim.nonce, &claim.currency].into_iter().all(|text| word(text))
        };
        if !asked.claims.iter().all(sound) {
            return Err(Problem::new(Code::InvalidInput, "a claim has an amount and words of 1 to 64 characters"));
        }
        let count = asked.claims.len();
        let entry = NewAudit {
            after: json!({ "claims": asked.claims.iter().map(|claim| &claim.id).collect::<Vec<_>>() }),
            ..booked(&format!("sovereign:{}", peer.name), &peer, "voucher.judge", &[])
        };
        let verdicts = match count {
            0 => Vec::new(),
            _ => self.engine.audited(entry).judge_claims(&peer.name, asked.claims)?,
        };
        let answer = serde_json::to_vec(&Answered { verdicts })
            .map_err(|error| Problem::new(Code::Internal, format!("the answer can't be written: {error}")))?;
        let signature = signer.sign(&signed_answer(signature, &answer));
        Ok((answer, signature))
    }
}
