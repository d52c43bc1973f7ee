//! How a thing is made once, found again, and removed if it is ours.

use serde_json::{Value, json};
use windlass_model::{Code, Problem};
use windlass_script::host::OpCx;

use super::{
    adopt::{self, Found},
    arguments::Reference,
    client::Project,
    marks,
    refusal::{action_failed, provider_code},
    shapes::shape,
};

/// A kind of thing, as the API names it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    /// `servers`
    pub(super) plural: &'static str,
    /// `server`
    pub(super) singular: &'static str,
    /// Whether it has actions.
    pub(super) acts: bool,
}

impl Kind {
    pub(super) fn words(self) -> String {
        self.singular.replace('_', " ")
    }

    pub(super) async fn need(self, project: &Project, wanted: &Reference) -> Result<Value, Problem> {
        project.need(self.plural, self.singular, wanted).await
    }
}

/// What happens after a thing may be there: no error says any more that nothing was done.
fn done_something(mut problem: Problem) -> Problem {
    problem.no_effect = false;
    problem
}

/// Ids of the actions that an answer tells of.
pub(super) fn actions(answer: &Value) -> Vec<i64> {
    let lists = ["actions", "next_actions"].into_iter().filter_map(|name| answer[name].as_array()).flatten();
    let single = Some(&answer["action"]).into_iter();
    single.chain(lists).filter_map(|action| action["id"].as_i64()).collect()
}

/// Makes a thing and waits until it is whole. `body` has a name and our labels. `again`: what has this name is taken if it may
/// be: see `adopt`.
pub(super) async fn create(
    cx: &OpCx,
    project: &Project,
    kind: Kind,
    body: &Value,
    again: bool,
) -> Result<Value, Problem> {
    let name = Reference::Name(body["name"].as_str().unwrap_or_default().to_owned());
    // Before it is asked for: a project that is full, or a size that is out of stock, refuses what is there already, too.
    if again && let Some(held) = project.find(kind.plural, kind.singular, &name).await? {
        match adopt::take(cx, project, kind, (body, again), &held).await? {
            Found::Taken(object) => return Ok(object),
            Found::Removed => {}
        }
    }
    let answer = match project.post(&format!("/{}", kind.plural), body).await {
        Ok(answer) => answer,
        Err(problem) if provider_code(&problem) == "uniqueness_error" => {
            // Somebody has the name. If it is what an earlier attempt of this step made, that is it.
            let Some(held) = project.find(kind.plural, kind.singular, &name).await? else {
                // Not the name is taken then: an SSH key is known by its fingerprint.
                return Err(problem.help("something else of it has to be unique, too: the key of an SSH key, for one"));
            };
            return match adopt::take(cx, project, kind, (body, again), &held).await? {
                Found::Taken(object) => Ok(object),
                Found::Removed => Err(done_something(problem).retryable()),
            };
        }
        Err(problem) => return Err(problem),
    };
    let made = &answer[kind.singular];
    let whole = async {
        project.wait(&actions(&answer)).await?;
        object(project, kind, made).await
    };
    whole.await.map_err(done_something)
}

/// The object as it is now.
pub(super) async fn object(project: &Project, kind: Kind, known: &Value) -> Result<Value, Problem> {
    let id = known["id"].as_i64().unwrap_or_default();
    let mut object = shape(kind.need(project, &Reference::Id(id)).await?);
    // Whoever looks at the run wants to know what it costs; the thing is there, whether that can be told or not.
    if object["price_monthly"].is_number()
        && let Ok(currency) = project.currency().await
    {
        object["currency"] = currency.into();
    }
    Ok(object)
}

/// Finds what an earlier attempt of this step made, and waits until it is whole.
pub(super) async fn lookup(cx: &OpCx, project: &Project, kind: Kind) -> Result<Option<Value>, Problem> {
    match made_by(project, kind, &cx.key).await? {
        Some(found) => whole(project, kind, &found).await.map(Some),
        None => Ok(None),
    }
}

async fn made_by(project: &Project, kind: Kind, key: &str) -> Result<Option<Value>, Problem> {
    let found = project.all(&format!("/{}", kind.plural), &[("label_selector", &marks::selector(key))]).await?;
    // The label is asked for by digest, and looked at once more: what is deleted has to be right.
    Ok(found.into_iter().find(|one| marks::made_by(one, key)))
}

