//! The table of routes: what can be asked, who may ask it, and what it looks like. Dispatch, the OpenAPI document, the
//! audit log and the test of authorisation all read this one table.

use std::{collections::BTreeSet, future::Future, pin::Pin, sync::Arc};

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::Value;
use windlass_model::{Code, Problem};

use crate::{Access, Answer, Api, Request};

/// HTTP methods that routes have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    /// As it stands in a request.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// Whether it only looks.
    pub const fn is_safe(self) -> bool {
        matches!(self, Self::Get)
    }
}

/// A future that answers.
pub type Answering = Pin<Box<dyn Future<Output = Result<Answer, Problem>> + Send>>;

/// What a route does.
#[derive(Clone)]
pub enum Handler {
    /// Blocks (database, scripts): runs on a thread of its own.
    Blocking(Arc<dyn Fn(Request) -> Result<Answer, Problem> + Send + Sync>),
    /// Doesn't block: streams.
    Streaming(Arc<dyn Fn(Request) -> Answering + Send + Sync>),
}

/// What answers without blocking where that can be; `None`: the handler does it.
pub type Soon = Arc<dyn Fn(&Request) -> Option<Answering> + Send + Sync>;

/// What is looked at before a request's body is read: who is refused here has none of it read.
pub type First = fn(&Api, &Parameters) -> Result<(), Problem>;

/// A schema, made when the OpenAPI document is.
pub type SchemaOf = fn(&mut SchemaGenerator) -> Value;

fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<T>().into()
}

/// One route.
#[derive(Clone)]
pub struct Route {
    /// Its method.
    pub method: Method,
    /// Its path, with parameters in braces: `/api/v1/runs/{id}`. `{name*}` takes the rest, slashes included.
    pub path: &'static str,
    /// Group in the OpenAPI document.
    pub tag: &'static str,
    /// One line.
    pub summary: &'static str,
    /// More, if one line isn't enough.
    pub description: &'static str,
    /// Who may ask.
    pub access: Access,
    /// Schema of the query's parameters (an object).
    pub query: Option<SchemaOf>,
    /// Schema of the body.
    pub body: Option<SchemaOf>,
    /// Whether the body isn't JSON; its media type.
    pub body_type: &'static str,
    /// Bytes that the body may have at most, if that is less than everywhere.
    pub body_bytes: Option<usize>,
    /// Request headers that matter, with their meaning.
    pub headers: &'static [(&'static str, &'static str)],
    /// Status and schema of the answer; without a schema it has no body (204) or isn't JSON.
    pub answers: Vec<(u16, Option<SchemaOf>, &'static str)>,
    /// Codes of the problems that it may answer with, besides those that every route has.
    pub problems: &'static [Code],
    /// Whether whoever isn't logged in may send it from any page, also one at another of the server's names.
    pub any_page: bool,
    /// What it does.
    pub handler: Option<Handler>,
    /// Asked before a handler that blocks.
    pub soon: Option<Soon>,
    /// What is looked at before the body is read.
    pub first: Option<First>,
}

impl Route {
    /// A route that is nobody's until `access` says whose.
    pub fn new(method: Method, path: &'static str, tag: &'static str, summary: &'static str) -> Self {
        Self {
            method,
            path,
            tag,
            summary,
            description: "",
            access: Access::Nobody,
            query: None,
            body: None,
            body_type: "application/json",
            body_bytes: None,
            headers: &[],
            answers: Vec::new(),
            problems: &[],
            handler: None,
            any_page: false,
            soon: None,
            first: None,
        }
    }

    /// `GET`
    pub fn get(path: &'static str, tag: &'static str, summary: &'static str) -> Self {
        Self::new(Method::Get, path, tag, summary)
    }

    /// `POST`
    pub fn post(path: &'static str, tag: &'static str, summary: &'static str) -> Self {
        Self::new(Method::Post, path, tag, summary)
    }

    /// `PUT`
    pub fn put(path: &'static str, tag: &'static str, summary: &'static str) -> Self {
        Self::new(Method::Put, path, tag, summary)
    }

