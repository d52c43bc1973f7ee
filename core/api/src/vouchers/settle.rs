//! Settling: this Sovereign asks another one for what was redeemed here of its vouchers, and books what it answers. Both the
//! question and the answer are signed; asked twice, the answer is the same.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;
use windlass_model::{
    Code, Problem,
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
}

fn signed_answer(question: &str, answer: &[u8]) -> Vec<u8> {
    // It is the answer to this question, and to no other.
    [ANSWERED, question.as_bytes(), b"\n", answer].concat()
}

impl Office<'_> {
    /// Asks another Sovereign for what is open, and books what it answers.
    pub async fn settle(&self, name: &str) -> Result<Settled, Problem> {
        let peer = self.peer(name)?;
        let open = self.engine.voucher_claims(Direction::Out, Some(name), Some(ClaimState::Pending), CLAIMS)?;
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
        self.engine.book_verdicts(name, verdicts.clone())?;
        let accepted = verdicts.iter().filter(|verdict| verdict.state == ClaimState::Accepted).count();
        let disputed = verdicts.into_iter().filter(|verdict| verdict.state == ClaimState::Disputed).collect();
        let left = self.engine.voucher_claims(Direction::Out, Some(name), Some(ClaimState::Pending), CLAIMS)?;
        Ok(Settled { asked, accepted, disputed, pending: left.len() })
    }

    async fn ask(&self, peer: &Peer, asked: Asked) -> Result<Answered, Problem> {
        let name = &peer.name;
        if peer.body.url.is_empty() {
            return Err(Problem::new(Code::Unsupported, format!("it isn't known where `{name}` takes claims"))
                .help("PUT /api/v1/sovereigns/{name} with its `url`")
                .no_effect());
        }
        let away = |what: &dyn std::fmt::Display| {
            Problem::new(Code::Unavailable, format!("{name} didn't answer for its vouchers: {what}"))
                .help("nothing is lost: the claims stay open, and are asked again with the next `franchise/settle`")
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
        let verdicts = self.engine.judge_claims(&peer.name, asked.claims)?;
        let answer = serde_json::to_vec(&Answered { verdicts })
            .map_err(|error| Problem::new(Code::Internal, format!("the answer can't be written: {error}")))?;
        let signature = signer.sign(&signed_answer(signature, &answer));
        Ok((answer, signature))
    }
}
