//! Folders of this machine that nodes are given: of each folder that the configuration names, the part that is the lab's own.

use std::path::PathBuf;

use windlass_model::{Code, Problem};

use super::{lab::Lab, spec::MountSpec};

/// `FOLDER/ORGANISATION/LAB`, which has to be there as a folder, not by way of a link.
pub fn source(lab: &Lab<'_>, mount: &MountSpec) -> Result<PathBuf, Problem> {
    let problem = |code, message: String| Problem::new(code, message).no_effect();
    let Some(folder) = lab.machine.config.mounts.get(&mount.folder) else {
        return Err(problem(Code::PermissionDenied, format!("there is no folder `{}`", mount.folder)));
    };
    let own = |base: PathBuf| base.join(&lab.id.organisation).join(&lab.id.name);
    let named = own(folder.path().clone());
    if lab.cx.rehearsal {
        return Ok(named);
    }
    let missing = |error: std::io::Error| {
        problem(Code::NotFound, format!("the folder {} of this machine: {error}", named.display()))
            .help("a lab is given its own part of a folder, ORGANISATION/LAB in it: an administrator makes it")
    };
    let base = folder.path().canonicalize().map_err(missing)?;
    let real = named.canonicalize().map_err(missing)?;
    if real == own(base) && real.is_dir() {
        return Ok(real);
    }
    Err(problem(
        Code::PermissionDenied,
        format!("{} isn't a folder of its own: links aren't followed", named.display()),
    ))
}
