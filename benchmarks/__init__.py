"""Measures servers on this machine: the traffic that local servers see, ours beside its peers'.

    python -m benchmarks run      servers that run already
    python -m benchmarks start    servers that it starts and ends itself; memory and cold start too
    python -m benchmarks restart  our server's prefixes from disk, beside computing them
    python -m benchmarks engine   the engine without HTTP, beside a bare loop over the C API
    python -m benchmarks library  how soon a model can answer in a program, and how fast
    python -m benchmarks soak     many short requests: does anything grow?
    python -m benchmarks mixed    all kinds of requests, and too little room: is anything wrong?
    python -m benchmarks kills    workers that are killed while they write: is the next one sound?
    python -m benchmarks model    a model file with random weights, as large as a real one

A machine is never quiet, so a figure means something only beside another one of the same run. The
servers take turns (A B A B …), a figure is the median of several rounds, and what is compared are
ratios. Every server gets the same requests, with prompts of token ids, and the same client.

Load goes to loopback addresses only, and everything is bounded in count and in time.
"""