/// What is there, once nothing runs on it any more; an error if its making has failed.
pub(super) async fn whole(project: &Project, kind: Kind, found: &Value) -> Result<Value, Problem> {
    if kind.acts {
        let path = format!("/{}/{}/actions", kind.plural, found["id"]);
        let actions = project.all(&path, &[]).await?;
        let failed = actions.iter().find(|action| {
            let makes = action["command"].as_str().is_some_and(|command| command.starts_with("create_"));
            makes && action["status"] == "error"
        });
        if let Some(failed) = failed {
            return Err(action_failed(failed));
        }
        project.wait(&running(&actions)).await?;
    }
    // An image's making is its server's action.
    loop {
        let object = object(project, kind, found).await?;
        if kind.plural != "images" || object["status"] != "creating" {
            return Ok(object);
        }
        tokio::time::sleep(project.cloud.poll).await;
    }
}

fn running(actions: &[Value]) -> Vec<i64> {
    actions.iter().filter(|one| one["status"] == "running").filter_map(|one| one["id"].as_i64()).collect()
}

/// Waits until nothing runs on a thing.
pub(super) async fn settle(project: &Project, kind: Kind, id: i64) -> Result<(), Problem> {
    let path = format!("/{}/{id}/actions", kind.plural);
    let running = running(&project.all(&path, &[("status", "running")]).await?);
    // How they end is their business.
    match project.wait(&running).await {
        Err(problem) if problem.data["reason"] != "action_failed" => Err(problem),
        _ => Ok(()),
    }
}

/// Removes a thing that is ours: for an undo what that step has made, else what the script names. Gone already is fine.
pub(super) async fn delete(cx: &OpCx, project: &Project, kind: Kind, wanted: &Reference) -> Result<Value, Problem> {
    let found = match &cx.undoes {
        Some(key) => made_by(project, kind, key).await?,
        None => project.find(kind.plural, kind.singular, wanted).await?,
    };
    let Some(found) = found else { return Ok(json!({ "deleted": false })) };
    project.admit(&kind.words(), &found)?;
    remove(project, kind, &found).await?;
    Ok(json!({ "deleted": true }))
}

/// Removes a thing that the caller has looked at.
pub(super) async fn remove(project: &Project, kind: Kind, found: &Value) -> Result<(), Problem> {
    let id = found["id"].as_i64().unwrap_or_default();
    if kind.acts {
        settle(project, kind, id).await?;
    }
    if kind.plural == "volumes" && !found["server"].is_null() {
        let answer = project.post(&format!("/volumes/{id}/actions/detach"), &json!({})).await?;
        project.wait(&actions(&answer)).await?;
    }
    match project.delete(&format!("/{}/{id}", kind.plural)).await {
        Ok(answer) => project.wait(&actions(&answer)).await,
        Err(problem) if problem.code == Code::NotFound => Ok(()),
        Err(problem) => Err(in_the_way(project, kind, id, problem).await),
    }
}

/// What is still used can't be deleted yet; the user learns by what. What uses it may be on its way out: so it is tried again.
async fn in_the_way(project: &Project, kind: Kind, id: i64, problem: Problem) -> Problem {
    if !["conflict", "resource_in_use", "must_be_unassigned", "locked"].contains(&provider_code(&problem)) {
        return problem;
    }
    let mut problem = problem.retryable();
    let Ok(object) = kind.need(project, &Reference::Id(id)).await else { return problem };
    let count = |field: &str| object[field].as_array().map_or(0, Vec::len);
    let (servers, balancers) = (count("servers"), count("load_balancers"));
    if kind.plural == "networks" && servers + balancers > 0 {
        problem.data["load_balancers"] = object["load_balancers"].clone();
        problem.data["servers"] = object["servers"].clone();
        problem.message = format!(
            "{}; {servers} servers and {balancers} load balancers are still in the network `{}`",
            problem.message,
            object["name"].as_str().unwrap_or_default(),
        );
        problem = problem
            .help("what a cluster has made for itself (a load balancer of a service) has to be removed there first");
    }
    problem
}
