"""Training: config, the two players' steps, loop, checkpoints, records, export. The only room that uses accelerate."""
