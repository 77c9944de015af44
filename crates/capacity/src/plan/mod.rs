//! Whether a load fits the limits: formulas first, with a simulation as their proof.
