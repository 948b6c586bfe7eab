"""The command line: arguments in, one job of the session, words and JSON out. It knows no page and no tensors."""
