//! Deployments beside each other for what a route really sends: throughput and headroom beside price.
