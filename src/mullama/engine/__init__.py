"""The engine: which rows are computed next, on which cells, and what becomes of the tokens.

Pure Python. It knows no C, no asyncio, no HTTP, and no clock that it was not given.
"""
