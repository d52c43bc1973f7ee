//! The command line.

use std::path::PathBuf;

use crate::cases;

pub struct Options {
    pub only: Vec<String>,
    pub json: bool,
    pub smoke: bool,
    pub pin: bool,
    pub seconds: u64,
    pub folder: PathBuf,
    /// Where the case that has a plot writes it.
    pub write_plot: Option<PathBuf>,
}

impl Options {
    /// Reads arguments; `None` when help is asked for.
    pub fn read(arguments: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        // Beside the binary is a disk almost everywhere; the system's folder for temporary files often isn't.
        let beside = std::env::current_exe().ok().and_then(|path| path.parent().map(PathBuf::from));
        let folder = beside.unwrap_or_else(std::env::temp_dir);
        let mut options =
            Self { only: Vec::new(), json: false, smoke: false, pin: true, seconds: 5, folder, write_plot: None };
        let mut arguments = arguments.peekable();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("`{argument}` needs a value"));
            match argument.as_str() {
                "--only" => options.only.extend(value()?.split(',').map(str::to_owned)),
                "--json" => options.json = true,
                "--smoke" => options.smoke = true,
                "--pin" => options.pin = true,
                "--no-pin" => options.pin = false,
                "--seconds" => options.seconds = value()?.parse().map_err(|_| "`--seconds` needs a whole number")?,
                "--folder" => options.folder = value()?.into(),
                "--write-plot" => options.write_plot = Some(value()?.into()),
                "-h" | "--help" => return Ok(None),
                other => return Err(format!("`{other}` isn't an option")),
            }
        }
        match options.only.iter().find(|name| !cases::ALL.iter().any(|case| case.name == name.as_str())) {
            Some(name) => Err(format!("there is no case `{name}`")),
            None => Ok(Some(options)),
        }
    }

    /// Whether this case is to be measured.
    pub fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }

    /// The full size, or the small one of a smoke test.
    pub fn size(&self, full: usize, smoke: usize) -> usize {
        if self.smoke { smoke } else { full }
    }
}

pub fn help() -> String {
    let cases: String = cases::ALL.iter().map(|case| format!("  {:<11} {}\n", case.name, case.what)).collect();
    format!(
        "windlass-bench [options]\n\n\
         --only NAME     only this case (repeat, or separate with commas)\n\
         --json          one JSON document instead of the table\n\
         --seconds N     how long cases measure that run for a time (default 5)\n\
         --folder PATH   where the databases are made (default: beside the binary); has to be a disk\n\
         --write-plot P  writes the plot of the case `scale` to this file (SVG)\n\
         --no-pin        use all cores; by default the process is pinned to 2, which the targets are for\n\
         --smoke         tiny sizes, no targets: only shows that everything still works\n\n\
         cases:\n{cases}"
    )
}
