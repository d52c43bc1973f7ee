//! Claims in a rehearsal: none is kept, and no machine will ask.

use windlass_model::{Problem, RunId};

use super::{Claims, Offer, Offered, ops};

pub(super) struct Nowhere;

impl Claims for Nowhere {
    fn generate(&self, _: &str, _: usize, _: &[String]) -> Result<bool, Problem> {
        Ok(true)
    }

    fn forget(&self, _: &str) -> Result<(), Problem> {
        Ok(())
    }

    fn offer(&self, offer: &Offer) -> Result<Offered, Problem> {
        let url = "http://127.0.0.1/api/v1/claims/rehearsed".to_owned();
        Ok(Offered { id: "rehearsed".into(), url, word: ops::word_of(&offer.name) })
    }

    fn withdraw(&self, _: &str, _: &RunId) -> Result<(), Problem> {
        Ok(())
    }
}
