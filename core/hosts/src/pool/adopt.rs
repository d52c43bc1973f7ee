//! A name that another run has, taken by one that says so. What was given out by a run that has completed stays as it is: it is
//! used, and no undo gives it back. What any other run has left, and what nobody will give out any more, becomes this step's.

use windlass_model::{Code, Problem};

use super::{Holder, Row, State, service::owner_of};
use crate::owner::{Fate, Organisations};

/// Whether a name may be taken that somebody has.
pub(super) enum Adopted {
    /// It is somebody's.
    Refused,
    /// It is used as it is.
    Kept,
    /// It is this step's from now on.
    Moved,
}

/// Whether this holder may take the name.
pub(super) fn judged(row: &Row, holder: &Holder) -> Result<Adopted, Problem> {
    let (Some(fates), Some(run)) = (&holder.adopts, &row.run) else { return Ok(Adopted::Refused) };
    if row.state == State::Releasing || owner_of(row) != holder.organisation {
        return Ok(Adopted::Refused);
    }
    // What an earlier step of this run has reserved.
    if holder.run.as_ref() == Some(run) {
        return Ok(Adopted::Kept);
    }
    Ok(match (fates.fate(run)?, row.state) {
        (Fate::Open, _) => Adopted::Refused,
        // It is in use: by what it points to.
        (Fate::Completed, State::Active) => match &holder.points_to {
            Some(address) if row.addresses == [address.as_str()] => Adopted::Kept,
            _ => Adopted::Refused,
        },
        // A reservation that its run didn't give out only runs out.
        _ => Adopted::Moved,
    })
}

/// The row as this step's. Its records stay until they are committed again; no undo of the step that wrote them finds them.
pub(super) fn moved(row: Row, holder: &Holder, token: String, until_ms: i64) -> Row {
    let zone_by = Some(row.zone_key().to_owned());
    Row {
        token,
        key: holder.key.clone(),
        zone_by,
        run: holder.run.clone(),
        committed_by: None,
        until_ms: (row.state == State::Reserved).then_some(until_ms),
        ..row
    }
}

/// Refuses a name that isn't given out for good by a run of the same organisation, or that points elsewhere.
pub(super) fn admit(row: &Row, organisation: &str, fates: &dyn Organisations) -> Result<(), Problem> {
    let completed = match &row.run {
        Some(run) => fates.fate(run)? == Fate::Completed,
        None => false,
    };
    match completed && row.state == State::Active && owner_of(row) == organisation {
        true => Ok(()),
        false => Err(Problem::new(Code::PermissionDenied, format!("{} isn't this run's to give out", row.name))
            .help("reserve it first, with `adopt: true` if an earlier run may have it")
            .no_effect()),
    }
}
