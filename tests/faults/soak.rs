//! `windlass-soak`: the fault harness from the command line.

use std::{process::ExitCode, time::Duration};

use windlass_tests::faults::{self, Options};

const USAGE: &str = "usage: windlass-soak [--seed N] [--seeds COUNT] [--nodes 1-4] [--seconds S] [--faults NAMES] [--break epoch|intent|lease] [--verbose]

  Runs a mix of workflows while nodes are killed, paused, cut off and slowed, the database crashes and disks fill, and
  compares what the database says with what an independent witness saw. The same seed makes the same plan. Without
  --nodes, seeds take turns with 1 to 4 nodes (1: SQLite, else PostgreSQL). --faults takes some of kill, pause, cut, slow,
  slow-witness, database, full-disk, with commas.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [word, address] = arguments.as_slice()
        && word == "witness"
    {
        let address = address.parse().expect("an address");
        return match faults::witness::serve(address) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error.to_string()),
        };
    }
    let mut options =
        Options { seed: 1, nodes: 0, time: Duration::from_secs(20), faults: Vec::new(), broken: None, verbose: false };
    let mut seeds = 1;
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        if word == "--verbose" {
            options.verbose = true;
            continue;
        }
        let Some(value) = words.next() else { return fail(USAGE) };
        let number = value.parse::<u64>();
        match (word.as_str(), number) {
            ("--seed", Ok(seed)) => options.seed = seed,
            ("--seeds", Ok(count)) => seeds = count,
            ("--nodes", Ok(nodes @ 1..=4)) => options.nodes = nodes as usize,
            ("--seconds", Ok(seconds)) => options.time = Duration::from_secs(seconds),
            ("--faults", _) => {
                options.faults = value.split(',').map(str::to_owned).collect();
                if let Some(strange) = options.faults.iter().find(|name| faults::plan::Fault::named(name, 0).is_none())
                {
                    return fail(&format!("there is no fault `{strange}`\n{USAGE}"));
                }
            }
            ("--break", _) => options.broken = Some(value.clone()),
            _ => return fail(USAGE),
        }
    }
    let mut violations = 0;
    for seed in options.seed..options.seed + seeds {
        let nodes = if options.nodes > 0 { options.nodes } else { [3, 4, 2, 1][(seed % 4) as usize] };
        let options = Options { seed, nodes, ..options.clone() };
        if let Some(missing) = faults::missing(nodes) {
            return fail(&missing);
        }
        let report = faults::run(&options);
        println!("{}", report.line(&options));
        report.violations.iter().for_each(|violation| println!("  ✗ {violation}"));
        violations += report.violations.len();
    }
    if violations == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn fail(why: &str) -> ExitCode {
    eprintln!("{why}");
    ExitCode::from(2)
}
