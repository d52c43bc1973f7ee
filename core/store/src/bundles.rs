//! Bundles: workflow sources, kept once by digest.

use std::sync::Arc;

use diesel::prelude::*;
use windlass_model::{BundleDigest, Code, Problem};

use crate::{apply::Cx, connection::AnyConnection, dialect::both, error::Applied, schema::bundles};

pub(crate) fn put(cx: &mut Cx, digest: &BundleDigest, body: &str) -> Applied<()> {
    both!(cx.conn, c => diesel::insert_into(bundles::table)
        .values((
            bundles::digest.eq(digest.as_str()),
            bundles::body.eq(body),
            bundles::created_at_ms.eq(cx.now_ms),
        ))
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(())
}

/// Refuses a digest that nothing is kept under. What is kept once is kept for good.
pub(crate) fn require(cx: &mut Cx, digest: &BundleDigest) -> Applied<()> {
    if cx.recent.has_bundle(digest) {
        return Ok(());
    }
    let found: Option<String> =
        bundles::table.find(digest.as_str()).select(bundles::digest).get_result(cx.conn).optional()?;
    match found {
        Some(_) => {
            cx.recent.saw_bundle(digest);
            Ok(())
        }
        None => Err(Problem::new(Code::NotFound, format!("there is no bundle `{digest}`")).into()),
    }
}

pub(crate) fn body(conn: &mut AnyConnection, digest: &BundleDigest) -> QueryResult<Option<Arc<str>>> {
    let body: Option<String> =
        bundles::table.find(digest.as_str()).select(bundles::body).get_result(conn).optional()?;
    Ok(body.map(Arc::from))
}
