"""Exit codes, and what they mean: docs/cli.md has this table."""

DONE, FAILED, MISUSED, INTERRUPTED, OUTPUT_CLOSED = 0, 1, 2, 130, 141

MEANINGS = {
    DONE: "done; a server that was told to stop is done",
    FAILED: "failed; stderr says why in one line",
    MISUSED: "wrong usage: an unknown option, a bad value, no model",
    INTERRUPTED: "interrupted by Ctrl-C",
    OUTPUT_CLOSED: "the program that read the output went away",
}
