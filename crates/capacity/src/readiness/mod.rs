//! The seven questions of readiness, each with its evidence, a grade and what to do.
