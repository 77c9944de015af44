//! What is counted of a minute's requests, of every kind that is kept of minutes.

use crate::demand::MinuteCells;
use crate::figures::FigureCells;
use crate::index::Postings;
use crate::rollup::{Cells, Counting, Margins, TagCells};
use crate::runs::RunCells;
use crate::seen::Seen;

/// What the requests of a minute come to.
#[derive(Default)]
pub(crate) struct Built {
    pub(crate) postings: Postings,
    pub(crate) sums: MinuteSums,
}

/// The part of it that is sums.
#[derive(Default)]
pub(crate) struct MinuteSums {
    pub(crate) cells: Counting,
    pub(crate) tags: TagCells,
    pub(crate) demand: MinuteCells,
    pub(crate) figures: FigureCells,
    pub(crate) runs: RunCells,
}

/// The same, as it is added to what was counted before.
pub(crate) struct Counted {
    pub(crate) postings: Postings,
    pub(crate) cells: Cells,
    pub(crate) margins: Margins,
    pub(crate) tags: TagCells,
    pub(crate) demand: MinuteCells,
    pub(crate) figures: FigureCells,
    pub(crate) runs: RunCells,
}

impl MinuteSums {
    pub(crate) fn add(&mut self, seen: &Seen) {
        self.cells.add(seen);
        self.tags.add(seen);
        self.demand.add(seen);
        self.figures.add(seen);
        self.runs.add(seen);
    }
}

impl Built {
    /// Nothing yet. A minute that is full of runs has too many for any more of them to be counted.
    pub(crate) fn begin(full_of_runs: bool) -> Self {
        let runs = if full_of_runs { RunCells::too_many() } else { RunCells::default() };
        Self { sums: MinuteSums { runs, ..MinuteSums::default() }, ..Self::default() }
    }

    pub(crate) fn add(&mut self, seen: &Seen) {
        self.postings.push(seen);
        self.sums.add(seen);
    }

    pub(crate) fn done(mut self) -> Counted {
        self.postings.sort();
        let Self { postings, sums: MinuteSums { cells, tags, demand, figures, runs } } = self;
        let mut margins = Margins::default();
        cells.list().iter().for_each(|(key, cell)| margins.add_cell(key, cell));
        Counted { postings, cells: cells.done(), margins, tags, demand, figures, runs }
    }
}
