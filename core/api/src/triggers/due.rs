//! Which instants of a schedule are due: those since the last time it was looked at, without what was missed, as it asks.

use super::{
    cron::Cron,
    kept::{Missed, Overlap, ScheduleBody, ScheduleState},
};

/// How late a launch may be before its instant counts as missed.
const LATE_MS: i64 = 60_000;
/// Instants that are made up for at once, at most; and those that wait for the run before.
const MOST: usize = 1_000;
const QUEUED: usize = 100;

/// The delay of an instant: the same wherever and whenever it is asked for.
pub fn jitter(id: &str, at_ms: i64, most_ms: i64) -> i64 {
    let Ok(most @ 1..) = u64::try_from(most_ms) else { return 0 };
    let hash = blake3::hash(format!("{id}/{at_ms}").as_bytes());
    let word = hash.as_bytes().first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    i64::try_from(word % (most + 1)).unwrap_or(0)
}

/// When something is to be done next, if nobody changes the schedule.
pub fn next_due(schedule: &ScheduleBody, cron: &Cron, id: &str, state: &ScheduleState) -> Option<i64> {
    if schedule.about.paused {
        return None;
    }
    let from = schedule.starts_at_ms.map_or(state.to_ms, |start| state.to_ms.max(start - 1));
    let at = cron.next(from).filter(|at| schedule.ends_at_ms.is_none_or(|end| *at < end))?;
    Some(at + jitter(id, at, schedule.jitter_ms))
}

/// Moves the instants that are due now into `pending`; whether anything changed.
pub fn admit(schedule: &ScheduleBody, cron: &Cron, id: &str, state: &mut ScheduleState, now_ms: i64) -> bool {
    if next_due(schedule, cron, id, state).is_none_or(|due| due > now_ms) {
        return false;
    }
    let due_at = |at: i64| at + jitter(id, at, schedule.jitter_ms);
    // From now backwards: who was away for a year doesn't want the year's first thousand.
    let before = schedule.ends_at_ms.map_or(now_ms + 1, |end| end.min(now_ms + 1));
    let after = schedule.starts_at_ms.map_or(state.to_ms, |start| state.to_ms.max(start - 1));
    let found = std::iter::successors(cron.previous(before), |at| cron.previous(*at));
    let mut all: Vec<i64> = found.take_while(|at| *at > after).take(MOST).collect();
    all.reverse();
    // In their order: one with a long delay holds up those behind it.
    let ready = all.iter().take_while(|at| due_at(**at) <= now_ms).count();
    all.truncate(ready);
    let Some(last) = all.last().copied() else { return false };
    let is_late = |at: &i64| now_ms - due_at(*at) > LATE_MS;
    let late: Vec<i64> = all.iter().copied().filter(is_late).collect();
    let dropped = match schedule.missed {
        Missed::All => Vec::new(),
        Missed::Once => late[..late.len().saturating_sub(1)].to_vec(),
        Missed::Skip => late,
    };
    state.missed += dropped.len() as u64;
    state.pending.extend(all.into_iter().filter(|at| dropped.binary_search(at).is_err()));
    let most = if schedule.overlap == Overlap::Queue { QUEUED } else { MOST };
    let over = state.pending.len().saturating_sub(most);
    state.skipped += over as u64;
    state.pending.drain(..over);
    state.to_ms = last;
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;
    const HOUR: i64 = 3_600_000;
    /// 2026-01-01T00:00:00Z
    const START: i64 = 1_767_225_600_000;

    fn schedule(missed: Missed) -> ScheduleBody {
        ScheduleBody { cron: "0 * * * *".into(), time_zone: "UTC".into(), missed, ..ScheduleBody::default() }
    }

    fn after(schedule: &ScheduleBody, to_ms: i64, now_ms: i64) -> ScheduleState {
        let cron = Cron::new(&schedule.cron, &schedule.time_zone).unwrap();
        let mut state = ScheduleState { to_ms, ..ScheduleState::default() };
        admit(schedule, &cron, "s", &mut state, now_ms);
        state
    }

    #[test]
    fn what_is_on_time_is_due_whatever_the_policy() {
        for missed in [Missed::Skip, Missed::Once, Missed::All] {
            let state = after(&schedule(missed), START, START + HOUR + 2_000);
            assert_eq!((state.pending, state.to_ms, state.missed), (vec![START + HOUR], START + HOUR, 0), "{missed:?}");
            let early = after(&schedule(missed), START, START + HOUR - 1);
            assert_eq!((early.pending, early.to_ms), (vec![], START));
        }
    }

    #[test]
    fn what_was_missed_goes_by_the_policy() {
        let now = START + 5 * HOUR + HOUR / 2;
        let hours = |from: i64, to: i64| (from..=to).map(|hour| START + hour * HOUR).collect::<Vec<_>>();
        for (missed, pending, count) in
            [(Missed::Skip, vec![], 5), (Missed::Once, hours(5, 5), 4), (Missed::All, hours(1, 5), 0)]
        {
            let state = after(&schedule(missed), START, now);
            assert_eq!((state.pending, state.missed, state.to_ms), (pending, count, START + 5 * HOUR), "{missed:?}");
        }
        // One on time beside missed ones.
        let state = after(&schedule(Missed::Once), START, START + 5 * HOUR + 10);
        assert_eq!(state.pending, hours(4, 5));
    }

    #[test]
    fn a_long_absence_is_bounded() {
        let state = after(&schedule(Missed::All), START, START + 365 * DAY + HOUR / 2);
        assert_eq!(state.pending.len(), MOST);
        assert_eq!(state.pending.last(), Some(&(START + 365 * DAY)));
        let queue = ScheduleBody { overlap: Overlap::Queue, ..schedule(Missed::All) };
        let state = after(&queue, START, START + 365 * DAY);
        assert_eq!((state.pending.len(), state.skipped), (QUEUED, (MOST - QUEUED) as u64));
    }

    #[test]
    fn delays_are_the_same_each_time_and_within_their_bound() {
        let all: Vec<i64> = (0..1_000).map(|at| jitter("s", at, 500)).collect();
        assert!(all.iter().all(|delay| (0..=500).contains(delay)));
        assert!(all.iter().collect::<std::collections::BTreeSet<_>>().len() > 300, "they are spread");
        assert_eq!(all, (0..1_000).map(|at| jitter("s", at, 500)).collect::<Vec<_>>());
        assert_eq!((jitter("s", 1, 0), jitter("s", 1, -5)), (0, 0));
        let late = ScheduleBody { jitter_ms: HOUR / 2, ..schedule(Missed::All) };
        let due = START + HOUR + jitter("s", START + HOUR, HOUR / 2);
        assert!(after(&late, START, due - 1).pending.is_empty());
        assert_eq!(after(&late, START, due).pending, [START + HOUR]);
    }

    #[test]
    fn beginnings_and_ends_are_kept() {
        let within = ScheduleBody {
            starts_at_ms: Some(START + 2 * HOUR),
            ends_at_ms: Some(START + 4 * HOUR),
            ..schedule(Missed::All)
        };
        assert_eq!(after(&within, START, START + 9 * HOUR).pending, [START + 2 * HOUR, START + 3 * HOUR]);
        let cron = Cron::new("0 * * * *", "UTC").unwrap();
        let state = ScheduleState { to_ms: START + 3 * HOUR, ..ScheduleState::default() };
        assert_eq!(next_due(&within, &cron, "s", &state), None);
        let mut paused = schedule(Missed::All);
        paused.about.paused = true;
        assert!(after(&paused, START, START + 9 * HOUR).pending.is_empty());
    }
}
