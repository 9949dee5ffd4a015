"""From a drawn token to the events that a caller sees, one sequence at a time.

An answer that is wanted whole is told of now and then (`delta_interval`): each event that is handed
out wakes its reader, who takes the processor from the computation.

Decides nothing about rows and cells; knows tokens, text, and when an answer is over. A token that
ends an answer (end of generation, or a stop token) counts as generated and has no text.
"""

from __future__ import annotations

from collections.abc import Sequence as Seq

from mullama.engine.sequence import Item, Job, Sequence
from mullama.types import (
    Chunk,
    Delta,
    Event,
    Finished,
    FinishReason,
    GenerateOptions,
    Progress,
    PromptScored,
    Sample,
    Token,
    TokenLogprob,
    Vocab,
)


class Delivery:
    """Appends tokens to sequences and words what came of it."""

    def __init__(self, vocab: Vocab) -> None:
        self._vocab = vocab
        self._eog = tuple(vocab.eog)

    def shown(self, token: Token) -> str:
        """A token for people: its text in quotes, control tokens too."""
        return repr(self._vocab.piece(token, special=True).decode(errors="replace"))

    def banned(self, sequence: Sequence) -> Seq[Token]:
        """Tokens that may not come next: those that would end the answer too soon."""
        options = sequence.job.options
        if options.min_tokens and sequence.n_generated < options.min_tokens:
            return (*self._eog, *options.stop_tokens)
        return self._eog if options.ignore_eos else ()

    def append(
        self, sequence: Sequence, sample: Sample, now: float
    ) -> tuple[list[Event], FinishReason | None]:
        """Take a drawn token in. Returns its events, and why the answer is over if it is."""
        options, token = sequence.job.options, sample.token
        sequence.tokens.append(token)
        sequence.n_undelivered += 1
        sequence.last_token = now
        if sequence.first_token is None:
            sequence.first_token = now
        shown = token in options.shown
        if token in options.stop_tokens or (token in self._eog and not options.ignore_eos):
            return self._last_mark(sequence, token) if shown else [], FinishReason.STOP
        n_generated = sequence.n_generated
        text, items = sequence.detokenizer.feed(
            self._vocab.piece(token, special=shown or options.special),
            self._item(options, sample),
            stops=n_generated >= options.min_tokens,
        )
        events = self._due(sequence, text, items, now)
        if sequence.detokenizer.stopped is not None:
            return events, FinishReason.STOP
        if n_generated >= sequence.max_tokens:
            return events, FinishReason.LENGTH
        return events, None

    def _last_mark(self, sequence: Sequence, token: Token) -> list[Event]:
        """The text of a token that ends the answer and is to be seen."""
        piece = self._vocab.piece(token, special=True)
        return self._delta(sequence, *sequence.detokenizer.feed(piece, stops=False))

    def finish(self, sequence: Sequence, reason: FinishReason) -> list[Event]:
        """The text that was held back, and the answer's accounts."""
        events = self._delta(sequence, *sequence.detokenizer.finish())
        events.append(
            Finished(
                sequence.job.id,
                sequence.index,
                reason,
                sequence.detokenizer.stopped,
                sequence.job.n_prompt,
                sequence.n_cached,
                sequence.n_restored,
                sequence.n_from_disk,
                sequence.n_generated,
                sequence.timings(),
            )
        )
        return events

    def progress(self, sequence: Sequence, now: float) -> Event:
        """How far a prompt has come."""
        job, begin = sequence.job, sequence.first_computed
        n_computed = min(sequence.n_computed, job.n_prompt)
        seconds = 0.0 if begin is None else now - begin
        return Progress(job.id, job.n_prompt, sequence.n_cached, n_computed, seconds)

    def score(self, job: Job, chunk: Chunk, scores: list[Sample]) -> list[Event]:
        """Collect the prompt's log-probabilities; they are sent when the last one is there."""
        known = len(job.scored) - (chunk.pos + 1)  # scored before a preemption
        pairs = list(zip(chunk.targets, scores, strict=True))[known:]
        job.scored += [self._logprob(target, score) for target, score in pairs]
        if not pairs or len(job.scored) < job.n_prompt:
            return []
        return [PromptScored(job.id, tuple(job.scored))]

    def _due(self, sequence: Sequence, text: str, items: list[Item], now: float) -> list[Event]:
        """What is known of an answer, when the time for it has come."""
        wait = sequence.job.options.delta_interval
        if wait and sequence.delivered is not None and now - sequence.delivered < wait:
            sequence.undelivered.append((text, items))
            return []
        events = self._delta(sequence, text, items)
        if events:
            sequence.delivered = now
        return events

    def _delta(self, sequence: Sequence, text: str, items: list[Item]) -> list[Event]:
        if sequence.undelivered:
            earlier, sequence.undelivered = sequence.undelivered, []
            text = "".join([*(one for one, _ in earlier), text])
            items = [item for _, few in earlier for item in few] + items
        if not text and not items:
            return []
        n, sequence.n_undelivered = sequence.n_undelivered, 0
        tokens: tuple[Token, ...] = ()
        logprobs: tuple[TokenLogprob, ...] = ()
        if items:
            if sequence.job.options.return_tokens:
                tokens = tuple(token for token, _ in items)
            logprobs = tuple(logprob for _, logprob in items if logprob is not None)
        return [Delta(sequence.job.id, sequence.index, text, n, tokens, logprobs)]

    def _item(self, options: GenerateOptions, sample: Sample) -> Item | None:
        """What a token brings along beside its text, if anything was asked for."""
        if options.logprobs is not None:
            return sample.token, self._logprob(sample.token, sample)
        return (sample.token, None) if options.return_tokens else None

    def _logprob(self, token: Token, sample: Sample) -> TokenLogprob:
        piece = self._vocab.piece
        top = tuple((t, piece(t, special=True), logprob) for t, logprob in sample.top)
        return TokenLogprob(token, piece(token, special=True), sample.logprob, top)
