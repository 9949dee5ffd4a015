"""Where a prompt's state is saved, for a model that can go on only from a saved state.

The next request will most likely share everything up to the end of a message: a chat's next turn,
the same question asked again, another question to the same document. So states are saved where a
message ends (after an end-of-generation token), shortly before the prompt's end, and every so many
tokens of a long stretch without one. Of two places that lie close together the later one is no
use, since computing the few tokens between is cheaper than a state.

    system … <end> user … <end> assistant … <end> user … <end> <assistant's header>
                              ^                              ^  of these the last few
"""

from __future__ import annotations

from array import array
from collections.abc import Collection

from mullama.types import Token

CLOSE = 64  # tokens that are sooner computed again than saved
MOST_MESSAGE_ENDS = 3  # earlier ones were saved by earlier turns
LEAST_SPACING = 512
MOST_SPACING = 8192
BYTES_PER_TOKEN_OF_SPACING = 16 << 10  # large states are saved at longer intervals


def spacing(state_bytes: int) -> int:
    """Tokens between two saved states of one long text."""
    return min(MOST_SPACING, max(LEAST_SPACING, state_bytes // BYTES_PER_TOKEN_OF_SPACING))


def places(prompt: array[int], ends: Collection[Token], every: int, *, last: bool) -> list[int]:
    """Positions in (0, len(prompt)) at which to save the state, in order.

    `ends` are the tokens that end a message. With `last`, the last possible place is one of them,
    however close it is to another: other answers to the same prompt begin there.
    """
    n = len(prompt)
    message_ends = [i + 1 for i in range(n - 1) if prompt[i] in ends][-MOST_MESSAGE_ENDS:]
    wanted = sorted({*message_ends, *range(every, n - 1, every), n - 1} - {0})
    chosen: list[int] = []
    for place in wanted:
        if not chosen or place - chosen[-1] >= CLOSE:
            chosen.append(place)
        elif place in message_ends and chosen[-1] not in message_ends:
            chosen[-1] = place  # what is shared ends with a message
    if last and n > 1 and n - 1 not in chosen:
        chosen.append(n - 1)
    return chosen