    /// `PATCH`
    pub fn patch(path: &'static str, tag: &'static str, summary: &'static str) -> Self {
        Self::new(Method::Patch, path, tag, summary)
    }

    /// `DELETE`
    pub fn delete(path: &'static str, tag: &'static str, summary: &'static str) -> Self {
        Self::new(Method::Delete, path, tag, summary)
    }

    /// Who may ask.
    #[must_use]
    pub fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// More, if one line isn't enough.
    #[must_use]
    pub fn describe(mut self, description: &'static str) -> Self {
        self.description = description;
        self
    }

    /// The query's parameters.
    #[must_use]
    pub fn query<T: JsonSchema>(mut self) -> Self {
        self.query = Some(schema_of::<T>);
        self
    }

    /// The body, JSON.
    #[must_use]
    pub fn body<T: JsonSchema>(mut self) -> Self {
        self.body = Some(schema_of::<T>);
        self
    }

    /// The body, of another media type.
    #[must_use]
    pub fn raw_body(mut self, media_type: &'static str) -> Self {
        self.body = Some(schema_of::<String>);
        self.body_type = media_type;
        self
    }

    /// The body has at most so many bytes.
    #[must_use]
    pub fn body_bytes(mut self, most: usize) -> Self {
        self.body_bytes = Some(most);
        self
    }

    /// Who isn't logged in may send it from any page: nothing goes into it but what they send.
    #[must_use]
    pub fn from_any_page(mut self) -> Self {
        self.any_page = true;
        self
    }

    /// Request headers that matter.
    #[must_use]
    pub fn headers(mut self, headers: &'static [(&'static str, &'static str)]) -> Self {
        self.headers = headers;
        self
    }

    /// An answer with a JSON body.
    #[must_use]
    pub fn answers<T: JsonSchema>(mut self, status: u16) -> Self {
        self.answers.push((status, Some(schema_of::<T>), "application/json"));
        self
    }

    /// An answer without a body.
    #[must_use]
    pub fn answers_nothing(mut self) -> Self {
        self.answers.push((204, None, ""));
        self
    }

    /// An answer that isn't JSON.
    #[must_use]
    pub fn answers_raw(mut self, status: u16, media_type: &'static str) -> Self {
        self.answers.push((status, None, media_type));
        self
    }

    /// Problems that it may answer with, besides those that every route has.
    #[must_use]
    pub fn problems(mut self, codes: &'static [Code]) -> Self {
        self.problems = codes;
        self
    }

    /// What it does. It may block.
    #[must_use]
    pub fn handle(mut self, handler: impl Fn(Request) -> Result<Answer, Problem> + Send + Sync + 'static) -> Self {
        self.handler = Some(Handler::Blocking(Arc::new(handler)));
        self
    }

    /// What saves `handle` its thread where nothing blocks. The answer is awaited to its end, even if whoever asked is gone.
    #[must_use]
    pub fn soon(mut self, soon: impl Fn(&Request) -> Option<Answering> + Send + Sync + 'static) -> Self {
        self.soon = Some(Arc::new(soon));
        self
    }

    /// What is looked at before the body is read. It may block.
    #[must_use]
    pub fn first(mut self, first: First) -> Self {
        self.first = Some(first);
        self
    }

