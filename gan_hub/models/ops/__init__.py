"""What several architectures compute by: convolutions that torch lacks, maps of semantic classes, declared lists of layers."""
