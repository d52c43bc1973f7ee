//! Claims in a rehearsal: none is kept, and no machine will ask.

use windlass_model::{Problem, RunId};

use super::{Claims, Offer, Offered, Step};

pub(super) struct Nowhere;

impl Claims for Nowhere {
    fn generate(&self, _: &Step<'_>, name: &str, _: usize, _: &[String]) -> Result<(String, bool), Problem> {
        Ok((format!("made/rehearsal/{name}"), true))
    }

    fn forget(&self, _: &RunId, _: &str, _: Option<&str>) -> Result<(), Problem> {
        Ok(())
    }

    fn returned(&self, _: &RunId, _: &str, _: &str) -> Result<Option<String>, Problem> {
        Ok(None)
    }

    fn offer(&self, offer: &Offer) -> Result<Offered, Problem> {
        let url = "http://127.0.0.1/api/v1/claims/rehearsed".to_owned();
        Ok(Offered { id: "rehearsed".into(), url, word: format!("made/rehearsal/.word/{}", offer.name) })
    }

    fn withdraw(&self, _: &str, _: &RunId, _: Option<&str>) -> Result<(), Problem> {
        Ok(())
    }
}