    /// What it does. It must not block.
    #[must_use]
    pub fn stream<F>(mut self, handler: impl Fn(Request) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Answer, Problem>> + Send + 'static,
    {
        self.handler = Some(Handler::Streaming(Arc::new(move |request| Box::pin(handler(request)))));
        self
    }
}

/// Parameters of a path, by name.
pub type Parameters = Vec<(&'static str, String)>;

/// All routes, to be found by method and path.
pub struct Routes {
    all: Vec<Route>,
    /// What stands before each one's first parameter.
    before: Vec<&'static str>,
}

/// What a path was found to be.
pub enum Found<'a> {
    /// This route, with its parameters.
    Route(&'a Route, Parameters),
    /// There are routes, but for these methods.
    OtherMethods(Vec<Method>),
    /// Nothing.
    Nothing,
}

impl Routes {
    /// The table.
    pub fn new(all: Vec<Route>) -> Self {
        let before = all.iter().map(|route| route.path.split('{').next().unwrap_or(route.path)).collect();
        Self { all, before }
    }

    /// All of them.
    pub fn all(&self) -> &[Route] {
        &self.all
    }

    /// What stands behind a name that may contain slashes (`{name*}/source`) where something of it is read or done: a name that ends
    /// so is told from that by `%2F`.
    pub fn behind_names(&self) -> BTreeSet<&'static str> {
        let behind = self.all.iter().filter_map(|route| route.path.split_once("*}/"));
        behind.filter_map(|(_, rest)| rest.rsplit('/').next()).collect()
    }

    /// The route for a request. A fixed segment goes before a parameter, whatever the method: what is read at
    /// `…/{name*}/source` is no place where a workflow called `…/source` could be saved. A name is told from what is done with one by
    /// `%2F` for its slashes.
    pub fn find(&self, method: &str, path: &str) -> Found<'_> {
        let mut found: Vec<(&Route, Parameters)> = Vec::new();
        let mut most = 0;
        // A stream of bytes has no body without GET; HEAD is GET without a body.
        let asked = if method == "HEAD" { "GET" } else { method };
        // Most routes differ from the path before their first parameter: that is seen without taking both apart.
        let alike = self.all.iter().zip(&self.before).filter(|(_, before)| path.starts_with(**before));
        for (route, _) in alike {
            let Some((parameters, fixed)) = matched(route.path, path) else { continue };
            if fixed > most {
                found.clear();
                most = fixed;
            }
            if fixed == most {
                found.push((route, parameters));
            }
        }
        match found.iter().position(|(route, _)| route.method.as_str() == asked) {
            Some(index) => {
                let (route, parameters) = found.swap_remove(index);
                Found::Route(route, parameters)
            }
            None if found.is_empty() => Found::Nothing,
            None => Found::OtherMethods(found.into_iter().map(|(route, _)| route.method).collect()),
        }
    }
}

/// The parameters, and how many segments are fixed.
fn matched(pattern: &'static str, path: &str) -> Option<(Parameters, usize)> {
    // PostgreSQL's texts have no zero bytes: nothing is called so.
    let decode = |text: &str| {
        let text = percent_encoding::percent_decode_str(text).decode_utf8().ok()?;
        (!text.contains('\0')).then(|| text.into_owned())
    };
    let mut parameters = Vec::new();
    let mut fixed = 0;
    let mut rest = path.strip_prefix('/')?;
    let mut segments = pattern.strip_prefix('/')?.split('/').peekable();
    while let Some(segment) = segments.next() {
        let name = segment.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
        if let Some(name) = name.and_then(|name| name.strip_suffix('*')) {
            // What stands behind the rest is fixed: `{name*}/history`.
            let tail: Vec<&str> = segments.clone().collect();
            let suffix = if tail.is_empty() { String::new() } else { format!("/{}", tail.join("/")) };
            let value = rest.strip_suffix(suffix.as_str()).filter(|value| !value.is_empty())?;
            parameters.push((name, decode(value)?));
            return Some((parameters, fixed + tail.len()));
        }
        let (here, after) = match rest.split_once('/') {
            Some((here, after)) => (here, Some(after)),
            None => (rest, None),
        };
        match name {
            Some(name) if !here.is_empty() => parameters.push((name, decode(here)?)),
            None if segment == here => fixed += 1,
            _ => return None,
        }
        match (after, segments.peek().is_some()) {
            (Some(after), true) => rest = after,
            (None, false) => return Some((parameters, fixed)),
            _ => return None,
        }
    }
    None
}

/// How schemas are made: JSON Schema 2020-12, definitions where OpenAPI keeps them.
pub fn schema_settings() -> SchemaSettings {
    SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_segment_goes_before_a_parameter_whatever_the_method() {
        let routes = Routes::new(vec![
            Route::put("/w/{name*}", "", ""),
            Route::get("/w/{name*}", "", ""),
            Route::get("/w/{name*}/source", "", ""),
        ]);
        let found = |method, path| match routes.find(method, path) {
            Found::Route(route, _) => route.path.to_owned(),
            Found::OtherMethods(methods) => format!("{methods:?}"),
            Found::Nothing => String::new(),
        };
        assert_eq!(found("PUT", "/w/lab/grid"), "/w/{name*}");
        assert_eq!(found("HEAD", "/w/lab/source"), "/w/{name*}/source");
        assert_eq!(found("PUT", "/w/lab/source"), "[Get]");
        assert_eq!(found("PATCH", "/w/lab"), "[Put, Get]");
        assert_eq!(found("GET", "/v"), "");
    }

    #[test]
    fn what_stands_behind_names_is_known() {
        let routes = Routes::new(vec![
            Route::get("/w/{name*}", "", ""),
            Route::get("/w/{name*}/source", "", ""),
            Route::put("/w/{name*}/source", "", ""),
            Route::get("/p/{name*}/files/all", "", ""),
            Route::get("/o/{name}/look", "", ""),
        ]);
        assert_eq!(routes.behind_names().into_iter().collect::<Vec<_>>(), ["all", "source"]);
    }

    #[test]
    fn a_name_is_told_from_what_is_done_with_one() {
        let routes = Routes::new(vec![
            Route::get("/w/{name*}", "", ""),
            Route::put("/w/{name*}", "", ""),
            Route::post("/w/{name*}/restore", "", ""),
            Route::get("/w/{name*}/source", "", ""),
        ]);
        let found = |method, path| match routes.find(method, path) {
            Found::Route(route, parameters) => format!("{} {}", route.path, parameters[0].1),
            Found::OtherMethods(methods) => format!("{methods:?}"),
            Found::Nothing => String::new(),
        };
        for method in ["GET", "HEAD", "PUT"] {
            assert_eq!(found(method, "/w/lab%2Frestore"), "/w/{name*} lab/restore");
            assert_eq!(found(method, "/w/lab%2Fsource"), "/w/{name*} lab/source");
        }
        assert_eq!(found("POST", "/w/lab/restore"), "/w/{name*}/restore lab");
        assert_eq!(found("POST", "/w/lab%2Frestore/restore"), "/w/{name*}/restore lab/restore");
        assert_eq!(found("GET", "/w/lab/restore/source"), "/w/{name*}/source lab/restore");
        assert_eq!(found("GET", "/w/lab/restore"), "[Post]");
        assert_eq!(found("PUT", "/w/lab/source"), "[Get]");
        assert_eq!(found("DELETE", "/w/lab/restore"), "[Post]");
    }

    #[test]
    fn paths_are_matched_segment_by_segment() {
        let found = |pattern, path| matched(pattern, path).map(|(parameters, _)| parameters);
        assert_eq!(found("/a/b", "/a/b"), Some(vec![]));
        assert_eq!(found("/a/{id}", "/a/7"), Some(vec![("id", "7".into())]));
        assert_eq!(found("/a/{id}", "/a/x%2Fy"), Some(vec![("id", "x/y".into())]));
        assert_eq!(found("/w/{name*}", "/w/lab/grid"), Some(vec![("name", "lab/grid".into())]));
        assert_eq!(found("/w/{name*}/history", "/w/lab/grid/history"), Some(vec![("name", "lab/grid".into())]));
        for (pattern, path) in [
            ("/a/b", "/a"),
            ("/a/b", "/a/b/"),
            ("/a/{id}", "/a/"),
            ("/a/{id}", "/a/%ff"),
            ("/w/{n*}", "/w/"),
            ("/a/{id}", "/a/x%00"),
            ("/w/{n*}/b", "/w/%00y/b"),
        ] {
            assert_eq!(found(pattern, path), None, "{pattern} {path}");
        }
    }
}
