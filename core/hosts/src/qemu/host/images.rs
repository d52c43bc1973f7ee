//! Images: found below configured folders, never by a way out of them, and never written.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use serde_json::Value;
use windlass_model::{Code, Problem};
use windlass_script::host::OpCx;

use super::{
    super::{
        Config,
        spec::{MachineSpec, check_image},
    },
    tool::Tools,
};
use crate::support::system;

/// What a run has to be granted for an image, scope `image=NAME`.
pub const RUN: &str = "qemu.run";
const QCOW2: &[u8] = b"QFI\xfb";
/// Images over images over images.
const LAYERS: usize = 8;

/// An image that may be used.
#[derive(Clone, Debug)]
pub struct Image {
    /// Below its folder: what grants name.
    pub name: String,
    /// Where it really is.
    pub path: PathBuf,
    /// `raw` or `qcow2`.
    pub format: &'static str,
}

impl Image {
    /// Finds an image by its name below a folder, or by its path in one.
    pub fn find(config: &Config, name: &str) -> Result<Self, Problem> {
        check_image(name)?;
        let folders: Vec<PathBuf> = config.images.iter().filter_map(|folder| folder.canonicalize().ok()).collect();
        let given = Path::new(name);
        // An absolute path needn't be written as the folder really is.
        let by_path = given.is_absolute().then(|| given.to_owned());
        let by_name = folders.iter().map(|folder| folder.join(given));
        let candidate = by_path.into_iter().chain(by_name.filter(|_| !given.is_absolute())).find(|path| path.exists());
        let missing = || {
            Problem::new(Code::NotFound, format!("there is no image `{name}`"))
                .help("an administrator puts it into a folder of `hosts.qemu.images`")
                .no_effect()
        };
        let path = candidate.ok_or_else(missing)?;
        let path = path.canonicalize().map_err(|error| system(format!("image `{name}`"), &error).no_effect())?;
        Self::at(&folders, path).map_err(|mut problem| {
            problem.message = format!("image `{name}`: {}", problem.message);
            problem
        })
    }

    fn at(folders: &[PathBuf], path: PathBuf) -> Result<Self, Problem> {
        let below = |folder: &PathBuf| path.strip_prefix(folder).ok().map(Path::to_owned);
        let Some(name) = folders.iter().find_map(below) else {
            return Err(Problem::new(Code::PermissionDenied, "it leads out of the folders of images")
                .help("an administrator declares them with `images = […]` under [hosts.qemu]")
                .no_effect());
        };
        let failed = |error: std::io::Error| system("reading it", &error).no_effect();
        if !path.is_file() {
            return Err(Problem::new(Code::InvalidArgument, "it isn't a file").no_effect());
        }
        let mut magic = [0; 4];
        let read = File::open(&path).and_then(|mut file| file.read(&mut magic)).map_err(failed)?;
        let format = if read == 4 && magic == *QCOW2 { "qcow2" } else { "raw" };
        Ok(Self { name: name.to_string_lossy().into_owned(), path, format })
    }

    /// Refuses what the run wasn't granted.
    pub fn check_grant(&self, cx: &OpCx) -> Result<(), Problem> {
        let scope = format!("image={}", self.name);
        // In a rehearsal and in the real thing alike: the dispatcher can't tell the name behind a path.
        if cx.is_granted(RUN, &scope) {
            return Ok(());
        }
        let grant = format!("{RUN}:{scope}");
        Err(Problem::new(
            Code::PermissionDenied,
            format!("a machine with the image `{}` needs the grant `{grant}`", self.name),
        )
        .data(serde_json::json!({ "grant": grant }))
        .no_effect())
    }

    /// What `qemu-img` knows of it, after a look at every image below it: none may be outside of the folders.
    pub fn inspect(&self, cx: &OpCx, tools: &Tools, config: &Config) -> Result<Value, Problem> {
        let folders: Vec<PathBuf> = config.images.iter().filter_map(|folder| folder.canonicalize().ok()).collect();
        let mut image = self.clone();
        let mut first = None;
        for _ in 0..LAYERS {
            let info = tools.info(cx, &image.path, image.format)?;
            let outside = |what: &str| {
                Problem::new(
                    Code::PermissionDenied,
                    format!("image `{}`: {what} leads out of the folders of images", self.name),
                )
                .no_effect()
            };
            if info["format-specific"]["data"].get("data-file").is_some() {
                return Err(outside("the file of its data"));
            }
            let below = info.get("full-backing-filename").or_else(|| info.get("backing-filename"));
            let below = below.and_then(Value::as_str).map(str::to_owned);
            first.get_or_insert(info);
            let Some(below) = below else { return Ok(first.unwrap_or_default()) };
            let path = image.path.with_file_name(below).canonicalize().map_err(|_| outside("what it lies over"))?;
            image = Self::at(&folders, path).map_err(|_| outside("what it lies over"))?;
        }
        Err(Problem::new(Code::LimitExceeded, format!("image `{}` lies over more than {LAYERS} others", self.name))
            .no_effect())
    }
}

/// What a machine boots from.
pub struct Boot {
    pub disk: Option<Image>,
    pub kernel: Option<Image>,
    pub initrd: Option<Image>,
}

impl Boot {
    /// Finds everything that a machine boots from.
    pub fn of(config: &Config, spec: &MachineSpec) -> Result<Self, Problem> {
        let find = |name: &Option<String>| name.as_deref().map(|name| Image::find(config, name)).transpose();
        Ok(Self { disk: find(&spec.disk)?, kernel: find(&spec.kernel)?, initrd: find(&spec.initrd)? })
    }

    /// All that there is of it.
    pub fn images(&self) -> impl Iterator<Item = &Image> {
        [&self.disk, &self.kernel, &self.initrd].into_iter().flatten()
    }
}
