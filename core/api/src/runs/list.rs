//! The list of runs: newest first, filtered, page by page, within what whoever asks may see.

use windlass_model::{
    Code, Problem, RunId,
    query::{RunRecord, RunsPage},
};

use super::{
    filter::{self, Query},
    view::RunView,
};
use crate::{
    Access, Answer, Permission, Request, Route,
    page::{self, Page},
};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/runs", "runs", "List runs, newest first")
            .describe(
                "Filters are combined with and. Fields of the input are asked for as `input.<name>=<value>`, any number of \
                 them. Only runs that you may see are listed. Where conditions seldom meet, a page can have fewer runs than \
                 asked for, or none, and yet a `next`: by then enough was looked through.",
            )
            .access(Access::Can(Permission::Read))
            .query::<filter::Parameters>()
            .answers::<Page<RunView>>(200)
            .problems(&[Code::InvalidInput])
            .handle(list),
    ]
}

fn list(request: Request) -> Result<Answer, Problem> {
    let query = Query::parse(&request.query)?;
    let limit = page::limit(query.limit);
    let found = match query.which.within(&request.principal, Permission::Read)? {
        Some(mut filter) => {
            filter.before = query.cursor.map(RunId::from);
            filter.limit = limit;
            filter.look_through = LOOKED_THROUGH;
            request.api.engine.runs_page(&filter)?
        }
        None => RunsPage::default(),
    };
    // The filter has said so already. It is asked once more, as a mistake there would show what is others'.
    let seen = |run: &RunRecord| request.may(Permission::Read, &run.organisation, &run.workflow);
    let items = found.runs.into_iter().filter(seen).map(RunView::from).collect();
    Answer::json(&bounded(Page { items, next: found.next.map(|run| run.to_string()) }))
}

/// Entries of indices that a page looks through: some 1.5 µs each.
const LOOKED_THROUGH: u32 = 25_000;
/// Bytes of inputs and outputs on one page, about; a page that has more goes on sooner.
const PAGE_BYTES: usize = 16 << 20;

fn bounded(mut page: Page<RunView>) -> Page<RunView> {
    let mut bytes = 0;
    let fits = page.items.iter().position(|run| {
        bytes += run.weight();
        bytes > PAGE_BYTES
    });
    if let Some(kept) = fits.filter(|kept| *kept > 0) {
        page.items.truncate(kept);
        page.next = page.items.last().map(|run| run.id().to_owned());
    }
    page
}
