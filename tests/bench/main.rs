//! Measures the engine on this machine: one table, every number against its target. `windlass-bench --help` tells how.

mod cases;
mod client;
mod disk;
mod labs;
mod machine;
mod ops;
mod options;
mod plot;
mod report;
mod wal;
mod world;

use std::{process::ExitCode, time::Instant};

use crate::{
    options::Options,
    report::{Report, Row},
};

// As the server has it: script memory is bounded, and every allocation pays for the counting.
#[global_allocator]
static ALLOCATOR: windlass_script::CountingAllocator = windlass_script::CountingAllocator;

fn main() -> ExitCode {
    let options = match Options::read(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{}", options::help());
            return ExitCode::SUCCESS;
        }
        Err(message) => {
            eprintln!("windlass-bench: {message}\n\n{}", options::help());
            return ExitCode::from(2);
        }
    };
    let (pinned, others) = if options.pin { machine::pin(2) } else { Default::default() };
    let folder = match machine::folder(&options.folder) {
        Ok(folder) => folder,
        Err(error) => {
            eprintln!("windlass-bench: `{}` can't be used: {error}", options.folder.display());
            return ExitCode::FAILURE;
        }
    };
    let mut report = Report { machine: machine::describe(folder.path(), &pinned), ..Report::default() };
    if options.smoke {
        labs::settle_at_once();
    }
    let syncs = if options.smoke { 20 } else { 500 };
    report.sync_before_ms = disk::sync_median_ms(folder.path(), syncs);
    let cx = cases::Cx { options: &options, folder: folder.path(), others: &others };
    for case in cases::ALL.iter().filter(|case| options.wants(case.name)) {
        eprintln!("── {}: {}", case.name, case.what);
        let (started, work) = (Instant::now(), machine::work());
        match (case.run)(&cx) {
            Ok(rows) => report.rows.extend(rows),
            Err(message) => report.rows.push(Row::failed(case.name, message)),
        }
        let others = work.taken_by_others_percent();
        report.others_percent.push((case.name, others));
        eprintln!("   {:.1} s; others took {others:.0} % of these cores", started.elapsed().as_secs_f64());
    }
    report.sync_after_ms = disk::sync_median_ms(folder.path(), syncs);
    if options.json {
        println!("{}", report.json());
    } else {
        print!("{report}");
    }
    // A missed target is a finding, not a failure of the program; a case that could not be measured is one.
    if report.rows.iter().any(Row::is_broken) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
